"""The learning curve, and what to photograph next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlforge.evaluation.intervals import (
    FIT_VARIANCE,
    effective_groups,
    group_numbers,
    wilson_interval,
)
from mlforge.evaluation.records import LearningCurve, LearningPoint, PhotoAdvice

__all__ = ["CurveRun", "learning_curve"]

# How fast errors fall with seeds, before anything is known: e ~ m^-b.
_EXPONENT, _EXPONENT_SD = 0.7, 0.3
_MAX_EXPONENT = 1.5
# A gain in recall below this is not worth a walk with the camera.
_LEAST_GAIN = 0.01
_FEWEST_MORE = 4
_N_RESAMPLES = 400


@dataclass(frozen=True)
class CurveRun:
    """What models that learned from a share of the seeds said of those that they had not seen.

    Attributes
    ----------
    n_train
        The mean number of training seeds of each category, ``n_categories``.
    labels, predicted
        The true category of each held-out seed, and what it was taken for, by number.
    groups
        The group of each.
    """

    n_train: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    groups: tuple[str, ...]

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether each seed was right."""
        right: npt.NDArray[np.bool_] = self.labels == self.predicted
        return right


def learning_curve(
    runs: Sequence[CurveRun], codes: Sequence[str], rng: np.random.Generator
) -> LearningCurve:
    """Put runs with more and more seeds together, and say where more of them would help.

    The expected gain of a category follows its own curve, ``e(m) = a m^-b``, where `b` is drawn
    towards what is usual as far as the runs leave it open.

    Parameters
    ----------
    runs
        By rising number of training seeds; the last with all that the folds allow. All score the
        same seeds.
    codes
        The code of each category.
    rng
        Draws the resamples of groups behind the intervals of gains.
    """
    present = np.unique(runs[-1].labels)
    overall = tuple(_point(run, np.ones(len(run.labels), bool), present) for run in runs)
    per_category: Mapping[str, tuple[LearningPoint, ...]] = {
        codes[c]: tuple(_point(run, run.labels == c, np.array([c])) for run in runs)
        for c in present
    }
    advice = [_advice(runs, codes, int(c), rng) for c in present]
    worthwhile = [a for a in advice if a.gain >= _LEAST_GAIN]
    worthwhile.sort(key=lambda a: (-a.gain, a.code))
    return LearningCurve(overall, per_category, tuple(worthwhile))


def _point(
    run: CurveRun, chosen: npt.NDArray[np.bool_], categories: npt.NDArray[np.int64]
) -> LearningPoint:
    right = run.right[chosen]
    group_of = group_numbers([g for g, take in zip(run.groups, chosen, strict=True) if take])
    share = float(right.mean())
    interval = wilson_interval(share, effective_groups(right, group_of) / FIT_VARIANCE)
    return LearningPoint(round(float(run.n_train[categories].mean()), 1), share, interval)


def _advice(
    runs: Sequence[CurveRun], codes: Sequence[str], category: int, rng: np.random.Generator
) -> PhotoAdvice:
    """Say what more seeds of one category would bring."""
    chosen = [run.labels == category for run in runs]
    n_train = np.array([run.n_train[category] for run in runs])
    last = runs[-1]
    group_of = group_numbers([g for g, t in zip(last.groups, chosen[-1], strict=True) if t])
    n_groups = int(group_of.max()) + 1
    wrong = np.stack([~run.right[take] for run, take in zip(runs, chosen, strict=True)])
    sizes = np.bincount(group_of)
    by_group = np.stack([np.bincount(group_of, weights=row) for row in wrong], axis=1)
    n_more = max(_FEWEST_MORE, int(np.ceil(n_train[-1] / 2)))
    gain = _gain(by_group.sum(axis=0), float(sizes.sum()), n_train, n_more)
    drawn = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=_N_RESAMPLES)
    gains = [_gain(w @ by_group, float(w @ sizes), n_train, n_more) for w in drawn]
    low, high = np.quantile(gains, [0.025, 0.975])
    taken_for = last.predicted[chosen[-1] & ~last.right]
    confused = codes[int(np.bincount(taken_for).argmax())] if len(taken_for) else ""
    return PhotoAdvice(codes[category], n_more, gain, (float(low), float(high)), confused)


def _gain(
    n_wrong: npt.NDArray[np.float64], n: float, n_train: npt.NDArray[np.float64], n_more: int
) -> float:
    """Return by how much errors would fall with `n_more` seeds more than in the last run."""
    errors = (n_wrong + 0.5) / (n + 1)
    steps = np.log(n_train[-1] / n_train[:-1])
    heights = np.log(errors[:-1] / errors[-1])
    variance = (1 - errors[:-1]) / (n * errors[:-1]) + (1 - errors[-1]) / (n * errors[-1])
    weight = float((steps**2 / variance).sum()) + _EXPONENT_SD**-2
    pull = float((steps * heights / variance).sum()) + _EXPONENT * _EXPONENT_SD**-2
    exponent = min(max(pull / weight, 0.0), _MAX_EXPONENT)
    share = float(n_wrong[-1] / n)
    return share * (1 - float((1 + n_more / n_train[-1]) ** -exponent))
