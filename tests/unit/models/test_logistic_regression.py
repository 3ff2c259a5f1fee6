from __future__ import annotations

import numpy as np

from mlforge.core.onnx_graph import OnnxGraph
from mlforge.models import MODELS

RNG = np.random.default_rng(5)
LABELS = np.repeat(np.arange(2), 30)
FEATURES = (RNG.normal(size=(60, 4)) + LABELS[:, None]).astype(np.float32)


def predicted(**parameters: object) -> list[float]:
    model = MODELS.get("logistic_regression").configured(parameters, "test")
    model.fit(FEATURES, LABELS, np.random.default_rng(0))
    exported = OnnxGraph(model.to_onnx(), "test").run(FEATURES)
    assert np.abs(exported - model.predict_proba(FEATURES)).max() < 1e-12
    column: list[float] = exported[:, 1].tolist()
    return column


def test_less_c_gives_smoother_probabilities() -> None:
    assert np.std(predicted(C=0.001)) < np.std(predicted(C=0.1)) < np.std(predicted(C=10.0))


def test_the_unit_of_the_features_does_not_matter() -> None:
    model = MODELS.get("logistic_regression")()
    model.fit(FEATURES * np.float32(1024), LABELS, np.random.default_rng(0))
    same = model.predict_proba(FEATURES * np.float32(1024))
    assert np.abs(same[:, 1] - predicted()).max() < 1e-6


def test_the_last_layer_of_a_network_is_this_model() -> None:
    network = MODELS.get("neural_network")
    assert network.same_as == "logistic_regression"
    made = [component() for component in (network, MODELS.get(network.same_as))]
    for model in made:
        model.fit(FEATURES, LABELS, np.random.default_rng(0))
    assert made[0].to_onnx() == made[1].to_onnx()
