"""What a killed or failing `samples generate` leaves, and what the next run makes of it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlforge import Project
from mlforge.core.digest import digest_bytes
from mlforge.core.reporting import SilentReporter
from mlforge.errors import StorageError
from mlforge.storage.manifest import read_manifest
from mlforge.workflows.generate import GenerateOptions
from mlforge.workflows.train import TrainOptions

CODES = ("circle", "square", "triangle")
OPTIONS = GenerateOptions(count=5, workers=1)
N_KILLS = 8
PATIENCE = 300

# Imports once and forks for each trial. A trial is killed before its n-th operation that changes
# the disk; n = 0 lets it run through and prints how many there are.
TRIALS = """
import os, signal, sys
from pathlib import Path
from mlforge import Project
from mlforge.workflows.generate import GenerateOptions

def counted(function):
    def call(*args, **keywords):
        global n_done
        n_done += 1
        if n_done == n_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **keywords)
    return call

for line in sys.stdin:
    n_last, force, root = line.rstrip("\\n").split(" ", 2)
    n_last, n_done = int(n_last), 0
    child = os.fork()
    if child == 0:
        for name in ("fsync", "replace", "unlink", "mkdir"):
            setattr(os, name, counted(getattr(os, name)))
        Project(Path(root)).generate(GenerateOptions(count=5, workers=1, force=force == "True"))
        print(n_done, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def run_trials(trials: list[tuple[int, Path]], *, force: bool) -> str:
    lines = "".join(f"{n} {force} {root}\n" for n, root in trials)
    done = subprocess.run(
        [sys.executable, "-c", TRIALS],
        input=lines,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout


def contents(root: Path) -> dict[str, bytes]:
    """Everything that generating makes, and whatever it should not have left."""
    samples = [
        path for code in CODES for path in (root / "categories" / code / "samples").iterdir()
    ]
    return {
        str(path.relative_to(root)): path.read_bytes() for path in [*samples, root / "mlforge.lock"]
    }


def temporaries(root: Path) -> list[Path]:
    return list(root.rglob(".mlforge-tmp-*"))


def changed(root: Path) -> Path:
    """Change what samples are made of: one category anew, one with a seed less."""
    path = root / "categories" / "circle" / "config.json"
    config = json.loads(path.read_text())
    config["augmentation_settings"]["techniques"] = ["rotation"]
    path.write_text(json.dumps(config))
    (root / "categories" / "square" / "seeds" / "square_0.png").unlink()
    return root


@pytest.fixture(scope="module", params=["new", "remade", "forced"])
def killed(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    _seeded: Path,
    _generated: Path,
) -> tuple[Path, list[Path]]:
    """Return a project whose run was left alone, and some whose run was killed."""
    folder = tmp_path_factory.mktemp("killed")

    def copy(name: str) -> Path:
        if request.param == "new":
            return Path(shutil.copytree(_seeded, folder / name))
        root = Path(shutil.copytree(_generated, folder / name))
        return root if force else changed(root)

    force = request.param == "forced"
    whole = copy("whole")
    n_operations = int(run_trials([(0, whole)], force=force))
    assert n_operations > N_KILLS
    places = [1 + round(k * (n_operations - 1) / (N_KILLS - 1)) for k in range(N_KILLS)]
    trials = [(n, copy(f"killed_{n}")) for n in places]
    assert run_trials(trials, force=force) == "", "every trial is killed"
    return whole, [root for _, root in trials]


@pytest.mark.parametrize("number", range(N_KILLS))
def test_a_killed_run_leaves_nothing_torn_and_is_finished_by_the_next(
    killed: tuple[Path, list[Path]], number: int
) -> None:
    whole, roots = killed
    root = roots[number]
    for overview in Project(root).samples():
        folder = root / "categories" / overview.code / "samples"
        manifest = read_manifest(folder)
        if manifest is None:
            assert overview.state == "none"
            continue
        # The samples of the configuration before are listed as stale until they are removed.
        if overview.state != "stale":
            for record in manifest.samples:
                assert digest_bytes((folder / record.file).read_bytes()) == record.digest
            n_wanted = manifest.count
            expected = "complete" if overview.n_samples == n_wanted else "interrupted"
            assert overview.state == expected
    Project(root).generate(OPTIONS)
    assert contents(root) == contents(whole)
    assert temporaries(root) == []
    assert {overview.state for overview in Project(root).samples()} == {"complete"}


def test_an_uninterrupted_run_in_another_process_gives_the_same_bytes(
    killed: tuple[Path, list[Path]], tmp_path: Path
) -> None:
    whole, _ = killed
    again = Path(shutil.copytree(whole, tmp_path / "again"))
    Project(again).clean_samples()
    (again / "mlforge.lock").unlink()
    Project(again).generate(OPTIONS)
    assert contents(again) == contents(whole)


def test_between_kill_and_next_run_samples_are_said_to_be_interrupted(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, n=40, code=errno.ENOSPC, sticky=False)
    with pytest.raises(StorageError):
        project.generate(OPTIONS)
    states = [overview.state for overview in project.samples()]
    assert "interrupted" in states
    reporter = SilentReporter()
    Project(project.root, reporter).train(TrainOptions(workers=1))
    assert any("was interrupted at" in warning for warning in reporter.warnings)


def failing(
    monkeypatch: pytest.MonkeyPatch, n: int, code: int, *, sticky: bool
) -> Callable[[], int]:
    """Let the n-th sync or replacement fail, or with `sticky` each from then on."""
    n_done = 0

    def wrap(function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **keywords: object) -> object:
            nonlocal n_done
            n_done += 1
            if n_done == n or (sticky and n_done > n):
                raise OSError(code, os.strerror(code))
            return function(*args, **keywords)

        return call

    monkeypatch.setattr(os, "fsync", wrap(os.fsync))
    monkeypatch.setattr(os, "replace", wrap(os.replace))
    return lambda: n_done


@pytest.mark.parametrize("sticky", [False, True])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("share", [0.0, 0.13, 0.5, 0.77, 1.0])
def test_a_write_that_fails_is_a_typed_error_and_the_next_run_mends_it(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    share: float,
    code: int,
    sticky: bool,
) -> None:
    whole = Project(Path(shutil.copytree(project.root, tmp_path / "whole")))
    with monkeypatch.context() as patch:
        n_writes = failing(patch, n=-1, code=code, sticky=False)
        whole.generate(OPTIONS)
        total = n_writes()
    n = 1 + round(share * (total - 1))
    with monkeypatch.context() as patch:
        failing(patch, n=n, code=code, sticky=sticky)
        with pytest.raises(StorageError, match=os.strerror(code)) as caught:
            project.generate(OPTIONS)
    assert caught.value.hint
    assert caught.value.exit_code == 3
    assert temporaries(project.root) == []
    project.generate(OPTIONS)
    assert contents(project.root) == contents(whole.root)


def test_a_samples_folder_that_cannot_be_made_is_a_typed_error(project: Project) -> None:
    (project.root / "categories" / "circle" / "samples").write_text("in the way")
    with pytest.raises(StorageError, match="samples"):
        project.generate(OPTIONS)
