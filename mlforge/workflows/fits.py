"""Fits: of each fold, scored on its held-out seeds, and of everything, exported."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlforge.core.onnx_graph import OnnxGraph
from mlforge.core.randomness import Streams
from mlforge.core.reporting import Advance
from mlforge.engines.local import LocalEngine
from mlforge.errors import ArtifactError
from mlforge.evaluation.calibration import fit_temperature
from mlforge.evaluation.folds import Folds
from mlforge.evaluation.scores import Evaluation, evaluate
from mlforge.models import Model
from mlforge.workflows.dataset import Dataset

__all__ = ["FittedModel", "TrainingData", "TrainingJob", "n_fits", "run_fits"]

# The exported graph is compared with the model itself on so many training examples.
_N_COMPARED = 2000


@dataclass(frozen=True)
class TrainingJob:
    """One model to be trained.

    Attributes
    ----------
    model
        Its component.
    config
        Its parameters.
    fingerprint
        The digest of everything that decides what its training gives.
    """

    model: type[Model]
    config: Any
    fingerprint: str


@dataclass(frozen=True)
class TrainingData:
    """What all jobs share.

    Attributes
    ----------
    dataset
        The seeds and samples.
    features
        ``n_examples x n_features``.
    folds
        The test fold of each seed.
    streams
        The only source of randomness.
    """

    dataset: Dataset
    features: npt.NDArray[np.float32]
    folds: Folds
    streams: Streams


@dataclass(frozen=True)
class _Fit:
    """One fit: of a fold, or of everything where `fold` is None."""

    job: TrainingJob
    fold: int | None


@dataclass(frozen=True)
class _Fitted:
    """What a fit gives: out-of-fold probabilities of a fold's seeds, or the whole model."""

    fit: _Fit
    rows: npt.NDArray[np.intp]
    probabilities: npt.NDArray[np.float64]
    graph: bytes
    seconds: float


@dataclass(frozen=True)
class FittedModel:
    """What the fits of one job give.

    Attributes
    ----------
    graph
        The model that was fitted to everything, as a serialized ONNX graph.
    evaluation
        What held-out seeds say; None where no category can be scored.
    temperature
        What calibrates its probabilities; 1 where no category can be scored.
    seconds
        How long the fits took in sum.
    """

    graph: bytes
    evaluation: Evaluation | None
    temperature: float
    seconds: float


def run_fits(
    data: TrainingData, jobs: Sequence[TrainingJob], engine: LocalEngine, advance: Advance
) -> list[FittedModel]:
    """Fit every job on every fold and on everything, side by side.

    Raises
    ------
    ArtifactError
        If an exported graph differs from its model.
    """
    # The long fits first: the last worker to finish then waits the least for the others.
    fits = [_Fit(job, None) for job in jobs]
    fits += [_Fit(job, fold) for job in jobs for fold in range(data.folds.n_folds)]
    fitted: dict[str, list[_Fitted]] = {job.fingerprint: [] for job in jobs}

    def run(fit: _Fit) -> _Fitted:
        result = _fit(data, fit)
        advance()
        return result

    # Threads that import parts of scikit-learn for the first time at once see half of one another.
    import sklearn.base  # noqa: F401 - see above

    for result in engine.map_threads(run, fits):
        fitted[result.fit.job.fingerprint].append(result)
    return [_join(data, fitted[job.fingerprint]) for job in jobs]


def n_fits(data: TrainingData, jobs: Sequence[TrainingJob]) -> int:
    """Return how many fits `run_fits` makes."""
    return len(jobs) * (1 + data.folds.n_folds)


def _join(data: TrainingData, fitted: Sequence[_Fitted]) -> FittedModel:
    """Put the out-of-fold probabilities together, calibrate and score them."""
    (graph,) = [f.graph for f in fitted if f.fit.fold is None]
    seconds = round(sum(f.seconds for f in fitted), 3)
    folds = [f for f in fitted if f.fit.fold is not None]
    if not folds:
        return FittedModel(graph, None, 1.0, seconds)
    rows = np.concatenate([f.rows for f in folds])
    order = np.argsort(rows)
    rows = rows[order]
    probabilities = np.concatenate([f.probabilities for f in folds])[order]
    labels = data.dataset.labels[rows]
    if len(np.unique(labels)) < 2:
        # A model that always says the one scored category would be right each time.
        return FittedModel(graph, None, 1.0, seconds)
    evaluation = evaluate(
        labels,
        probabilities,
        [data.dataset.groups[row] for row in rows],
        data.dataset.codes,
        data.folds.n_folds,
        data.streams.rng("intervals"),
    )
    return FittedModel(graph, evaluation, fit_temperature(probabilities, labels), seconds)


def _fit(data: TrainingData, fit: _Fit) -> _Fitted:
    """Fit a model: on all examples, or on those whose seed's group is not in the fold."""
    start = time.perf_counter()
    dataset, name = data.dataset, fit.job.model.name
    model = fit.job.model(fit.job.config)
    if fit.fold is None:
        model.fit(data.features, dataset.labels, data.streams.rng("fit", name, "all"))
        graph = model.to_onnx()
        _check_graph(model, graph, data.features[:_N_COMPARED])
        empty = np.empty((0, len(dataset.codes)))
        return _Fitted(fit, np.empty(0, np.intp), empty, graph, time.perf_counter() - start)
    # Of the fold's groups nothing is trained on: no sample, and no seed that is never tested.
    train_rows = np.flatnonzero(data.folds.left_out[dataset.seed_index] != fit.fold)
    rows = np.flatnonzero(data.folds.fold == fit.fold)
    # A category whose only group spans others too may be absent from what is left.
    present, labels = np.unique(dataset.labels[train_rows], return_inverse=True)
    probabilities = np.zeros((len(rows), len(dataset.codes)))
    if len(present) == 1:
        probabilities[:, present[0]] = 1.0
    else:
        rng = data.streams.rng("fit", name, fit.fold)
        model.fit(data.features[train_rows], labels.astype(np.int64), rng)
        probabilities[:, present] = model.predict_proba(data.features[rows])
    return _Fitted(fit, rows, probabilities, b"", time.perf_counter() - start)


def _check_graph(model: Model, graph: bytes, features: npt.NDArray[np.float32]) -> None:
    """Compare the exported graph with the model itself: what ships is what was measured."""
    exported = OnnxGraph(graph, model.name).run(features)
    difference = float(np.abs(exported - model.predict_proba(features)).max())
    if not difference <= model.tolerance:
        raise ArtifactError(
            f"{model.name}: the exported graph differs from the model by {difference:.2g}, "
            f"more than {model.tolerance:.0e}; nothing was stored",
            "please report this with the output of: mlforge doctor",
        )
