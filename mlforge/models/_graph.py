"""Building the ONNX graph of a fitted model.

Graphs are written node by node. A converter would do the same in a hundred times the time for
forests, with graphs ten times the size, since it writes out the zero probabilities of every leaf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlforge.errors import ConfigError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

__all__ = ["ML_DOMAIN", "GraphBuilder"]

ML_DOMAIN = "ai.onnx.ml"
_OPSETS = {"": 18, ML_DOMAIN: 3}
_IR_VERSION = 8


class GraphBuilder:
    """An ONNX graph in the making; equal steps give equal bytes.

    Parameters
    ----------
    n_features
        The second dimension of the graph's input ``features``, which is float32.
    """

    features = "features"

    def __init__(self, n_features: int) -> None:
        from onnx import GraphProto, TensorProto, helper

        self._graph = GraphProto(name="mlforge")
        self._graph.input.append(
            helper.make_tensor_value_info(
                self.features, TensorProto.FLOAT, ["n_examples", n_features]
            )
        )

    def constant(self, values: npt.ArrayLike) -> str:
        """Add an array of constants, of its own dtype, and return its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self._graph.initializer)}"
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        (name,) = self.add_many(operator, *inputs, n_outputs=1, domain=domain, **attributes)
        return name

    def add_many(
        self, operator: str, *inputs: str, n_outputs: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs and return their names."""
        node = self._graph.node.add(op_type=operator, domain=domain, input=inputs)
        name = f"{operator.lower()}_{len(self._graph.node)}"
        node.name = name
        node.output.extend([name] if n_outputs == 1 else [f"{name}_{i}" for i in range(n_outputs)])
        for key, value in attributes.items():
            _add_attribute(node, key, value)
        return list(node.output)

    def cast(self, values: str, dtype: type[np.floating[Any]]) -> str:
        """Add a conversion to `dtype` and return the name of the result."""
        from onnx import helper

        return self.add("Cast", values, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def include(self, name: str, data: bytes) -> str:
        """Add the whole graph of another model and return the name of its probabilities.

        Raises
        ------
        ConfigError
            If the graph needs another version of the domain ``ai.onnx.ml``.
        """
        import onnx
        from onnx import compose, helper

        model = _at_our_version(onnx.load_model_from_string(data), name)
        graph = compose.add_prefix(model, f"{name}/").graph
        wanted = graph.input[0]
        dtype = helper.tensor_dtype_to_np_dtype(wanted.type.tensor_type.elem_type)
        feed = self._graph.node.add(
            op_type="Cast", input=[self.features], output=[wanted.name], name=f"{name}/input"
        )
        _add_attribute(feed, "to", helper.np_dtype_to_tensor_dtype(dtype))
        self._graph.node.extend(graph.node)
        self._graph.initializer.extend(graph.initializer)
        name_of_result: str = graph.output[0].name
        return name_of_result

    def finish(self, probabilities: str, n_categories: int) -> bytes:
        """Name the graph's output and return the graph, serialized.

        Parameters
        ----------
        probabilities
            The name of a float64 result, ``n_examples x n_categories``.
        n_categories
            The number of categories.
        """
        from onnx import TensorProto, helper

        self._graph.node.add(
            op_type="Identity", input=[probabilities], output=["probabilities"], name="output"
        )
        self._graph.output.append(
            helper.make_tensor_value_info(
                "probabilities", TensorProto.DOUBLE, ["n_examples", n_categories]
            )
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
        model = helper.make_model(
            self._graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="mlforge"
        )
        data: bytes = model.SerializeToString(deterministic=True)
        return data


def _add_attribute(node: NodeProto, key: str, value: Any) -> None:
    """Add an attribute; arrays go in whole, since ONNX's own function looks at every element."""
    from onnx import AttributeProto, helper

    if not isinstance(value, np.ndarray):
        node.attribute.append(helper.make_attribute(key, value))
    elif value.dtype.kind == "S":
        node.attribute.add(name=key, type=AttributeProto.STRINGS, strings=value.tolist())
    elif value.dtype.kind == "f":
        node.attribute.add(name=key, type=AttributeProto.FLOATS, floats=value.tolist())
    else:
        node.attribute.add(name=key, type=AttributeProto.INTS, ints=value.tolist())


def _at_our_version(model: ModelProto, name: str) -> ModelProto:
    from onnx import version_converter

    versions = {entry.domain: entry.version for entry in model.opset_import}
    ours = _OPSETS[ML_DOMAIN]
    if versions.get(ML_DOMAIN, ours) != ours:
        raise ConfigError(
            f"the model {name!r} cannot join others: its graph needs version "
            f"{versions[ML_DOMAIN]} of {ML_DOMAIN}, and theirs need {ours}",
            f"leave {name!r} out of models.ensemble.members",
        )
    if versions.get("", _OPSETS[""]) != _OPSETS[""]:
        converted: ModelProto = version_converter.convert_version(model, _OPSETS[""])
        return converted
    return model
