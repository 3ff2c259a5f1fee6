"""A folder of data that holds files named like modules: no command runs one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from mlforge import Project
from mlforge.cli.app import commands
from mlforge.core.import_path import child_environment, safe_path

PATIENCE = 120
MLFORGE = [str(Path(sys.executable).with_name("mlforge"))]
# Each in the order in which it finds what it works on.
LINES = [
    "categories add star 0.png 1.png",
    "categories import more",
    "categories list",
    "categories show star",
    "categories check",
    "categories remove star --yes",
    "samples generate --count 8 --workers 2 --force",
    "samples list",
    "samples preview circle --output sheet.png",
    "samples verify --workers 2",
    "samples why {sample}",
    "samples clean circle",
    "train --model logistic_regression --workers 2",
    "train --model random_forest",
    "evaluate fresh",
    "models available",
    "models list",
    "models show random_forest-0001",
    "models promote random_forest-0001",
    "models promote logistic_regression-0001",
    "models rollback",
    "models verify random_forest-0001",
    "models compare random_forest-0001 logistic_regression-0001",
    "models reproduce random_forest-0001",
    "models export random_forest-0001 --output out.mlforge",
    "models import out.mlforge",
    "report",
    "predict 0.png --explain pages",
    "batch more --output predictions --workers 2",
    "models remove logistic_regression-0001 --force",
    "models prune --keep 1",
    "features list",
    "generators list",
    "techniques list",
    "doctor",
    "run --help",
    "init other",
]


@pytest.fixture
def poisoned(project: Project, draw: Callable[[str, int], bytes]) -> Path:
    """Return a project whose folder holds a file for each module that anything could import."""
    root = project.root
    for number in range(2):
        (root / f"{number}.png").write_bytes(draw("triangle", 90 + number))
    for shape in ("circle", "square"):
        (root / "more" / shape).mkdir(parents=True)
        for number in range(3):
            (root / "more" / shape / f"{number}.png").write_bytes(draw(shape, 70 + number))
    (root / "fresh" / "circle").mkdir(parents=True)
    (root / "fresh" / "circle" / "0.png").write_bytes(draw("circle", 80))
    installed = {name for name in metadata.packages_distributions() if name.isidentifier()}
    names = {*sys.stdlib_module_names, *installed, "sitecustomize", "usercustomize", "mlforge"}
    for name in names:
        (root / f"{name}.py").write_text(f"open({str(root / 'ran')!r}, 'a').write({name!r} + ' ')")
    return root


def test_no_command_runs_a_module_of_the_folder_where_it_is_run(poisoned: Path) -> None:
    at = {**os.environ, "PYTHONUSERBASE": str(poisoned), "PYTHONPATH": ""}
    for line in LINES:
        sample = next((poisoned / "categories" / "circle" / "samples").glob("*.png"), "")
        done = subprocess.run(
            [*MLFORGE, *line.format(sample=sample).split()],
            cwd=poisoned,
            env=at,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert not (poisoned / "ran").exists(), f"{line}: ran {(poisoned / 'ran').read_text()}"
        assert done.returncode in {0, 10}, f"{line}: {done.stdout}{done.stderr}"


def test_every_command_is_run_there() -> None:
    paths = {command.spec.path for command in commands()}
    assert {path for path in paths if any(f"{n} ".startswith(f"{path} ") for n in LINES)} == paths


def test_such_a_module_would_be_run_otherwise(poisoned: Path) -> None:
    code = [sys.executable, "-c", "import tabnanny"]
    subprocess.run(code, cwd=poisoned, env=child_environment(), check=True, timeout=PATIENCE)
    assert not (poisoned / "ran").exists()
    unguarded = {n: v for n, v in os.environ.items() if n != "PYTHONSAFEPATH"}
    subprocess.run(code, cwd=poisoned, env=unguarded, check=False, timeout=PATIENCE)
    assert "tabnanny" in (poisoned / "ran").read_text()


def test_the_module_form_of_the_command_runs_none_either(project: Project) -> None:
    (project.root / "random.py").write_text("open('ran', 'w')")
    done = subprocess.run(
        [sys.executable, "-m", "mlforge", "samples", "generate", "--count", "8", "--workers", "2"],
        cwd=project.root,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert not (project.root / "ran").exists()


def test_the_current_folder_is_left_out_of_the_path_however_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    kept = str(tmp_path / "kept")
    path = ["", ".", str(tmp_path), str(tmp_path / "link"), f"{tmp_path}/", kept]
    assert safe_path(path) == [kept]


def test_where_mlforge_is_installed_stays_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    import mlforge

    installed = Path(mlforge.__file__).parent.parent
    monkeypatch.chdir(installed)
    assert safe_path(["", str(installed)]) == [str(installed)]
