from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from mlforge.errors import ConfigError
from mlforge.evaluation.gates import Gate, check_gate_categories, judge, parse_gate, why_unsettled
from mlforge.evaluation.records import Evaluation
from mlforge.evaluation.scores import HeldOut, evaluate

Make = Callable[..., Evaluation]
LABELS = [0, 1] * 50
CODES = ("cup", "mug", "pot")


def answered(n_wrong: int) -> list[int]:
    return [1 - label if place < n_wrong else label for place, label in enumerate(LABELS)]


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("accuracy>=0.9", ("accuracy", None, ">=", 0.9, None)),
        (" macro_f1 > 85 % ", ("macro_f1", None, ">", 0.85, None)),
        ("recall[poodle]<.5", ("recall", "poodle", "<", 0.5, None)),
        ("precision[ my_cat ]<=1", ("precision", "my_cat", "<=", 1.0, None)),
        ("accuracy>=production", ("accuracy", None, ">=", 0.0, "production")),
        ("accuracy>=production-0.01", ("accuracy", None, ">=", -0.01, "production")),
        ("accuracy >= production + 2%", ("accuracy", None, ">=", 0.02, "production")),
        ("accuracy>random_forest-0001", ("accuracy", None, ">", 0.0, "random_forest-0001")),
        ("accuracy>svm-0001-.005", ("accuracy", None, ">", -0.005, "svm-0001")),
        ("recall[a]>=v1.2+0.1", ("recall", "a", ">=", 0.1, "v1.2")),
        # Numbers are written with digits; a model may be called anything else.
        ("accuracy>=nan", ("accuracy", None, ">=", 0.0, "nan")),
    ],
)
def test_gates_are_read(text: str, rest: tuple[str, str | None, str, float, str | None]) -> None:
    assert parse_gate(text) == Gate(text, *rest)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "accuracy>=0.9"),
        ("accuracy", "accuracy>=0.9"),
        ("accuracy==0.9", "accuracy>=0.9"),
        ("accuracy=>0.9", "accuracy>=0.9"),
        ("accuracy>=", "accuracy>=0.9"),
        ("accuracy>=0.9>=0.8", "accuracy>=0.9"),
        ("accuracy>=0..9", "accuracy>=0.9"),
        ("accurracy>=0.9", "did you mean 'accuracy'"),
        ("recall>=0.9", "recall[CODE]"),
        ("recall[]>=0.9", "recall[CODE]"),
        ("accuracy[cup]>=0.9", "recall[cup]"),
        ("accuracy>=90", "90%"),
        ("accuracy>=-0.1", "from 0 to 1"),
        ("accuracy>=production-300%", "1%"),
    ],
)
def test_what_is_no_gate_is_refused_with_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_gate(text)
    assert hint in caught.value.hint


def test_an_unknown_category_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        check_gate_categories(parse_gate("recall[poodel]>=0.9"), ["poodle", "pug"])
    assert "did you mean 'poodle'" in caught.value.hint
    check_gate_categories(parse_gate("recall[pug]>=0.9"), ["poodle", "pug"])
    check_gate_categories(parse_gate("accuracy>=0.9"), [])


@pytest.mark.parametrize(
    ("gate", "answer"),
    [
        ("accuracy>=0.7", "pass"),
        ("accuracy>=0.99", "fail"),
        ("accuracy>=0.9", "inconclusive"),
        ("accuracy<=0.99", "pass"),
        ("accuracy<0.7", "fail"),
        ("macro_f1>0.7", "pass"),
        ("recall[cup]>=0.6", "pass"),
        ("recall[cup]>=0.88", "inconclusive"),
        ("precision[mug]>0.6", "pass"),
        ("precision[mug]>0.995", "fail"),
    ],
)
def test_a_gate_has_three_answers(trained: Make, gate: str, answer: str) -> None:
    made = judge(parse_gate(gate), trained(LABELS, answered(10)))
    assert made.answer == answer
    assert made.gate == gate
    assert made.value is not None
    assert made.interval is not None
    assert made.interval[0] <= made.value <= made.interval[1]
    assert (made.n_needed is None) == (answer != "inconclusive")


