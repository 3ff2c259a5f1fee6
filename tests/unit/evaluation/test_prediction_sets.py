from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from mlforge.evaluation.prediction_sets import fit_sets, membership, prediction_set


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


def test_the_mean_size_is_that_of_the_sets() -> None:
    probabilities, labels = drawn(50, 0)
    made = fit_sets(probabilities, labels, np.arange(50), 0.9)
    sizes = [len(prediction_set(row, made.threshold)) for row in probabilities]
    assert made.mean_size == pytest.approx(np.mean(sizes))


def test_a_set_is_never_empty_and_begins_with_the_most_probable() -> None:
    assert prediction_set(np.array([0.3, 0.4, 0.3]), 0.9) == (1,)
    assert prediction_set(np.array([0.3, 0.4, 0.3]), 0.3) == (1, 0, 2)
