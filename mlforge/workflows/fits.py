"""Fits: of each fold, scored on its held-out seeds, and of everything, exported."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mlforge.core.onnx_graph import OnnxGraph
from mlforge.core.reporting import Advance
from mlforge.engines.local import LocalEngine
from mlforge.errors import ArtifactError
from mlforge.evaluation.choice import Choice, choose
from mlforge.evaluation.leakage import leaky_accuracy
from mlforge.evaluation.novelty import Novelty
from mlforge.evaluation.records import Evaluation
from mlforge.evaluation.scores import HeldOut, evaluate
from mlforge.models import Model
from mlforge.workflows.model_choice import Candidate
from mlforge.workflows.splits import Purpose, Split, TrainingData

__all__ = ["FittedModel", "PartModel", "TrainingJob", "fit_part", "n_fits", "run_fits"]

# The exported graph is compared with the model itself on so many training examples.
_N_COMPARED = 2000


@dataclass(frozen=True)
class TrainingJob:
    """One model to be trained.

    Attributes
    ----------
    name
        What was asked for: a model's name, or ``auto``.
    candidates
        What the evaluation chooses from; one where there is nothing to choose.
    fingerprint
        The digest of everything that decides what its training gives.
    """

    name: str
    candidates: tuple[Candidate, ...]
    fingerprint: str


@dataclass(frozen=True)
class FittedModel:
    """What the fits of one job give.

    Attributes
    ----------
    candidate
        The model with its parameters.
    graph
        The model that was fitted to everything, as a serialized ONNX graph.
    evaluation
        What held-out seeds say; None where no category can be scored.
    temperature
        What calibrates its probabilities; 1 where no category can be scored.
    novelty
        What tells unknown examples, fitted to everything; None where no category can be scored.
    tried
        Each candidate with the share of held-out seeds that it got right; empty where there was
        nothing to choose.
    seconds
        How long the fits took in sum.
    """

    candidate: Candidate
    graph: bytes
    evaluation: Evaluation | None
    temperature: float
    novelty: Mapping[str, npt.NDArray[Any]] | None
    tried: tuple[tuple[Candidate, float], ...]
    seconds: float


@dataclass(frozen=True, eq=False)
class _Fit:
    """One fit of one candidate of one job."""

    job: TrainingJob
    candidate: Candidate
    split: Split


@dataclass(frozen=True, eq=False)
class _Fitted:
    """What a fit gives: probabilities of what it was scored on, or the graph of the final model."""

    probabilities: npt.NDArray[np.float64]
    graph: bytes
    seconds: float


@dataclass(frozen=True)
class _Results:
    """What has been fitted so far, by job, candidate and split."""

    fitted: dict[tuple[str, Candidate, Split], _Fitted] = field(default_factory=dict)

    def seconds(self, job: TrainingJob) -> float:
        """Return how long a job's fits took."""
        taken = (
            f.seconds
            for (fingerprint, *_), f in self.fitted.items()
            if fingerprint == job.fingerprint
        )
        return round(sum(taken), 3)

    def probabilities(
        self, job: TrainingJob, candidate: Candidate, splits: Sequence[Split]
    ) -> npt.NDArray[np.float64]:
        """Return what a candidate said of the rows that `splits` test, sorted by row."""
        rows = np.concatenate([split.test for split in splits])
        parts = [self.fitted[job.fingerprint, candidate, split].probabilities for split in splits]
        joined: npt.NDArray[np.float64] = np.concatenate(parts)[np.argsort(rows)]
        return joined


def n_fits(data: TrainingData, jobs: Sequence[TrainingJob]) -> int:
    """Return how many fits `run_fits` makes."""
    n_contested = len(data.of(Purpose.FOLD))
    contested = sum(n_contested * len(job.candidates) for job in jobs)
    return contested + len(jobs) * (len(data.splits) - n_contested)


