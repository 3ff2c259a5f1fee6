from __future__ import annotations

import numpy as np
import pytest

from mlforge.evaluation.leakage import leaky_accuracy, random_split


def test_a_fifth_of_each_category_is_tested() -> None:
    labels = np.repeat([0, 1, 2], [100, 50, 10])
    tested = random_split(labels, np.random.default_rng(0))
    assert np.bincount(labels[tested]).tolist() == [20, 10, 2]


def test_a_category_with_one_example_is_learned_from() -> None:
    tested = random_split(np.array([0, 0, 0, 1]), np.random.default_rng(0))
    assert tested[:3].sum() == 1
    assert not tested[3]


def test_the_split_is_drawn_from_the_given_generator_alone() -> None:
    labels = np.repeat([0, 1], 50)
    splits = [random_split(labels, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert splits[0] == splits[1] != splits[2]


def test_the_claim_is_the_share_that_is_right() -> None:
    said = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    assert leaky_accuracy(np.array([0, 0, 1]), said) == pytest.approx(2 / 3)


def test_where_nothing_was_tested_nothing_is_claimed() -> None:
    assert leaky_accuracy(np.zeros(0, np.int64), np.zeros((0, 2))) is None
