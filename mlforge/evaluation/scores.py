"""Figures from out-of-fold predictions, each headline with a 95 % interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["CategoryScore", "Evaluation", "evaluate", "from_json", "wilson_interval"]

_Z95 = 1.959963984540054
_N_RESAMPLES = 1000


@dataclass(frozen=True)
class CategoryScore:
    """How well one category is found.

    Attributes
    ----------
    precision
        The share of its predictions that are right; None where it was never predicted.
    recall
        The share of its seeds that are found; None where it has no scored seed.
    n_seeds
        How many of its seeds were scored.
    """

    precision: float | None
    recall: float | None
    n_seeds: int


@dataclass(frozen=True)
class Evaluation:
    """What out-of-fold predictions on held-out seeds say.

    Attributes
    ----------
    accuracy, accuracy_interval
        The share of seeds that are right, with its 95 % interval.
    macro_f1, macro_f1_interval
        The mean over categories of the harmonic mean of precision and recall.
    per_category
        The score of each category by code.
    confusion
        Counts, ``n_categories x n_categories``: rows are true, columns predicted.
    codes
        The categories in the order of `confusion`.
    n_seeds, n_groups
        How many seeds and independent groups were scored.
    n_folds
        In how many folds.
    unscored
        The codes of categories with one group, which cannot be scored.
    """

    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    macro_f1_interval: tuple[float, float]
    per_category: dict[str, CategoryScore]
    confusion: tuple[tuple[int, ...], ...]
    codes: tuple[str, ...]
    n_seeds: int
    n_groups: int
    n_folds: int
    unscored: tuple[str, ...]


def evaluate(
    labels: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float64],
    groups: Sequence[str],
    codes: Sequence[str],
    n_folds: int,
    rng: np.random.Generator,
) -> Evaluation:
    """Score out-of-fold probabilities of held-out seeds.

    Parameters
    ----------
    labels
        The true category of each scored seed, ``n_seeds``, by number.
    probabilities
        ``n_seeds x n_categories``.
    groups
        The group of each scored seed.
    codes
        The code of each category.
    n_folds
        In how many folds the seeds were scored.
    rng
        Draws the resamples of the interval of macro F1.
    """
    n_categories = len(codes)
    predicted = probabilities.argmax(axis=1)
    _, group_of = np.unique(np.asarray(groups), return_inverse=True)
    n_groups = int(group_of.max()) + 1
    by_group = np.zeros((n_groups, n_categories, n_categories), np.int64)
    np.add.at(by_group, (group_of, labels, predicted), 1)
    confusion = by_group.sum(axis=0)
    accuracy = float(np.trace(confusion) / len(labels))
    scored = set(labels.tolist())
    return Evaluation(
        accuracy=accuracy,
        accuracy_interval=wilson_interval(accuracy, n_groups),
        macro_f1=float(_macro_f1(confusion[None])[0]),
        macro_f1_interval=_macro_f1_interval(by_group, rng),
        per_category=_per_category(confusion, codes),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        codes=tuple(codes),
        n_seeds=len(labels),
        n_groups=n_groups,
        n_folds=n_folds,
        unscored=tuple(code for number, code in enumerate(codes) if number not in scored),
    )


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    r"""Return the 95 % score interval of a share that was observed on `n` independent groups.

    .. math:: \frac{p + z^2/2n \pm z \sqrt{p(1-p)/n + z^2/4n^2}}{1 + z^2/n}

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
    if n == 0:
        return 0.0, 1.0
    z2 = _Z95**2
    centre = share + z2 / (2 * n)
    half = _Z95 * float(np.sqrt(share * (1 - share) / n + z2 / (4 * n * n)))
    low, high = (centre - half) / (1 + z2 / n), (centre + half) / (1 + z2 / n)
    return max(0.0, min(low, share)), min(1.0, max(high, share))


def _macro_f1(confusions: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return macro F1 of each matrix, ``n x n_categories x n_categories``.

    A category without a scored seed does not count.
    """
    hits = np.diagonal(confusions, axis1=1, axis2=2)
    true = confusions.sum(axis=2)
    total = true + confusions.sum(axis=1)
    f1 = np.divide(2 * hits, total, out=np.zeros(hits.shape), where=total > 0)
    present = true > 0
    means: npt.NDArray[np.float64] = (f1 * present).sum(axis=1) / present.sum(axis=1).clip(1)
    return means


def _macro_f1_interval(
    by_group: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[float, float]:
    """Return the 95 % percentile interval over resampled groups (cluster bootstrap)."""
    n_groups, n_categories, _ = by_group.shape
    weights = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=_N_RESAMPLES)
    flat = weights @ by_group.reshape(n_groups, -1)
    values = _macro_f1(flat.reshape(_N_RESAMPLES, n_categories, n_categories))
    low, high = np.quantile(values, [0.025, 0.975])
    if low == high:
        # Resamples of groups that are all alike say nothing of what was not drawn.
        return wilson_interval(float(_macro_f1(by_group.sum(axis=0)[None])[0]), n_groups)
    return float(low), float(high)


def _per_category(
    confusion: npt.NDArray[np.int64], codes: Sequence[str]
) -> dict[str, CategoryScore]:
    scores = {}
    for number, code in enumerate(codes):
        hits, true, predicted = (
            int(confusion[number, number]),
            int(confusion[number].sum()),
            int(confusion[:, number].sum()),
        )
        scores[code] = CategoryScore(
            precision=hits / predicted if predicted else None,
            recall=hits / true if true else None,
            n_seeds=true,
        )
    return scores


def from_json(values: Mapping[str, Any]) -> Evaluation:
    """Return the evaluation that `dataclasses.asdict` made `values` of."""
    per_category = {c: CategoryScore(**score) for c, score in values["per_category"].items()}
    low_high = {key: tuple(values[key]) for key in ("accuracy_interval", "macro_f1_interval")}
    rest = {
        "confusion": tuple(tuple(row) for row in values["confusion"]),
        "codes": tuple(values["codes"]),
        "unscored": tuple(values["unscored"]),
    }
    return Evaluation(**{**values, **low_high, **rest, "per_category": per_category})
