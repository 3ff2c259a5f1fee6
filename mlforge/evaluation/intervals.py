"""Intervals of shares that were observed on groups of seeds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = [
    "FIT_VARIANCE",
    "RECALL_VARIANCE",
    "Z95",
    "effective_groups",
    "group_numbers",
    "group_quantile",
    "groups_needed",
    "wilson_around",
    "wilson_interval",
]

Z95 = 1.959963984540054
"""Standard errors on each side of a 95 % interval."""

FIT_VARIANCE = 1.5
"""The variance of a held-out figure, in binomial variances.

Another draw of seeds would have been answered by another model too, and a seed that is hard to
answer is also one whose kind was learned badly. Chosen by simulation: ``benchmarks/truth.py``.
"""

RECALL_VARIANCE = 2.0
"""The same of one category: it gains where another loses, and varies more with the draw."""

# So many groups' worth of belief that the seeds of one group are all right or all wrong together.
_N_PRIOR = 10


def wilson_interval(share: float, n: float) -> tuple[float, float]:
    r"""Return the 95 % score interval of a share that was observed on `n` independent groups.

    .. math:: \frac{p + z^2/2n \pm z \sqrt{p(1-p)/n + z^2/4n^2}}{1 + z^2/n}

    Parameters
    ----------
    share
        From 0 to 1.
    n
        Need not be whole; where it is 0, every share is possible.

    References
    ----------
    E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22, 209-212.

    Examples
    --------
    >>> low, high = wilson_interval(0.9, 100)
    >>> round(low, 3), round(high, 3)
    (0.826, 0.945)
    """
    if n <= 0:
        return 0.0, 1.0
    z2 = Z95**2
    centre = share + z2 / (2 * n)
    half = Z95 * float(np.sqrt(share * (1 - share) / n + z2 / (4 * n * n)))
    low, high = (centre - half) / (1 + z2 / n), (centre + half) / (1 + z2 / n)
    return max(0.0, min(low, share)), min(1.0, max(high, share))


def wilson_around(seen: float, error_ratio: float, n: float) -> tuple[float, float]:
    """Return the interval of a share whose errors become `error_ratio` times as many.

    It holds the share that was seen as well, beside which it is shown.

    Parameters
    ----------
    seen
        The share that was right.
    error_ratio
        What its errors are multiplied by.
    n
        On how many independent groups it was seen.
    """
    low, high = wilson_interval(max(0.0, 1 - (1 - seen) * error_ratio), n)
    return min(low, seen), max(high, seen)


def group_numbers(groups: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the groups as numbers from 0, in the order of their sorted names."""
    _, numbers = np.unique(np.asarray(groups), return_inverse=True)
    return numbers.astype(np.int64)


def effective_groups(right: npt.NDArray[np.bool_], group_of: npt.NDArray[np.int64]) -> float:
    r"""Return how many independent seeds tell as much as these seeds in groups.

    Seeds of one group agree more than others: by the intraclass correlation :math:`\rho`, of which
    a few groups tell little, so that it is drawn towards 1 by ten groups' worth of belief.

    .. math:: n_e = \frac{n}{1 + (\tilde s - 1) \rho}, \quad \tilde s = \sum_g s_g^2 / n

    Parameters
    ----------
    right
        Whether each seed was right, ``n_seeds``.
    group_of
        The group of each seed by number, ``n_seeds``.

    Returns
    -------
    float
        From the number of groups of equal size to the number of seeds; 0 without seeds.

    References
    ----------
    L. Kish (1965), Survey sampling. A. Donner, J. J. Koval (1980), The estimation of intraclass
    correlation in the analysis of family data, Biometrics 36, 19-25.

    Examples
    --------
    >>> effective_groups(np.array([True, False, True]), np.array([0, 1, 2]))
    3.0
    """
    n_seeds = len(right)
    if n_seeds == 0:
        return 0.0
    sizes = np.bincount(group_of)
    sizes = sizes[sizes > 0]
    typical = float((sizes**2).sum() / n_seeds)
    if typical == 1:
        return float(n_seeds)
    n_groups = len(sizes)
    rho = (n_groups * _correlation(right, group_of) + _N_PRIOR) / (n_groups + _N_PRIOR)
    return n_seeds / (1 + (typical - 1) * rho)


def _correlation(right: npt.NDArray[np.bool_], group_of: npt.NDArray[np.int64]) -> float:
    """Return the intraclass correlation by analysis of variance, from 0 to 1; 1 if unknown."""
    sizes = np.bincount(group_of)
    hits = np.bincount(group_of, weights=right)[sizes > 0]
    sizes = sizes[sizes > 0]
    n_seeds, n_groups = int(sizes.sum()), len(sizes)
    share = hits.sum() / n_seeds
    if n_groups < 2 or n_groups == n_seeds or share in (0.0, 1.0):
        return 1.0
    between = float((sizes * (hits / sizes - share) ** 2).sum() / (n_groups - 1))
    within = float((hits * (1 - hits / sizes)).sum() / (n_seeds - n_groups))
    size = (n_seeds - float((sizes**2).sum()) / n_seeds) / (n_groups - 1)
    return float(np.clip((between - within) / (between + (size - 1) * within), 0.0, 1.0))


def group_quantile(
    scores: npt.NDArray[np.float64], group_of: npt.NDArray[np.int64], share: float
) -> float | None:
    r"""Return the least score that a new group stays within with this probability.

    Each of the :math:`G` groups counts once, its seeds in equal parts: the least :math:`q` with

    .. math:: \sum_g \frac{1}{s_g} \sum_{i \in g} 1[v_i \le q] \ge \lceil (G + 1) c \rceil

    Parameters
    ----------
    scores
        ``n_seeds``.
    group_of
        The group of each seed by number, ``n_seeds``.
    share
        The probability, between 0 and 1.

    Returns
    -------
    float or None
        None where there are too few groups: then no score is large enough.

    References
    ----------
    V. Vovk, A. Gammerman, G. Shafer (2005), Algorithmic learning in a random world. R. Dunn,
    L. Wasserman, A. Ramdas (2023), Distribution-free prediction sets for two-layer hierarchical
    models, Journal of the American Statistical Association 118, 2491-2502.

    Examples
    --------
    >>> group_quantile(np.arange(9.0), np.arange(9), 0.9)
    8.0
    >>> group_quantile(np.arange(8.0), np.arange(8), 0.9) is None
    True
    """
    sizes = np.bincount(group_of)
    n_groups = int((sizes > 0).sum())
    wanted = _rank(n_groups, share)
    if wanted > n_groups:
        return None
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(1.0 / sizes[group_of[order]])
    position = int(np.searchsorted(reached, wanted - 1e-9))
    return float(scores[order[min(position, len(order) - 1)]])


def groups_needed(share: float) -> int:
    """Return the least number of groups for which `group_quantile` has an answer.

    Examples
    --------
    >>> groups_needed(0.9), groups_needed(0.95)
    (9, 19)
    """
    n = 1
    while _rank(n, share) > n:
        n += 1
    return n


def _rank(n_groups: int, share: float) -> int:
    # Less a hair: 10 * 0.9 must not become 10 because 0.9 is no binary fraction.
    return int(np.ceil((n_groups + 1) * share - 1e-9))
