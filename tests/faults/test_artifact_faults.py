"""What failing, racing and killed changes of the registry leave."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlforge import Project
from mlforge.errors import ArtifactError, StorageError
from mlforge.storage.artifacts import ArtifactStore
from mlforge.storage.transport import read_transport
from mlforge.workflows import registry
from mlforge.workflows.proof import prove
from mlforge.workflows.train import TrainOptions

FIRST, SECOND = "random_forest-0001", "random_forest-0002"
PATIENCE = 60
N_PROCESSES, N_MOVES = 4, 30
CODES = [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EMFILE]


def failing(monkeypatch: pytest.MonkeyPatch, n: int, code: int) -> Callable[[], int]:
    """Let the n-th sync or replacement fail."""
    n_done = 0

    def wrap(function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **keywords: object) -> object:
            nonlocal n_done
            n_done += 1
            if n_done == n:
                raise OSError(code, os.strerror(code))
            return function(*args, **keywords)

        return call

    monkeypatch.setattr(os, "fsync", wrap(os.fsync))
    monkeypatch.setattr(os, "replace", wrap(os.replace))
    monkeypatch.setattr(os, "rename", wrap(os.rename))
    return lambda: n_done


@pytest.fixture
def two(trained: Project) -> Project:
    trained.train(TrainOptions(force=True, workers=1))
    trained.promote(FIRST)
    return trained


@pytest.mark.parametrize("code", CODES)
def test_whichever_write_of_a_promotion_fails_the_alias_names_one_of_both(
    two: Project, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    with monkeypatch.context() as patch:
        counted = failing(patch, -1, 0)
        two.promote(SECOND)
        total = counted()
    assert total >= 3
    for n in range(1, total + 1):
        two.promote(FIRST)
        with monkeypatch.context() as patch:
            failing(patch, n, code)
            with pytest.raises(StorageError, match=os.strerror(code)) as caught:
                two.promote(SECOND)
        assert caught.value.hint
        assert two.artifacts.resolve(None) in {FIRST, SECOND}
        assert list(two.root.rglob(".mlforge-tmp-*")) == []
        two.promote(SECOND)
        assert two.artifacts.resolve(None) == SECOND


def test_whichever_write_of_an_import_fails_nothing_is_left_and_the_next_succeeds(
    trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It writes nothing, and takes a process each time.
    monkeypatch.setattr(registry, "prove_apart", prove)
    file = tmp_path / "model.mlforge"
    trained.export_model(FIRST, file)
    whole = Project.init(tmp_path / "whole")
    with monkeypatch.context() as patch:
        counted = failing(patch, -1, 0)
        whole.import_model(file)
        total = counted()
    assert total > 8
    for n in range(1, total + 1):
        other = Project.init(tmp_path / f"other{n}")
        with monkeypatch.context() as patch:
            failing(patch, n, CODES[n % len(CODES)])
            with pytest.raises(StorageError):
                other.import_model(file)
        assert list(other.root.rglob(".mlforge-tmp-*")) == [], n
        # The version may be there whole where only the last sync failed; it is never there in part.
        assert [check.reason for check in other.verify_models()] in ([], [""]), n
        assert other.import_model(file).version == FIRST
        assert other.artifacts.load(FIRST).files == whole.artifacts.load(FIRST).files


def test_whichever_write_of_an_export_fails_the_file_before_stays(
    two: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model.mlforge"
    two.export_model(FIRST, file)
    before = read_transport(file)
    with monkeypatch.context() as patch:
        failing(patch, 1, errno.ENOSPC)
        with pytest.raises(StorageError):
            two.export_model(SECOND, file)
    assert read_transport(file) == before
    assert [path.name for path in tmp_path.glob("*.mlforge*")] == ["model.mlforge"]


def test_one_flipped_byte_anywhere_in_an_artifact_is_found(trained: Project) -> None:
    folder = trained.artifacts.models / FIRST
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        for place in range(0, len(data), max(1, len(data) // 40)):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            with pytest.raises(ArtifactError):
                trained.artifacts.load(FIRST)
        path.write_bytes(data)
    trained.artifacts.load(FIRST)


def test_readers_during_promotions_and_rollbacks_see_one_whole_version_each(two: Project) -> None:
    expected = {v: dict(two.artifacts.load(v).files) for v in (FIRST, SECOND)}
    ended = threading.Event()
    seen: set[str] = set()
    mixed: list[str] = []

    def read() -> None:
        store = ArtifactStore(two.root / "artifacts")
        while not ended.is_set():
            version = store.resolve(None)
            artifact = store.load(version)
            seen.add(artifact.version)
            if artifact.manifest["version"] != version or artifact.files != expected[version]:
                mixed.append(version)

    readers = [threading.Thread(target=read, daemon=True) for _ in range(3)]
    for reader in readers:
        reader.start()
    deadline = time.monotonic() + PATIENCE
    try:
        while len(seen) < 2:
            assert time.monotonic() < deadline
            two.promote(SECOND)
            two.rollback()
        for _ in range(20):
            two.promote(SECOND)
            two.rollback()
    finally:
        ended.set()
    for reader in readers:
        reader.join(PATIENCE)
        assert not reader.is_alive()
    assert mixed == []


# Imports once and forks; each process says which moves it made, by the time that each was given.
_MOVES = """
import os, sys
from contextlib import suppress
from pathlib import Path
from mlforge import Project
from mlforge.errors import ArtifactError
from mlforge.workflows import registry

