"""Locks are between processes, so these tests start some."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlforge.errors import StorageError
from mlforge.storage.locking import exclusive

PATIENCE = 60
HOLD = """
import sys
from pathlib import Path
from mlforge.storage.locking import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
COUNT = """
import sys
from pathlib import Path
from mlforge.storage.locking import exclusive
folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
counter = folder / "counter"
for _ in range(rounds):
    with exclusive(folder):
        counter.write_text(str(int(counter.read_text()) + 1))
"""


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def is_free(folder: Path) -> bool:
    descriptor = os.open(folder / ".lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def test_while_one_process_holds_the_lock_no_other_gets_it(tmp_path: Path) -> None:
    with start(HOLD, str(tmp_path)) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not is_free(tmp_path)
        holder.communicate("", timeout=PATIENCE)
    assert is_free(tmp_path)


def test_two_processes_that_count_under_the_lock_lose_no_count(tmp_path: Path) -> None:
    (tmp_path / "counter").write_text("0")
    counting = [start(COUNT, str(tmp_path), "300") for _ in range(2)]
    for process in counting:
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    assert (tmp_path / "counter").read_text() == "600"


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with start(HOLD, str(tmp_path)) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGKILL)
        holder.wait(PATIENCE)
    assert is_free(tmp_path)
    with exclusive(tmp_path):
        assert not is_free(tmp_path)


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), exclusive(tmp_path / "new" / "folder"):
        raise KeyError
    assert is_free(tmp_path / "new" / "folder")


def test_a_lock_that_cannot_be_taken_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError), exclusive(tmp_path / "file"):
        pytest.fail("a file is no folder")
    (tmp_path / ".lock").mkdir()
    with pytest.raises(StorageError, match="lock"), exclusive(tmp_path):
        pytest.fail("a folder is no lock")
    (tmp_path / ".lock").rmdir()

    def unsupported(*arguments: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(StorageError, match="lock"), exclusive(tmp_path):
        pytest.fail("this file system has no locks")


def test_an_error_inside_is_not_taken_for_one_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), exclusive(tmp_path):
        raise FileNotFoundError


def test_a_planted_link_makes_no_file_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    (folder / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="a link"), exclusive(folder):
        pytest.fail("a link is no lock")
    assert not (tmp_path / "elsewhere").exists()
