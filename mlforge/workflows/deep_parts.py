"""The diagnostics that take fits on the features that are there: curve, unknowns, blame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mlforge.core.reporting import Advance
from mlforge.engines.local import LocalEngine
from mlforge.evaluation.blame import blame_seeds, neighbour_values
from mlforge.evaluation.curve import CurveRun, learning_curve
from mlforge.evaluation.intervals import group_numbers, wilson_interval
from mlforge.evaluation.novelty import Novelty
from mlforge.evaluation.records import (
    Evaluation,
    LearningCurve,
    SeedBlame,
    UnknownCheck,
)
from mlforge.evaluation.unknown import unknown_threshold
from mlforge.workflows.feature_source import Features, FeatureSource
from mlforge.workflows.model_choice import Candidate
from mlforge.workflows.model_fit import PartModel, fit_part
from mlforge.workflows.splits import Purpose, Split, TrainingData

__all__ = [
    "DeepInputs",
    "blame",
    "check_unknown",
    "curve",
    "n_blame_steps",
    "n_curve_fits",
    "n_unknown_fits",
]

# The shares of each fold's training groups that the learning curve is measured at, besides all.
SHARES = (0.25, 0.5, 0.75)
# So many components of the features hold what tells seeds apart.
_N_COMPONENTS = 64
_N_NEIGHBOURS = 5
# Of known examples, so many may be taken for unknown, as in training.
_REJECTED = 0.05
_FEWEST_CATEGORIES = 3


@dataclass(frozen=True)
class DeepInputs:
    """What all diagnostics start from.

    Attributes
    ----------
    data
        The examples as they were for training.
    candidate
        The model with its parameters.
    evaluation
        What `train` found.
    engine
        Runs fits side by side.
    """

    data: TrainingData
    candidate: Candidate
    evaluation: Evaluation
    engine: LocalEngine

    @property
    def folds(self) -> list[Split]:
        """The splits that score each seed once."""
        return self.data.of(Purpose.FOLD)

    @cached_property
    def by_fold(self) -> tuple[Features, ...]:
        """The features of each fold, learned without what it tests; once for all diagnostics."""

        def fit(fold: Split) -> Features:
            return self.fit_features(fold.train, fold.test, "fold", fold.number)

        return tuple(self.engine.map_threads(fit, self.folds))

    def fit_features(
        self,
        train: npt.NDArray[np.intp],
        test: npt.NDArray[np.intp],
        *purpose: str | int,
        source: FeatureSource | None = None,
    ) -> Features:
        """Fit what learns features to some examples alone.

        Parameters
        ----------
        train, test
            The rows to learn from, and others whose features will be asked for.
        purpose
            Names the streams of random numbers.
        source
            Where features come from; as for the training where not given.
        """
        streams = self.data.streams.child("deep", "features", *purpose)
        source = source or self.data.source
        return source.fit(train, np.union1d(train, test), streams, lambda: None)

    def fit(self, features: Features, rows: npt.NDArray[np.intp], *purpose: str | int) -> PartModel:
        """Fit the model to some examples; `purpose` names its stream of random numbers."""
        data = self.data
        return fit_part(
            self.candidate,
            features.of(rows),
            data.dataset.labels[rows],
            len(data.dataset.codes),
            data.streams.rng("deep", *purpose),
        )


def n_curve_fits(inputs: DeepInputs) -> int:
    """Return how many fits `curve` makes."""
    return (len(SHARES) + 1) * len(inputs.folds)


def curve(inputs: DeepInputs, advance: Advance) -> LearningCurve:
    """Measure how accuracy grows with seeds, and say what to photograph next."""
    runs = [_curve_run(inputs, share, advance) for share in (*SHARES, 1.0)]
    return learning_curve(runs, inputs.data.dataset.codes, inputs.data.streams.rng("deep", "curve"))


def _curve_run(inputs: DeepInputs, share: float, advance: Advance) -> CurveRun:
    """Score every fold after learning from a share of its training groups."""
    dataset = inputs.data.dataset
    groups = group_numbers(dataset.groups)
    labels = dataset.labels[: dataset.n_seeds]
    whole = inputs.by_fold if share == 1.0 else ()

    def run(fold: Split) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        seeds = fold.train[fold.train < dataset.n_seeds]
        rng = inputs.data.streams.rng("deep", "share", fold.number)
        kept = _share_of_groups(groups[seeds], labels[seeds], share, rng)
        # Samples that come from no seed are there however many seeds there are.
        rows = fold.train[np.isin(dataset.of_seeds(groups)[fold.train], [*kept, -1])]
        features = (
            whole[fold.number]
            if whole
            else inputs.fit_features(rows, fold.test, "curve", str(share), fold.number)
        )
        model = inputs.fit(features, rows, "curve", str(share), fold.number)
        advance()
        counts = np.bincount(
            labels[seeds[np.isin(groups[seeds], kept)]], minlength=len(dataset.codes)
        )
        return model.probabilities(features.of(fold.test)).argmax(axis=1), counts

    results = list(inputs.engine.map_threads(run, inputs.folds))
    rows = np.concatenate([fold.test for fold in inputs.folds])
    order = np.argsort(rows)
    order = order[dataset.are_evidence(rows[order])]
    return CurveRun(
        n_train=np.mean([counts for _, counts in results], axis=0),
        labels=labels[rows[order]],
        predicted=np.concatenate([predicted for predicted, _ in results])[order],
        groups=tuple(dataset.groups[row] for row in rows[order]),
    )


def _share_of_groups(
    groups: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    share: float,
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Return a share of the groups of each category, at least one; more of them keep the first."""
    kept = []
    for category in np.unique(labels):
        own = rng.permutation(np.unique(groups[labels == category]))
        kept.append(own[: max(1, round(share * len(own)))])
    return np.unique(np.concatenate(kept))


