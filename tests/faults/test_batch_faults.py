"""What a killed `batch`, or a killed worker of it, leaves, and what `--resume` makes of it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from joblib.externals.loky import get_reusable_executor

from mlforge import Project
from mlforge.core.reporting import SilentReporter
from mlforge.errors import EngineError
from mlforge.storage.tables import TABLE_FORMATS, TableWriter
from mlforge.workflows import batch as batch_module
from mlforge.workflows.batch import BatchOptions

Draw = Callable[[str, int], bytes]
N_FILES = 12
N_KILLS = 8
PATIENCE = 300

# Imports once and forks for each trial. A trial is killed before its n-th operation that changes
# the disk; n = 0 lets it run through and prints how many there are.
TRIALS = """
import os, signal, sys
from pathlib import Path
from mlforge import Project
from mlforge.workflows import batch
from mlforge.workflows.batch import BatchOptions

batch._CHUNK, batch._SECONDS_PER_NOTE = 2, 0

def counted(function):
    def call(*args, **keywords):
        global n_done
        n_done += 1
        if n_done == n_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **keywords)
    return call

root, photos, file_format = sys.argv[1:]
for line in sys.stdin:
    n_last, output = line.rstrip("\\n").split(" ", 1)
    n_last, n_done = int(n_last), 0
    child = os.fork()
    if child == 0:
        for name in ("fsync", "replace", "unlink", "mkdir"):
            setattr(os, name, counted(getattr(os, name)))
        options = BatchOptions(workers=1, file_format=file_format)
        Project(Path(root)).batch(Path(photos), Path(output), options)
        print(n_done, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture
def photos(tmp_path: Path, draw: Draw) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(N_FILES):
        data = draw(("circle", "square")[number % 2], number) if number % 5 else b"words"
        (folder / f"{number:02d}.png").write_bytes(data)
    return folder


def table(output: Path, file_format: str = "csv") -> list[dict[str, Any]]:
    path = output / f"predictions.{file_format}"
    rows: list[dict[str, Any]]
    if file_format == "parquet":
        rows = pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()
    elif file_format == "jsonl":
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    else:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k != "timestamp"} for row in rows]


def run_trials(
    project: Project, photos: Path, trials: list[tuple[int, Path]], file_format: str = "csv"
) -> str:
    done = subprocess.run(
        [sys.executable, "-c", TRIALS, str(project.root), str(photos), file_format],
        input="".join(f"{n} {output}\n" for n, output in trials),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("file_format", TABLE_FORMATS)
def test_a_killed_run_is_resumed_to_what_an_uninterrupted_one_gives(
    trained: Project,
    photos: Path,
    tmp_path: Path,
    file_format: Literal["csv", "jsonl", "parquet"],
) -> None:
    whole = tmp_path / "whole"
    n_operations = int(run_trials(trained, photos, [(0, whole)], file_format))
    assert len({row["file"] for row in table(whole, file_format)}) == N_FILES
    assert n_operations > N_KILLS
    places = [1 + round(k * (n_operations - 1) / (N_KILLS - 1)) for k in range(N_KILLS)]
    trials = [(n, tmp_path / f"killed_{n}") for n in places]
    assert run_trials(trained, photos, trials, file_format) == "", "every trial is killed"
    names = {f"predictions.{file_format}", "summary.json"}
    for n, output in trials:
        options = BatchOptions(workers=1, file_format=file_format, resume=output.exists())
        trained.batch(photos, output, options)
        assert table(output, file_format) == table(whole, file_format), n
        assert {path.name for path in output.iterdir()} == names, n


def test_a_killed_run_leaves_the_old_table(trained: Project, photos: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    n_operations = int(run_trials(trained, photos, [(0, old)]))
    before = (old / "predictions.csv").read_bytes()
    output = Path(shutil.copytree(old, tmp_path / "out"))
    assert run_trials(trained, photos, [(n_operations // 2, output)]) == ""
    assert (output / "predictions.csv").read_bytes() == before


def test_a_killed_worker_is_an_engine_error_and_what_was_written_is_resumed(
    trained: Project, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    trained.batch(photos, whole, BatchOptions(workers=1))
    monkeypatch.setattr(batch_module, "_CHUNK", 1)
    monkeypatch.setattr(batch_module, "_SECONDS_PER_NOTE", 0)
    kill_workers_at(monkeypatch, row=2)
    with pytest.raises(EngineError):
        trained.batch(photos, tmp_path / "out", BatchOptions(workers=2))
    monkeypatch.undo()
    assert not (tmp_path / "out" / "predictions.csv").exists()
    reporter = SilentReporter()
    summary = Project(trained.root, reporter).batch(
        photos, tmp_path / "out", BatchOptions(workers=2, resume=True)
    )
    assert reporter.warnings == [], "there was something to resume"
    assert summary.n_files == N_FILES
    assert table(tmp_path / "out") == table(whole)


def kill_workers_at(monkeypatch: pytest.MonkeyPatch, row: int) -> None:
    """Kill all worker processes when the table has so many rows."""
    write = TableWriter.write
    written: list[object] = []

    def deadly(table: TableWriter, values: Mapping[str, Any]) -> None:
        write(table, values)
        written.append(values)
        if len(written) == row:
            for worker in get_reusable_executor(reuse=True)._processes.values():
                os.kill(worker.pid, signal.SIGKILL)

    monkeypatch.setattr(TableWriter, "write", deadly)
