"""Folds that keep the seeds of one group together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Folds", "inner_blocks", "make_folds"]

# With so few groups each is a fold of its own: every fit then sees almost all seeds.
_TINY = 12


@dataclass(frozen=True)
class Folds:
    """A division of seeds into test folds.

    Attributes
    ----------
    fold
        The test fold of each seed, ``n_seeds``; -1 for one that is never tested.
    left_out
        The fold whose fit leaves each seed out, ``n_seeds``: that of its group, also where the
        seed itself is never tested; -1 for one that every fit may learn from.
    n_folds
        How many folds there are.
    unscored
        The categories, by number, that cannot be scored because they have one group only.
    """

    fold: npt.NDArray[np.int64]
    left_out: npt.NDArray[np.int64]
    n_folds: int
    unscored: tuple[int, ...]


def make_folds(
    labels: npt.NDArray[np.int64],
    groups: Sequence[str],
    n_folds: int,
    rng: np.random.Generator,
) -> Folds:
    """Deal groups to folds, category by category, so that each fold has its share of each.

    A category with one group is never tested: nothing would be left to train on. Where there are
    at most 12 groups in all, each is a fold of its own (leave one group out).

    Parameters
    ----------
    labels
        The category of each seed, ``n_seeds``, by number.
    groups
        The group of each seed, ``n_seeds``.
    n_folds
        How many folds to make at most.
    rng
        Shuffles the groups.
    """
    unique, group_of = np.unique(np.asarray(groups), return_inverse=True)
    counts = np.zeros((len(unique), int(labels.max()) + 1), np.int64)
    np.add.at(counts, (group_of, labels), 1)
    scorable = (counts > 0).sum(axis=0) >= 2
    unscored = tuple(int(c) for c in np.unique(labels) if not scorable[c])
    dealt = rng.permutation(np.flatnonzero(counts[:, scorable].any(axis=1)))
    if len(dealt) == 0:
        never = np.full(len(labels), -1, np.int64)
        return Folds(never, never, 0, unscored)
    # In order of category, each going on where the last one stopped: every fold gets its share
    # of each category, and all are equal in size.
    dealt = dealt[np.argsort(counts[dealt].argmax(axis=1), kind="stable")]
    count = len(dealt) if len(dealt) <= _TINY else min(n_folds, len(dealt))
    # Where groups span categories, one fold may get all groups of a category, and nothing would
    # be left to learn it from; with a fold for each group none does.
    while _hides_a_category(counts[dealt][:, scorable], count):
        count += 1
    fold_of_group = np.full(len(unique), -1, np.int64)
    fold_of_group[dealt] = np.arange(len(dealt)) % count
    left_out = fold_of_group[group_of]
    return Folds(np.where(scorable[labels], left_out, -1), left_out, count, unscored)


def inner_blocks(n_folds: int) -> list[tuple[int, ...]]:
    """Return which folds each inner fit leaves out: just over half of them, going round.

    Any two folds are left out together by at least one fit. So for each fold there are fits that
    saw none of its seeds and that tell something of every other fold's, and there are no more of
    them than folds.

    Parameters
    ----------
    n_folds
        How many folds there are; below 3 nothing would be left to learn from.

    Examples
    --------
    >>> inner_blocks(4)
    [(0, 1, 2), (1, 2, 3), (2, 3, 0), (3, 0, 1)]
    """
    size = n_folds // 2 + 1
    if size >= n_folds:
        return []
    return [tuple((first + k) % n_folds for k in range(size)) for first in range(n_folds)]


def _hides_a_category(counts: npt.NDArray[np.int64], n_folds: int) -> bool:
    """Return whether some fold would hold every group of a category, dealt in this order."""
    return any(len(set((np.flatnonzero(column) % n_folds).tolist())) == 1 for column in counts.T)
