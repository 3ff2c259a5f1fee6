from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mlforge.core.onnx_graph import OnnxGraph
from mlforge.models import MODELS, Model

SVM = MODELS.get("svm")


def drawn(
    n_categories: int, spread: float = 2.0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(4)
    labels = np.repeat(np.arange(n_categories), 25)
    centres = rng.normal(0, spread, size=(n_categories, 8))
    values = centres[labels] + rng.normal(size=(len(labels), 8))
    return values.astype(np.float32), labels


def fitted(n_categories: int, **parameters: object) -> Model:
    model = SVM.configured(parameters, "test")
    model.fit(*drawn(n_categories), np.random.default_rng(0))
    return model


@pytest.mark.parametrize("n_categories", [2, 3, 7])
def test_labels_are_nearly_always_those_of_the_support_vector_machine(n_categories: int) -> None:
    model = fitted(n_categories)
    rows, labels = drawn(n_categories)
    components = vars(model)["_projection"].apply(rows).astype(np.float64)
    theirs = vars(model)["_estimator"].predict(components)
    ours = model.predict_proba(rows).argmax(axis=1)
    assert (ours == theirs).mean() > 0.97
    assert (ours == labels).mean() > 0.9


def test_with_two_categories_probability_is_the_logistic_of_the_decision() -> None:
    model = fitted(2)
    rows, _ = drawn(2)
    components = vars(model)["_projection"].apply(rows).astype(np.float64)
    decisions = vars(model)["_estimator"].decision_function(components)
    expected = 1 / (1 + np.exp(-6.0 * decisions))
    assert model.predict_proba(rows)[:, 1] == pytest.approx(expected, abs=1e-12)


def test_probabilities_follow_the_rule_of_pairs() -> None:
    model = fitted(3)
    rows, _ = drawn(3)
    components = vars(model)["_projection"].apply(rows).astype(np.float64)
    d01, d02, d12 = vars(model)["_estimator"].decision_function(components).T
    odds = np.stack(
        [
            1 / (1 + np.exp(-6 * d01) + np.exp(-6 * d02)),
            1 / (1 + np.exp(6 * d01) + np.exp(-6 * d12)),
            1 / (1 + np.exp(6 * d02) + np.exp(6 * d12)),
        ],
        axis=1,
    )
    expected = odds / odds.sum(axis=1, keepdims=True)
    assert model.predict_proba(rows) == pytest.approx(expected, abs=1e-12)


def test_a_narrow_kernel_and_a_great_c_still_give_finite_equal_results() -> None:
    model = fitted(4, C=1e6, gamma=1e4)
    rows, labels = drawn(4)
    own = model.predict_proba(rows)
    assert (own.argmax(axis=1) == labels).all()
    assert np.abs(OnnxGraph(model.to_onnx(), "test").run(rows) - own).max() <= model.tolerance


def test_fewer_components_make_a_smaller_graph() -> None:
    assert len(fitted(3, n_components=2).to_onnx()) < len(fitted(3).to_onnx())
