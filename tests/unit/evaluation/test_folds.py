from __future__ import annotations

import numpy as np
import pytest

from mlforge.evaluation.folds import Folds, make_folds


def folds(labels: list[int], groups: list[str], n_folds: int = 5, seed: int = 0) -> Folds:
    return make_folds(np.array(labels), groups, n_folds, np.random.default_rng(seed))


def test_independent_seeds_are_dealt_evenly_within_each_category() -> None:
    labels = [category for category in range(4) for _ in range(10)]
    made = folds(labels, [str(n) for n in range(40)])
    assert made.n_folds == 5
    assert made.unscored == ()
    for category in range(4):
        tested = made.fold[np.array(labels) == category]
        assert np.bincount(tested, minlength=5).tolist() == [2, 2, 2, 2, 2]


@pytest.mark.parametrize("n_groups", [4, 12])
def test_few_groups_are_left_out_one_by_one(n_groups: int) -> None:
    labels = [n % 2 for n in range(n_groups) for _ in range(3)]
    groups = [f"g{n}" for n in range(n_groups) for _ in range(3)]
    made = folds(labels, groups)
    assert made.n_folds == n_groups
    assert sorted(np.bincount(made.fold).tolist()) == [3] * n_groups


def test_thirteen_groups_are_no_longer_few() -> None:
    assert folds([n % 2 for n in range(13)], [str(n) for n in range(13)]).n_folds == 5


def test_there_are_never_more_folds_than_groups() -> None:
    assert folds([n % 2 for n in range(14)], [str(n) for n in range(14)], n_folds=50).n_folds == 14


def test_a_category_with_one_group_is_never_tested_and_always_learned_from() -> None:
    labels = [0] * 5 + [1] * 5 + [2] * 4
    groups = [str(n) for n in range(10)] + ["only"] * 4
    made = folds(labels, groups)
    assert made.unscored == (2,)
    assert made.fold[10:].tolist() == made.left_out[10:].tolist() == [-1] * 4
    assert (made.fold[:10] >= 0).all()


def test_where_no_category_has_two_groups_there_are_no_folds() -> None:
    made = folds([0, 0, 1, 1], ["a", "a", "b", "b"])
    assert made.n_folds == 0
    assert made.unscored == (0, 1)
    assert made.fold.tolist() == made.left_out.tolist() == [-1] * 4


def test_a_seed_that_is_never_tested_is_left_out_with_its_group() -> None:
    """A near-duplicate of a tested seed must not be learned from, whatever its category."""
    labels = [0, 0, 0, 1, 1, 1, 2]
    groups = ["a", "b", "c", "d", "e", "f", "a"]
    made = folds(labels, groups)
    assert made.unscored == (2,)
    assert made.fold[6] == -1
    assert made.left_out[6] == made.fold[0] >= 0


def test_groups_that_hold_all_categories_are_whole_folds() -> None:
    labels = [category for _ in range(15) for category in range(3)]
    groups = [f"speaker{n}" for n in range(15) for _ in range(3)]
    made = folds(labels, groups)
    assert made.unscored == ()
    assert np.bincount(made.fold).tolist() == [9] * 5


def test_no_fold_takes_all_groups_of_a_category() -> None:
    # Category 1 stands in two groups only, whose main category is 0: dealt by that alone, both
    # would fall into one fold of five in one draw of five.
    labels = [0] * 60 + [1, 1]
    groups = [f"g{n % 20}" for n in range(60)] + ["g0", "g1"]
    for seed in range(50):
        made = folds(labels, groups, seed=seed)
        assert made.fold[60] != made.fold[61]


def test_the_same_draw_gives_the_same_folds_and_another_gives_others() -> None:
    labels, groups = [n % 2 for n in range(40)], [str(n) for n in range(40)]
    first, again, other = (folds(labels, groups, seed=seed).fold.tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_numbers_of_categories_may_have_gaps() -> None:
    made = folds([3] * 10 + [7] * 10, [str(n) for n in range(20)])
    assert made.unscored == ()
    assert (made.fold >= 0).all()
