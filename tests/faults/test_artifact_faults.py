"""What failing, racing and killed changes of the registry leave."""

from __future__ import annotations

import errno
import itertools
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mlforge import Project
from mlforge.errors import ArtifactError, StorageError
from mlforge.storage.artifacts import ArtifactStore
from mlforge.storage.transport import read_transport
from mlforge.workflows.train import TrainOptions

FIRST, SECOND = "random_forest-0001", "random_forest-0002"
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

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    while len(seen) < 2:
        two.promote(SECOND)
        two.rollback()
    for _ in range(20):
        two.promote(SECOND)
        two.rollback()
    ended.set()
    for reader in readers:
        reader.join()
    assert mixed == []


def _promote_and_roll_back(root: Path) -> None:
    project = Project(root)
    for _ in range(10):
        project.promote(SECOND)
        project.promote(FIRST)


def test_processes_that_promote_at_once_lose_no_move(two: Project) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_promote_and_roll_back, args=(two.root,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    history = two.artifacts.aliases.read()["production"].history
    for before, after in itertools.pairwise(history):
        assert after.previous == before.version
        assert after.version != before.version


_KILLED = """
import os, sys
from pathlib import Path
from mlforge import Project
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
        code = subprocess.run(arguments, check=False).returncode
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

    reader = threading.Thread(target=read)
    reader.start()
    two.remove_model(SECOND)
    ended.set()
    reader.join()
    assert surprises == []
    assert two.artifacts.versions() == [FIRST]
