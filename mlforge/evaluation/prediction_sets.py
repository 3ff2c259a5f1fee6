"""Prediction sets: as many categories as it takes to hold the right one so often."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlforge.evaluation.intervals import group_quantile, groups_needed
from mlforge.evaluation.records import SetSummary

__all__ = ["fit_sets", "membership", "prediction_set"]


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
    n_needed = groups_needed(coverage)
    doubt = -probabilities[np.arange(len(labels)), labels]
    quantile = group_quantile(doubt, group_of, coverage)
    if quantile is None:
        return SetSummary(coverage, None, None, n_needed)
    sizes = membership(probabilities, -quantile).sum(axis=1)
    return SetSummary(coverage, -quantile, float(sizes.mean()), n_needed)
