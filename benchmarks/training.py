"""`mlforge train` with features cached against a bare scikit-learn script and its own fits."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks._measure import Comparison, compare, report
from mlforge import Project
from mlforge.core.randomness import Streams
from mlforge.core.reporting import SilentReporter
from mlforge.engines.local import LocalEngine
from mlforge.evaluation.folds import make_folds
from mlforge.models import MODELS
from mlforge.workflows.dataset import project_dataset
from mlforge.workflows.features import feature_matrix, make_extractors
from mlforge.workflows.generate import GenerateOptions

BARE = """
import json
import sys

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import RandomForestClassifier

data = np.load(sys.argv[1])
parameters = json.loads(sys.argv[2])
features, labels, fold, n_seeds = data["features"], data["labels"], data["fold"], data["n_seeds"]


def fit(number):
    forest = RandomForestClassifier(**parameters, n_jobs=1, random_state=0)
    if number is None:
        return forest.fit(features, labels)
    train = fold != number
    forest.fit(features[train], labels[train])
    rows = np.flatnonzero(~train[:n_seeds])
    return rows, forest.predict_proba(features[rows])


numbers = [None, *range(fold.max() + 1)]
results = Parallel(n_jobs=-1, backend="threading")(delayed(fit)(number) for number in numbers)
right = sum((p.argmax(axis=1) == labels[rows]).sum() for rows, p in results[1:])
print("accuracy", right / n_seeds)
"""


def main() -> None:
    """Compare whole runs of `train` on the drawn signs, 100 samples a category."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = Project.init(folder / "signs", example="signs")
        project.generate(GenerateOptions(count=100))
        data, script = folder / "data.npz", folder / "bare.py"
        parameters = _save_arrays(project, data)
        script.write_text(BARE)
        train = [sys.executable, "-m", "mlforge", "train", "--force", "--quiet"]
        train += ["--model", "random_forest", "--project", str(project.root)]
        subprocess.run(train, check=True, capture_output=True)
        bare = [sys.executable, str(script), str(data), json.dumps(parameters)]
        report(compare("train, features cached / scikit-learn", 1.3, train, bare, n_pairs=5))
        report(_against_its_fits([*train, "--workers", "1", "--json"]))


def _against_its_fits(train: list[str], n_runs: int = 5) -> Comparison:
    """Compare runs of `train` by one worker with the sum of the fits that each of them made."""
    times = []
    for _ in range(n_runs):
        start = time.perf_counter()
        done = subprocess.run(train, check=True, capture_output=True)
        times.append((time.perf_counter() - start, json.loads(done.stdout)["models"][0]["seconds"]))
    return Comparison(
        "train, features cached / the sum of its fits",
        1.5,
        tuple(whole / fits for whole, fits in times),
        statistics.median(whole for whole, _ in times),
        statistics.median(fits for _, fits in times),
    )


def _save_arrays(project: Project, path: Path) -> dict[str, object]:
    """Write what `train` fits on for the bare script; return the forest's parameters."""
    workspace, reporter = project.workspace, SilentReporter()
    engine = LocalEngine()
    dataset = project_dataset(workspace, engine, reporter)
    extractors = make_extractors(workspace)
    features = feature_matrix(workspace, extractors, dataset.files, engine, reporter)
    settings = workspace.settings.train
    rng = Streams(("train", settings.seed)).rng("folds")
    labels = dataset.labels[: dataset.n_seeds]
    folds = make_folds(labels, dataset.groups, settings.folds, rng)
    np.savez(
        path,
        features=features,
        labels=dataset.labels,
        fold=folds.fold[dataset.seed_index],
        n_seeds=dataset.n_seeds,
    )
    return MODELS.get("random_forest")().parameters()


if __name__ == "__main__":
    main()
