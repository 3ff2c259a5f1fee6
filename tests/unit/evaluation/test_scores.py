from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pytest

from mlforge.evaluation.intervals import wilson_interval
from mlforge.evaluation.records import Evaluation, SetSummary, UnknownSummary
from mlforge.evaluation.scores import HeldOut, Thresholds, evaluate, evaluate_fixed
from mlforge.evaluation.stored import from_json

CODES = ("cup", "mug", "pot")
Make = Callable[..., Evaluation]
Answer = Callable[..., HeldOut]


def test_a_small_case_is_what_one_counts_by_hand(tested: Make) -> None:
    made = tested([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1])
    assert made.accuracy == made.held_out_accuracy == pytest.approx(5 / 6)
    assert made.confusion == ((2, 1, 0), (0, 3, 0), (0, 0, 0))
    cup, mug, pot = (made.per_category[code] for code in CODES)
    assert (cup.precision, cup.recall, cup.n_seeds) == pytest.approx((1, 2 / 3, 3))
    assert (mug.precision, mug.recall, mug.n_groups) == (0.75, 1.0, 3)
    assert (pot.precision, pot.recall, pot.recall_interval, pot.n_seeds) == (None, None, None, 0)
    assert made.macro_f1 == pytest.approx((0.8 + 6 / 7) / 2)
    assert made.unscored == ("pot",)
    assert (made.n_seeds, made.n_groups) == (6, 6)


def test_predicting_a_category_that_is_not_scored_counts_against_the_others_alone(
    tested: Make,
) -> None:
    made = tested([0, 0, 1, 1], [0, 2, 1, 1])
    assert made.macro_f1 == pytest.approx((2 / 3 + 1) / 2)
    assert made.per_category["pot"].precision == 0.0
    assert made.per_category["pot"].recall is None


def test_one_fixed_model_has_the_interval_of_the_examples_alone(tested: Make) -> None:
    made = tested([0, 1] * 50, [0, 0] * 50)
    assert made.accuracy_interval == wilson_interval(0.5, 100)


def test_the_final_model_is_expected_to_be_better_than_those_of_the_folds(trained: Make) -> None:
    made = trained([0, 1] * 50, [0, 1, 1, 1] * 25)
    assert made.held_out_accuracy == 0.75
    assert made.accuracy == pytest.approx(1 - 0.25 * 0.8**0.7)
    assert made.per_category["cup"].recall == 0.5
    interval = made.per_category["cup"].recall_interval
    assert interval is not None
    assert interval[0] < 0.5 < interval[1]


def test_other_fits_could_have_been_drawn_so_the_interval_is_wider(
    trained: Make, tested: Make
) -> None:
    answers = [0, 1, 1, 1] * 25
    wide, narrow = (make([0, 1] * 50, answers).accuracy_interval for make in (trained, tested))
    assert wide[1] - wide[0] > 1.1 * (narrow[1] - narrow[0])


