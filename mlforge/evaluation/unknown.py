"""The novelty above which an example counts as unknown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlforge.evaluation.intervals import group_quantile
from mlforge.evaluation.records import Interval, UnknownSummary

__all__ = ["fit_unknown", "unknown_threshold"]

# With fewer groups the most novel of them says nothing of what is usual.
_FEWEST = 5


def unknown_threshold(
    novelty: npt.NDArray[np.float64], group_of: npt.NDArray[np.int64], rejected: float
) -> float | None:
    """Return the novelty that held-out seeds, all known, exceed so seldom.

    Where there are too few groups for that, it is the highest that was seen; None where there are
    fewer than 5 groups.

    Parameters
    ----------
    novelty
        The out-of-fold novelty of each seed, ``n_seeds``.
    group_of
        The group of each seed by number, ``n_seeds``.
    rejected
        The share of known examples to reject, between 0 and 1.
    """
    if len(np.unique(group_of)) < _FEWEST:
        return None
    return _threshold(novelty, group_of, rejected)


def fit_unknown(
    novelty: npt.NDArray[np.float64],
    group_of: npt.NDArray[np.int64],
    fold: npt.NDArray[np.int64],
    rejected: float,
) -> UnknownSummary | None:
    """Find the threshold, and how many known examples it rejects.

    That is counted with thresholds that the other folds set: of the seeds that set it themselves,
    the threshold rejects the share that it was set to.

    Parameters
    ----------
    novelty, group_of, rejected
        As for `unknown_threshold`.
    fold
        The test fold of each seed, ``n_seeds``; there are at least two.

    Returns
    -------
    UnknownSummary or None
        None where there are fewer than 5 groups.
    """
    threshold = unknown_threshold(novelty, group_of, rejected)
    if threshold is None:
        return None
    sizes = np.bincount(group_of)
    above = np.zeros(len(novelty), np.bool_)
    for number in np.unique(fold):
        held, others = fold == number, fold != number
        above[held] = novelty[held] > _threshold(novelty[others], group_of[others], rejected)
    n_groups = int((sizes > 0).sum())
    share = float((above / sizes[group_of]).sum()) / n_groups
    n_above = round(float(((novelty > threshold) / sizes[group_of]).sum()))
    low, high = _interval(n_groups, n_above)
    return UnknownSummary(threshold, share, (min(low, share), max(high, share)))


def _threshold(
    novelty: npt.NDArray[np.float64], group_of: npt.NDArray[np.int64], rejected: float
) -> float:
    threshold = group_quantile(novelty, group_of, 1 - rejected)
    return float(novelty.max()) if threshold is None else threshold


def _interval(n_groups: int, n_above: int) -> Interval:
    """Return the 95 % interval of the share of new groups that lie above an order statistic.

    With :math:`k` of :math:`n` groups above the threshold, which is one of them, the share is
    distributed as Beta(k + 1, n - k).
    """
    from scipy.stats import beta

    low, high = beta.ppf([0.025, 0.975], n_above + 1, n_groups - n_above)
    return float(low), float(high)
