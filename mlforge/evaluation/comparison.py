"""Comparing two evaluations on the seeds that both have scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mlforge.evaluation.intervals import FIT_VARIANCE, Z95, group_numbers
from mlforge.evaluation.records import Evaluation, Interval, SeedOutcome
from mlforge.evaluation.tallies import HITS, NAMED, TRUE, macro_f1, tally

__all__ = ["Comparison", "Statistic", "compare", "statistic"]

Verdict = Literal["better", "worse", "cant_tell"]

Statistic = Callable[[npt.NDArray[np.int64]], float | None]
"""A figure of tallies, ``3 x n_categories``; None where it is of nothing."""


@dataclass(frozen=True)
class Comparison:
    """How one evaluation differs from another on the same seeds.

    Attributes
    ----------
    difference
        The second's figure minus the first's; None where they have no seed in common.
    interval
        The 95 % interval of the difference; None where that is None.
    verdict
        Of the second: ``better`` or ``worse`` where the interval leaves out 0.
    n_common, n_groups
        How many seeds both have scored, and how many groups these are.
    """

    difference: float | None
    interval: Interval | None
    verdict: Verdict
    n_common: int
    n_groups: int


def statistic(figure: str, number: int | None = None) -> Statistic:
    """Return a figure as a function of tallies, ``3 x n_categories``.

    Parameters
    ----------
    figure
        ``accuracy``, ``macro_f1``, ``recall`` or ``precision``.
    number
        The category of recall and precision.

    Examples
    --------
    >>> statistic("recall", 1)(np.array([[3, 2], [4, 4], [5, 3]]))
    0.5
    """
    if figure == "macro_f1":
        return lambda tallies: float(macro_f1(tallies)) if tallies[TRUE].any() else None
    row = NAMED if figure == "precision" else TRUE
    part = slice(None) if number is None else slice(number, number + 1)
    return lambda tallies: _share(tallies[HITS, part], tallies[row, part])


def compare(
    first: Evaluation, second: Evaluation, figure: str = "accuracy", code: str | None = None
) -> Comparison:
    r"""Compare held-out answers seed by seed: what is hard for both tells nothing.

    Categories without seeds count in their own recall alone.

    The groups are left out one by one. What that changes in the difference, :math:`u_g`, tells
    how much it would vary with other groups; one group more on either side keeps differences that
    are all alike from being certain.

    .. math:: d \pm z \sqrt{f \left(\frac{1}{G (G - 1)} \sum_g (u_g - \bar u)^2
        + \frac{2}{(G + 2)^2}\right)}

    where :math:`u_g` are the jackknife's pseudo-values of :math:`G` groups and :math:`f` says how
    much more fits vary than seeds do.

    Parameters
    ----------
    first, second
        The evaluations. Seeds are the same where their bytes and their categories are.
    figure, code
        As for `statistic`, the category by code.

    References
    ----------
    B. Efron, C. Stein (1981), The jackknife estimate of variance, Annals of Statistics 9, 586-596.
    D. G. Bonett, R. M. Price (2012), Adjusted Wald confidence interval for a difference of
    binomial proportions based on paired data, Journal of Educational and Behavioral Statistics 37,
    479-488.
    """
    if code is not None and figure == "recall":
        pairs = [pair for pair in _common(first.seeds, second.seeds) if pair[1].code == code]
    else:
        pairs = _common(first.evidence, second.evidence)
    if not pairs:
        return Comparison(None, None, "cant_tell", 0, 0)
    codes = sorted({*first.codes, *second.codes})
    measured = statistic(figure, None if code is None else codes.index(code))
    group_of = group_numbers([seed.group for _, seed in pairs])
    tallies = [
        _tallies([pair[side] for pair in pairs], evaluation.codes, codes, group_of)
        for side, evaluation in enumerate((first, second))
    ]
    n_groups = len(tallies[0])
    total = _difference(measured, tallies[0].sum(axis=0), tallies[1].sum(axis=0))
    if total is None:
        return Comparison(None, None, "cant_tell", len(pairs), n_groups)
    half = Z95 * float(np.sqrt(FIT_VARIANCE * _variance(measured, tallies, total)))
    low, high = max(-1.0, total - half), min(1.0, total + half)
    verdict: Verdict = "better" if low > 0 else "worse" if high < 0 else "cant_tell"
    return Comparison(total, (low, high), verdict, len(pairs), n_groups)


def _common(
    first: Sequence[SeedOutcome], second: Sequence[SeedOutcome]
) -> list[tuple[SeedOutcome, SeedOutcome]]:
    known = {(seed.digest, seed.code): seed for seed in first}
    return [
        (known[seed.digest, seed.code], seed)
        for seed in second
        if (seed.digest, seed.code) in known
    ]


def _tallies(
    seeds: list[SeedOutcome],
    own: tuple[str, ...],
    codes: list[str],
    group_of: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    number = {code: place for place, code in enumerate(codes)}
    labels = np.array([number[seed.code] for seed in seeds])
    answers = np.array([number[own[int(np.argmax(seed.probabilities))]] for seed in seeds])
    return tally(labels, answers, group_of, len(codes))


def _difference(
    measured: Statistic, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]
) -> float | None:
    before, after = measured(first), measured(second)
    return None if before is None or after is None else after - before


def _variance(measured: Statistic, tallies: list[npt.NDArray[np.int64]], total: float) -> float:
    n_groups = len(tallies[0])
    if n_groups < 2:
        return 1.0
    first, second = (of_group.sum(axis=0) for of_group in tallies)
    without = [
        _difference(measured, first - tallies[0][group], second - tallies[1][group])
        for group in range(n_groups)
    ]
    values = np.array([total if value is None else value for value in without])
    pseudo = n_groups * total - (n_groups - 1) * values
    return float(pseudo.var(ddof=1)) / n_groups + 2 / (n_groups + 2) ** 2


def _share(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> float | None:
    return float(part.sum() / whole.sum()) if whole.any() else None
