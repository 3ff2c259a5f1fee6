"""How often models are right on unseen pictures, by features and by seeds a category.

``python -m benchmarks.accuracy --draws 3 --hand-signs FOLDER`` makes the table of
``docs/explanation/learned-features.md``. Rows of learned features need PyTorch.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks._draws import category_files, folder_files
from mlforge import Project
from mlforge.core.onnx_graph import OnnxGraph
from mlforge.core.randomness import Streams
from mlforge.core.reporting import SilentReporter
from mlforge.engines.local import LocalEngine
from mlforge.extractors import LearningExtractor
from mlforge.models import MODELS, Model
from mlforge.workflows.dataset import project_dataset
from mlforge.workflows.feature_choice import AUTO_FEATURES, feature_sets
from mlforge.workflows.feature_source import Features, feature_source
from mlforge.workflows.features import make_extractors
from mlforge.workflows.generate import GenerateOptions

_SHIPPED = ("digits", "signs")
_MODELS = ("random_forest", "xgboost", "svm", "logistic_regression")
_NETWORK = "neural_network"
_SAMPLES_A_SEED = 10
_MOST_UNSEEN = 100
_N_TIMED = 50
_COLUMNS = (
    "pictures",
    "seeds a category",
    "features",
    "model",
    "right on unseen",
    "minus hand-made",
    "fit s",
    "predict ms",
    "graph and state kB",
)

_Files = Sequence[Sequence[bytes]]
"""The pictures of each category."""


@dataclass(frozen=True)
class _Score:
    """What one model of one draw gives.

    Attributes
    ----------
    right
        Whether it is right on each unseen picture.
    fit_seconds
        Of its features, where they are learned, and of itself.
    predict_milliseconds
        Of one decoded picture, in a warm process.
    n_bytes
        Of its graph and of what its extractors keep. What an artifact has beside these, pictures
        for proof, what tells unknown examples and the report, depends little on features and model.
    """

    right: npt.NDArray[np.bool_]
    fit_seconds: float
    predict_milliseconds: float
    n_bytes: int


@dataclass(frozen=True)
class _Pictures:
    """Decoded pictures that no model has seen, with their categories by number."""

    examples: Sequence[object]
    labels: npt.NDArray[np.int64]


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table, some rows as soon as they are made."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--draws", type=int, default=1, help="draws of seeds (default: 1)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[10], help="seeds a category")
    parser.add_argument(
        "--pictures", nargs="*", default=_SHIPPED, choices=_SHIPPED, help="(default: all)"
    )
    parser.add_argument(
        "--hand-signs",
        type=Path,
        default=os.environ.get("MLFORGE_TRUTH_DATA"),
        help="a folder of class folders (default: what MLFORGE_TRUTH_DATA says; else left out)",
    )
    options = parser.parse_args(arguments)
    print(f"| {' | '.join(_COLUMNS)} |\n|{' --- |' * len(_COLUMNS)}", flush=True)
    for name, files in _data_sets(options.pictures, options.hand_signs, max(options.seeds)):
        for n_seeds in options.seeds:
            for row in _rows(name, files, n_seeds, options.draws):
                print(row, flush=True)


def _data_sets(
    shipped: Sequence[str], hand_signs: Path | None, most_seeds: int
) -> Iterator[tuple[str, _Files]]:
    for name in shipped:
        yield name, category_files(name, min(most_seeds + _MOST_UNSEEN, 174))
    if hand_signs is not None:
        yield "hand signs", folder_files(Path(hand_signs))


def _rows(name: str, files: _Files, n_seeds: int, n_draws: int) -> Iterator[str]:
    draws = [_draw(files, n_seeds, number) for number in range(n_draws)]
    hand_made = next(iter(draws[0]))[0]
    for features, model in draws[0]:
        scores = [draw[features, model] for draw in draws]
        shares = np.array([score.right.mean() for score in scores])
        # A network has no hand-made features of its own to be compared with.
        other = (hand_made, model if model != _NETWORK else _MODELS[0])
        differences = shares - [draw[other].right.mean() for draw in draws]
        cells = (
            name,
            str(n_seeds),
            " + ".join(features),
            model,
            _mean(shares),
            "" if features == hand_made else _mean(differences, signed="+"),
            f"{np.mean([score.fit_seconds for score in scores]):.1f}",
            f"{np.mean([score.predict_milliseconds for score in scores]):.2f}",
            f"{np.mean([score.n_bytes for score in scores]) / 1000:.0f}",
        )
        yield f"| {' | '.join(cells)} |"


def _draw(files: _Files, n_seeds: int, number: int) -> dict[tuple[tuple[str, ...], str], _Score]:
    """Draw seeds, and score each model with each set of features on the other pictures."""
    rng = np.random.default_rng([2026, n_seeds, number])
    with tempfile.TemporaryDirectory() as folder:
        project = Project.init(Path(folder) / "project")
        unseen = _divide(files, n_seeds, rng, Path(folder) / "seeds", project)
        project.import_categories(Path(folder) / "seeds")
        project.generate(GenerateOptions(count=_SAMPLES_A_SEED * n_seeds))
        return dict(_scores(project, unseen, number))


def _divide(
    files: _Files, n_seeds: int, rng: np.random.Generator, folder: Path, project: Project
) -> _Pictures:
    """Write the seeds into class folders, and return the other pictures."""
    modality = project.workspace.modality
    examples, labels = [], []
    for category, pictures in enumerate(files):
        order = rng.permutation(len(pictures))
        target = folder / f"c{category:02}"
        target.mkdir(parents=True)
        for row in order[:n_seeds]:
            (target / f"{row}.png").write_bytes(pictures[row])
        for row in order[n_seeds : n_seeds + _MOST_UNSEEN]:
            examples.append(modality.decode(pictures[row]))
            labels.append(category)
    return _Pictures(examples, np.array(labels))


def _scores(
    project: Project, unseen: _Pictures, number: int
) -> Iterator[tuple[tuple[tuple[str, ...], str], _Score]]:
    workspace, reporter, engine = project.workspace, SilentReporter(), LocalEngine()
    sets = feature_sets(workspace.settings, workspace.modality, (AUTO_FEATURES,), reporter)
    names = list(dict.fromkeys(name for one in sets for name in one))
    extractors = make_extractors(workspace, names)
    dataset = project_dataset(workspace, engine, reporter)
    source = feature_source(workspace, extractors, dataset, engine, reporter)
    rows = np.arange(len(dataset.files))
    streams = Streams(("accuracy", number))
    start = time.perf_counter()
    features = source.fit(rows, rows, streams.child("features"), lambda: None)
    learning = time.perf_counter() - start
    for chosen in sets:
        fitted = features.chosen(chosen)
        learns = any(isinstance(extractor, LearningExtractor) for extractor in fitted)
        shown = np.hstack([extractor.extract(unseen.examples) for extractor in fitted])
        models = (*_MODELS, _NETWORK) if learns and len(chosen) == 1 else _MODELS
        for name in models:
            model = MODELS.get(name)()
            start = time.perf_counter()
            model.fit(features.of(rows, chosen), dataset.labels, streams.rng("fit", name))
            seconds = time.perf_counter() - start + learning * learns
            yield (chosen, name), _score(model, features, chosen, shown, unseen, seconds)


def _score(
    model: Model,
    features: Features,
    chosen: tuple[str, ...],
    shown: npt.NDArray[np.float32],
    unseen: _Pictures,
    seconds: float,
) -> _Score:
    graph, extractors = model.to_onnx(), features.chosen(chosen)
    session = OnnxGraph(graph, model.name)
    right = session.run(shown).argmax(axis=1) == unseen.labels
    start = time.perf_counter()
    for example in unseen.examples[:_N_TIMED]:
        session.run(np.hstack([extractor.extract([example]) for extractor in extractors]))
    elapsed = time.perf_counter() - start
    kept = sum(len(data) for extractor in extractors for data in extractor.state().values())
    return _Score(right, seconds, 1000 * elapsed / _N_TIMED, len(graph) + kept)


def _mean(values: npt.NDArray[np.float64], signed: str = "") -> str:
    """Return the mean over draws, with its 95 % interval where there are several."""
    text = f"{values.mean():{signed}.3f}"
    if len(values) < 2:
        return text
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{text} ± {half:.3f}"


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
