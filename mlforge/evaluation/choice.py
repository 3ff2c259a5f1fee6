"""Choosing among candidates so that the choice does not inflate the figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Choice", "choose"]

# No probability that a model gives is taken for impossible.
_FLOOR = 1e-6


@dataclass(frozen=True)
class Choice:
    """Which candidate to use.

    Attributes
    ----------
    best
        The candidate that all seeds together speak for; it is fitted on everything.
    by_fold
        The candidate that the seeds outside of each fold speak for, ``n_folds``. Its predictions
        of the fold's own seeds, which had no part in choosing it, are what the procedure is
        scored on.
    accuracies
        The share of seeds that each candidate gets right, ``n_candidates``. The highest of them
        flatters: it was chosen for being so.
    """

    best: int
    by_fold: tuple[int, ...]
    accuracies: tuple[float, ...]


def choose(
    probabilities: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    folds: npt.NDArray[np.int64],
) -> Choice:
    """Choose the candidate with the most seeds right; among equals that of the lowest log loss.

    For each fold the choice is made anew without its seeds, as in nested cross-validation, from
    predictions that are there already: no model is fitted for it.

    Parameters
    ----------
    probabilities
        Of each candidate, out of fold, ``n_candidates x n_seeds x n_categories``.
    labels
        The true categories by number, ``n_seeds``.
    folds
        The fold of each seed, ``n_seeds``, from 0.

    References
    ----------
    S. Varma, R. Simon (2006), Bias in error estimation when using cross-validation for model
    selection, BMC Bioinformatics 7, 91.

    Examples
    --------
    >>> sure, wrong = [0.9, 0.1], [0.2, 0.8]
    >>> choose(np.array([[wrong, sure], [sure, sure]]), np.array([0, 0]), np.array([0, 1]))
    Choice(best=1, by_fold=(0, 1), accuracies=(0.5, 1.0))
    """
    right = probabilities.argmax(axis=2) == labels
    likelihood = probabilities[:, np.arange(len(labels)), labels]
    losses = -np.log(np.clip(likelihood, _FLOOR, 1.0))

    def best(seeds: npt.NDArray[np.bool_]) -> int:
        hits = right[:, seeds].sum(axis=1)
        # The last key sorts first; of complete equals the first candidate stays.
        return int(np.lexsort((losses[:, seeds].sum(axis=1).round(9), -hits))[0])

    everything = np.ones(len(labels), bool)
    return Choice(
        best(everything),
        tuple(best(folds != fold) for fold in range(int(folds.max()) + 1)),
        tuple(float(share) for share in right.mean(axis=1)),
    )
