"""Whether making samples stays linear, and the parent process small, up to 100,000 of them.

`python -m benchmarks.scale --full` goes to 100,000 samples of 128 px; `make bench` to a tenth.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2

from benchmarks.generate import photo
from mlforge import Project

N_SEEDS = 1_000
SIDE = 128
SHORT = (1_000, 4_000, 10_000)
FULL = (1_000, 10_000, 100_000)
MOST_BENT = 0.15
MOST_MEMORY = 300.0  # MiB
WORKERS = 2

COMMAND = """
import resource, sys, time

from mlforge.cli.main import main

start = time.perf_counter()
try:
    main()
except SystemExit as ended:
    if ended.code:
        raise
seconds = time.perf_counter() - start
print("\\n", seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@dataclass(frozen=True)
class Run:
    """One command: how long it took in seconds, and the parent's peak in MiB."""

    n_samples: int
    seconds: float
    memory: float


def main(sizes: tuple[int, int, int] = SHORT) -> None:
    """Make so many samples, from nothing each time, and compare the cost of one."""
    with tempfile.TemporaryDirectory() as name:
        project = _project(Path(name) / "project")
        runs = [_run(project, size) for size in sizes]
    for run in runs:
        print(
            f"generate {run.n_samples:>7,} of {SIDE} px from {N_SEEDS:,} seeds"
            f" {run.seconds:9.1f} s {run.memory:6.0f} MiB"
        )
    early, late = (_cost(*pair) for pair in pairwise(runs))
    bent = late / early - 1
    verdict = "met" if abs(bent) <= MOST_BENT else "NOT met"
    print(
        f"one more sample {early * 1000:6.2f} ms, then {late * 1000:6.2f} ms: {bent:+.0%}, "
        f"target within {MOST_BENT:.0%}: {verdict}"
    )
    most = max(run.memory for run in runs)
    verdict = "met" if most < MOST_MEMORY else "NOT met"
    print(f"parent's memory {most:.0f} MiB, target below {MOST_MEMORY:.0f} MiB: {verdict}")


def _cost(fewer: Run, more: Run) -> float:
    """Return what one more sample takes, in seconds: what a run takes once does not count."""
    return (more.seconds - fewer.seconds) / (more.n_samples - fewer.n_samples)


def _project(root: Path) -> Project:
    """Make a project with one category of seeds that are all different."""
    project = Project.init(root)
    project.add_category("photo")
    folder = root / "categories" / "photo"
    values = json.loads((folder / "config.json").read_text())
    values["augmentation_settings"]["techniques"] = ["rotation", "scaling", "brightness"]
    (folder / "config.json").write_text(json.dumps(values))
    for number in range(N_SEEDS):
        picture = cv2.resize(photo(number), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        _, data = cv2.imencode(".png", picture)
        (folder / "seeds" / f"{number:04d}.png").write_bytes(data.tobytes())
    return project


def _run(project: Project, count: int) -> Run:
    """Make `count` samples from nothing with the command, as a user does."""
    project.clean_samples()
    command = [sys.executable, "-c", COMMAND, "samples", "generate", "--count", str(count)]
    command += ["--workers", str(WORKERS), "--quiet", "--project", str(project.root)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, kibibytes = map(float, done.stdout.split()[-2:])
    return Run(count, seconds, kibibytes / 1024)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="up to 100,000 samples")
    main(FULL if parser.parse_args().full else SHORT)
