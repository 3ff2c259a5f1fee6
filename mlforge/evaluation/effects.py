"""What a technique does to the categories, those that use it and the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mlforge.evaluation.intervals import FIT_VARIANCE, Z95, effective_groups
from mlforge.evaluation.records import TechniqueEffect

__all__ = ["technique_effect"]


def technique_effect(
    code: str,
    technique: str,
    right_with: npt.NDArray[np.bool_],
    right_without: npt.NDArray[np.bool_],
    group_of: npt.NDArray[np.int64],
    *,
    users: Sequence[str],
    taken_for: Sequence[str],
) -> TechniqueEffect:
    r"""Compare what the same seeds were taken for with a technique's samples and without.

    With :math:`b` seeds right only with it and :math:`c` right only without it, of :math:`n`, and
    half a seed added to each,

    .. math::
        d = \frac{b - c}{n + 2}, \qquad
        s^2 = \frac{b + c + 1 - (b - c)^2 / (n + 2)}{(n + 2)^2}

    Seeds of one group count as one, and the variance of the fits is added.

    Parameters
    ----------
    code, technique
        The category and the technique.
    right_with, right_without
        Whether each held-out seed of the category was right, ``n_seeds``.
    group_of
        The group of each by number.
    users
        The categories that use the technique.
    taken_for
        The categories that the seeds were taken for which are right only without it. Those of them
        that use it are to do without, as is the category itself; where none does, all users are.

    References
    ----------
    A. Agresti, Y. Min (2005), Simple improved confidence intervals for comparing matched
    proportions, Statistics in Medicine 24, 729-740.
    """
    n_seeds = len(right_with)
    gained = float((right_with & ~right_without).sum())
    lost = float((right_without & ~right_with).sum())
    size = n_seeds + 2
    effect = (gained - lost) / size
    variance = (gained + lost + 1 - (gained - lost) ** 2 / size) / size**2
    n_independent = effective_groups(right_with == right_without, group_of)
    half = Z95 * float(np.sqrt(variance * FIT_VARIANCE * n_seeds / max(n_independent, 1.0)))
    interval = (max(effect - half, -1.0), min(effect + half, 1.0))
    safe = interval[1] >= 0
    near = tuple(user for user in users if user == code or user in taken_for)
    return TechniqueEffect(
        code,
        technique,
        effect,
        interval,
        safe,
        users=tuple(users),
        to_change=() if safe else near or tuple(users),
    )
