"""The novelty above which an example counts as unknown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlforge.evaluation.intervals import group_quantile
from mlforge.evaluation.records import Interval, UnknownSummary

__all__ = ["fit_unknown"]

# With fewer groups the most novel of them says nothing of what is usual.
_FEWEST = 5


def fit_unknown(
    novelty: npt.NDArray[np.float64], group_of: npt.NDArray[np.int64], rejected: float
) -> UnknownSummary | None:
    """Find the novelty that held-out seeds, all known, exceed so seldom.

    Where there are too few groups for that, it is the highest that was seen.

    Parameters
    ----------
    novelty
        The out-of-fold novelty of each seed, ``n_seeds``.
    group_of
        The group of each seed by number, ``n_seeds``.
    rejected
        The share of known examples to reject, between 0 and 1.

    Returns
    -------
    UnknownSummary or None
        None where there are fewer than 5 groups.
    """
    sizes = np.bincount(group_of)
    n_groups = int((sizes > 0).sum())
    if n_groups < _FEWEST:
        return None
    threshold = group_quantile(novelty, group_of, 1 - rejected)
    if threshold is None:
        threshold = float(novelty.max())
    above = (novelty > threshold) / sizes[group_of]
    n_rejected = float(above.sum())
    interval = _interval(n_groups, round(n_rejected))
    return UnknownSummary(threshold, n_rejected / n_groups, interval)


def _interval(n_groups: int, n_rejected: int) -> Interval:
    """Return the 95 % interval of the share of new groups that lie above an order statistic.

    With :math:`k` of :math:`n` groups above the threshold, which is one of them, the share is
    distributed as Beta(k + 1, n - k).
    """
    from scipy.stats import beta

    low, high = beta.ppf([0.025, 0.975], n_rejected + 1, n_groups - n_rejected)
    return float(low), float(high)
