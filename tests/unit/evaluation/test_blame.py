from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
import numpy.typing as npt
import pytest

from mlforge.evaluation.blame import blame_seeds, neighbour_values
from mlforge.evaluation.records import Evaluation

Make = Callable[..., Evaluation]
Floats = npt.NDArray[np.float64]


def vote(train: Floats, labels: npt.NDArray[np.int64], kept: list[int], test: Floats) -> float:
    """Return the share of the 2 nearest of `kept` that are of category 0."""
    order = sorted(kept, key=lambda i: float(((train[i] - test) ** 2).sum()))[:2]
    return sum(int(labels[i]) == 0 for i in order) / 2


def test_values_are_those_of_all_orders_in_which_examples_can_be_added() -> None:
    rng = np.random.default_rng(3)
    train, labels, test = rng.normal(size=(5, 2)), np.array([0, 1, 0, 1, 0]), rng.normal(size=2)
    expected = np.zeros(5)
    orders = list(permutations(range(5)))
    for order in orders:
        for place, one in enumerate(order):
            before, after = list(order[:place]), list(order[: place + 1])
            gain = vote(train, labels, after, test) - vote(train, labels, before, test)
            expected[one] += gain / len(orders)
    values = neighbour_values(train, labels, test[None], np.array([0]), n_neighbours=2)
    np.testing.assert_allclose(values[:, 0], expected, atol=1e-12)


@pytest.fixture
def evaluation(trained: Make) -> Evaluation:
    """Ten cups, of which the first is taken for a mug, and ten mugs."""
    return trained([0] * 10 + [1] * 10, [1] + [0] * 9 + [1] * 10)


def values_of(n: int = 20) -> Floats:
    """Every seed is worth a little to every other."""
    values = np.random.default_rng(0).normal(0.1, 0.01, (n, n))
    np.fill_diagonal(values, np.nan)
    return values


def kinds(evaluation: Evaluation, values: Floats, looks: npt.NDArray[np.int64]) -> dict[str, str]:
    return {blame.file: blame.kind for blame in blame_seeds(evaluation, values, looks)}


def test_what_model_and_neighbours_take_for_another_category_looks_mislabelled(
    evaluation: Evaluation,
) -> None:
    looks = np.repeat([0, 1], 10)
    looks[0] = 1
    (blame,) = (b for b in blame_seeds(evaluation, values_of(), looks) if b.kind == "mislabelled")
    assert (blame.file, blame.looks_like) == (evaluation.seeds[0].file, "mug")
    assert blame.score >= 0.5
    looks[0] = 0
    found = kinds(evaluation, values_of(), looks)
    assert "mislabelled" not in found.values(), "its neighbours speak for its label"


def test_a_seed_that_makes_others_worse_hurts(evaluation: Evaluation) -> None:
    values = values_of()
    values[7, :] = -0.2 + np.random.default_rng(1).normal(0, 0.01, 20)
    found = kinds(evaluation, values, np.repeat([0, 1], 10))
    assert found[evaluation.seeds[7].file] == "hurts"
    assert list(found.values()).count("hurts") == 1


def test_a_seed_that_changes_nothing_is_redundant(evaluation: Evaluation) -> None:
    values = values_of()
    values[4, :] = 1e-6
    assert kinds(evaluation, values, np.repeat([0, 1], 10))[evaluation.seeds[4].file] == "redundant"


def test_a_seed_that_most_of_its_category_rests_on_stands_alone(evaluation: Evaluation) -> None:
    values = values_of()
    values[12, 10:] = 2.0
    assert kinds(evaluation, values, np.repeat([0, 1], 10))[evaluation.seeds[12].file] == "alone"