def run_fits(
    data: TrainingData, jobs: Sequence[TrainingJob], engine: LocalEngine, advance: Advance
) -> list[FittedModel]:
    """Fit every job on every split, side by side; of several candidates all only on the folds.

    Raises
    ------
    ArtifactError
        If an exported graph differs from its model.
    """
    # Threads that import parts of scikit-learn for the first time at once see half of one another.
    import sklearn.base  # noqa: F401 - see above

    results = _Results()
    folds = data.of(Purpose.FOLD)
    rest = [split for split in data.splits if split.purpose is not Purpose.FOLD]
    # The long fits first: the last worker to finish then waits the least for the others.
    first = [_Fit(job, job.candidates[0], s) for job in jobs if _is_settled(job) for s in rest]
    first += [_Fit(job, c, split) for job in jobs for c in job.candidates for split in folds]
    _run(data, first, engine, advance, results)
    choices = [_choose(data, job, folds, results) for job in jobs]
    chosen = [
        job.candidates[choice.best if choice else 0]
        for job, choice in zip(jobs, choices, strict=True)
    ]
    last = [
        _Fit(job, candidate, split)
        for job, candidate in zip(jobs, chosen, strict=True)
        if not _is_settled(job)
        for split in rest
    ]
    _run(data, last, engine, advance, results)
    novelties = _fit_novelties(data, engine)
    return [
        _join(data, job, choice, results, novelties)
        for job, choice in zip(jobs, choices, strict=True)
    ]


def _is_settled(job: TrainingJob) -> bool:
    """Return whether there is nothing to choose."""
    return len(job.candidates) == 1


def _run(
    data: TrainingData,
    fits: Sequence[_Fit],
    engine: LocalEngine,
    advance: Advance,
    results: _Results,
) -> None:
    def run(fit: _Fit) -> _Fitted:
        fitted = _fit(data, fit)
        advance()
        return fitted

    for fit, fitted in zip(fits, engine.map_threads(run, fits), strict=True):
        results.fitted[fit.job.fingerprint, fit.candidate, fit.split] = fitted


def _choose(
    data: TrainingData, job: TrainingJob, folds: Sequence[Split], results: _Results
) -> Choice | None:
    """Choose among a job's candidates; None where there is nothing to choose or to choose by."""
    if _is_settled(job) or not folds:
        return None
    rows = _tested_rows(folds)
    probabilities = [results.probabilities(job, c, folds) for c in job.candidates]
    return choose(np.stack(probabilities), data.dataset.labels[rows], data.folds.fold[rows])


def _tested_rows(splits: Sequence[Split]) -> npt.NDArray[np.intp]:
    return np.sort(np.concatenate([split.test for split in splits]))


def _join(
    data: TrainingData,
    job: TrainingJob,
    choice: Choice | None,
    results: _Results,
    novelties: _Novelties,
) -> FittedModel:
    """Put the out-of-fold probabilities together, calibrate and score them."""
    (final,) = data.of(Purpose.FINAL)
    candidate = job.candidates[choice.best if choice else 0]
    graph = results.fitted[job.fingerprint, candidate, final].graph
    tried = tuple(zip(job.candidates, choice.accuracies, strict=True)) if choice else ()
    seconds = results.seconds(job)
    folds = data.of(Purpose.FOLD)
    # A model that always says the one scored category would be right each time.
    if not folds or len(np.unique(data.dataset.labels[_tested_rows(folds)])) < 2:
        return FittedModel(candidate, graph, None, 1.0, None, tried, seconds)
    by_fold = [job.candidates[c] for c in choice.by_fold] if choice else [candidate] * len(folds)
    halves = data.of(Purpose.HALF)
    measured = evaluate(
        _held_out(data, job, list(zip(folds, by_fold, strict=True)), results, novelties.scores),
        _held_out(data, job, [(half, candidate) for half in halves], results, {})
        if halves
        else None,
        data.dataset.codes,
        data.streams.rng("intervals"),
        coverage=data.coverage,
        leaky_accuracy=_leaky_accuracy(data, job, candidate, results),
        generated_only=data.dataset.generated_only,
    )
    return FittedModel(
        candidate,
        graph,
        measured.evaluation,
        measured.temperature,
        novelties.final.state(),
        tried,
        seconds,
    )


def _held_out(
    data: TrainingData,
    job: TrainingJob,
    fits: Sequence[tuple[Split, Candidate]],
    results: _Results,
    scores: Mapping[Split, npt.NDArray[np.float64]],
) -> HeldOut:
    """Return what each fit said of the seeds that it never saw, sorted by seed."""
    dataset = data.dataset
    rows = np.concatenate([split.test for split, _ in fits])
    order = np.argsort(rows)
    said = [results.fitted[job.fingerprint, c, split].probabilities for split, c in fits]
    novelty = [scores[split] for split, _ in fits if split in scores]
    rows = rows[order]
    return HeldOut(
        labels=dataset.labels[rows],
        probabilities=np.concatenate(said)[order],
        groups=tuple(dataset.groups[row] for row in rows),
        fold=np.repeat([s.number for s, _ in fits], [len(s.test) for s, _ in fits])[order],
        novelty=np.concatenate(novelty)[order] if novelty else None,
        files=tuple(dataset.name(row) for row in rows),
        digests=tuple(dataset.files[row].digest for row in rows),
    )


