from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from mlforge.evaluation.unknown import fit_unknown, unknown_threshold


def test_one_in_twenty_known_examples_is_rejected() -> None:
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        made = fit_unknown(rng.normal(size=100), np.arange(100), np.arange(100) % 5, 0.05)
        assert made is not None
        shares.append((rng.normal(size=400) > made.threshold).mean())
    assert np.mean(shares) == pytest.approx(0.05, abs=0.01)


def test_the_interval_holds_the_share_that_is_rejected() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        made = fit_unknown(rng.random(60), np.arange(60), np.arange(60) % 5, 0.05)
        assert made is not None
        held += made.rejected_interval[0] <= 1 - made.threshold <= made.rejected_interval[1]
    assert held >= binom.ppf(0.001, 400, 0.95)


@pytest.mark.parametrize("n_groups", [6, 12, 60])
def test_what_is_said_to_be_rejected_is_what_happens_to_unseen_examples(n_groups: int) -> None:
    """Of the seeds that set the threshold it rejects what it was set to: of a few, none."""
    rng = np.random.default_rng(2)
    said, true = [], []
    groups = np.arange(n_groups)
    for _ in range(300):
        made = fit_unknown(rng.random(n_groups), groups, groups % 12, 0.05)
        assert made is not None
        assert made.rejected_interval[0] <= made.rejected <= made.rejected_interval[1]
        said.append(made.rejected)
        true.append(1 - made.threshold)
    assert np.mean(said) == pytest.approx(np.mean(true), abs=0.04)


def test_with_few_groups_the_highest_novelty_is_the_threshold() -> None:
    made = fit_unknown(np.arange(10.0), np.arange(10), np.arange(10), 0.05)
    assert made is not None
    # The highest itself is above all others, and so will one in eleven be that comes next.
    assert (made.threshold, made.rejected) == (9.0, 0.1)
    assert made.rejected_interval[1] == pytest.approx(1 - 0.025**0.1)


def test_with_very_few_groups_there_is_no_threshold() -> None:
    novelty, groups = np.arange(40.0), np.arange(40) // 10
    assert fit_unknown(novelty, groups, groups, 0.05) is None
    assert unknown_threshold(novelty, groups, 0.05) is None


def test_a_group_counts_once() -> None:
    novelty = np.array([*np.arange(40.0), *[1000.0] * 400])
    groups = np.array([*range(40), *[40] * 400])
    made = fit_unknown(novelty, groups, groups % 5, 0.05)
    assert made is not None
    assert made.threshold < 1000
    assert made.rejected == pytest.approx(1 / 41)


def test_scores_that_are_all_equal_reject_nobody() -> None:
    made = fit_unknown(np.zeros(50), np.arange(50), np.arange(50) % 5, 0.05)
    assert made is not None
    assert (made.threshold, made.rejected) == (0.0, 0.0)
