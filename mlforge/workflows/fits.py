"""Fits: of each fold, scored on its held-out seeds, and of everything, exported."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mlforge.core.reporting import Advance
from mlforge.engines.local import LocalEngine
from mlforge.evaluation.choice import Choice, Verdicts, choose
from mlforge.evaluation.folds import inner_blocks
from mlforge.evaluation.leakage import leaky_accuracy
from mlforge.evaluation.novelty import Novelty
from mlforge.evaluation.records import Evaluation
from mlforge.evaluation.scores import HeldOut, evaluate
from mlforge.extractors import Extractor, LearningExtractor
from mlforge.workflows.feature_source import Features
from mlforge.workflows.model_choice import Candidate
from mlforge.workflows.model_fit import fit_graph, fit_part
from mlforge.workflows.splits import Purpose, Split, TrainingData

__all__ = ["FittedModel", "TrainingJob", "n_steps", "run_fits", "used_features"]


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
    extractors
        What gives its features, fitted to everything.
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
        How long the fits took in sum; models that share learned features each count them.
    """

    candidate: Candidate
    extractors: tuple[Extractor, ...]
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
    """What has been fitted so far.

    Attributes
    ----------
    features
        The features of each split.
    fitted
        Models by job, candidate and split.
    """

    features: dict[Split, Features] = field(default_factory=dict)
    fitted: dict[tuple[str, Candidate, Split], _Fitted] = field(default_factory=dict)

    def seconds(self, job: TrainingJob) -> float:
        """Return how long a job's fits took, those of its features included."""
        taken = [
            f.seconds
            for (fingerprint, *_), f in self.fitted.items()
            if fingerprint == job.fingerprint
        ]
        used = used_features([job])
        taken += [
            features.seconds
            for features in self.features.values()
            if any(isinstance(e, LearningExtractor) for e in features.extractors if e.name in used)
        ]
        return round(sum(taken), 3)

    def verdicts(self, data: TrainingData, job: TrainingJob, splits: Sequence[Split]) -> Verdicts:
        """Return what a job's candidates made of the seeds that `splits` test."""
        rows = np.concatenate([split.test for split in splits])
        said = [
            np.concatenate([self.fitted[job.fingerprint, c, s].probabilities for s in splits])
            for c in job.candidates
        ]
        return Verdicts.of(np.stack(said), data.dataset.labels[rows], data.folds.fold[rows])


def n_steps(data: TrainingData, jobs: Sequence[TrainingJob]) -> int:
    """Return how many steps `run_fits` reports: one a model, and those of what is learned."""
    open_jobs = [job for job in jobs if not _is_settled(job)]
    folds, inner, rest = _by_need(data)
    models = sum(len(folds) * len(job.candidates) + len(rest) for job in jobs)
    models += sum(len(inner) * len(job.candidates) for job in open_jobs)
    everywhere = len(folds) + len(rest)
    learned = everywhere * data.source.n_steps(used_features(jobs))
    return models + learned + len(inner) * data.source.n_steps(used_features(open_jobs))


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
    folds, inner, rest = _by_need(data)
    settled = [job for job in jobs if _is_settled(job)]
    contested = [job for job in jobs if not _is_settled(job)]
    needs = [(split, used_features(jobs)) for split in folds]
    needs += [(split, used_features(settled)) for split in rest]
    needs += [(split, used_features(contested)) for split in inner]
    _fit_features(data, needs, engine, advance, results)
    # The long fits first: the last worker to finish then waits the least for the others.
    first = [_Fit(job, job.candidates[0], split) for job in settled for split in rest]
    first += [_Fit(job, c, split) for job in jobs for c in job.candidates for split in folds]
    first += [_Fit(job, c, split) for job in contested for c in job.candidates for split in inner]
    _run(data, first, engine, advance, results)
    choices = [_choose(data, job, results) for job in jobs]
    chosen = [
        job.candidates[choice.best if choice else 0]
        for job, choice in zip(jobs, choices, strict=True)
    ]
    # What only candidates that were not chosen learn from is not learned from everything.
    late = {name for candidate in chosen for name in candidate.features} - used_features(settled)
    _fit_features(data, [(split, late) for split in rest if late], engine, advance, results)
    advance(len(rest) * data.source.n_steps(used_features(jobs) - used_features(settled) - late))
    last = [
        _Fit(job, candidate, split)
        for job, candidate in zip(jobs, chosen, strict=True)
        if not _is_settled(job)
        for split in rest
    ]
    _run(data, last, engine, advance, results)
    novelties = {
        names: _fit_novelties(data, names, results.features, engine)
        for names in dict.fromkeys(candidate.features for candidate in chosen)
    }
    return [
        _join(data, job, choice, results, novelties[candidate.features])
        for job, choice, candidate in zip(jobs, choices, chosen, strict=True)
    ]


