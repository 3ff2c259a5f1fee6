"""Choosing among candidates so that the choice does not inflate the figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Choice", "Tried", "Verdicts", "choose"]

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
        The candidate that the seeds outside of each fold speak for, ``n_folds``, by fits that saw
        none of the fold's own. Its predictions of these, which had no part in choosing it, are what
        the procedure is scored on.
    accuracies
        The share of seeds that each candidate gets right, ``n_candidates``. The highest of them
        flatters: it was chosen for being so.
    """

    best: int
    by_fold: tuple[int, ...]
    accuracies: tuple[float, ...]


@dataclass(frozen=True)
class Tried:
    """A candidate that was tried, with what held-out seeds said of it.

    Attributes
    ----------
    model, parameters, features
        The model by name, its parameters, and the extractors that it learned from by name.
    accuracy
        The share of held-out seeds that it got right.
    """

    model: str
    parameters: Mapping[str, Any]
    features: tuple[str, ...]
    accuracy: float

    def differing(self, others: Iterable[Tried]) -> str:
        """Return, in words, the parameters in which others of the same model differ."""
        same = [other.parameters for other in others if other.model == self.model]
        return ", ".join(
            f"{key}={value}"
            for key, value in self.parameters.items()
            if any(key in other and other[key] != value for other in same)
        )


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What the fits of each candidate made of some seeds.

    Attributes
    ----------
    right
        Whether the seed was told right, ``n_candidates x n_seeds``.
    losses
        Its log loss, ``n_candidates x n_seeds``.
    folds
        The fold of each seed, ``n_seeds``.
    """

    right: npt.NDArray[np.bool_]
    losses: npt.NDArray[np.float64]
    folds: npt.NDArray[np.int64]

    @classmethod
    def of(
        cls,
        probabilities: npt.NDArray[np.float64],
        labels: npt.NDArray[np.int64],
        folds: npt.NDArray[np.int64],
    ) -> Verdicts:
        """Judge probabilities.

        Parameters
        ----------
        probabilities
            Of seeds that the fits never saw, ``n_candidates x n_seeds x n_categories``.
        labels
            The true categories by number, ``n_seeds``.
        folds
            The fold of each seed, ``n_seeds``, from 0.
        """
        likelihood = probabilities[:, np.arange(len(labels)), labels]
        losses = -np.log(np.clip(likelihood, _FLOOR, 1.0))
        return cls(probabilities.argmax(axis=2) == labels, losses, folds)

    def without(self, fold: int) -> Verdicts:
        """Return those of the seeds outside of a fold."""
        kept = self.folds != fold
        return Verdicts(self.right[:, kept], self.losses[:, kept], self.folds[kept])


def choose(outer: Verdicts, inner: Mapping[tuple[int, ...], Verdicts]) -> Choice:
    """Choose the candidate with the most seeds right; among equals that of the lowest log loss.

    For each fold the choice is made anew by fits that saw none of its seeds, as in nested
    cross-validation. The fits that score the other folds would not do: they learned from it.

    Parameters
    ----------
    outer
        What the fits that leave one fold out made of its seeds.
    inner
        What the fits that leave several folds out (see `mlforge.evaluation.folds.inner_blocks`)
        made of their seeds, by these folds.

    References
    ----------
    S. Varma, R. Simon (2006), Bias in error estimation when using cross-validation for model
    selection, BMC Bioinformatics 7, 91.

    Examples
    --------
    >>> folds, sure, wrong = np.array([0, 1]), [0.9, 0.1], [0.2, 0.8]
    >>> outer = Verdicts.of(np.array([[wrong, sure], [sure, sure]]), np.array([0, 0]), folds)
    >>> choose(outer, {(0, 1): outer})
    Choice(best=1, by_fold=(0, 1), accuracies=(0.5, 1.0))
    """
    by_fold = [
        _best([verdicts.without(fold) for block, verdicts in inner.items() if fold in block])
        for fold in range(int(outer.folds.max()) + 1)
    ]
    accuracies = tuple(float(share) for share in outer.right.mean(axis=1))
    return Choice(_best([outer]), tuple(by_fold), accuracies)


def _best(parts: Sequence[Verdicts]) -> int:
    hits = sum(part.right.sum(axis=1) for part in parts)
    losses = sum(part.losses.sum(axis=1) for part in parts)
    # The last key sorts first; of complete equals the first candidate stays.
    return int(np.lexsort((np.round(losses, 9), -np.asarray(hits)))[0])