def _leaky_accuracy(
    data: TrainingData, job: TrainingJob, candidate: Candidate, results: _Results
) -> float | None:
    for split in data.of(Purpose.LEAK):
        said = results.fitted[job.fingerprint, candidate, split].probabilities
        return leaky_accuracy(data.dataset.labels[split.test], said)
    return None


@dataclass(frozen=True)
class _Novelties:
    """What tells unknown examples; all models share it.

    Attributes
    ----------
    final
        Fitted to everything.
    scores
        Of the seeds that each fold held out, by what was fitted without them.
    """

    final: Novelty
    scores: Mapping[Split, npt.NDArray[np.float64]]


def _fit_novelties(data: TrainingData, engine: LocalEngine) -> _Novelties:
    def fit(split: Split) -> Novelty:
        rng = data.streams.rng("novelty", split.purpose.name, split.number)
        return Novelty.fit(data.features[split.train], data.dataset.labels[split.train], rng)

    def score(split: Split) -> npt.NDArray[np.float64]:
        return fit(split).score(data.features[split.test])

    folds = data.of(Purpose.FOLD)
    scores = dict(zip(folds, engine.map_threads(score, folds), strict=True))
    (final,) = engine.map_threads(fit, data.of(Purpose.FINAL))
    return _Novelties(final, scores)


def _fit(data: TrainingData, fit: _Fit) -> _Fitted:
    """Fit a model to a split's training rows, and let its graph say what the others show."""
    start = time.perf_counter()
    split, name = fit.split, fit.candidate.model.name
    rng = data.streams.rng("fit", name, split.purpose.name, split.number)
    features, labels = data.features[split.train], data.dataset.labels[split.train]
    if split.purpose is Purpose.FINAL:
        model = fit.candidate.model(fit.candidate.config)
        model.fit(features, labels, rng)
        graph = model.to_onnx()
        _check_graph(model, graph, features[:_N_COMPARED])
        return _Fitted(np.empty((0, len(data.dataset.codes))), graph, time.perf_counter() - start)
    fitted = fit_part(fit.candidate, features, labels, len(data.dataset.codes), rng)
    probabilities = fitted.probabilities(data.features[split.test])
    return _Fitted(probabilities, b"", time.perf_counter() - start)


@dataclass(frozen=True, eq=False)
class PartModel:
    """A model that was fitted to a part of the examples, as the graph that would ship.

    Attributes
    ----------
    graph
        The graph; None where the part holds a single category.
    present
        The categories of the part, by number.
    n_categories
        How many categories there are in all.
    """

    graph: OnnxGraph | None
    present: npt.NDArray[np.int64]
    n_categories: int

    def probabilities(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return probabilities, ``n_examples x n_categories``; 0 for what it never saw."""
        values = np.zeros((len(features), self.n_categories))
        values[:, self.present] = 1.0 if self.graph is None else self.graph.run(features)
        return values


def fit_part(
    candidate: Candidate,
    features: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    n_categories: int,
    rng: np.random.Generator,
) -> PartModel:
    """Fit a candidate to a part of the examples, which may lack categories.

    Parameters
    ----------
    features, labels
        Of the part.
    n_categories
        How many categories there are in all.
    """
    present, numbers = np.unique(labels, return_inverse=True)
    if len(present) == 1:
        return PartModel(None, present, n_categories)
    model = candidate.model(candidate.config)
    model.fit(features, numbers.astype(np.int64), rng)
    # What ships is a graph, and so it is graphs that are measured.
    return PartModel(OnnxGraph(model.to_onnx(), candidate.model.name), present, n_categories)


def _check_graph(model: Model, graph: bytes, features: npt.NDArray[np.float32]) -> None:
    """Compare the exported graph with the model itself."""
    exported = OnnxGraph(graph, model.name).run(features)
    difference = float(np.abs(exported - model.predict_proba(features)).max())
    if not difference <= model.tolerance:
        raise ArtifactError(
            f"{model.name}: the exported graph differs from the model by {difference:.2g}, "
            f"more than {model.tolerance:.0e}; nothing was stored",
            "please report this with the output of: mlforge doctor",
        )
