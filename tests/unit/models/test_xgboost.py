from __future__ import annotations

from importlib import metadata

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from threadpoolctl import threadpool_limits

from mlforge.core.onnx_graph import OnnxGraph
from mlforge.models import MODELS, Model

XGBoost = MODELS.get("xgboost")


def drawn(
    n_features: int, n_each: tuple[int, ...] = (40, 40, 40)
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(len(n_each)), n_each)
    centres = rng.normal(size=(len(n_each), n_features))
    values = centres[labels] + rng.normal(size=(len(labels), n_features))
    return values.astype(np.float32), labels


def fitted(n_features: int, **parameters: object) -> Model:
    model = XGBoost.configured(parameters, "test")
    model.fit(*drawn(n_features), np.random.default_rng(0))
    return model


def operators(model: Model) -> list[str]:
    return [node.op_type for node in onnx.load_model_from_string(model.to_onnx()).graph.node]


def test_only_many_features_are_projected() -> None:
    assert "MatMul" in operators(fitted(65, n_estimators=2))
    assert "MatMul" not in operators(fitted(64, n_estimators=2))
    assert "MatMul" in operators(fitted(20, n_estimators=2, n_components=5))


@pytest.mark.parametrize("name", ["xgboost", "svm", "logistic_regression"])
def test_a_fit_does_not_depend_on_the_threads_that_linear_algebra_may_use(name: str) -> None:
    features, labels = drawn(700, (150, 150))
    graphs = []
    for n_threads in (1, 2):
        model = MODELS.get(name)()
        with threadpool_limits(n_threads):
            model.fit(features, labels, np.random.default_rng(0))
        graphs.append(model.to_onnx())
    assert graphs[0] == graphs[1]


def test_agreement_holds_for_many_rounds_and_deep_trees() -> None:
    model = fitted(100, n_estimators=600, max_depth=8, learning_rate=0.5)
    rows, _ = drawn(100)
    exported = OnnxGraph(model.to_onnx(), "test").run(rows)
    assert np.abs(exported - model.predict_proba(rows)).max() <= model.tolerance


def test_probabilities_are_those_of_the_library() -> None:
    import xgboost

    model = fitted(10)
    rows, _ = drawn(10)
    theirs = vars(model)["_booster"].predict(xgboost.DMatrix(rows, nthread=1))
    assert np.abs(model.predict_proba(rows) - theirs).max() < 1e-6


def test_balancing_lifts_a_rare_category() -> None:
    features, labels = drawn(5, (200, 10))
    features = (features * np.float32(0.3)).astype(np.float32)
    found = {}
    for weighing in ("balanced", None):
        model = XGBoost.configured({"class_weight": weighing, "n_estimators": 20}, "test")
        model.fit(features, labels, np.random.default_rng(0))
        found[weighing] = model.predict_proba(features)[:, 1].mean()
    assert found["balanced"] > 1.5 * found[None]


@pytest.mark.parametrize("installed", ["xgboost-cpu", "xgboost"])
def test_the_version_is_found_under_either_name(
    monkeypatch: pytest.MonkeyPatch, installed: str
) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name in {"xgboost", "xgboost-cpu"}:
            if name != installed:
                raise metadata.PackageNotFoundError(name)
            return "3.9.9"
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    assert XGBoost.versions()["xgboost"] == "3.9.9"


def test_training_examples_on_a_threshold_get_the_same_one_by_one_and_in_the_graph() -> None:
    features = np.zeros((12, 4), np.float32)
    features[0] = [1.5, -2.5, 0.75, 0.1]
    labels = np.arange(12) % 4
    model = XGBoost.configured({"n_components": 3}, "test")
    model.fit(features, labels, np.random.default_rng(0))
    graph = OnnxGraph(model.to_onnx(), "test")
    together = model.predict_proba(features)
    for index in range(12):
        row = features[index : index + 1]
        assert np.abs(graph.run(row) - together[index]).max() <= model.tolerance
