"""Graphs that a stranger may have written: programs, where a model is asked for."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import FunctionProto, GraphProto, NodeProto, SparseTensorProto, TensorProto, helper
from onnx import numpy_helper as arrays

__all__ = ["Graph", "hostile_graphs"]

_ML = "ai.onnx.ml"
_ELSEWHERE = "../../../../outside/secret"
# More levels than ONNX Runtime's stack holds.
_DEEP = 100_000


@dataclass(frozen=True)
class Graph:
    """A graph, and how it is to be refused.

    Attributes
    ----------
    name
        What is wrong with it.
    data
        The graph.
    is_refused
        Whether nothing may use it; else it may be harmless, and only predicts something else.
    says
        What the refusal says.
    """

    name: str
    data: bytes
    is_refused: bool = True
    says: str = ""


def hostile_graphs(good: bytes, n_features: int, n_categories: int) -> Iterator[Graph]:
    """Yield graphs in place of `good`, which takes and gives so many numbers an example."""
    yield from _bytes(good)
    yield from _programs()
    yield from _files()
    yield from _trees(n_categories)
    yield from _answers(n_features, n_categories)
    yield from _demands()


def _model(
    nodes: Sequence[NodeProto],
    constants: Sequence[TensorProto] = (),
    *,
    takes: int = TensorProto.FLOAT,
    gives: int = TensorProto.FLOAT,
    opsets: Sequence[tuple[str, int]] = (("", 18), (_ML, 3)),
    functions: Sequence[FunctionProto] = (),
    sparse: Sequence[SparseTensorProto] = (),
) -> bytes:
    """Return a graph from ``features`` to ``probabilities``, whether or not it is a sound one."""
    whole = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("features", takes, ["n", None])],
        [helper.make_tensor_value_info("probabilities", gives, None)],
        constants,
        sparse_initializer=sparse,
    )
    imports = [helper.make_opsetid(*opset) for opset in opsets]
    model = helper.make_model(whole, opset_imports=imports, functions=functions, ir_version=8)
    return bytes(model.SerializeToString())


def _node(operator: str, *inputs: str, **options: Any) -> NodeProto:
    return helper.make_node(operator, inputs, ["probabilities"], **options)


def _constant(name: str, values: npt.NDArray[Any]) -> TensorProto:
    return arrays.from_array(values, name)


def _bytes(good: bytes) -> Iterator[Graph]:
    yield Graph("empty", b"")
    yield Graph("half", good[: len(good) // 2])
    yield Graph("zeros", bytes(100_000))
    draws = random.Random(0)
    for n in range(12):
        changed = bytearray(good)
        for _ in range(1 + n):
            changed[draws.randrange(len(changed))] = draws.randrange(256)
        yield Graph(f"mutated {n}", bytes(changed), is_refused=False)


def _programs() -> Iterator[Graph]:
    """Yield graphs with more in them than operators from the list."""
    run = _node("Run", "features", domain="evil")
    opsets = [("", 18), ("evil", 1)]
    yield Graph("another domain", _model([run], opsets=opsets), says="operators of 'evil'")
    yield Graph("another operator", _model([_node("Run", "features")]), says="operator 'Run'")
    chance = _node("RandomNormalLike", "features")
    yield Graph("chance", _model([chance]), says="operator 'RandomNormalLike'")
    yield Graph("a branch", _model([_branch()]), says="nests graphs")
    hidden = _node("Identity", "features")
    hidden.attribute.append(helper.make_attribute("body", _empty_graph()))
    yield Graph("a graph in an allowed operator", _model([hidden]), says="nests graphs")
    own = helper.make_function(
        "", "Relu", ["x"], ["y"], [helper.make_node("Abs", ["x"], ["y"])],
        [helper.make_opsetid("", 18)],
    )  # fmt: skip
    relu = _model([_node("Relu", "features")], functions=[own])
    yield Graph("a function in place of an operator", relu, says="functions")
    newer = _model([_node("Relu", "features")], opsets=[("", 999)])
    yield Graph("operators of another day", newer, says="version 999")


def _empty_graph() -> GraphProto:
    value = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    return helper.make_graph([helper.make_node("Identity", ["features"], ["y"])], "b", [], [value])


def _branch() -> NodeProto:
    return _node("If", "features", then_branch=_empty_graph(), else_branch=_empty_graph())


def _files() -> Iterator[Graph]:
    """Yield graphs with weights that lie elsewhere, or not at all."""
    outside = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[1])
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value=_ELSEWHERE)
    add = _node("Add", "features", "outside")
    yield Graph("weights in a file", _model([add], [outside]), says="another file")
    constant = helper.make_node("Constant", [], ["outside"], value=outside)
    yield Graph("a constant in a file", _model([constant, add]), says="another file")
    values, indices = (_constant(name, np.ones(1, dtype)) for name, dtype in
                       (("outside", np.float32), ("", np.int64)))  # fmt: skip
    sparse = helper.make_sparse_tensor(values, indices, [2**40])
    yield Graph("sparse weights", _model([add], sparse=[sparse]), says="sparse")


def _trees(n_categories: int) -> Iterator[Graph]:
    """Yield trees that would never come to a leaf, or only when the stack is full."""
    for name, children, says in (
        ("a deep tree", [*range(1, _DEEP), 2 * _DEEP], "a tree is deeper"),
        ("a tree without end", [*range(1, 5_000), 0], "branches of a tree meet"),
        ("a tree that leads to a ring", [*range(1, 5_000), 1], "branches of a tree meet"),
        ("a ring beside a tree", [10_000, *range(2, 5_000), 1], "or has no end"),
        ("a small tree without end", [1, 2, 0], ""),
        ("a tree that is its own child", [0], ""),
    ):
        yield Graph(name, _tree(n_categories, children), says=says)


def _tree(n_categories: int, true: list[int]) -> bytes:
    """Return a tree whose branches lead to these nodes, or to a leaf of their own; one leaf more.

    The leaves come after all branches.
    """
    n_branches = len(true)
    n_nodes, leaf, n_leaves = 2 * n_branches + 1, 2 * n_branches, n_branches + 1
    false = list(range(n_branches, leaf))
    node = _node(
        "TreeEnsembleClassifier",
        "features",
        domain=_ML,
        nodes_treeids=[0] * n_nodes,
        nodes_nodeids=list(range(n_nodes)),
        nodes_featureids=[0] * n_nodes,
        nodes_modes=[*["BRANCH_LEQ"] * n_branches, *["LEAF"] * n_leaves],
        # Whatever the example, the true side is taken.
        nodes_values=[1e30] * n_nodes,
        nodes_truenodeids=[*true, *[0] * n_leaves],
        nodes_falsenodeids=[*false, *[0] * n_leaves],
        class_treeids=[0] * n_categories,
        class_nodeids=[leaf] * n_categories,
        class_ids=list(range(n_categories)),
        class_weights=[1.0] * n_categories,
        classlabels_int64s=list(range(n_categories)),
        post_transform="NONE",
    )
    node.output[:] = ["label", "probabilities"]
    return _model([node])


def _answers(n_features: int, n_categories: int) -> Iterator[Graph]:
    """Yield graphs that answer with something else than probabilities."""

    def answer(value: float, n_given: int = n_categories) -> bytes:
        weights = _constant("weights", np.full((n_features, n_given), value, np.float32))
        return _model([_node("MatMul", "features", "weights")], [weights])

    def text(value: str) -> bytes:
        shape = _constant("row", np.full((1, n_categories), value, np.object_))
        return _model([_node("Identity", "row")], [shape], gives=TensorProto.STRING)

    yield Graph("a category too few", answer(1.0, n_categories - 1), says="probabilities for")
    yield Graph("a category too many", answer(1.0, n_categories + 1), says="probabilities for")
    yield Graph("one number", _model([_node("ReduceSum", "features", keepdims=0)]))
    yield Graph("NaN", answer(np.nan))
    yield Graph("infinity", answer(np.inf), is_refused=False)
    yield Graph("below nothing", answer(-1e30), is_refused=False)
    yield Graph("texts", text("x"))
    yield Graph("texts of numbers", text("0.5"))


def _demands() -> Iterator[Graph]:
    """Yield graphs that ask for what they do not get."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [2**20, 2**20])
    big = helper.make_node("ConstantOfShape", ["shape"], ["big"])
    yield Graph("a terabyte", _model([big, _node("Add", "big", "features")], [shape]))
    integers = _model(
        [_node("Identity", "features")], takes=TensorProto.INT64, gives=TensorProto.INT64
    )
    yield Graph("integers", integers, says="one input of float32")
    names = ["features", *(f"v{n}" for n in range(10_000)), "probabilities"]
    chain = [helper.make_node("Abs", [a], [b]) for a, b in itertools.pairwise(names)]
    yield Graph("10,001 operators", _model(chain), says="more than 10,000 nodes")
