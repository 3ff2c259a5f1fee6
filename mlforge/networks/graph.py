"""A trained network as an ONNX graph, which runs without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlforge.networks.training import Layer

__all__ = ["network_graph"]

_OPSET = 18
_IR_VERSION = 8


def network_graph(layers: Sequence[Layer], side: int) -> bytes:
    """Return the serialized graph of a network's layers.

    Its one input ``arrays`` (float32, ``n_examples x side x side x n_channels``, 0 to 1) gives its
    one output ``features`` (float32, ``n_examples x n_features``).

    Parameters
    ----------
    layers
        As `train_network` gives them.
    side
        Height and width of the arrays.
    """
    from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

    graph = GraphProto(name="mlforge")

    def constant(name: str, values: object) -> str:
        graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        graph.node.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    n_channels, n_features = layers[0].weight.shape[1], len(layers[-1].bias)
    shape = ["n_examples", side, side, n_channels]
    graph.input.append(helper.make_tensor_value_info("arrays", TensorProto.FLOAT, shape))
    # Centred before the convolutions, whose borders are filled with zeros.
    value = add("Mul", ["arrays", constant("two", np.float32(2))], "doubled")
    value = add("Sub", [value, constant("one", np.float32(1))], "centred")
    value = add("Transpose", [value], "planes", perm=[0, 3, 1, 2])
    for number, layer in enumerate(layers):
        weight = constant(f"weight_{number}", layer.weight)
        bias = constant(f"bias_{number}", layer.bias)
        value = add("Conv", [value, weight, bias], f"convolved_{number}", pads=[1] * 4)
        value = add("Relu", [value], f"rectified_{number}")
        if number < len(layers) - 1:
            value = add("MaxPool", [value], f"pooled_{number}", kernel_shape=[2, 2], strides=[2, 2])
    value = add("GlobalAveragePool", [value], "mean")
    add("Flatten", [value], "features")
    graph.output.append(
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n_examples", n_features])
    )
    model: ModelProto = helper.make_model(
        graph, ir_version=_IR_VERSION, opset_imports=[helper.make_opsetid("", _OPSET)]
    )
    return bytes(model.SerializeToString(deterministic=True))
