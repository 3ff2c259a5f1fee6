from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mlforge.evaluation.calibration import (
    cross_calibrated,
    final_temperature,
    fit_temperature,
    measure,
    scale,
)
from mlforge.evaluation.records import Calibration


def drawn(
    n: int, temperature: float, seed: int = 0
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return probabilities that become true at a temperature, and what came."""
    rng = np.random.default_rng(seed)
    true = rng.dirichlet([0.4, 0.4, 0.4], n)
    labels = (true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, 2)
    return scale(true, 1 / temperature), labels


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_made_them_wrong_is_found(temperature: float) -> None:
    probabilities, labels = drawn(4000, temperature)
    assert fit_temperature(probabilities, labels) == pytest.approx(temperature, rel=0.1)


def test_the_final_model_may_be_bolder_than_those_of_the_folds() -> None:
    probabilities, labels = drawn(500, 1.0)
    alone = fit_temperature(probabilities, labels)
    assert final_temperature(probabilities, labels, 0.81) == pytest.approx(0.9 * alone, abs=1e-4)
    assert final_temperature(probabilities, labels, 1.0) == alone


def test_no_seed_has_a_part_in_its_own_calibration() -> None:
    probabilities, labels = drawn(100, 0.4)
    fold = np.arange(100) % 5
    other = labels.copy()
    other[fold == 2] = (other[fold == 2] + 1) % 3
    before = cross_calibrated(probabilities, labels, fold)
    after = cross_calibrated(probabilities, other, fold)
    assert (before[fold == 2] == after[fold == 2]).all()
    assert (before[fold != 2] != after[fold != 2]).any()


def test_one_fold_alone_is_left_as_it_is() -> None:
    probabilities, labels = drawn(20, 0.4)
    assert (cross_calibrated(probabilities, labels, np.zeros(20, np.int64)) == probabilities).all()


def measured(n: int, gap: float, seed: int) -> Calibration:
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.5, 1.0, n)
    right = rng.random(n) < confidence - gap
    made = measure(confidence, right, np.arange(n), rng)
    assert made is not None
    return made


def test_of_true_confidence_far_less_error_is_claimed_than_by_the_plain_figure() -> None:
    many = [measured(150, 0.0, seed) for seed in range(100)]
    plain = [
        sum(b.n_seeds * abs(b.confidence - b.accuracy) for b in made.bins) / 150 for made in many
    ]
    assert np.mean([made.error for made in many]) < 0.65 * np.mean(plain)


def test_a_gap_is_measured_as_large_as_it_is() -> None:
    assert np.mean([measured(600, 0.2, seed).error for seed in range(20)]) == pytest.approx(
        0.2, abs=0.02
    )


def test_the_interval_holds_the_error_and_is_wider_where_seeds_come_in_groups() -> None:
    rng = np.random.default_rng(0)
    confidence = np.repeat(rng.uniform(0.5, 1.0, 40), 10)
    right = np.repeat(rng.random(40) < 0.7, 10)
    apart = measure(confidence, right, np.arange(400), np.random.default_rng(1))
    grouped = measure(confidence, right, np.repeat(np.arange(40), 10), np.random.default_rng(1))
    assert apart is not None
    assert grouped is not None
    low, high = apart.error_interval
    assert 0 <= low <= apart.error <= high <= 1
    assert grouped.error_interval[1] > high


def test_the_diagram_counts_every_seed_and_rises_in_confidence() -> None:
    rng = np.random.default_rng(0)
    made = measure(rng.random(100), rng.random(100) < 0.5, np.arange(100), rng)
    assert made is not None
    assert sum(part.n_seeds for part in made.bins) == 100
    confidences = [part.confidence for part in made.bins]
    assert confidences == sorted(confidences)
    assert all(part.n_seeds >= 15 for part in made.bins)


def test_too_few_groups_have_no_calibration() -> None:
    rng = np.random.default_rng(0)
    group_of = np.arange(190) // 10
    assert measure(rng.random(190), rng.random(190) < 0.5, group_of, rng) is None


@pytest.mark.parametrize("right", [True, False])
def test_certain_answers_that_are_all_alike_have_a_figure(right: bool) -> None:
    made = measure(np.ones(30), np.full(30, right), np.arange(30), np.random.default_rng(0))
    assert made is not None
    assert made.error == pytest.approx(0.0 if right else 1.0, abs=1e-4)
    assert np.isfinite(made.error_interval).all()
