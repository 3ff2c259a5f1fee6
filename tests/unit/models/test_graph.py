from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mlforge.core.onnx_graph import OnnxGraph
from mlforge.errors import ConfigError
from mlforge.models._graph import ML_DOMAIN, GraphBuilder

ROWS = np.array([[1, 2], [3, 5]], np.float32)


def doubled(factor: float = 2.0) -> bytes:
    graph = GraphBuilder(2)
    wide = graph.cast(graph.features, np.float64)
    return graph.finish(graph.add("Mul", wide, graph.constant(factor)), 2)


def foreign(opset: int, ml_opset: int | None = None) -> bytes:
    """Make a graph as another package might: float64 in, float32 out, names of its own."""
    node = helper.make_node("Cast", ["features"], ["probabilities"], to=TensorProto.FLOAT)
    graph = helper.make_graph(
        [node],
        "foreign",
        [helper.make_tensor_value_info("features", TensorProto.DOUBLE, [None, 2])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])],
    )
    opsets = [helper.make_opsetid("", opset)]
    if ml_opset is not None:
        opsets.append(helper.make_opsetid(ML_DOMAIN, ml_opset))
    data: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return data


def joined(*members: bytes) -> bytes:
    graph = GraphBuilder(2)
    results = [
        graph.cast(graph.include(f"member{i}", member), np.float64)
        for i, member in enumerate(members)
    ]
    return graph.finish(graph.add("Sum", *results), 2)


def test_equal_steps_give_equal_bytes_and_other_steps_others() -> None:
    assert doubled() == doubled()
    assert doubled() != doubled(3.0)


def test_the_graph_says_what_its_contract_says() -> None:
    model = onnx.load_model_from_string(doubled())
    onnx.checker.check_model(model, full_check=True)
    (given,), (result,) = model.graph.input, model.graph.output
    assert (given.name, result.name) == ("features", "probabilities")
    assert [d.dim_value for d in given.type.tensor_type.shape.dim] == [0, 2]
    assert {entry.domain for entry in model.opset_import} == {"", ML_DOMAIN}


def test_included_graphs_keep_their_results_though_their_names_are_equal() -> None:
    result = OnnxGraph(joined(doubled(2.0), doubled(10.0)), "test").run(ROWS)
    assert np.array_equal(result, ROWS * 12)


@pytest.mark.parametrize("opset", [15, 18, 21])
def test_graphs_of_other_types_and_versions_can_be_included(opset: int) -> None:
    data = joined(doubled(), foreign(opset))
    onnx.checker.check_model(onnx.load_model_from_string(data), full_check=True)
    assert np.array_equal(OnnxGraph(data, "test").run(ROWS), ROWS * 3)


def test_a_graph_of_another_version_of_tree_operators_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"'member1' cannot join .* version 5 of ai.onnx.ml"):
        joined(doubled(), foreign(18, ml_opset=5))
