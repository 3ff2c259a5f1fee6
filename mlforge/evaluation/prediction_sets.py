"""Prediction sets: as many categories as it takes to hold the right one so often."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mlforge.evaluation.calibration import final_temperature, scale
from mlforge.evaluation.intervals import (
    FIT_VARIANCE,
    effective_groups,
    group_quantile,
    groups_needed,
    wilson_interval,
)
from mlforge.evaluation.records import SetSummary

__all__ = ["cross_measured", "fit_sets", "measure_sets", "membership", "prediction_set"]


def prediction_set(
    probabilities: npt.NDArray[np.float64], threshold: float | None
) -> tuple[int, ...]:
    """Return the categories that may be right, by number, the most probable first.

    Parameters
    ----------
    probabilities
        Of one example, calibrated, ``n_categories``.
    threshold
        `SetSummary.threshold`. Without one every category may be right.

    Examples
    --------
    >>> prediction_set(np.array([0.2, 0.7, 0.1]), 0.15)
    (1, 0)
    >>> prediction_set(np.array([0.4, 0.6]), 0.9)
    (1,)
    """
    order = np.argsort(-probabilities, kind="stable")
    if threshold is None:
        return tuple(int(number) for number in order)
    inside = membership(probabilities[None], threshold)[0]
    return tuple(int(number) for number in order if inside[number])


def membership(probabilities: npt.NDArray[np.float64], threshold: float) -> npt.NDArray[np.bool_]:
    """Return whether each category is in each set, ``n_examples x n_categories``.

    The most probable one always is: an example of a known category is something.
    """
    inside: npt.NDArray[np.bool_] = probabilities >= threshold
    inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
    return inside


def fit_sets(
    probabilities: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    group_of: npt.NDArray[np.int64],
    coverage: float,
) -> SetSummary:
    """Find the probability from which on a category is in the set.

    It is the one that the right categories of held-out seeds reached so often, each group counting
    once (cross-conformal prediction). That the models of the folds learned from fewer seeds errs
    to the safe side; an exact guarantee there is none.

    Parameters
    ----------
    probabilities
        Out-of-fold, scaled as those of the final model will be, ``n_seeds x n_categories``.
    labels
        The true categories by number, ``n_seeds``.
    group_of
        The group of each seed by number, ``n_seeds``.
    coverage
        How often the right category is to be in the set, between 0 and 1.

    References
    ----------
    V. Vovk (2015), Cross-conformal predictors, Annals of Mathematics and Artificial Intelligence
    74, 9-28. M. Sadinle, J. Lei, L. Wasserman (2019), Least ambiguous set-valued classifiers with
    bounded error levels, Journal of the American Statistical Association 114, 223-234.
    """
    doubt = -probabilities[np.arange(len(labels)), labels]
    quantile = group_quantile(doubt, group_of, coverage)
    threshold = None if quantile is None else -quantile
    return SetSummary(coverage, threshold, None, groups_needed(coverage))


def cross_measured(
    summary: SetSummary,
    probabilities: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    group_of: npt.NDArray[np.int64],
    fold: npt.NDArray[np.int64],
    share: float,
) -> SetSummary:
    """Return `summary` with what such sets are like for seeds that took no part in making them.

    The temperature and the threshold for the seeds of each fold are those of the other folds. On
    the very seeds that set the threshold, how many are held would follow from their number alone.

    Parameters
    ----------
    summary
        The sets of the final model; its threshold stays.
    probabilities
        Out-of-fold, before any temperature, ``n_seeds x n_categories``.
    labels
        The true categories by number, ``n_seeds``.
    group_of
        The group of each seed by number, ``n_seeds``.
    fold
        The test fold of each seed, ``n_seeds``.
    share
        As for `final_temperature`.

    Returns
    -------
    SetSummary
        With nothing measured where the other folds of some fold have too few groups.
    """
    inside = np.zeros(probabilities.shape, np.bool_)
    for number in np.unique(fold):
        held, others = fold == number, fold != number
        temperature = final_temperature(probabilities[others], labels[others], share)
        scaled = scale(probabilities, temperature)
        made = fit_sets(scaled[others], labels[others], group_of[others], summary.coverage)
        if made.threshold is None:
            return summary
        inside[held] = membership(scaled[held], made.threshold)
    return _measured(summary, inside, labels, group_of, FIT_VARIANCE)


def measure_sets(
    summary: SetSummary,
    probabilities: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    group_of: npt.NDArray[np.int64],
) -> SetSummary:
    """Return `summary` with what its sets are like for examples that its model never saw.

    Parameters
    ----------
    summary
        Sets by their threshold; without one nothing can be measured.
    probabilities
        Calibrated, ``n_examples x n_categories``.
    labels
        The true categories by number, ``n_examples``.
    group_of
        The group of each example by number, ``n_examples``.
    """
    if summary.threshold is None:
        return summary
    inside = membership(probabilities, summary.threshold)
    return _measured(summary, inside, labels, group_of, 1.0)


def _measured(
    summary: SetSummary,
    inside: npt.NDArray[np.bool_],
    labels: npt.NDArray[np.int64],
    group_of: npt.NDArray[np.int64],
    variance: float,
) -> SetSummary:
    """Return `summary` with the size of sets and how often they hold the right category.

    That varies `variance` times as much as if each group were drawn by itself.
    """
    held = inside[np.arange(len(labels)), labels]
    share = float(held.mean())
    return replace(
        summary,
        mean_size=float(inside.sum(axis=1).mean()),
        held=share,
        held_interval=wilson_interval(share, effective_groups(held, group_of) / variance),
    )
