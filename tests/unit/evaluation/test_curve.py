from __future__ import annotations

import numpy as np

from mlforge.evaluation.curve import CurveRun, learning_curve

CODES = ("cup", "mug", "pot")


def runs(*wrong: tuple[int, int]) -> list[CurveRun]:
    """Return runs on 20 seeds each of cup and mug, so many of which are wrong in each run."""
    labels = np.repeat([0, 1], 20)
    made = []
    for n_train, (cups, mugs) in zip((4, 8, 16), wrong, strict=True):
        predicted = labels.copy()
        predicted[:cups] = 1
        predicted[20 : 20 + mugs] = 2
        groups = tuple(map(str, range(40)))
        made.append(CurveRun(np.array([n_train, n_train, 0.0]), labels, predicted, groups))
    return made


def test_accuracy_is_told_by_number_of_seeds_with_intervals() -> None:
    curve = learning_curve(runs((10, 10), (6, 6), (2, 2)), CODES, np.random.default_rng(0))
    assert [(p.n_seeds, p.score) for p in curve.overall] == [(4, 0.5), (8, 0.7), (16, 0.9)]
    for point in curve.overall:
        assert point.interval[0] < point.score < point.interval[1]
    assert set(curve.per_category) == {"cup", "mug"}, "nothing is said of what has no seeds"


def test_the_category_that_learns_is_to_be_photographed_and_the_perfect_one_is_not() -> None:
    curve = learning_curve(runs((14, 0), (10, 0), (7, 0)), CODES, np.random.default_rng(0))
    (advice,) = curve.advice
    assert (advice.code, advice.confused_with) == ("cup", "mug")
    assert advice.n_more == 8
    low, high = advice.interval
    assert 0 < low < advice.gain < high < 7 / 20


def test_a_curve_that_is_flat_promises_less_than_one_that_falls() -> None:
    flat = learning_curve(runs((7, 0), (7, 0), (7, 0)), CODES, np.random.default_rng(0))
    falling = learning_curve(runs((20, 0), (12, 0), (7, 0)), CODES, np.random.default_rng(0))
    gains = [sum(a.gain for a in curve.advice) for curve in (flat, falling)]
    assert gains[0] < 0.6 * gains[1]


def test_the_greatest_gain_comes_first() -> None:
    curve = learning_curve(runs((12, 19), (9, 17), (6, 12)), CODES, np.random.default_rng(0))
    assert [advice.code for advice in curve.advice] == ["mug", "cup"]
    assert curve.advice[0].gain > curve.advice[1].gain