def test_an_inconclusive_gate_says_how_many_seeds_settle_it(trained: Make) -> None:
    gate = parse_gate("accuracy>=0.88")
    made = judge(gate, trained(LABELS, answered(10)))
    assert made.n_needed is not None
    assert f"{made.n_needed:,} seeds" in made.reason

    def with_seeds(n: float) -> str:
        size = round(n / 100)
        return judge(gate, trained(LABELS * size, answered(10) * size)).answer

    assert with_seeds(1.2 * made.n_needed) == "pass"
    assert with_seeds(0.8 * made.n_needed) == "inconclusive"


def test_a_bound_that_is_the_figure_itself_is_never_settled(tested: Make) -> None:
    made = judge(parse_gate("accuracy>=0.9"), tested(LABELS, answered(10)))
    assert (made.answer, made.value, made.n_needed) == ("inconclusive", 0.9, None)


def test_no_number_of_seeds_shows_that_a_model_is_never_wrong(trained: Make) -> None:
    made = judge(parse_gate("accuracy>=1"), trained(LABELS, LABELS))
    assert (made.answer, made.n_needed) == ("inconclusive", None)
    assert judge(parse_gate("accuracy>=0"), trained(LABELS, LABELS)).answer == "pass"


def test_what_cannot_be_scored_is_inconclusive(trained: Make) -> None:
    evaluation = trained(LABELS, LABELS)
    for gate, given, why in (
        ("accuracy>=0.5", None, "no category"),
        ("recall[pot]>=0.5", evaluation, "pot could not be scored"),
        ("precision[pot]>=0.5", evaluation, "no seed was taken for pot"),
        ("recall[dog]>=0.5", evaluation, "does not know dog"),
        ("accuracy>=production", evaluation, "no evaluation of production"),
    ):
        made = judge(parse_gate(gate), given)
        assert (made.answer, made.value, made.interval) == ("inconclusive", None, None)
        assert why in made.reason


def test_generated_only_categories_are_no_evidence(trained: Make) -> None:
    evaluation = trained(LABELS, LABELS)
    one = dataclasses.replace(evaluation, generated_only=("cup",))
    assert judge(parse_gate("recall[cup]>=0.1"), one).answer == "inconclusive"
    assert judge(parse_gate("recall[mug]>=0.1"), one).answer == "pass"
    assert judge(parse_gate("accuracy>=0.1"), one).answer == "pass"
    every = dataclasses.replace(evaluation, generated_only=("cup", "mug"))
    made = judge(parse_gate("accuracy>=0.1"), every)
    assert made.answer == "inconclusive"
    assert "generated only" in made.reason


def test_samples_of_a_category_without_seeds_do_not_count_in_the_precision_of_others(
    held_out: Callable[..., HeldOut],
) -> None:
    answers = held_out([*LABELS, *[2] * 50], [*LABELS, *[0] * 50])
    rng = np.random.default_rng(0)
    mixed = evaluate(answers, None, CODES, rng, generated_only=["pot"]).evaluation
    alone = evaluate(held_out(LABELS, LABELS), None, CODES, rng).evaluation
    gate = parse_gate("precision[cup]>=0.8")
    assert judge(gate, mixed) == judge(gate, alone)
    assert judge(gate, mixed).value == 1.0


@pytest.mark.parametrize(
    ("gate", "answer"),
    [
        ("accuracy>=production", "pass"),
        ("accuracy>=production+0.5", "fail"),
        ("accuracy>=production+0.2", "inconclusive"),
        ("recall[cup]>production-0.01", "pass"),
        ("macro_f1>=production-1%", "pass"),
        ("precision[mug]>=production-0.01", "pass"),
    ],
)
def test_a_model_is_compared_with_another_on_the_same_seeds(
    trained: Make, gate: str, answer: str
) -> None:
    production, new = trained(LABELS, answered(30)), trained(LABELS, answered(5))
    made = judge(parse_gate(gate), new, production)
    assert made.answer == answer
    assert made.value is not None
    assert made.value > 0.2