def n_unknown_fits(inputs: DeepInputs) -> int:
    """Return how many fits `check_unknown` makes."""
    n_categories = len(inputs.data.dataset.codes)
    return n_categories * len(inputs.folds) if n_categories >= _FEWEST_CATEGORIES else 0


def check_unknown(inputs: DeepInputs, advance: Advance) -> tuple[UnknownCheck, ...]:
    """Hold each category out in turn as a stand-in for what is unknown.

    Nothing with two categories, and nothing where too few groups of the others would be left.
    """
    if n_unknown_fits(inputs) == 0:
        return ()
    return tuple(
        check
        for category in range(len(inputs.data.dataset.codes))
        if (check := _hold_out(inputs, category, advance)) is not None
    )


def _hold_out(inputs: DeepInputs, category: int, advance: Advance) -> UnknownCheck | None:
    """Score held-out seeds by what never saw a category; None where it has no seeds."""
    from sklearn.metrics import roc_auc_score

    data = inputs.data
    labels = data.dataset.labels

    def run(fold: Split) -> npt.NDArray[np.float64]:
        rows = fold.train[labels[fold.train] != category]
        rng = data.streams.rng("deep", "novelty", category, fold.number)
        features = inputs.fit_features(rows, fold.test, "unknown", category, fold.number)
        novelty = Novelty.fit(features.of(rows), labels[rows], rng)
        advance()
        return novelty.score(features.of(fold.test))

    scores = np.concatenate(list(inputs.engine.map_threads(run, inputs.folds)))
    rows = np.concatenate([fold.test for fold in inputs.folds])
    unknown = labels[rows] == category
    known = ~unknown & data.dataset.are_evidence(rows)
    if not known.any() or not unknown.any():
        return None
    groups = group_numbers([data.dataset.groups[row] for row in rows[known]])
    threshold = unknown_threshold(scores[known], groups, _REJECTED)
    if threshold is None:
        return None
    accepted = scores[unknown] <= threshold
    n_groups = len({data.dataset.groups[row] for row in rows[unknown]})
    share = float(accepted.mean())
    return UnknownCheck(
        data.dataset.codes[category],
        float(roc_auc_score(unknown[known | unknown], scores[known | unknown])),
        share,
        wilson_interval(share, n_groups),
        int(unknown.sum()),
    )


def n_blame_steps(inputs: DeepInputs) -> int:
    """Return how many steps `blame` reports."""
    return len(inputs.folds)


def blame(inputs: DeepInputs, advance: Advance) -> tuple[SeedBlame, ...]:
    """Name the seeds that should be looked at; no model is fitted.

    Each fold's seeds judge the others, by features that were learned without them: what learned
    from a wrong label would place its seed where the label says.
    """
    dataset = inputs.data.dataset
    rows = {file.digest: row for row, file in enumerate(dataset.files[: dataset.n_seeds])}
    scored = np.array([rows[seed.digest] for seed in inputs.evaluation.seeds], np.intp)
    labels = dataset.labels[scored]
    values = np.full((len(scored), len(scored)), np.nan)
    neighbours = np.zeros(len(scored), np.int64)
    for fold, features in zip(inputs.folds, inputs.by_fold, strict=True):
        points = _components(features.of(scored))
        held_out = np.isin(scored, fold.test)
        judges, others = np.flatnonzero(held_out), np.flatnonzero(~held_out)
        values[np.ix_(others, judges)] = neighbour_values(
            points[others], labels[others], points[judges], labels[judges]
        )
        for judge in judges:
            near = others[np.argsort(((points[others] - points[judge]) ** 2).sum(axis=1))]
            neighbours[judge] = np.bincount(labels[near[:_N_NEIGHBOURS]]).argmax()
        advance()
    return blame_seeds(inputs.evaluation, values, neighbours)


def _components(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the principal components of standardized features."""
    centred = features.astype(np.float64) - features.mean(axis=0)
    deviation = centred.std(axis=0)
    scaled = centred / np.where(deviation > 0, deviation, 1)
    left, singular, _ = np.linalg.svd(scaled, full_matrices=False)
    components: npt.NDArray[np.float64] = (left * singular)[:, :_N_COMPONENTS]
    return components