def _by_need(data: TrainingData) -> tuple[list[Split], list[Split], list[Split]]:
    """Return the splits that all candidates are fitted on, those to choose by, and the rest."""
    folds, inner = data.of(Purpose.FOLD), data.of(Purpose.INNER)
    contested = (Purpose.FOLD, Purpose.INNER)
    return folds, inner, [split for split in data.splits if split.purpose not in contested]


def used_features(jobs: Sequence[TrainingJob]) -> set[str]:
    """Return the names of the extractors that jobs learn from."""
    return {name for job in jobs for candidate in job.candidates for name in candidate.features}


def _fit_features(
    data: TrainingData,
    needs: Sequence[tuple[Split, Collection[str]]],
    engine: LocalEngine,
    advance: Advance,
    results: _Results,
) -> None:
    """Fit what learns features on splits, each for the extractors that are needed there."""

    def fit(need: tuple[Split, Collection[str]]) -> Features:
        split, names = need
        streams = data.streams.child("features", split.purpose.name, split.number)
        return data.source.fit(split.train, split.rows, streams, advance, names)

    for (split, _), features in zip(needs, engine.map_threads(fit, needs), strict=True):
        known = results.features.get(split)
        results.features[split] = known.beside(features) if known else features


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
        fitted = _fit(data, fit, results.features[fit.split])
        advance()
        return fitted

    for fit, fitted in zip(fits, engine.map_threads(run, fits), strict=True):
        results.fitted[fit.job.fingerprint, fit.candidate, fit.split] = fitted


def _choose(data: TrainingData, job: TrainingJob, results: _Results) -> Choice | None:
    """Choose among a job's candidates; None where there is nothing to choose or to choose by."""
    folds, inner = data.of(Purpose.FOLD), data.of(Purpose.INNER)
    if _is_settled(job) or not inner:
        return None
    blocks = inner_blocks(data.folds.n_folds)
    by_block = {
        block: results.verdicts(data, job, [split])
        for block, split in zip(blocks, inner, strict=True)
    }
    return choose(results.verdicts(data, job, folds), by_block)


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
    extractors = tuple(results.features[final].chosen(candidate.features))
    tried = tuple(zip(job.candidates, choice.accuracies, strict=True)) if choice else ()
    seconds = results.seconds(job)
    folds = data.of(Purpose.FOLD)
    # A model that always says the one scored category would be right each time.
    if not folds or len(np.unique(data.dataset.labels[_tested_rows(folds)])) < 2:
        return FittedModel(candidate, extractors, graph, None, 1.0, None, tried, seconds)
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
        extractors,
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
    """What tells unknown examples; models with the same features share it.

    Attributes
    ----------
    final
        Fitted to everything.
    scores
        Of the seeds that each fold held out, by what was fitted without them.
    """

    final: Novelty
    scores: Mapping[Split, npt.NDArray[np.float64]]


def _fit_novelties(
    data: TrainingData,
    names: tuple[str, ...],
    features: Mapping[Split, Features],
    engine: LocalEngine,
) -> _Novelties:
    def fit(split: Split) -> Novelty:
        rng = data.streams.rng("novelty", split.purpose.name, split.number)
        rows = features[split].of(split.train, names)
        return Novelty.fit(rows, data.dataset.labels[split.train], rng)

    def score(split: Split) -> npt.NDArray[np.float64]:
        return fit(split).score(features[split].of(split.test, names))

    folds = data.of(Purpose.FOLD)
    scores = dict(zip(folds, engine.map_threads(score, folds), strict=True))
    (final,) = engine.map_threads(fit, data.of(Purpose.FINAL))
    return _Novelties(final, scores)


def _fit(data: TrainingData, fit: _Fit, given: Features) -> _Fitted:
    """Fit a model to a split's training rows, and let its graph say what the others show."""
    start = time.perf_counter()
    split, name = fit.split, fit.candidate.model.name
    rng = data.streams.rng("fit", name, split.purpose.name, split.number)
    names, labels = fit.candidate.features, data.dataset.labels[split.train]
    features = given.of(split.train, names)
    if split.purpose is Purpose.FINAL:
        graph = fit_graph(fit.candidate, features, labels, rng)
        return _Fitted(np.empty((0, len(data.dataset.codes))), graph, time.perf_counter() - start)
    fitted = fit_part(fit.candidate, features, labels, len(data.dataset.codes), rng)
    probabilities = fitted.probabilities(given.of(split.test, names))
    return _Fitted(probabilities, b"", time.perf_counter() - start)
