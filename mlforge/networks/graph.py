"""A trained network as an ONNX graph, which runs without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlforge.networks.plan import ACTIVATIONS, STRIDE
from mlforge.networks.training import TrainedNetwork

__all__ = ["network_graph"]

_OPSET = 18
_IR_VERSION = 8


def network_graph(network: TrainedNetwork, side: int) -> bytes:
    r"""Return the serialized graph of a network.

    Its one input ``arrays`` (float32, ``n_examples x side x side x n_channels``, 0 to 1) gives
    ``features`` (float32, ``n_examples x n_features``), and `ACTIVATIONS` (float32, ``n_examples x
    n_categories x n_places x n_places``), the class-activation maps

    .. math:: M_c(x, y) = \sum_k (w_{ck} - \bar{w}_k) f_k(x, y)

    where :math:`f_k(x, y)` is what channel k of the last convolution sees at a place, whose mean is
    a feature, and :math:`w_{ck}` what it counts for category c in the head. What speaks for all
    categories alike, :math:`\bar{w}_k`, decides nothing and is taken off.

    Parameters
    ----------
    network
        As `train_network` gives it.
    side
        Height and width of the arrays.

    References
    ----------
    B. Zhou, A. Khosla, A. Lapedriza, A. Oliva, A. Torralba (2016), Learning deep features for
    discriminative localization, Conference on Computer Vision and Pattern Recognition.
    """
    from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

    graph = GraphProto(name="mlforge")

    def constant(name: str, values: object) -> str:
        graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        graph.node.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    layers = network.layers
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
    add("Flatten", [add("GlobalAveragePool", [value], "mean")], "features")
    apart = (network.head - network.head.mean(axis=0))[:, :, None, None]
    add("Conv", [value, constant("head", apart)], ACTIVATIONS)
    places = [side // STRIDE] * 2
    for name, shape in (("features", [n_features]), (ACTIVATIONS, [len(network.head), *places])):
        graph.output.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n_examples", *shape])
        )
    model: ModelProto = helper.make_model(
        graph, ir_version=_IR_VERSION, opset_imports=[helper.make_opsetid("", _OPSET)]
    )
    return bytes(model.SerializeToString(deterministic=True))
