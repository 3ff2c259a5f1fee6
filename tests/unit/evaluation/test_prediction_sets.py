from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from mlforge.evaluation.calibration import final_temperature, scale
from mlforge.evaluation.intervals import FIT_VARIANCE, wilson_interval
from mlforge.evaluation.prediction_sets import (
    cross_measured,
    fit_sets,
    measure_sets,
    membership,
    prediction_set,
)


def drawn(n: int, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([0.5] * 5, n)
    labels = (probabilities.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, 4)
    return probabilities, labels


class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A model whose probabilities are its features."""

    def fit(self, features: Any, labels: Any) -> Given:
        self.classes_ = np.arange(features.shape[1])
        return self

    def predict_proba(self, features: Any) -> Any:
        return features

    def predict(self, features: Any) -> Any:
        return features.argmax(axis=1)

    def __sklearn_is_fitted__(self) -> bool:
        return True


@pytest.mark.parametrize("coverage", [0.8, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_mapie_makes_the_same_sets_of_the_same_scores(coverage: float, seed: int) -> None:
    from mapie.classification import (  # type: ignore[import-untyped] # it has no types
        SplitConformalClassifier,
    )

    probabilities, labels = drawn(60, seed)
    new, _ = drawn(200, seed + 100)
    oracle = SplitConformalClassifier(
        Given().fit(probabilities, labels),
        confidence_level=coverage,
        conformity_score="lac",
        prefit=True,
    ).conformalize(probabilities, labels)
    theirs = oracle.predict_set(new)[1][:, :, 0]
    made = fit_sets(probabilities, labels, np.arange(60), coverage)
    assert made.threshold is not None
    # Theirs may be empty; ours then hold the most probable category.
    theirs[np.arange(200), new.argmax(axis=1)] = True
    assert (membership(new, made.threshold) == theirs).all()


def test_sets_hold_the_right_category_as_often_as_asked() -> None:
    shares = []
    for seed in range(60):
        probabilities, labels = drawn(100, seed)
        made = fit_sets(probabilities, labels, np.arange(100), 0.9)
        assert made.threshold is not None
        new, truth = drawn(500, seed + 1000)
        shares.append(membership(new, made.threshold)[np.arange(500), truth].mean())
    assert 0.89 < np.mean(shares) < 0.93


def test_a_group_counts_once() -> None:
    """Fifty photos of one cup that is hard to tell must not widen the sets of all others."""
    labels = np.zeros(69, np.int64)
    sure = np.array([*np.linspace(0.7, 0.9, 19), *[0.1] * 50])
    probabilities = np.stack([sure, 1 - sure], axis=1)
    group_of = np.array([*range(19), *[19] * 50])
    assert fit_sets(probabilities, labels, group_of, 0.9).threshold == pytest.approx(0.7)
    assert fit_sets(probabilities, labels, np.arange(69), 0.9).threshold == pytest.approx(0.1)


def test_too_few_groups_have_no_threshold_and_say_how_many_are_needed() -> None:
    probabilities, labels = drawn(8, 0)
    made = fit_sets(probabilities, labels, np.arange(8), 0.9)
    assert (made.threshold, made.mean_size, made.n_needed) == (None, None, 9)
    assert prediction_set(probabilities[0], made.threshold) == tuple(
        np.argsort(-probabilities[0]).tolist()
    )


@pytest.mark.parametrize("n_seeds", [12, 50])
def test_what_is_said_of_the_sets_is_what_they_are_like_on_unseen_examples(n_seeds: int) -> None:
    """On the seeds that set the threshold, 12 of 12 would be held whatever the model."""
    fold, share = np.arange(n_seeds) % min(n_seeds, 12), 11 / 12
    said, true, held_it = [], [], []
    for seed in range(60):
        probabilities, labels = drawn(n_seeds, seed)
        temperature = final_temperature(probabilities, labels, share)
        groups = np.arange(n_seeds)
        made = fit_sets(scale(probabilities, temperature), labels, groups, 0.9)
        assert made.threshold is not None
        measured = cross_measured(made, probabilities, labels, groups, fold, share)
        assert measured.threshold == made.threshold
        assert measured.held is not None
        assert measured.held_interval is not None
        new, truth = drawn(1000, seed + 1000)
        inside = membership(scale(new, temperature), made.threshold)
        assert measured.mean_size is not None
        said.append((measured.held, measured.mean_size))
        true.append((inside[np.arange(1000), truth].mean(), inside.sum(axis=1).mean()))
        low, high = measured.held_interval
        held_it.append(low <= true[-1][0] <= high)
    (held, size), (true_held, true_size) = np.mean(said, axis=0), np.mean(true, axis=0)
    assert held == pytest.approx(true_held, abs=0.025)
    assert size == pytest.approx(true_size, rel=0.1)
    assert np.mean(held_it) >= 0.8


def test_each_fold_is_measured_with_the_threshold_of_the_others() -> None:
    # Two folds, of which one is sure of what is right and the other is not.
    sure = np.array([*np.linspace(0.8, 0.9, 10), *np.linspace(0.35, 0.4, 10)])
    labels, groups, fold = np.zeros(20, np.int64), np.arange(20), np.arange(20) // 10
    probabilities = np.stack([sure, 1 - sure], axis=1)
    made = cross_measured(
        fit_sets(probabilities, labels, groups, 0.9), probabilities, labels, groups, fold, 1.0
    )
    # The sure ones ask for more than the others reach, which name the wrong category first.
    assert made.held == 0.5
    assert made.held_interval == wilson_interval(0.5, 20 / FIT_VARIANCE)


def test_nothing_is_measured_where_the_other_folds_have_too_few_groups() -> None:
    probabilities, labels = drawn(9, 0)
    made = fit_sets(probabilities, labels, np.arange(9), 0.9)
    assert made.threshold is not None
    assert cross_measured(made, probabilities, labels, np.arange(9), np.arange(9), 8 / 9) == made


def test_what_the_sets_held_is_counted_and_not_what_was_asked_for() -> None:
    # The first answer is always in: where it is right 19 times in 20, so are the sets.
    labels = np.arange(40) % 2
    probabilities = np.where(labels[:, None] == [0, 1], 0.9, 0.1)
    probabilities[:2] = probabilities[:2, ::-1]
    fitted = fit_sets(probabilities, labels, np.arange(40), 0.9)
    made = measure_sets(fitted, probabilities, labels, np.arange(40))
    assert (made.mean_size, made.held) == (1.0, 0.95)
    assert made.held_interval == wilson_interval(0.95, 40)
    other = measure_sets(made, probabilities[:4], labels[:4], np.arange(4))
    assert (other.threshold, other.held) == (made.threshold, 0.5)


def test_a_set_is_never_empty_and_begins_with_the_most_probable() -> None:
    assert prediction_set(np.array([0.3, 0.4, 0.3]), 0.9) == (1,)
    assert prediction_set(np.array([0.3, 0.4, 0.3]), 0.3) == (1, 0, 2)
