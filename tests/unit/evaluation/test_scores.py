from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from mlforge.evaluation.scores import Evaluation, evaluate, from_json, wilson_interval


def scored(labels: list[int], predicted: list[int], groups: list[str] | None = None) -> Evaluation:
    return evaluate(
        np.array(labels),
        np.eye(3)[predicted],
        groups or [str(n) for n in range(len(labels))],
        ["cup", "mug", "pot"],
        5,
        np.random.default_rng(0),
    )


def test_a_small_case_is_what_one_counts_by_hand() -> None:
    made = scored([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1])
    assert made.accuracy == pytest.approx(5 / 6)
    assert made.confusion == ((2, 1, 0), (0, 3, 0), (0, 0, 0))
    cup, mug, pot = (made.per_category[code] for code in ("cup", "mug", "pot"))
    assert (cup.precision, cup.recall, cup.n_seeds) == pytest.approx((1, 2 / 3, 3))
    assert (mug.precision, mug.recall, mug.n_seeds) == (0.75, 1.0, 3)
    assert (pot.precision, pot.recall, pot.n_seeds) == (None, None, 0)
    assert made.macro_f1 == pytest.approx((0.8 + 6 / 7) / 2)
    assert made.unscored == ("pot",)
    assert (made.n_seeds, made.n_groups, made.n_folds) == (6, 6, 5)


def test_predicting_a_category_that_is_not_scored_counts_against_the_others_alone() -> None:
    made = scored([0, 0, 1, 1], [0, 2, 1, 1])
    assert made.macro_f1 == pytest.approx((2 / 3 + 1) / 2)
    assert made.per_category["pot"].precision == 0.0
    assert made.per_category["pot"].recall is None


def test_the_interval_counts_groups_and_not_seeds() -> None:
    labels, predicted = [0, 1] * 50, [0, 0] * 50
    alone = scored(labels, predicted)
    grouped = scored(labels, predicted, [str(n // 10) for n in range(100)])
    assert grouped.n_groups == 10
    assert grouped.accuracy == alone.accuracy == 0.5
    assert alone.accuracy_interval == wilson_interval(0.5, 100)
    assert grouped.accuracy_interval == wilson_interval(0.5, 10)


def test_the_interval_of_macro_f1_is_drawn_from_the_given_generator_alone() -> None:
    labels, predicted = [0, 1, 2] * 10, [0, 1, 1] * 10
    assert scored(labels, predicted) == scored(labels, predicted)


def test_a_perfect_score_has_an_interval_below_it() -> None:
    made = scored([0, 1, 2] * 5, [0, 1, 2] * 5)
    assert made.accuracy == made.macro_f1 == 1.0
    low, high = made.accuracy_interval
    assert 0.7 < low < 1.0 == high
    assert made.macro_f1_interval[1] == 1.0


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


def test_an_evaluation_is_read_back_as_it_was_written() -> None:
    made = scored([0, 0, 1, 1], [0, 2, 1, 1])
    assert from_json(json.loads(json.dumps(dataclasses.asdict(made)))) == made


def test_macro_f1_is_not_certain_where_every_seed_is_right() -> None:
    labels = np.array([0, 0, 1, 1], np.int64)
    evaluation = evaluate(
        labels, np.eye(2)[labels], ["a", "b", "c", "d"], ("x", "y"), 4, np.random.default_rng(0)
    )

    assert evaluation.macro_f1 == 1.0
    assert evaluation.macro_f1_interval == evaluation.accuracy_interval
    assert evaluation.macro_f1_interval[0] < 0.6
