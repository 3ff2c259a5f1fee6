from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from mlforge.core.onnx_graph import OnnxGraph
from mlforge.errors import ArtifactError

LOAD = """
import sys
from pathlib import Path
from mlforge.core.onnx_check import check_graph
from mlforge.core.onnx_graph import OnnxGraph
data = Path(sys.argv[1]).read_bytes()
check_graph(data, "model")
OnnxGraph(data, "model")
"""


def test_loading_a_graph_runs_nothing_of_it(tmp_path: Path, endless_graph: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(endless_graph)
    command = [sys.executable, "-c", LOAD, str(tmp_path / "model.onnx")]
    subprocess.run(command, check=True, timeout=60)


def test_a_graph_that_wants_more_memory_than_one_may_have_fails() -> None:
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [2**40])
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])
    graph = helper.make_graph(nodes, "large", [taken], [given], [shape])
    opset = helper.make_opsetid("", 17)
    data = helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()
    with pytest.raises(ArtifactError, match="model: "):
        OnnxGraph(data, "model").run(np.zeros((1, 3), np.float32))