# Proving a version takes long, and no lock: without it the processes meet at every move.
registry._prove = lambda artifact: None
root, n_processes, n_moves, *versions = sys.argv[1:]

def move(number):
    project, made = Project(Path(root)), []
    for n in range(int(n_moves)):
        own = f"{number}:{n}"
        registry._now = lambda: own
        # There may be nothing to go back to, and what is promoted already is no move.
        with suppress(ArtifactError):
            back = n % 3 == 2
            alias = project.rollback() if back else project.promote(versions[(number + n) % 2])
            made += [own] if alias.history[-1].time == own else []
    os.write(1, "".join(f"{one}\\n" for one in made).encode())

ready, go = os.pipe()
children = []
for number in range(int(n_processes)):
    children.append(os.fork())
    if children[-1] == 0:
        os.close(go)
        os.read(ready, 1)
        try:
            move(number)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
os.close(go)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


def test_processes_that_move_one_alias_at_once_lose_no_move(two: Project) -> None:
    known = two.artifacts.aliases.read()["production"].history
    numbers = [str(number) for number in (N_PROCESSES, N_MOVES)]
    done = subprocess.run(
        [sys.executable, "-c", _MOVES, str(two.root), *numbers, FIRST, SECOND],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    history = two.artifacts.aliases.read()["production"].history
    assert sorted(change.time for change in history[len(known) :]) == sorted(done.stdout.split())
    assert len({change.time.partition(":")[0] for change in history[len(known) :]}) == N_PROCESSES
    for before, after in itertools.pairwise(history):
        assert after.previous == before.version
        assert after.version != before.version


_KILLED = """
import os, sys
from pathlib import Path
from mlforge import Project
from mlforge.workflows import registry
from mlforge.workflows.proof import prove
registry.prove_apart = prove
n_done, last = 0, int(sys.argv[2])
def wrap(function):
    def call(*arguments, **options):
        global n_done
        n_done += 1
        if n_done == last:
            os.kill(os.getpid(), 9)
        return function(*arguments, **options)
    return call
os.fsync, os.replace, os.rename = wrap(os.fsync), wrap(os.replace), wrap(os.rename)
Project(Path(sys.argv[1])).import_model(Path(sys.argv[3]))
"""


def test_an_import_that_is_killed_at_any_write_is_done_by_the_next(
    trained: Project, tmp_path: Path
) -> None:
    file = tmp_path / "model.mlforge"
    trained.export_model(FIRST, file)
    n, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        # Every third write: a process a write takes its time.
        n += 3
        root = tmp_path / f"other{n}"
        Project.init(root)
        arguments = [sys.executable, "-c", _KILLED, str(root), str(n), str(file)]
        code = subprocess.run(arguments, timeout=PATIENCE, check=False).returncode
        other = Project(root)
        assert [check.reason for check in other.verify_models()] in ([], [""]), n
        made = other.import_model(file)
        assert made.version == FIRST
        trained_files = trained.artifacts.load(FIRST).files
        assert other.artifacts.load(FIRST).files == trained_files
        shutil.rmtree(root)
    assert code == 0
    assert n > 6


def test_removing_while_others_read_gives_the_whole_version_or_an_error(two: Project) -> None:
    ended = threading.Event()
    surprises: list[BaseException] = []

    def read() -> None:
        store = ArtifactStore(two.root / "artifacts")
        while not ended.is_set():
            try:
                store.load(SECOND)
            except ArtifactError:
                continue
            except BaseException as error:  # noqa: BLE001 - whatever else it is, the test tells it
                surprises.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        two.remove_model(SECOND)
    finally:
        ended.set()
    reader.join(PATIENCE)
    assert not reader.is_alive()
    assert surprises == []
    assert two.artifacts.versions() == [FIRST]
