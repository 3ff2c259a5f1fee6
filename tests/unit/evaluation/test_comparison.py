from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from mlforge.evaluation.comparison import compare
from mlforge.evaluation.records import Evaluation

Make = Callable[..., Evaluation]
LABELS = [0, 1] * 50


def answered(n_wrong: int, start: int = 0) -> list[int]:
    return [
        1 - label if start <= place < start + n_wrong else label
        for place, label in enumerate(LABELS)
    ]


def test_a_model_that_is_right_on_far_more_of_the_same_seeds_is_better(trained: Make) -> None:
    weak, strong = trained(LABELS, answered(30)), trained(LABELS, answered(5))
    made = compare(weak, strong)
    assert made.difference == pytest.approx(0.25)
    assert made.interval is not None
    assert 0 < made.interval[0] < 0.25 < made.interval[1]
    assert (made.verdict, made.n_common, made.n_groups) == ("better", 100, 100)


def test_turned_around_the_difference_is_turned_around(trained: Make) -> None:
    weak, strong = trained(LABELS, answered(30)), trained(LABELS, answered(5))
    there, back = compare(weak, strong), compare(strong, weak)
    assert back.verdict == "worse"
    assert there.interval is not None
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))


def test_equal_models_cannot_be_told_and_are_not_certainly_equal(trained: Make) -> None:
    model = trained(LABELS, answered(10))
    made = compare(model, model)
    assert (made.difference, made.verdict) == (0.0, "cant_tell")
    assert made.interval is not None
    assert made.interval[0] < 0 < made.interval[1]


def test_seeds_that_are_hard_for_both_tell_nothing(trained: Make) -> None:
    """Eight seeds more, all else equal: paired that is telling, side by side it is not."""
    first, second = trained(LABELS, answered(38)), trained(LABELS, answered(26))
    assert compare(first, second).verdict == "better"
    assert first.accuracy_interval[1] > second.accuracy_interval[0]


def test_groups_that_differ_together_count_once(trained: Make) -> None:
    groups = [str(place // 25) for place in range(100)]
    weak, strong = (trained(LABELS, answered(n), groups) for n in (25, 0))
    assert compare(weak, strong).verdict == "cant_tell"
    assert compare(trained(LABELS, answered(25)), trained(LABELS, answered(0))).verdict == "better"


def test_only_seeds_that_both_have_scored_are_compared(trained: Make) -> None:
    first, second = trained(LABELS, answered(30)), trained(LABELS[:40], answered(0)[:40])
    made = compare(first, second)
    assert made.n_common == 40
    assert made.difference == pytest.approx(0.75)


def test_without_a_common_seed_nothing_can_be_told(trained: Make) -> None:
    first = trained([0, 1], [0, 1])
    # The same bytes under another category are another seed.
    second = trained([1, 0], [1, 0])
    made = compare(first, second)
    assert (made.difference, made.interval, made.verdict) == (None, None, "cant_tell")


def test_one_group_alone_tells_nothing(trained: Make) -> None:
    first, second = (trained([0, 1], answers, ["a", "a"]) for answers in ([1, 0], [0, 1]))
    assert compare(first, second).verdict == "cant_tell"


def test_recall_is_compared_on_the_seeds_of_its_category(trained: Make) -> None:
    first = trained(LABELS, [0] * 100)
    made = compare(first, trained(LABELS, answered(0)), "recall", "mug")
    assert (made.difference, made.verdict, made.n_common) == (1.0, "better", 50)
    assert compare(first, trained(LABELS, answered(0)), "recall", "cup").difference == 0.0


def test_precision_and_macro_f1_are_compared_too(trained: Make) -> None:
    first, second = trained(LABELS, [0] * 100), trained(LABELS, answered(0))
    assert compare(first, second, "precision", "cup").difference == pytest.approx(0.5)
    assert compare(first, second, "macro_f1").difference == pytest.approx(2 / 3)
    # The first never says mug.
    assert compare(first, second, "precision", "mug").difference is None


def test_equally_good_models_are_seldom_called_better_or_worse(trained: Make) -> None:
    rng = np.random.default_rng(0)
    called = 0
    for _ in range(100):
        hard = rng.random(100) < 0.3
        first, second = (
            trained(
                LABELS, [1 - label if w else label for label, w in zip(LABELS, row, strict=True)]
            )
            for row in hard & (rng.random((2, 100)) < 0.7)
        )
        called += compare(first, second).verdict != "cant_tell"
    assert called <= 5


def test_samples_of_a_category_without_seeds_count_in_its_own_recall_alone(trained: Make) -> None:
    labels, right = [*LABELS, *[2] * 40], [*LABELS, *[2] * 40]
    first, second = (
        dataclasses.replace(trained(labels, answers), generated_only=("pot",))
        for answers in (right, [*LABELS, *[0] * 40])
    )
    for figure in ("accuracy", "macro_f1"):
        made = compare(first, second, figure)
        assert (made.difference, made.n_common) == (0.0, 100)
    assert compare(first, second, "precision", "cup").difference == 0.0
    assert compare(first, second, "recall", "pot").difference == -1.0