def test_the_second_point_of_the_curve_is_heard(held_out: Answer) -> None:
    labels, answers = [0, 1] * 50, [0, 1, 1, 1] * 25
    worse, better = [0, 1, 1, 0] * 25, [0, 1] * 50
    estimates = [
        evaluate(
            held_out(labels, answers),
            dataclasses.replace(held_out(labels, halves), fold=np.arange(100) // 50),
            CODES,
            np.random.default_rng(0),
        ).evaluation.accuracy
        for halves in (worse, better)
    ]
    assert estimates[0] != estimates[1]


def test_seeds_of_one_group_count_once(trained: Make) -> None:
    labels = [n // 10 % 2 for n in range(200)]
    answers = [0 if n // 10 % 4 == 3 else n // 10 % 2 for n in range(200)]
    alone = trained(labels, answers)
    grouped = trained(labels, answers, [str(n // 10) for n in range(200)])
    assert (grouped.n_seeds, grouped.n_groups) == (200, 20)
    for key in ("accuracy_interval", "macro_f1_interval"):
        (low, high), (low_alone, high_alone) = getattr(grouped, key), getattr(alone, key)
        assert high - low > 2 * (high_alone - low_alone)


def test_the_same_draw_gives_the_same_evaluation(trained: Make) -> None:
    labels, answers = [0, 1, 2] * 10, [0, 1, 1] * 10
    assert trained(labels, answers) == trained(labels, answers)


def test_a_perfect_score_has_an_interval_below_it(trained: Make) -> None:
    made = trained([0, 1, 2] * 5, [0, 1, 2] * 5)
    assert made.accuracy == made.macro_f1 == 1.0
    low, high = made.accuracy_interval
    assert 0.6 < low < 1.0 == high
    assert made.macro_f1_interval == made.accuracy_interval
    interval = made.per_category["pot"].recall_interval
    assert interval is not None
    assert interval[0] < 0.6


@pytest.mark.parametrize(
    ("labels", "answers"),
    [
        ([0, 1], [0, 1]),
        ([0, 1], [1, 0]),
        ([0, 0, 1, 1], [1, 1, 0, 0]),
        ([0] * 1000 + [1] * 2, [0] * 1002),
        ([0] * 3, [0] * 3),
    ],
    ids=["two seeds", "two wrong", "all wrong", "1000 to 2", "one category"],
)
def test_degenerate_answers_have_finite_figures(
    trained: Make, labels: list[int], answers: list[int]
) -> None:
    made = trained(labels, answers)
    for value, (low, high) in (
        (made.accuracy, made.accuracy_interval),
        (made.macro_f1, made.macro_f1_interval),
    ):
        assert 0 <= low <= value <= high <= 1
    text = json.dumps(dataclasses.asdict(made), allow_nan=False)
    assert from_json(json.loads(text)) == made


def test_a_few_seeds_have_neither_calibration_nor_sets(trained: Make) -> None:
    made = trained([0, 1] * 4, [0, 1] * 4)
    assert made.calibration is None
    assert made.sets == SetSummary(0.9, None, None, 9)
    assert made.unknown is None


def test_categories_without_seeds_count_in_no_figure_but_their_own(held_out: Answer) -> None:
    answers = held_out([0, 1] * 10 + [2] * 20, [0, 1] * 10 + [0] * 20)
    made = evaluate(answers, None, CODES, np.random.default_rng(0), generated_only={"pot"})
    assert made.evaluation.generated_only == ("pot",)
    assert made.evaluation.accuracy == 1.0
    assert made.evaluation.n_seeds == 20
    assert made.evaluation.per_category["pot"].recall == 0.0
    assert made.evaluation.per_category["cup"].precision == 1.0
    assert {seed.code for seed in made.evaluation.evidence} == {"cup", "mug"}
    assert made.evaluation.confusion[2] == (20, 0, 0)
    assert len(made.evaluation.seeds) == 40


def test_many_seeds_of_few_groups_tell_nothing_of_other_groups(trained: Make) -> None:
    labels = [0] * 20 + [1] * 20 + [2] * 4
    groups = [f"c{n // 10}" for n in range(20)] + [f"m{n // 4}" for n in range(20)]
    made = trained(labels, labels, [*groups, "p0", "p1", "p2", "p3"])
    # Two groups are too few, five are some, and four seeds of four groups are what they are.
    assert made.not_estimable == ("cup",)


def test_where_no_category_has_seeds_the_samples_are_scored(held_out: Answer) -> None:
    answers = held_out([0, 1] * 10, [0, 1] * 10)
    made = evaluate(answers, None, CODES, np.random.default_rng(0), generated_only=CODES)
    assert made.evaluation.n_seeds == 20
    assert made.evaluation.generated_only == CODES
    assert made.evaluation.evidence == made.evaluation.seeds


def test_the_leak_gap_is_the_claim_minus_what_held_out_seeds_say(held_out: Answer) -> None:
    made = evaluate(
        held_out([0, 1] * 10, [0, 1, 1, 1] * 5),
        None,
        CODES,
        np.random.default_rng(0),
        leaky_accuracy=0.95,
    )
    assert made.evaluation.leak_gap == pytest.approx(0.2)


def test_each_seed_keeps_what_was_said_of_it(held_out: Answer) -> None:
    answers = dataclasses.replace(
        held_out([0, 1] * 10, [0, 1, 1, 1] * 5), novelty=np.arange(20.0) / 7
    )
    made = evaluate(answers, None, CODES, np.random.default_rng(0)).evaluation
    seed = made.seeds[3]
    assert (seed.file, seed.digest, seed.group, seed.code) == ("mug/0003", "0003", "0003", "mug")
    assert seed.novelty == pytest.approx(3 / 7)
    assert seed.fold == 3
    assert sum(seed.probabilities) == pytest.approx(1, abs=1e-5)
    assert made.unknown is not None


def test_a_stored_model_is_measured_with_the_thresholds_that_it_has(held_out: Answer) -> None:
    answers = dataclasses.replace(held_out([0, 1] * 10, [0, 1] * 10), novelty=np.arange(20.0))
    thresholds = Thresholds(
        1.0, SetSummary(0.9, 0.05, 1.5, 9), UnknownSummary(14.5, 0.05, (0.0, 0.1))
    )
    made = evaluate_fixed(answers, CODES, np.random.default_rng(0), thresholds)
    assert made.sets == SetSummary(0.9, 0.05, 3.0, 9, 1.0, wilson_interval(1.0, 20))
    assert made.unknown is not None
    assert made.unknown.rejected == 0.25
    assert made.unknown.rejected_interval == wilson_interval(0.25, 20)


def test_an_evaluation_is_read_back_as_it_was_written(trained: Make) -> None:
    made = trained([0, 1, 2] * 20, [0, 1, 1, 0, 1, 2] * 10)
    assert made.calibration is not None
    assert from_json(json.loads(json.dumps(dataclasses.asdict(made)))) == made


def test_what_is_no_evaluation_is_refused(trained: Make) -> None:
    values = dataclasses.asdict(trained([0, 1], [0, 1]))
    with pytest.raises(ValueError, match="accuracy"):
        from_json(values | {"accuracy": "high"})
    for number in (float("nan"), float("inf"), 10**400):
        with pytest.raises(ValueError, match=r"JSON|accuracy"):
            from_json(values | {"accuracy": number})


@pytest.mark.parametrize(
    "wrong",
    [
        {"codes": ["cup"]},
        {"codes": []},
        {"codes": ["cup", "mug", "x"]},
        {"confusion": [[1]]},
        {"confusion": [[1, 0, 0], [0, 10**400, 0], [0, 0, 0]]},
        {"confusion": [[1, 0, 0], [0, -1, 0], [0, 0, 0]]},
        {"n_seeds": 10**400},
        {"accuracy": 1e308},
        {"unscored": ["x"]},
        {"generated_only": ["x"]},
        {"per_category": {"x": {"precision": 1, "recall": 1, "n_seeds": 1}}},
    ],
)
def test_an_evaluation_whose_parts_do_not_fit_is_refused(
    trained: Make, wrong: dict[str, object]
) -> None:
    values = dataclasses.asdict(trained([0, 1], [0, 1]))
    with pytest.raises(ValueError, match="do not fit"):
        from_json(values | wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"code": "x"}, {"probabilities": []}, {"probabilities": [1e308, 0, 0]}, {"fold": 10**400}],
)
def test_a_seed_that_does_not_fit_its_evaluation_is_refused(
    trained: Make, wrong: dict[str, object]
) -> None:
    values = dataclasses.asdict(trained([0, 1], [0, 1]))
    values["seeds"] = [seed | wrong for seed in values["seeds"]]
    with pytest.raises(ValueError, match="do not fit"):
        from_json(values)
