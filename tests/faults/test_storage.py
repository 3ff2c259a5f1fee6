"""What is on the disk when the disk fails, at each operation in turn."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from campaign._disk import Disk
from mlforge.core.records import SampleRecord
from mlforge.errors import StorageError
from mlforge.storage.artifacts import ArtifactStore
from mlforge.storage.feature_cache import FeatureCache
from mlforge.storage.files import (
    TEMPORARY_PREFIX,
    append_lines,
    make_folder,
    remove_temporaries,
    write_batch,
    write_bytes,
    write_json,
)
from mlforge.storage.lock_file import LockedCategory, update_lock
from mlforge.storage.manifest import (
    Manifest,
    append_records,
    manifest_line,
    read_manifest,
    write_manifest,
)
from mlforge.storage.tables import TableWriter
from tests.described import DESCRIBED

ERRORS = [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EMFILE]
PATIENCE = 60
OLD, NEW = b"old" * 1000, b"new" * 2000
DIGEST = "a" * 64
ROW = np.array([[1.0, 2.0]], np.float32)


@dataclass(frozen=True)
class Action:
    """Something that writes, and what must hold of the folder at any time.

    Attributes
    ----------
    prepare
        Makes what is there before.
    act
        Writes.
    old, new
        What `look` finds before, and after a write that succeeded.
    look
        Reads what is there, as a reader would.
    """

    prepare: Callable[[Path], object]
    act: Callable[[Path], object]
    look: Callable[[Path], object]


def record(copy: int) -> SampleRecord:
    return SampleRecord(f"sample_aa_{copy:04d}.png", "aa", copy, DIGEST, 3, 0.5, ())


def write_table(folder: Path) -> None:
    with TableWriter.open(folder / "t.csv", ["file", "n"]) as table:
        for n in range(3):
            table.write({"file": "x" * 9000, "n": n})


def read_files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and TEMPORARY_PREFIX not in str(path)
    }


def lines(folder: Path) -> list[str]:
    # A reader drops a torn last line.
    return (folder / "a.jsonl").read_text().split("\n")[:-1]


def artifacts(folder: Path) -> int:
    store = ArtifactStore(folder)
    loaded = [store.load(version) for version in store.versions()]
    assert all(artifact.files == {"model.bin": NEW, "m.json": b"{}"} for artifact in loaded)
    return min(len(loaded), 2)


def save_artifact(folder: Path) -> None:
    ArtifactStore(folder).save("svm", DESCRIBED, {"model.bin": NEW, "m.json": b"{}"})


ACTIONS = {
    "write_bytes": Action(
        lambda folder: (folder / "a").write_bytes(OLD),
        lambda folder: write_bytes(folder / "a", NEW),
        lambda folder: (folder / "a").read_bytes(),
    ),
    "write_json": Action(
        lambda folder: (folder / "a").write_text("{}"),
        lambda folder: write_json(folder / "a", {"b": 1}),
        lambda folder: json.loads((folder / "a").read_bytes()),
    ),
    "write_manifest": Action(
        lambda folder: write_manifest(folder, Manifest("c", 1, (record(1),))),
        lambda folder: write_manifest(folder, Manifest("c", 2, (record(1), record(2)))),
        read_manifest,
    ),
    "append_records": Action(
        lambda folder: write_manifest(folder, Manifest("c", 2, (record(1),))),
        lambda folder: append_records(folder, [manifest_line(record(2))]),
        read_manifest,
    ),
    "append_lines": Action(
        lambda folder: (folder / "a.jsonl").write_text("one\n"),
        lambda folder: append_lines(folder / "a.jsonl", ["two"]),
        lines,
    ),
    "update_lock": Action(
        lambda folder: update_lock(folder / "l", {}, []),
        lambda folder: update_lock(
            folder / "l", {"cup": LockedCategory("c", 1, ("a",), "s", {})}, ["cup"]
        ),
        read_files,
    ),
    "feature_cache": Action(
        lambda folder: None,
        lambda folder: FeatureCache(folder, "key").store([DIGEST], ROW),
        lambda folder: sorted(FeatureCache(folder, "key").load([DIGEST])),
    ),
    "artifact": Action(save_artifact, save_artifact, artifacts),
    "table": Action(lambda folder: (folder / "t.csv").write_bytes(OLD), write_table, read_files),
    "make_folder": Action(
        lambda folder: None,
        lambda folder: make_folder(folder / "a" / "b"),
        lambda folder: (folder / "a" / "b").is_dir(),
    ),
}


def temporaries(folder: Path) -> list[Path]:
    return list(folder.rglob(f"{TEMPORARY_PREFIX}*"))


def fresh(folder: Path, action: Action) -> Path:
    folder.mkdir()
    action.prepare(folder)
    return folder


def count_operations(folder: Path, action: Action) -> int:
    disk = Disk()
    with pytest.MonkeyPatch.context() as patch:
        disk.install(patch.setattr)
        action.act(folder)
    return disk.count


def test_all_that_changes_a_file_counts_as_an_operation(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        with (folder / "a").open("wb") as file:
            file.write(b"1")
            file.writelines([b"2", b"3"])
            file.flush()
            file.truncate(1)

    assert count_operations(tmp_path, Action(write, write, write)) == 1 + 5
    assert (tmp_path / "a").read_bytes() == b"1"


def failure(action: Action, folder: Path) -> StorageError | None:
    """Return how the action failed; None where it succeeded. Any other error is raised."""
    try:
        action.act(folder)
    except StorageError as error:
        return error
    return None


@pytest.mark.parametrize("sticky", [False, True], ids=["once", "sticky"])
@pytest.mark.parametrize("number", ERRORS, ids=[errno.errorcode[number] for number in ERRORS])
@pytest.mark.parametrize("name", ACTIONS)
def test_whichever_operation_fails_readers_see_the_old_or_the_new(
    tmp_path: Path, name: str, number: int, sticky: bool
) -> None:
    action = ACTIONS[name]
    done = fresh(tmp_path / "done", action)
    old = action.look(done)
    n_operations = count_operations(done, action)
    new = action.look(done)
    assert n_operations >= 1
    assert old != new
    n_failed = 0
    for place in range(1, n_operations + 1):
        folder = fresh(tmp_path / f"fail-{place}", action)
        with pytest.MonkeyPatch.context() as patch:
            Disk(place, number, sticky=sticky).install(patch.setattr)
            error = failure(action, folder)
        if error is None:
            # Making a folder that is there may fail without harm.
            assert action.look(folder) == new, place
        else:
            assert os.strerror(number) in error.message, place
            assert error.hint, place
            assert action.look(folder) in (old, new), place
            n_failed += 1
        if not sticky:
            assert temporaries(folder) == [], place
        for below in {path.parent for path in temporaries(folder)}:
            remove_temporaries(below)
        assert temporaries(folder) == [], place
        if "append" not in name:
            action.act(folder)
            assert action.look(folder) == new, place
    assert n_failed >= n_operations - 1


@pytest.mark.parametrize("sticky", [False, True], ids=["once", "sticky"])
@pytest.mark.parametrize("number", ERRORS, ids=[errno.errorcode[number] for number in ERRORS])
def test_whichever_operation_fails_each_file_of_a_batch_is_whole(
    tmp_path: Path, number: int, sticky: bool
) -> None:
    def batch(folder: Path) -> None:
        write_batch([(folder / f"{n}", NEW) for n in range(3)], folder)

    action = Action(lambda folder: (folder / "1").write_bytes(OLD), batch, read_files)
    n_operations = count_operations(fresh(tmp_path / "done", action), action)
    for place in range(1, n_operations + 1):
        folder = fresh(tmp_path / f"fail-{place}", action)
        with pytest.MonkeyPatch.context() as patch:
            Disk(place, number, sticky=sticky).install(patch.setattr)
            with pytest.raises(StorageError):
                batch(folder)
        found = read_files(folder)
        assert found.pop("1") in (OLD, NEW), place
        assert set(found.values()) <= {NEW}, place
        if not sticky:
            assert temporaries(folder) == [], place
        remove_temporaries(folder)
        batch(folder)
        assert read_files(folder) == {f"{n}": NEW for n in range(3)}, place


CHILD = """
import resource, signal, sys
from pathlib import Path
from mlforge.errors import StorageError
from mlforge.storage.files import append_lines, write_bytes
from mlforge.storage.tables import TableWriter

