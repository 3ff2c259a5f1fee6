from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import roc_auc_score

from mlforge.evaluation.novelty import Novelty


def drawn(
    n_each: int, n_categories: int, n_features: int = 60, seed: int = 0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    rng = np.random.default_rng([seed, n_each])
    centres = np.random.default_rng(99).normal(scale=1.5, size=(12, n_features))
    labels = np.repeat(np.arange(n_categories), n_each)
    features = centres[labels] + rng.normal(size=(len(labels), n_features))
    return features.astype(np.float32), labels


def fitted(features: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> Novelty:
    return Novelty.fit(features, labels, np.random.default_rng(0))


@pytest.mark.parametrize("n_categories", [2, 3, 6])
def test_a_category_never_seen_is_newer_than_unseen_examples_of_the_known(
    n_categories: int,
) -> None:
    novelty = fitted(*drawn(12, n_categories))
    features, labels = drawn(30, n_categories + 1, seed=1)
    strange = labels == n_categories
    assert roc_auc_score(strange, novelty.score(features)) > 0.9


def test_digits_never_seen_are_told() -> None:
    from sklearn.datasets import load_digits

    data = load_digits()
    features, labels = data.data.astype(np.float32), data.target
    rng = np.random.default_rng(0)
    values = []
    for left_out in range(10):
        known = [rng.permutation(np.flatnonzero(labels == d))[:20] for d in range(10)]
        rows = np.concatenate([row for digit, row in enumerate(known) if digit != left_out])
        others = np.setdiff1d(np.arange(len(labels)), rows)
        scores = Novelty.fit(features[rows], labels[rows], rng).score(features[others])
        values.append(roc_auc_score(labels[others] == left_out, scores))
    assert np.mean(values) > 0.88


def test_what_is_restored_scores_the_same() -> None:
    features, labels = drawn(10, 3)
    novelty = fitted(features, labels)
    state = {name: array.copy() for name, array in novelty.state().items()}
    assert all(array.dtype == np.float32 for array in state.values())
    assert (Novelty.restore(state).score(features) == novelty.score(features)).all()


def test_the_state_stays_below_a_megabyte() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(3000) % 100
    features = rng.normal(size=(3000, 2400)).astype(np.float32)
    assert sum(array.nbytes for array in fitted(features, labels).state().values()) < 1_000_000


def test_a_rare_category_among_many_examples_is_not_forgotten() -> None:
    rng = np.random.default_rng(0)
    features, _ = drawn(1, 2)
    common = features[0] + rng.normal(size=(20_000, 60)).astype(np.float32)
    rare = features[1] + rng.normal(size=(20, 60)).astype(np.float32)
    labels = np.repeat([0, 1], [20_000, 20])
    novelty = fitted(np.concatenate([common, rare]), labels)
    new = features[1] + rng.normal(size=(20, 60)).astype(np.float32)
    elsewhere = -features[1] + rng.normal(size=(20, 60)).astype(np.float32)
    assert np.median(novelty.score(new)) < novelty.score(elsewhere).min()


def test_one_row_scores_as_among_others() -> None:
    features, labels = drawn(10, 3)
    novelty = fitted(features, labels)
    together = novelty.score(features)
    alone = [novelty.score(features[row : row + 1])[0] for row in range(len(features))]
    assert together == pytest.approx(alone, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize(
    "features",
    [
        np.ones((6, 5), np.float32),
        np.zeros((6, 5), np.float32),
        np.repeat(np.eye(2, 5, dtype=np.float32), 3, axis=0),
        np.eye(6, 1, dtype=np.float32),
        np.full((6, 5), 1e30, np.float32) * np.arange(6, dtype=np.float32)[:, None],
    ],
    ids=["all equal", "all zero", "equal within", "one feature", "huge"],
)
def test_degenerate_features_have_finite_scores(features: npt.NDArray[np.float32]) -> None:
    novelty = fitted(features, np.repeat([0, 1], 3))
    assert np.isfinite(novelty.score(features)).all()
    assert np.isfinite(novelty.score(features + 1)).all()
    assert (novelty.score(features) >= 0).all()


def test_two_examples_are_enough() -> None:
    features = np.array([[0.0, 0.0], [1.0, 1.0]], np.float32)
    novelty = fitted(features, np.array([0, 1]))
    assert np.isfinite(novelty.score(features)).all()


@pytest.mark.parametrize("spoil", ["missing", "shape", "nan", "scale", "empty"])
def test_a_damaged_state_is_refused(spoil: str) -> None:
    state = fitted(*drawn(5, 2)).state()
    if spoil == "missing":
        del state["centre"]
    elif spoil == "shape":
        state["projection"] = state["projection"][:-1]
    elif spoil == "nan":
        state["references"] = state["references"] * np.float32(np.nan)
    elif spoil == "scale":
        state["scale"] = state["scale"] * 0
    else:
        state["references"] = state["references"][:0]
    with pytest.raises((KeyError, ValueError)):
        Novelty.restore(state)
