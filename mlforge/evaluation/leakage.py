"""What the usual recipe would have claimed: a random split of all examples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["leaky_accuracy", "random_split"]

_TESTED = 5


def random_split(labels: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Mark a fifth of each category's examples as tested, whatever seed they were made from.

    So a sample's sisters are learned from while it is tested: this is what mlforge does not do,
    done once to show by how much it errs.

    Parameters
    ----------
    labels
        The category of each example, seeds and samples alike, ``n_examples``.
    rng
        Draws the split.

    Returns
    -------
    numpy.ndarray
        ``n_examples``; a category with one example is learned from.
    """
    tested = np.zeros(len(labels), np.bool_)
    for category in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == category))
        n_tested = min(-(-len(rows) // _TESTED), len(rows) - 1)
        tested[rows[:n_tested]] = True
    return tested


def leaky_accuracy(
    labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]
) -> float | None:
    """Return the share of the tested examples that were right; None where none was tested.

    Parameters
    ----------
    labels
        The category of each tested example, ``n_tested``, by number.
    probabilities
        ``n_tested x n_categories``.
    """
    if len(labels) == 0:
        return None
    return float((probabilities.argmax(axis=1) == labels).mean())
