"""`mlforge predict` against a script with joblib and scikit-learn, and against its bare parts."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier

from benchmarks._measure import Comparison, compare, report
from mlforge import Project
from mlforge.core.component import is_installed
from mlforge.core.reporting import SilentReporter
from mlforge.engines.local import LocalEngine
from mlforge.models import MODELS
from mlforge.workflows.dataset import project_dataset
from mlforge.workflows.features import feature_matrix, make_extractors
from mlforge.workflows.generate import GenerateOptions
from mlforge.workflows.train import TrainOptions

SCRIPT = """
import importlib
import json
import sys

import cv2
import joblib
import numpy as np

forest, codes, extractors = joblib.load(sys.argv[1])
picture = cv2.cvtColor(cv2.imread(sys.argv[2]), cv2.COLOR_BGR2RGB)
side = max(picture.shape[:2])
if side > 256:
    size = [round(length * 256 / side) for length in picture.shape[1::-1]]
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
features = []
for module, name in extractors:
    extractor = getattr(importlib.import_module(module), name)()
    features.append(extractor.extract([picture]))
probabilities = forest.predict_proba(np.hstack(features))[0]
print(json.dumps(dict(zip(codes, probabilities.tolist()))))
"""


def main() -> None:
    """Compare a fresh process, and one prediction in a warm one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = Project.init(folder / "signs", example="signs")
        project.generate(GenerateOptions(count=100))
        project.train(TrainOptions())
        photo = next(iter(sorted(project.root.glob("categories/*/seeds/*"))))
        script, model = folder / "predict.py", folder / "forest.joblib"
        script.write_text(SCRIPT)
        _save_forest(project, model)
        ours = [sys.executable, "-m", "mlforge", "predict", str(photo), "--json"]
        ours += ["--project", str(project.root)]
        theirs = [sys.executable, str(script), str(model), str(photo)]
        report(compare("mlforge predict / joblib script", 0.35, ours, theirs, n_pairs=15))
        for comparison in _warm(project, photo):
            report(comparison)
        if is_installed("torch"):
            hand_made = project.artifacts.resolve(None)
            # A network of the usual size, hardly trained: that takes as long to predict with.
            with (project.root / "mlforge.toml").open("a") as settings:
                settings.write("\n[features.learned]\nsteps = 30\n")
            learned = Project(project.root).train(TrainOptions(features=("learned",))).best.version
            sides = [[*ours, "--model", version] for version in (learned, hand_made)]
            report(compare("mlforge predict, learned / hand-made", 1.15, *sides, n_pairs=15))


def _save_forest(project: Project, path: Path) -> None:
    """Fit a forest on what `train` fits on, and save it as people do."""
    workspace, reporter = project.workspace, SilentReporter()
    engine = LocalEngine()
    dataset = project_dataset(workspace, engine, reporter)
    extractors = make_extractors(workspace)
    features = feature_matrix(workspace, extractors, dataset.files, engine, reporter)
    parameters = MODELS.get("random_forest")().parameters()
    forest = RandomForestClassifier(**parameters, random_state=0).fit(features, dataset.labels)
    classes = [(type(e).__module__, type(e).__name__) for e in extractors]
    # What is measured is the script that people write; nothing of it is shipped.
    joblib.dump((forest, dataset.codes, classes), path)  # noqa: TID251 - see above


def _warm(project: Project, photo: Path) -> list[Comparison]:
    """Time predictions in this process against their bare parts, in turn.

    Once of a decoded example, against features and graph alone; once of a file, against these and
    the decoding.
    """
    predictor = project.predictor()
    example = predictor.decode_file(photo)
    graph = predictor._graph  # noqa: SLF001 - the bare part that is compared with
    modality, extractors = predictor.modality, predictor.extractors

    def bare(decoded: object) -> None:
        graph.run(np.hstack([extractor.extract([decoded]) for extractor in extractors]))

    return [
        _compared(
            "predict_example / features and ONNX, 100 times",
            lambda: predictor.predict_example(example, "photo"),
            lambda: bare(example),
        ),
        _compared(
            "predict_file / decoding, features and ONNX, 100 times",
            lambda: predictor.predict_file(photo),
            lambda: bare(modality.decode(photo.read_bytes())),
        ),
    ]


def _compared(name: str, ours: Callable[[], object], theirs: Callable[[], object]) -> Comparison:
    pairs = [(_seconds(ours), _seconds(theirs)) for _ in range(8)][1:]
    one, other = (sorted(side)[len(side) // 2] for side in zip(*pairs, strict=True))
    return Comparison(name, 1.3, tuple(a / b for a, b in pairs), one, other)


def _seconds(action: Callable[[], object]) -> float:
    """Return the processor's time: both run in one thread, and others may run beside them."""
    start = time.process_time()
    for _ in range(100):
        action()
    return time.process_time() - start


if __name__ == "__main__":
    main()
