from __future__ import annotations

import numpy as np
import pytest

from mlforge.evaluation.estimate import Halves, error_ratio, halving_folds, trained_share


def wrong(n_wrong: int, n_seeds: int, start: int = 0) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    right = np.ones(n_seeds, np.bool_)
    right[start : start + n_wrong] = False
    return right


def test_halves_test_every_seed_once() -> None:
    labels = np.array([n % 4 for n in range(40)])
    folds = halving_folds(labels, [str(n) for n in range(40)], np.random.default_rng(0))
    assert folds is not None
    assert folds.n_folds == 2
    assert np.bincount(folds.fold).tolist() == [20, 20]


def test_with_few_groups_there_are_no_halves() -> None:
    labels = np.array([n % 2 for n in range(12)])
    assert halving_folds(labels, [str(n) for n in range(12)], np.random.default_rng(0)) is None


def test_the_share_that_was_learned_from_counts_groups() -> None:
    group_of = np.array([0, 0, 0, 1, 2, 3, 4])
    assert trained_share(np.array([0, 0, 0, 1, 2, 3, 4]), group_of) == pytest.approx(0.8)
    assert trained_share(np.array([0, 0, 0, 0, 0, 1, 1]), group_of) == pytest.approx(0.48)


def test_without_a_second_point_errors_fall_as_usual() -> None:
    assert error_ratio(wrong(10, 100), 0.8, None) == pytest.approx(0.8**0.7)


def test_with_many_seeds_the_ratio_follows_the_curve() -> None:
    # Errors of half, four fifths and all follow e ~ m^-0.5, and the same seeds are wrong.
    n = 1_000_000
    e_half, e_folds = 0.2 * 0.5**-0.5, 0.2 * 0.8**-0.5
    right, halves = wrong(round(e_folds * n), n), wrong(round(e_half * n), n)
    assert error_ratio(right, 0.8, Halves(halves, 0.5)) == pytest.approx(0.8**0.5, rel=0.02)


def test_with_few_seeds_the_runs_are_averaged() -> None:
    """Far more errors with half the seeds: rather bad luck there and good luck here."""
    right = wrong(2, 100)
    usual = error_ratio(right, 0.8, None)
    assert error_ratio(right, 0.8, Halves(wrong(20, 100, start=50), 0.5)) > usual
    assert error_ratio(wrong(10, 100), 0.8, Halves(wrong(4, 100, start=50), 0.5)) < usual


@pytest.mark.parametrize(("n_wrong", "n_wrong_halves"), [(0, 0), (0, 50), (50, 0), (50, 50)])
def test_all_right_and_all_wrong_have_a_ratio(n_wrong: int, n_wrong_halves: int) -> None:
    ratio = error_ratio(wrong(n_wrong, 50), 0.8, Halves(wrong(n_wrong_halves, 50), 0.5))
    assert 0 < ratio < 10


def test_one_fold_that_learned_from_nothing_has_a_ratio() -> None:
    assert 0 < error_ratio(wrong(1, 5), 0.0, None) < 1