def test_a_margin_of_a_hundredth_takes_thousands_of_seeds(trained: Make) -> None:
    others_wrong = [1 - label if place >= 90 else label for place, label in enumerate(LABELS)]
    production, new = trained(LABELS, answered(10)), trained(LABELS, others_wrong)
    made = judge(parse_gate("accuracy>=production-0.01"), new, production)
    assert made.answer == "inconclusive"
    assert made.n_needed is not None
    assert made.n_needed > 1000


def test_a_reference_without_common_seeds_is_inconclusive(trained: Make) -> None:
    made = judge(
        parse_gate("accuracy>=production"), trained([0, 1], [0, 1]), trained([1, 0], [1, 0])
    )
    assert made.answer == "inconclusive"
    assert "same seeds" in made.reason


def test_verdicts_are_seldom_wrong(tested: Make, trained: Make) -> None:
    """Two hundred models of a known accuracy against bounds just above and below it."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(200):
        right = rng.random(100) < 0.85
        answers = [label if r else 1 - label for label, r in zip(LABELS, right, strict=True)]
        evaluation = tested(LABELS, answers)
        wrong += judge(parse_gate("accuracy>=0.851"), evaluation).answer == "pass"
        wrong += judge(parse_gate("accuracy>=0.849"), evaluation).answer == "fail"
    assert wrong <= 0.06 * 200


@pytest.mark.parametrize(
    ("gate", "answer"),
    [
        ("accuracy>=0.1", "inconclusive"),
        ("accuracy>=0.999", "inconclusive"),
        ("accuracy<=0.01", "inconclusive"),
        ("macro_f1>=0.1", "inconclusive"),
        ("precision[mug]>=0.1", "inconclusive"),
        ("recall[cup]>=0.1", "inconclusive"),
        ("recall[mug]>=0.1", "pass"),
        ("accuracy>=production-0.5", "inconclusive"),
    ],
)
def test_what_is_not_estimable_from_too_few_groups_is_inconclusive(
    trained: Make, gate: str, answer: str
) -> None:
    evaluation = _of_few_groups(trained(LABELS, answered(10)), 4)
    made = judge(parse_gate(gate), evaluation, trained(LABELS, answered(30)))
    assert made.answer == answer
    if answer == "inconclusive":
        assert made.value is None
        assert "not estimable from these groups: cup" in made.reason
    assert "not estimable" in why_unsettled(evaluation)


def test_a_model_is_as_good_as_itself_whatever_its_groups(trained: Make) -> None:
    evaluation = _of_few_groups(trained(LABELS, answered(10)), 2)
    assert judge(parse_gate("accuracy>=production"), evaluation, evaluation).answer == "pass"


def test_five_groups_are_enough_to_answer(trained: Make) -> None:
    evaluation = _of_few_groups(trained(LABELS, LABELS), 5)
    assert judge(parse_gate("accuracy>=0.1"), evaluation).answer == "pass"
    assert why_unsettled(evaluation) == ""


def test_what_was_not_measured_at_all_is_unsettled_too(trained: Make) -> None:
    assert "no category" in why_unsettled(None)
    every = dataclasses.replace(trained(LABELS, LABELS), generated_only=("cup", "mug"))
    assert "generated only" in why_unsettled(every)


def _of_few_groups(evaluation: Evaluation, n_groups: int) -> Evaluation:
    cup = dataclasses.replace(evaluation.per_category["cup"], n_groups=n_groups)
    return dataclasses.replace(evaluation, per_category={**evaluation.per_category, "cup": cup})
