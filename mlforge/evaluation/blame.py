"""Seeds that should be looked at: what each is worth to those that were held out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mlforge.evaluation.records import Evaluation, SeedBlame

__all__ = ["blame_seeds", "neighbour_values"]

# How many neighbours vote; the values depend little on it.
_N_NEIGHBOURS = 5
# A seed that looks like another category by at least this much, to the model and its neighbours.
_MISLABELLED = 0.5
# A seed whose value is so far below 0, in standard errors over those that it is judged by.
_HURTS = 2.0
# A category of at least so many groups can do without one that brings nothing.
_MANY = 8
_MAX_A_KIND = 20


def neighbour_values(
    train: npt.NDArray[np.float64],
    train_labels: npt.NDArray[np.int64],
    test: npt.NDArray[np.float64],
    test_labels: npt.NDArray[np.int64],
    n_neighbours: int = _N_NEIGHBOURS,
) -> npt.NDArray[np.float64]:
    r"""Return what each training example is worth to each test example, ``n_train x n_test``.

    The value is the Shapley value in a vote of the nearest neighbours: what adding the example
    changes in the share of right votes, averaged over all orders in which examples can be added.
    With the examples sorted by distance, farthest last,

    .. math::
        s_n = \frac{[y_n = y]}{\max(n, K)}, \qquad
        s_i = s_{i+1} + \frac{[y_i = y] - [y_{i+1} = y]}{K} \frac{\min(K, i)}{i}

    Parameters
    ----------
    train, test
        ``n x n_dimensions``, in a space where distance means unlikeness.
    train_labels, test_labels
        The category of each by number.
    n_neighbours
        K.

    References
    ----------
    R. Jia, D. Dao, B. Wang, F. A. Hubis, N. M. Gurel, B. Li, C. Zhang, C. Spanos, D. Song (2019),
    Efficient task-specific data valuation for nearest neighbor algorithms, Proceedings of the VLDB
    Endowment 12, theorem 1.
    """
    n_train = len(train)
    squares = (test**2).sum(axis=1)[:, None] + (train**2).sum(axis=1)[None]
    distances = squares - 2 * test @ train.T
    order = np.argsort(distances, axis=1, kind="stable")
    same = (train_labels[order] == test_labels[:, None]).astype(np.float64)
    rank = np.arange(1, n_train + 1)
    steps = (same[:, :-1] - same[:, 1:]) / n_neighbours
    steps *= np.minimum(n_neighbours, rank[:-1]) / rank[:-1]
    last = same[:, -1:] / max(n_train, n_neighbours)
    sorted_values = last + np.concatenate(
        [np.cumsum(steps[:, ::-1], axis=1)[:, ::-1], np.zeros((len(test), 1))], axis=1
    )
    values = np.empty((n_train, len(test)))
    np.put_along_axis(values.T, order, sorted_values, axis=1)
    return values


def blame_seeds(
    evaluation: Evaluation, values: npt.NDArray[np.float64], neighbours: npt.NDArray[np.int64]
) -> tuple[SeedBlame, ...]:
    """Name the seeds that look mislabelled, that hurt, bring nothing, or stand alone.

    Parameters
    ----------
    evaluation
        What fold models said of each seed.
    values
        What each seed is worth to each other, ``n_seeds x n_seeds``, by `neighbour_values`; NaN
        for one of its own group.
    neighbours
        The category, by number, that most of the nearest seeds of other groups belong to,
        ``n_seeds``.
    """
    labels = np.array([evaluation.codes.index(seed.code) for seed in evaluation.seeds])
    probabilities = np.array([seed.probabilities for seed in evaluation.seeds])
    found = [
        *_mislabelled(evaluation, probabilities, labels, neighbours),
        *_by_value(evaluation, values),
        *_alone(evaluation, values, labels),
    ]
    named: dict[str, SeedBlame] = {}
    for blame in found:
        # The gravest reason comes first; one is enough.
        named.setdefault(blame.file, blame)
    return tuple(named.values())


def _mislabelled(
    evaluation: Evaluation,
    probabilities: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    neighbours: npt.NDArray[np.int64],
) -> list[SeedBlame]:
    top = probabilities.argmax(axis=1)
    own = probabilities[np.arange(len(labels)), labels]
    margins = probabilities[np.arange(len(labels)), top] - own
    found = [
        SeedBlame(
            evaluation.seeds[i].file,
            "mislabelled",
            round(float(margins[i]), 4),
            evaluation.codes[top[i]],
        )
        for i in np.flatnonzero((margins >= _MISLABELLED) & (neighbours == top))
    ]
    return _strongest(found)


def _by_value(evaluation: Evaluation, values: npt.NDArray[np.float64]) -> list[SeedBlame]:
    """Return the seeds that make others worse, and those that change nothing."""
    n_judges = (~np.isnan(values)).sum(axis=1)
    means = np.nanmean(values, axis=1, where=~np.isnan(values))
    errors = np.nanstd(values, axis=1) / np.sqrt(np.maximum(n_judges, 1))
    hurts = [
        SeedBlame(seed.file, "hurts", round(float(min(-means[i] * len(values), 1.0)), 4), "")
        for i, seed in enumerate(evaluation.seeds)
        if errors[i] > 0 and means[i] < -_HURTS * errors[i]
    ]
    n_groups = {code: score.n_groups for code, score in evaluation.per_category.items()}
    floor = np.quantile(np.abs(means), 0.1) if len(means) else 0.0
    redundant = [
        SeedBlame(seed.file, "redundant", round(1.0 - float(abs(means[i]) / floor), 4), "")
        for i, seed in enumerate(evaluation.seeds)
        if abs(means[i]) < floor and n_groups[seed.code] >= _MANY
    ]
    return [*_strongest(hurts), *_strongest(redundant)]


def _alone(
    evaluation: Evaluation, values: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]
) -> list[SeedBlame]:
    """Return the seeds that more than half of their category's worth comes from."""
    found = []
    for number in np.unique(labels):
        members = np.flatnonzero(labels == number)
        worth = np.nansum(np.maximum(np.nan_to_num(values[np.ix_(members, members)]), 0), axis=1)
        total = float(worth.sum())
        if total == 0 or len(members) < 2:
            continue
        share = float(worth.max()) / total
        if share > 0.5:
            seed = evaluation.seeds[members[int(worth.argmax())]]
            found.append(SeedBlame(seed.file, "alone", round(share, 4), ""))
    return found


def _strongest(found: Sequence[SeedBlame]) -> list[SeedBlame]:
    return sorted(found, key=lambda blame: (-blame.score, blame.file))[:_MAX_A_KIND]
