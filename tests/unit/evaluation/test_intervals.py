from __future__ import annotations

import numpy as np
import pytest

from mlforge.evaluation.intervals import (
    effective_groups,
    group_numbers,
    group_quantile,
    groups_needed,
    wilson_around,
    wilson_interval,
)


# R. G. Newcombe (1998), Two-sided confidence intervals for the single proportion, table I.
@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_that_of_the_published_table(
    hits: int, n: int, low: float, high: float
) -> None:
    assert wilson_interval(hits / n, n) == pytest.approx((low, high), abs=5e-5)


def test_without_any_group_every_share_is_possible() -> None:
    assert wilson_interval(0.5, 0) == (0.0, 1.0)


def test_the_interval_around_a_corrected_share_still_holds_what_was_seen() -> None:
    low, high = wilson_around(0.8, 0.5, 10_000)
    assert low == 0.8 < 0.9 < high
    assert wilson_around(0.8, 1.0, 50) == wilson_interval(0.8, 50)


def test_groups_are_numbered_in_order_of_their_names() -> None:
    assert group_numbers(["b", "a", "b", "c"]).tolist() == [1, 0, 1, 2]


def test_seeds_of_their_own_count_one_each() -> None:
    right = np.array([True, False] * 10)
    assert effective_groups(right, np.arange(20)) == 20


def test_seeds_of_a_group_that_agree_count_as_one() -> None:
    group_of = np.repeat(np.arange(20), 5)
    assert effective_groups(group_of % 2 == 0, group_of) == pytest.approx(20)


def test_seeds_of_a_group_that_do_not_agree_count_for_more() -> None:
    group_of = np.repeat(np.arange(200), 5)
    right = np.random.default_rng(0).random(1000) < 0.7
    assert 700 < effective_groups(right, group_of) < 1000


@pytest.mark.parametrize("all_right", [True, False])
def test_where_all_are_alike_the_groups_are_what_counts(all_right: bool) -> None:
    group_of = np.repeat(np.arange(4), 25)
    assert effective_groups(np.full(100, all_right), group_of) == pytest.approx(4)


def test_one_large_group_is_hardly_more_than_one() -> None:
    group_of = np.array([0] * 1000 + [1])
    assert 1 <= effective_groups(np.arange(1001) % 2 == 0, group_of) < 3


def test_no_seeds_are_no_groups() -> None:
    assert effective_groups(np.zeros(0, np.bool_), np.zeros(0, np.int64)) == 0


def test_grouped_answers_get_intervals_that_hold_the_truth() -> None:
    """Cups of which each is easy or hard, photographed six times: Wilson on photos is too sure."""
    rng = np.random.default_rng(0)
    group_of = np.repeat(np.arange(30), 6)
    held = held_by_seeds = 0
    for _ in range(400):
        right = rng.random(180) < rng.beta(3.2, 0.8, 30)[group_of]
        low, high = wilson_interval(float(right.mean()), effective_groups(right, group_of))
        held += low <= 0.8 <= high
        low, high = wilson_interval(float(right.mean()), 180)
        held_by_seeds += low <= 0.8 <= high
    assert held >= 0.93 * 400
    assert held_by_seeds < 0.93 * 400


def test_a_group_counts_once_in_a_quantile_however_many_seeds_it_has() -> None:
    scores = np.array([*range(9), *[100.0] * 50], float)
    group_of = np.array([*range(9), *[9] * 50])
    assert group_quantile(scores, group_of, 0.8) == 8.0
    assert group_quantile(scores, group_of, 0.9) == 100.0


def test_a_quantile_of_too_few_groups_is_none() -> None:
    assert group_quantile(np.arange(18.0), np.arange(18), 0.95) is None
    assert group_quantile(np.arange(19.0), np.arange(19), 0.95) == 18.0


@pytest.mark.parametrize(("share", "n"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_so_many_groups_are_needed(share: float, n: int) -> None:
    assert groups_needed(share) == n
