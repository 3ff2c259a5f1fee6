"""Figures from predictions of held-out seeds, each headline with a 95 % interval."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mlforge.evaluation.calibration import cross_calibrated, final_temperature, measure, scale
from mlforge.evaluation.estimate import Halves, error_ratio, trained_share
from mlforge.evaluation.intervals import (
    FIT_VARIANCE,
    RECALL_VARIANCE,
    effective_groups,
    group_numbers,
    wilson_around,
    wilson_interval,
)
from mlforge.evaluation.prediction_sets import cross_measured, fit_sets, measure_sets
from mlforge.evaluation.records import (
    CategoryScore,
    Evaluation,
    SeedOutcome,
    SetSummary,
    UnknownSummary,
)
from mlforge.evaluation.tallies import macro_f1, tally
from mlforge.evaluation.unknown import fit_unknown

__all__ = ["HeldOut", "Measured", "Thresholds", "evaluate", "evaluate_fixed"]

_N_RESAMPLES = 1000


@dataclass(frozen=True)
class HeldOut:
    """What models said of seeds that they had not seen.

    Attributes
    ----------
    labels
        The true category of each scored seed, ``n_seeds``, by number.
    probabilities
        As the models gave them, before any temperature, ``n_seeds x n_categories``.
    groups
        The group of each seed.
    fold
        The fold that held it out, ``n_seeds``.
    novelty
        How unlike the training seeds each was, ``n_seeds``; None where that was not measured.
    files, digests
        Each seed as ``CODE/NAME`` and the SHA-256 of its bytes; empty where they are of no
        interest.
    """

    labels: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    groups: Sequence[str]
    fold: npt.NDArray[np.int64]
    novelty: npt.NDArray[np.float64] | None = None
    files: Sequence[str] = ()
    digests: Sequence[str] = ()

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether the first answer was right, ``n_seeds``."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.labels)

    @property
    def share(self) -> float:
        """The share of the groups that each model learned from."""
        return trained_share(self.fold, group_numbers(self.groups))

    def only(self, rows: npt.NDArray[np.bool_]) -> HeldOut:
        """Return some of the seeds."""
        places = np.flatnonzero(rows).tolist()
        return replace(
            self,
            labels=self.labels[rows],
            probabilities=self.probabilities[rows],
            groups=[self.groups[place] for place in places],
            fold=self.fold[rows],
            novelty=None if self.novelty is None else self.novelty[rows],
            files=[self.files[place] for place in places] if self.files else (),
            digests=[self.digests[place] for place in places] if self.digests else (),
        )


@dataclass(frozen=True)
class _Fits:
    """How the final model's errors follow from those that were seen.

    They are `error_ratio` times as many, and vary `variance` times as much as if each group were
    drawn by itself; those of one category `recall_variance` times.
    """

    error_ratio: float
    variance: float
    recall_variance: float


@dataclass(frozen=True)
class Measured:
    """An evaluation with what it found for the final model.

    Attributes
    ----------
    evaluation
        The figures.
    temperature
        What calibrates the final model's probabilities.
    """

    evaluation: Evaluation
    temperature: float


@dataclass(frozen=True)
class Thresholds:
    """What a stored model answers with.

    Attributes
    ----------
    temperature
        What calibrates its probabilities.
    sets
        Its prediction sets; None where it has none.
    unknown
        When an example counts as unknown; None where it has no such threshold.
    """

    temperature: float
    sets: SetSummary | None = None
    unknown: UnknownSummary | None = None


def evaluate(
    held_out: HeldOut,
    halves: HeldOut | None,
    codes: Sequence[str],
    rng: np.random.Generator,
    *,
    coverage: float = 0.9,
    rejected: float = 0.05,
    leaky_accuracy: float | None = None,
    generated_only: Collection[str] = (),
) -> Measured:
    """Say from out-of-fold predictions how good the model is that learned from all seeds.

    Parameters
    ----------
    held_out
        The out-of-fold predictions; at least one.
    halves
        Those of models that learned from about half of the groups, of the same seeds in the same
        order; None where there are too few.
    codes
        The code of each category.
    rng
        Draws the resamples of the intervals.
    coverage
        How often a prediction set is to hold the right category.
    rejected
        The share of known examples that may count as unknown.
    leaky_accuracy
        What a random split of samples claims.
    generated_only
        The codes of categories without seeds, which are scored on samples. Beside others they
        count in no figure but their own.
    """
    real = _real(held_out, codes, generated_only)
    seeds = held_out.only(real)
    group_of = group_numbers(seeds.groups)
    other = None if halves is None else halves.only(real)
    second = None if other is None else Halves(other.right, other.share)
    ratio = error_ratio(seeds.right, seeds.share, second)
    temperature = final_temperature(seeds.probabilities, seeds.labels, seeds.share)
    calibrated = cross_calibrated(seeds.probabilities, seeds.labels, seeds.fold)
    figures = _figures(held_out, codes, real, rng, _Fits(ratio, FIT_VARIANCE, RECALL_VARIANCE))
    everything = held_out.probabilities.copy()
    everything[real] = calibrated
    everything[~real] = scale(everything[~real], temperature)
    as_shipped = scale(seeds.probabilities, temperature)
    sets = fit_sets(as_shipped, seeds.labels, group_of, coverage)
    evaluation = replace(
        figures,
        leaky_accuracy=leaky_accuracy,
        generated_only=tuple(code for code in codes if code in generated_only),
        calibration=measure(calibrated.max(axis=1), seeds.right, group_of, rng),
        sets=cross_measured(
            sets, seeds.probabilities, seeds.labels, group_of, seeds.fold, seeds.share
        ),
        unknown=(
            None
            if seeds.novelty is None
            else fit_unknown(seeds.novelty, group_of, seeds.fold, rejected)
        ),
        seeds=_outcomes(held_out, everything, codes),
    )
    return Measured(evaluation, temperature)


def evaluate_fixed(
    held_out: HeldOut, codes: Sequence[str], rng: np.random.Generator, thresholds: Thresholds
) -> Evaluation:
    """Say how good one stored model is, from examples that it has never seen.

    Nothing is corrected, and no other fit could have been drawn: the intervals are those of the
    examples alone.

    Parameters
    ----------
    held_out
        Its predictions; at least one.
    codes
        The code of each category.
    rng
        Draws the resamples of the intervals.
    thresholds
        What the model answers with.
    """
    everyone = np.ones(len(held_out.labels), np.bool_)
    group_of = group_numbers(held_out.groups)
    calibrated = scale(held_out.probabilities, thresholds.temperature)
    sets, unknown = thresholds.sets, thresholds.unknown
    if sets is not None:
        sets = measure_sets(sets, calibrated, held_out.labels, group_of)
    if unknown is not None and held_out.novelty is not None:
        above = held_out.novelty > unknown.threshold
        interval = wilson_interval(float(above.mean()), effective_groups(above, group_of))
        unknown = UnknownSummary(unknown.threshold, float(above.mean()), interval)
    return replace(
        _figures(held_out, codes, everyone, rng, _Fits(1.0, 1.0, 1.0)),
        calibration=measure(calibrated.max(axis=1), held_out.right, group_of, rng),
        sets=sets,
        unknown=unknown,
        seeds=_outcomes(held_out, calibrated, codes),
    )


def _real(
    held_out: HeldOut, codes: Sequence[str], generated_only: Collection[str]
) -> npt.NDArray[np.bool_]:
    """Mark the seeds that are evidence; all where there is no evidence of the real world."""
    invented = [number for number, code in enumerate(codes) if code in generated_only]
    real = ~np.isin(held_out.labels, invented)
    return real if real.any() else np.ones(len(real), np.bool_)


def _figures(
    held_out: HeldOut,
    codes: Sequence[str],
    real: npt.NDArray[np.bool_],
    rng: np.random.Generator,
    fits: _Fits,
) -> Evaluation:
    """Return accuracy, macro F1, the categories and the matrix."""
    seeds = held_out.only(real)
    group_of = group_numbers(seeds.groups)
    share_right = float(seeds.right.mean())
    accuracy = _corrected(share_right, fits.error_ratio)
    n_groups = int(group_of.max()) + 1
    n_effective = effective_groups(seeds.right, group_of) / fits.variance
    answers = seeds.probabilities.argmax(axis=1)
    tallies = tally(seeds.labels, answers, group_of, len(codes))
    f1 = _corrected(float(macro_f1(tallies.sum(axis=0))), fits.error_ratio)
    confusion = _confusion(held_out, len(codes))
    scored = set(held_out.labels.tolist())
    return Evaluation(
        accuracy=accuracy,
        accuracy_interval=wilson_interval(accuracy, n_effective),
        held_out_accuracy=share_right,
        leaky_accuracy=None,
        macro_f1=f1,
        macro_f1_interval=wilson_interval(
            f1, min(_macro_f1_groups(tallies, rng) / fits.variance, n_effective)
        ),
        per_category=_per_category(held_out, real, codes, fits),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        codes=tuple(codes),
        n_seeds=len(seeds.labels),
        n_groups=n_groups,
        n_folds=len(np.unique(held_out.fold)),
        unscored=tuple(code for number, code in enumerate(codes) if number not in scored),
        generated_only=(),
        calibration=None,
        sets=None,
        unknown=None,
        seeds=(),
    )


def _corrected(share: float, ratio: float) -> float:
    """Return the share that is right where errors are `ratio` times as many."""
    return max(0.0, 1 - (1 - share) * ratio)


def _macro_f1_groups(tallies: npt.NDArray[np.int64], rng: np.random.Generator) -> float:
    """Return how many independent seeds' share would vary as much as macro F1.

    That is found by drawing the groups with replacement.
    """
    n_groups, n_kinds, n_categories = tallies.shape
    weights = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=_N_RESAMPLES)
    flat = weights @ tallies.reshape(n_groups, -1)
    values = macro_f1(flat.reshape(_N_RESAMPLES, n_kinds, n_categories))
    share, spread = float(macro_f1(tallies.sum(axis=0))), float(values.var())
    # Resamples of groups that are all alike say nothing of what was not drawn.
    return share * (1 - share) / spread if spread > 0 and 0 < share < 1 else float(n_groups)


def _confusion(held_out: HeldOut, n_categories: int) -> npt.NDArray[np.int64]:
    counts = np.zeros((n_categories, n_categories), np.int64)
    np.add.at(counts, (held_out.labels, held_out.probabilities.argmax(axis=1)), 1)
    return counts


def _per_category(
    held_out: HeldOut, real: npt.NDArray[np.bool_], codes: Sequence[str], fits: _Fits
) -> dict[str, CategoryScore]:
    group_of, right = group_numbers(held_out.groups), held_out.right
    everything = _confusion(held_out, len(codes))
    evidence = _confusion(held_out.only(real), len(codes))
    scores = {}
    for number, code in enumerate(codes):
        members = held_out.labels == number
        n_seeds = int(members.sum())
        counts = everything if (members & ~real).any() else evidence
        hits, predicted = int(counts[number, number]), int(counts[:, number].sum())
        recall = hits / n_seeds if n_seeds else None
        scores[code] = CategoryScore(
            precision=hits / predicted if predicted else None,
            recall=recall,
            n_seeds=n_seeds,
            n_groups=len(np.unique(group_of[members])),
            recall_interval=(
                None
                if recall is None
                else wilson_around(
                    recall,
                    fits.error_ratio,
                    effective_groups(right[members], group_of[members]) / fits.recall_variance,
                )
            ),
        )
    return scores


def _outcomes(
    held_out: HeldOut, probabilities: npt.NDArray[np.float64], codes: Sequence[str]
) -> tuple[SeedOutcome, ...]:
    if not held_out.files:
        return ()
    novelty = held_out.novelty
    return tuple(
        SeedOutcome(
            file=held_out.files[row],
            digest=held_out.digests[row],
            group=held_out.groups[row],
            code=codes[held_out.labels[row]],
            probabilities=tuple(round(float(p), 6) for p in probabilities[row]),
            novelty=None if novelty is None else float(novelty[row]),
            fold=int(held_out.fold[row]),
        )
        for row in range(len(held_out.labels))
    )
