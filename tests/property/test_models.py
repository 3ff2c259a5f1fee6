from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlforge.core.onnx_graph import OnnxGraph
from mlforge.models import MODELS
from mlforge.models._trees import float32_below

QUICK: dict[str, dict[str, object]] = {
    "random_forest": {"n_estimators": 5},
    "extra_trees": {"n_estimators": 5},
    "xgboost": {"n_estimators": 5, "n_components": 3},
    "svm": {},
    "logistic_regression": {},
    "ensemble": {"members": ["svm", "logistic_regression"]},
}
KINDS = ("normal", "rounded", "constant", "rare", "huge", "tiny", "repeated")


def features_of(kind: str, n_examples: int, n_features: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(n_examples, n_features))
    if kind == "rounded":
        values = np.round(values)
    elif kind == "constant":
        values[:, ::2] = 0.1
    elif kind == "rare":
        values *= np.arange(n_examples)[:, None] == 0
    elif kind == "huge":
        values = values * 1e6 + 1e6
    elif kind == "tiny":
        values *= 1e-12
    elif kind == "repeated":
        values[:] = values[0]
    return values.astype(np.float32)


@pytest.mark.parametrize("name", QUICK)
@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    n_categories=st.integers(2, 6),
    n_more=st.integers(0, 20),
    n_features=st.integers(1, 12),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_fit_gives_probabilities_that_its_graph_repeats(
    name: str, kind: str, n_categories: int, n_more: int, n_features: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    every = np.repeat(np.arange(n_categories), 2)
    labels = rng.permutation(np.concatenate([every, rng.integers(n_categories, size=n_more)]))
    features = features_of(kind, len(labels), n_features, seed)
    model = MODELS.get(name).configured(QUICK[name], "test")
    model.fit(features, labels, np.random.default_rng(seed))
    graph = OnnxGraph(model.to_onnx(), name)
    for rows in (features, features * np.float32(1.5), features[:1]):
        own, exported = model.predict_proba(rows), graph.run(rows)
        assert np.isfinite(own).all()
        assert np.abs(own.sum(axis=1) - 1).max() < 1e-5
        assert np.abs(own - exported).max() <= model.tolerance


@given(
    thresholds=st.lists(st.floats(-(2.0**100), 2.0**100), min_size=1),
    value=st.floats(-(2.0**100), 2.0**100, width=32),
)
def test_float32_thresholds_decide_as_float64_thresholds_do(
    thresholds: list[float], value: float
) -> None:
    exact = np.array(
        [*thresholds, value, np.nextafter(value, np.inf), np.nextafter(value, -np.inf)]
    )
    assert np.array_equal(np.float32(value) <= float32_below(exact), value <= exact)