def table(path):
    with TableWriter.open(path, ["file"]) as table:
        for _ in range(200):
            table.write({"file": "x" * 1000})

ways = {
    "bytes": lambda path: write_bytes(path, b"n" * 200_000),
    "lines": lambda path: append_lines(path, ["n" * 1000] * 200),
    "table": table,
}
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    ways[sys.argv[1]](Path(sys.argv[2]))
except StorageError as error:
    print(error.message)
"""


@pytest.mark.parametrize("way", ["bytes", "lines", "table"])
def test_a_file_that_the_system_lets_grow_no_further_is_a_storage_error(
    tmp_path: Path, way: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"old\n")
    child = subprocess.run(
        [sys.executable, "-c", CHILD, way, str(path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert os.strerror(errno.EFBIG) in child.stdout
    assert child.stderr == ""
    assert path.read_bytes().startswith(b"old\n")
    if way != "lines":
        assert path.read_bytes() == b"old\n"
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import os, sys
from pathlib import Path
from mlforge.storage.files import write_batch

stop_at, count, folder = int(sys.argv[1]), 0, Path(sys.argv[2])

def stopping(function):
    def stop(*arguments):
        global count
        count += 1
        if count == stop_at:
            print("here", flush=True)
            sys.stdin.read()
        return function(*arguments)
    return stop

for name in ("fsync", "replace", "rename"):
    setattr(os, name, stopping(getattr(os, name)))
write_batch([(folder / str(n), b"new" * 2000) for n in range(3)], folder)
print("done", flush=True)
"""


@pytest.mark.parametrize("stop_at", range(1, 8))
def test_a_batch_that_is_killed_at_any_step_leaves_whole_files_and_can_be_cleaned(
    tmp_path: Path, stop_at: int
) -> None:
    (tmp_path / "1").write_bytes(OLD)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(stop_at), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "here\n"
        child.send_signal(signal.SIGKILL)
        child.wait(PATIENCE)
    found = read_files(tmp_path)
    assert found.pop("1") in (OLD, NEW)
    assert set(found.values()) <= {NEW}
    remove_temporaries(tmp_path)
    assert temporaries(tmp_path) == []
    assert {path.name for path in tmp_path.iterdir()} == {*found, "1"}
