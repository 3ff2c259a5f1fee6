"""Processes side by side, and any number of workers: as if one after the other."""

from __future__ import annotations

import csv
import random
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from campaign._projects import GENERATE, TRAIN, Projects, evidence, picture, temporaries, torn
from campaign._trials import Figure, Outcome, Trial, forked, side_by_side
from mlforge import Project
from mlforge.core.digest import digest_bytes, digest_json
from mlforge.workflows.batch import BatchOptions
from mlforge.workflows.generate import GenerateOptions
from mlforge.workflows.train import TrainOptions

__all__ = ["FIGURES"]

_N_PROCESSES = 8
_N_READERS = 4


def write_side_by_side(n_rounds: int, folder: Path) -> Outcome:
    """Figure 5."""
    projects = Projects(folder)
    alone = projects.copy(projects.seeded)
    expected = forked(lambda: print(_all_done(alone))).output
    root = projects.copy(projects.seeded)
    each = -(-n_rounds // _N_PROCESSES)
    outcome = Outcome(n_trials=each * _N_PROCESSES)
    longest = 0.0
    for ended in side_by_side([partial(_rounds, root, n, each) for n in range(_N_PROCESSES)]):
        outcome.hold(ended.code == 0, f"a process ended with {ended.code}: {ended.output[-300:]}")
        longest = max(longest, float(ended.output.split()[-1]) if ended.code == 0 else 0.0)
    found = forked(lambda: print(_all_done(root)))
    outcome.hold(found.output == expected, f"not as one after the other: {found.output[-300:]}")
    outcome.measured = f"longest round {longest:.1f} s"
    return outcome


def _rounds(root: Path, number: int, n_rounds: int) -> None:
    """Do what people do at once, in an order of this process's own."""
    draws, project, longest = random.Random(number), Project(root), 0.0
    for _ in range(n_rounds):
        start = time.perf_counter()
        if draws.random() < 0.3:
            project.clean_samples()
        project.generate(GENERATE)
        project.promote(project.train(TRAIN).best.version)
        longest = max(longest, time.perf_counter() - start)
    print(longest)


def _all_done(root: Path) -> str:
    """Return what there is after one more of everything; with few versions, of equal evidence."""
    project = Project(root)
    project.generate(GENERATE)
    best = project.train(TRAIN).best.version
    for version in project.artifacts.versions():
        if version != best:
            project.remove_model(version)
    project.promote(best)
    problems = torn(root) + temporaries(root)
    samples = sorted(root.glob("categories/*/samples/*"))
    graph = project.artifacts.load(best).files["model.onnx"]
    whole = [digest_bytes(path.read_bytes()) for path in (*samples, root / "mlforge.lock")]
    return "; ".join(problems) or digest_json([*whole, digest_bytes(graph)])


def read_while_promoting(n_reads: int, folder: Path) -> Outcome:
    """Figure 7."""
    projects = Projects(folder)
    root = projects.copy(projects.trained)
    versions = Project(root).artifacts.versions()
    each = -(-n_reads // _N_READERS)

    def read() -> None:
        store = Project(root).artifacts
        seen: dict[str, str] = {}
        for _ in range(each):
            version = store.resolve(None)
            artifact = store.load(version)
            assert artifact.version == version in versions
            digest = digest_bytes(artifact.files["metrics.json"])
            assert seen.setdefault(version, digest) == digest
        print(len(seen))

    def write() -> None:
        project = Project(root)
        while True:
            project.artifacts.aliases.promote("production", versions[1], "2026-01-01T00:00:00Z")
            project.artifacts.aliases.rollback("production", "2026-01-01T00:00:00Z")

    with Trial(write):
        ended = side_by_side([read] * _N_READERS)
    outcome = Outcome(n_trials=each * _N_READERS)
    for one in ended:
        outcome.hold(one.code == 0, f"a reader ended with {one.code}: {one.output[-300:]}")
    seen = [one.output.split()[-1] for one in ended if one.code == 0]
    outcome.measured = f"versions seen by each reader: {', '.join(seen)}"
    return outcome


def count_workers(n_trials: int, folder: Path) -> Outcome:
    """Figure 8."""
    projects, outcome = Projects(folder), Outcome()
    photos = folder / "photos"
    photos.mkdir()
    for number in range(80):
        (photos / f"{number}.png").write_bytes(picture(500 + number))
    expected = ""
    kinds: Sequence[int | None] = (1, 2, 4, None)
    for workers in [*kinds, *kinds][: max(n_trials, len(kinds))]:
        root = projects.copy(projects.seeded)
        if workers is None:
            forked(partial(Project(root).generate, GENERATE), kill_after=0.1)
        ended = forked(partial(_tell_everything, root, photos, workers or 2))
        outcome.n_trials += 1
        found = ended.output.strip()
        expected = expected or found
        name = "a resumed run" if workers is None else f"{workers} workers"
        outcome.hold(ended.code == 0 and found == expected, f"{name}: {found[-300:]}")
    return outcome


def _tell_everything(root: Path, photos: Path, workers: int) -> None:
    print(_everything(root, photos, workers))


def _everything(root: Path, photos: Path, workers: int) -> str:
    """Return a digest of samples, features, models and predictions."""
    project = Project(root)
    project.generate(GenerateOptions(count=GENERATE.count, workers=workers))
    project.train(TrainOptions(workers=workers))
    project.batch(photos, root / "out", BatchOptions(workers=workers))
    with (root / "out" / "predictions.csv").open(newline="") as file:
        rows = [{k: v for k, v in row.items() if k != "timestamp"} for row in csv.DictReader(file)]
    features = sorted((root / "artifacts" / "cache").rglob("*"))
    cached = [digest_bytes(path.read_bytes()) for path in features if path.is_file()]
    return digest_json([evidence(root), sorted(cached), rows])


FIGURES = (
    Figure(5, "8 processes generate, train and promote at once", 200, write_side_by_side),
    Figure(7, "read while aliases move", 100_000, read_while_promoting),
    Figure(8, "1, 2, 4 workers and a resumed run give the same", 8, count_workers),
)
