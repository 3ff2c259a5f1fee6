"""The accuracy of the model that learned from all seeds, from those that learned from some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlforge.evaluation.folds import Folds, make_folds

__all__ = ["Halves", "error_ratio", "halving_folds", "trained_share"]

# How fast errors fall with seeds, before anything is known: e ~ a m^-b.
_EXPONENT, _EXPONENT_SD = 0.7, 0.3
# What is added to each count of errors: none at all is no proof that there are none.
_CONTINUITY = 0.5


@dataclass(frozen=True)
class Halves:
    """What models that learned from about half of the seeds said of the others.

    Attributes
    ----------
    right
        Whether each seed was right, ``n_seeds``.
    share
        The share of the groups that they learned from.
    """

    right: npt.NDArray[np.bool_]
    share: float


def halving_folds(
    labels: npt.NDArray[np.int64], groups: Sequence[str], rng: np.random.Generator
) -> Folds | None:
    """Return two folds: the second point of the learning curve.

    Parameters
    ----------
    labels
        The category of each seed, ``n_seeds``, by number.
    groups
        The group of each seed, ``n_seeds``.
    rng
        Shuffles the groups.

    Returns
    -------
    Folds or None
        None where there are so few groups that each is a fold of its own: the models of the
        folds then learn from nearly all.
    """
    folds = make_folds(labels, groups, 2, rng)
    return folds if folds.n_folds == 2 and len(set(groups)) > 2 else None


def trained_share(fold: npt.NDArray[np.int64], group_of: npt.NDArray[np.int64]) -> float:
    """Return the share of the groups that the model learned from which was asked about a seed.

    Parameters
    ----------
    fold
        The test fold of each seed, ``n_seeds``.
    group_of
        The group of each seed by number, ``n_seeds``.
    """
    first = np.unique(group_of, return_index=True)[1]
    counts = np.unique(fold[first], return_counts=True)[1]
    return float(1 - (counts**2).sum() / len(first) ** 2)


def error_ratio(right: npt.NDArray[np.bool_], share: float, halves: Halves | None) -> float:
    r"""Return the error of the final model divided by that of the models of the folds.

    Errors fall as a power of the number of seeds, :math:`e(m) = a m^{-b}`. Both runs measure
    :math:`\log e` at the full number, each with noise of its own: a seed near the border is right
    in one fit and wrong in the next. What is known of :math:`b` beforehand, normal with mean 0.7
    and standard deviation 0.3, and that noise are weighed by least squares:

    .. math:: \log \frac{e_n}{e_k} = -\ell_k \mu - \frac{\ell_k g \sigma^2 - v}{g^2 \sigma^2 + 2 v}
        \left(\log \frac{e_h}{e_k} - g \mu\right)

    where :math:`\ell = -\log` of the share that was learned from, :math:`g = \ell_h - \ell_k`, and
    :math:`v` is half the number of seeds on which the runs disagree, divided by the square of the
    number of errors. With few seeds this averages the two runs, with many it follows the curve.

    Parameters
    ----------
    right
        Whether each seed was right when it was held out, ``n_seeds``.
    share
        The share of the groups that the models of the folds learned from.
    halves
        The second point; without it, the curve is the usual one.

    References
    ----------
    C. Cortes, L. D. Jackel, S. Solla, V. Vapnik, J. Denker (1994), Learning curves: asymptotic
    values and rate of convergence, Advances in neural information processing systems 6, 327-334.
    """
    log_share = -float(np.log(share)) if share > 0 else float(np.log(2))
    if halves is None or halves.share >= share or halves.share <= 0:
        return float(np.exp(-log_share * _EXPONENT))
    wrong = float((~right).sum()) + _CONTINUITY
    wrong_halves = float((~halves.right).sum()) + _CONTINUITY
    gap = -float(np.log(halves.share)) - log_share
    surprise = float(np.log(wrong_halves / wrong)) - gap * _EXPONENT
    differ = float((right != halves.right).sum()) + 2 * _CONTINUITY
    noise = differ / 2 / ((wrong + wrong_halves) / 2) ** 2
    slope = log_share * gap * _EXPONENT_SD**2 - noise
    weight = slope / (gap**2 * _EXPONENT_SD**2 + 2 * noise)
    return float(np.exp(-log_share * _EXPONENT - weight * surprise))
