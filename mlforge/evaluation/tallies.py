"""Counts of answers by group and category, from which the figures are made."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["HITS", "NAMED", "TRUE", "macro_f1", "tally"]

HITS, TRUE, NAMED = 0, 1, 2
"""Seeds of a category that were answered so, all its seeds, and all seeds that were."""


def tally(
    labels: npt.NDArray[np.int64],
    answers: npt.NDArray[np.int64],
    group_of: npt.NDArray[np.int64],
    n_categories: int,
) -> npt.NDArray[np.int64]:
    """Return ``n_groups x 3 x n_categories``: `HITS`, `TRUE` and `NAMED` of each group.

    Parameters
    ----------
    labels, answers
        The true category of each seed and the one that it was given, ``n_seeds``, by number.
    group_of
        The group of each seed by number, ``n_seeds``.
    n_categories
        How many categories there are.
    """
    tallies = np.zeros((int(group_of.max()) + 1, 3, n_categories), np.int64)
    np.add.at(tallies[:, HITS], (group_of, labels), labels == answers)
    np.add.at(tallies[:, TRUE], (group_of, labels), 1)
    np.add.at(tallies[:, NAMED], (group_of, answers), 1)
    return tallies


def macro_f1(tallies: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the mean over categories of the harmonic mean of precision and recall.

    A category without a scored seed does not count; 0 where none has one.

    Parameters
    ----------
    tallies
        ``... x 3 x n_categories``.

    Examples
    --------
    >>> round(float(macro_f1(np.array([[1, 2], [2, 2], [1, 3]]))), 3)
    0.733
    """
    true = tallies[..., TRUE, :]
    total = true + tallies[..., NAMED, :]
    f1 = np.divide(2.0 * tallies[..., HITS, :], total, out=np.zeros(true.shape), where=total > 0)
    present = true > 0
    return np.asarray((f1 * present).sum(axis=-1) / present.sum(axis=-1).clip(1))
