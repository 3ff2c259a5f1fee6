from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mlforge.core.onnx_graph import OnnxGraph
from mlforge.models._graph import GraphBuilder
from mlforge.models._scaling import Projection, fit_projection, fit_scaling


def drawn(n_examples: int, n_features: int) -> npt.NDArray[np.float32]:
    values = np.random.default_rng(1).normal(size=(n_examples, n_features))
    return values.astype(np.float32)


def exported(projection: Projection, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    graph = GraphBuilder(features.shape[1])
    n_components = projection.directions.shape[1]
    data = graph.finish(graph.cast(projection.add_to(graph), np.float64), n_components)
    return OnnxGraph(data, "test").run(features)


def test_no_kind_of_feature_outweighs_the_others_by_its_unit() -> None:
    features = drawn(200, 40)
    features[:, :10] *= 255
    features += 7
    scaled = fit_scaling(features).apply(features)
    spreads = scaled.std(axis=0)
    assert np.abs(scaled.mean(axis=0)).max() < 1e-6
    assert spreads[:10].mean() / spreads[10:].mean() < 3


def test_a_feature_that_hardly_varies_stays_quiet() -> None:
    features = drawn(200, 40)
    features[:, 0] = 0
    features[3, 0] = 0.01
    scaled = fit_scaling(features).apply(features)
    assert np.abs(scaled[:, 0]).max() < 0.01


def test_scaling_divides_by_the_spread_that_its_docstring_gives() -> None:
    features = np.array([[0, 0, 0], [2, 4, 8]], np.float32)
    scaling = fit_scaling(features)
    assert scaling.mean.tolist() == [1, 2, 4]
    assert scaling.spread == pytest.approx(np.sqrt([1 + 16, 4 + 16, 16 + 16]))


def test_constant_features_do_not_count_and_become_zero() -> None:
    features = np.full((9, 4), 0.1, np.float32)
    features[:, 0] = np.arange(9)
    scaling = fit_scaling(features)
    deviation = np.arange(9).std()
    assert scaling.spread == pytest.approx([deviation * 5**0.5, *[deviation * 2] * 3])
    assert np.abs(scaling.apply(features)[:, 1:]).max() < 1e-9
    assert fit_scaling(features[:, 1:]).spread.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("n_examples", "n_features", "wanted", "expected"),
    [(50, 400, 16, 16), (5, 400, 16, 4), (50, 3, 16, 3), (2, 1, 16, 1), (60, 8, 8, 8)],
)
def test_a_projection_has_as_many_components_as_examples_and_features_allow(
    n_examples: int, n_features: int, wanted: int, expected: int
) -> None:
    features = drawn(n_examples, n_features)
    projection = fit_projection(features, wanted, np.random.default_rng(0))
    assert projection.apply(features).shape == (n_examples, expected)
    assert projection.apply(features).dtype == np.float32


def test_components_hold_the_directions_of_the_greatest_variance() -> None:
    hidden = drawn(300, 2)
    features = hidden @ drawn(2, 100) + 0.01 * drawn(300, 100)
    projection = fit_projection(features, 4, np.random.default_rng(0))
    variances = projection.apply(features).var(axis=0)
    assert variances[:2].sum() / variances.sum() > 0.99


def test_the_graph_of_a_projection_gives_the_same_float32_numbers() -> None:
    features = drawn(300, 500)
    projection = fit_projection(features, 32, np.random.default_rng(0))
    own = projection.apply(features)
    assert np.array_equal(projection.apply(features), own)
    assert np.abs(exported(projection, features) - own).max() <= np.spacing(np.abs(own).max())


def test_features_that_never_vary_are_projected_to_zero() -> None:
    features = np.full((6, 30), 0.1, np.float32)
    projection = fit_projection(features, 4, np.random.default_rng(0))
    assert np.array_equal(projection.apply(features + 1), np.zeros((6, 1)))


def test_components_that_hold_only_rounding_are_left_out() -> None:
    features = np.repeat(drawn(3, 100), 20, axis=0)
    projection = fit_projection(features, 32, np.random.default_rng(0))
    assert projection.apply(features).shape == (60, 2)
