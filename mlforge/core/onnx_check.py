"""Looking through an ONNX graph that a stranger may have written, before anything runs it.

A graph is a program: it can name files to read its weights from, bring functions of its own, loop
forever, or hold a tree so deep that following it ends the process. Here its bytes are walked as
protocol buffers, message by message, and only what is known to be harmless passes. Nothing is
imported for it, so `mlforge predict` can afford it on every artifact.

References
----------
The messages and their field numbers are those of ``onnx.proto``, https://onnx.ai/onnx/repo-docs/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mlforge.core.names import printable
from mlforge.core.onnx_wire import Known, Refused, Value, Walk, message, text
from mlforge.errors import ArtifactError

__all__ = ["OPERATORS", "check_graph"]

_ML_DOMAIN = "ai.onnx.ml"
_STANDARD = """
Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast CastLike Ceil Clip Concat
Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos CumSum DepthToSpace
DequantizeLinear Div Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand Flatten
Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater
GreaterOrEqual HardSigmoid HardSwish Identity InstanceNormalization IsInf IsNaN LRN LSTM
LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization MatMul
MatMulInteger Max MaxPool Mean Min Mish Mod Mul Neg Not OneHot Or PRelu Pad Pow
QLinearConv QLinearMatMul QuantizeLinear Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum
ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu
Reshape Resize Round ScatterElements ScatterND Selu Shape Sigmoid Sign Sin Slice Softmax
Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh Tile TopK Transpose Trilu
Unsqueeze Where Xor
"""
_CLASSICAL = """
ArrayFeatureExtractor Imputer LinearClassifier LinearRegressor Normalizer Scaler
TreeEnsembleClassifier TreeEnsembleRegressor
"""
OPERATORS: Mapping[str, frozenset[str]] = {
    "": frozenset(_STANDARD.split()),
    _ML_DOMAIN: frozenset(_CLASSICAL.split()),
}
"""The operators that a graph may use, by domain: no loops, no branches, no strings, no chance."""

_OPSETS = {"": range(7, 26), _ML_DOMAIN: range(1, 6)}
_MAX_NODES = 10_000
# A tree is followed by a function that calls itself; the stack ends somewhere above 10,000.
_MAX_TREE_DEPTH = 2_000

# What each message may hold: the kinds of a field by its number. Anything else might mean something
# to another reader: protobuf, for one, cuts a longer tag to 32 bits and obeys what is left.
_TEXT, _NUMBER, _NUMBERS, _WORDS = (2,), (0,), (0, 2), (2, 5)
_MODEL: Known = {
    **dict.fromkeys((1, 5), _NUMBER),
    **dict.fromkeys((2, 3, 4, 6, 7, 8, 14, 20, 25), _TEXT),
}
_OPSET: Known = {1: _TEXT, 2: _NUMBER}
_GRAPH: Known = dict.fromkeys((1, 2, 5, 10, 11, 12, 13, 14, 15, 16), _TEXT)
_NODE: Known = dict.fromkeys((1, 2, 3, 4, 5, 6, 7, 9), _TEXT)
_ATTRIBUTE: Known = {
    2: (5,),
    3: _NUMBER,
    7: _WORDS,
    8: _NUMBERS,
    20: _NUMBER,
    **dict.fromkeys((1, 4, 5, 6, 9, 10, 11, 13, 14, 15, 22, 23), _TEXT),
}
_TENSOR: Known = {
    1: _NUMBERS,
    2: _NUMBER,
    4: _WORDS,
    5: _NUMBERS,
    7: _NUMBERS,
    10: (1, 2),
    11: _NUMBERS,
    14: _NUMBER,
    **dict.fromkeys((6, 8, 9, 12, 13, 16), _TEXT),
}
_STRING = 8
"""The element type of texts, whose memory nothing limits."""
_NO_TEXTS = "it works on texts"
_TEXTS = frozenset({"value_string", "value_strings", "classlabels_strings"})

_TREES = frozenset({"TreeEnsembleClassifier", "TreeEnsembleRegressor"})
_TREE_NUMBERS = ("nodes_treeids", "nodes_nodeids", "nodes_truenodeids", "nodes_falsenodeids")
_TREE_MODES = "nodes_modes"
_LEAF = b"LEAF"
_MODES = (b"BRANCH_LEQ", b"BRANCH_LT", b"BRANCH_GTE", b"BRANCH_GT", b"BRANCH_EQ", b"BRANCH_NEQ")

# Forests hold hundreds of thousands of numbers, one field each: runs of them are taken at once.
_INTS = re.compile(rb"(?:\x40[\x80-\xff]{0,9}[\x00-\x7f])*+")
_FLOATS = re.compile(rb"(?:\x3d.{4})*+", re.DOTALL)
_STRINGS = re.compile(
    b"(?:"
    + b"|".join(re.escape(b"J" + bytes([len(mode)]) + mode) for mode in (_LEAF, *_MODES))
    + b")*+"
)


def check_graph(data: bytes, where: str) -> None:
    """Raise unless a serialized ONNX graph holds only what is known to be harmless.

    Parameters
    ----------
    data
        The graph.
    where
        What it belongs to, for messages.

    Raises
    ------
    ArtifactError
        If it is not an ONNX graph, needs another file, brings functions or nested graphs, uses an
        operator or a version that is not allowed, or holds a tree that is none.
    """
    try:
        _check_model(Walk(), memoryview(data))
    except Refused as reason:
        raise ArtifactError(
            f"{where}: not used: {reason}",
            "use models of people you trust, or train it yourself: mlforge train --force",
        ) from None


def _check_model(walk: Walk, data: memoryview) -> None:
    graphs, opsets = [], 0
    for number, value in walk.fields(data, _MODEL):
        match number:
            case 7:
                graphs.append(message(value))
            case 8:
                opsets += 1
                _check_opset(walk, message(value))
            case 20 | 25:
                raise Refused("it brings functions or training steps of its own")
    if len(graphs) != 1 or not opsets:
        raise Refused("it is not an ONNX graph")
    _check_nodes(walk, graphs[0])


def _check_nodes(walk: Walk, graph: memoryview) -> None:
    n_nodes = 0
    for number, value in walk.fields(graph, _GRAPH):
        match number:
            case 1:
                n_nodes += 1
                if n_nodes > _MAX_NODES:
                    raise Refused(f"it has more than {_MAX_NODES:,} nodes")
                _check_node(walk, message(value))
            case 5:
                _check_tensor(walk, message(value))
            case 15:
                raise Refused("it holds sparse tensors")


def _check_opset(walk: Walk, data: memoryview) -> None:
    domain, version = "", 0
    for number, value in walk.fields(data, _OPSET):
        if number == 1:
            domain = _domain(value)
        elif number == 2 and isinstance(value, int):
            version = value
    if domain not in _OPSETS:
        raise Refused(f"it uses operators of {printable(domain)!r}")
    if version not in _OPSETS[domain]:
        name = domain or "ai.onnx"
        raise Refused(f"it needs version {version} of the operators {name!r}")


@dataclass
class _Attribute:
    """What is looked at of an attribute.

    Attributes
    ----------
    name
        Its name.
    ints, strings
        Runs of its elements as they stand in the file.
    is_plain
        Whether all of its elements are in those runs.
    element_type
        The number that it holds, where it is one.
    """

    name: str = ""
    ints: list[bytes] = field(default_factory=list)
    strings: list[bytes] = field(default_factory=list)
    is_plain: bool = True
    element_type: Value = 0


def _check_node(walk: Walk, data: memoryview) -> None:
    operator, domain = "", ""
    attributes = []
    for number, value in walk.fields(data, _NODE):
        match number:
            case 4:
                operator = text(value)
            case 5:
                attributes.append(_attribute(walk, message(value)))
            case 7:
                domain = _domain(value)
    if operator not in OPERATORS.get(domain, ()):
        name = f"{domain}.{operator}" if domain else operator
        raise Refused(f"it uses the operator {printable(name)!r}")
    for attribute in attributes:
        to_texts = attribute.name == "to" and _is_string(attribute.element_type)
        if to_texts or attribute.name in _TEXTS:
            raise Refused(_NO_TEXTS)
    if operator in _TREES:
        _check_trees(attributes)


def _attribute(walk: Walk, data: memoryview) -> _Attribute:
    found = _Attribute()
    for number, value in walk.fields(data, _ATTRIBUTE, _RUNS):
        match number:
            case 1:
                if found.name:
                    raise Refused("it is not an ONNX graph")
                found.name = text(value)
            case 3:
                found.element_type = value
            case 5 | 10:
                _check_tensor(walk, message(value))
            case 6 | 11:
                raise Refused("it nests graphs")
            case 8 | 9 if isinstance(value, bytes):
                (found.ints if number == 8 else found.strings).append(value)
            case 8 | 9:
                found.is_plain = False
            case 22 | 23:
                raise Refused("it holds sparse tensors")
    return found


def _check_tensor(walk: Walk, data: memoryview) -> None:
    for number, value in walk.fields(data, _TENSOR):
        if number == 13 or (number == 14 and value != 0):
            raise Refused("it reads weights from another file")
        if number == 6 or (number == 2 and _is_string(value)):
            raise Refused(_NO_TEXTS)


def _is_string(element_type: Value) -> bool:
    """Return whether a number names the element type of texts; readers look at 32 bits of it."""
    return isinstance(element_type, int) and element_type & 0xFFFFFFFF == _STRING


def _check_trees(attributes: list[_Attribute]) -> None:
    """Refuse a tree that has no end, whose branches meet, or that is too deep to follow."""
    by_name = {attribute.name: attribute for attribute in attributes}
    if len(by_name) != len(attributes):
        raise Refused("an attribute stands twice")
    names = (*_TREE_NUMBERS, _TREE_MODES)
    if not all(name in by_name and by_name[name].is_plain for name in names):
        raise Refused("a tree is not written as ONNX writes it")
    trees = _numbers(by_name[_TREE_NUMBERS[0]].ints)
    if len(trees) and trees.min() >= 0 and np.unique_counts(trees).counts.max() <= _MAX_TREE_DEPTH:
        # Too few nodes to be deep; that no path visits one twice is ONNX Runtime's to see.
        return
    nodes, *children = (_numbers(by_name[name].ints) for name in _TREE_NUMBERS[1:])
    branches = _branches(by_name[_TREE_MODES].strings)
    columns = (trees, nodes, *children)
    if len({len(column) for column in (*columns, branches)}) != 1 or not len(nodes):
        raise Refused("a tree is incomplete")
    if min(int(column.min()) for column in columns) < 0:
        raise Refused("a tree is broken")
    below = np.concatenate([_rows(trees, nodes, column)[branches] for column in children])
    above = np.tile(np.flatnonzero(branches), 2)
    _check_depth(below, above, len(nodes))


def _rows(
    trees: npt.NDArray[np.int64], nodes: npt.NDArray[np.int64], children: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the row of each node's child; 0 where it has none, which is nobody's child."""
    if max(int(trees.max()), int(nodes.max()), int(children.max())) >= 2**31:
        raise Refused("a tree is broken")
    # A tree and a node of it as one number.
    keys, wanted = (trees << 31) | nodes, (trees << 31) | children
    order = np.argsort(keys, kind="stable")
    places = np.searchsorted(keys, wanted, sorter=order).clip(max=len(keys) - 1)
    rows = order[places]
    return np.where(keys[rows] == wanted, rows, 0)


def _check_depth(below: npt.NDArray[np.int64], above: npt.NDArray[np.int64], n_nodes: int) -> None:
    parents = np.bincount(below, minlength=n_nodes)
    # Row 0 is the first tree's root, and what a child that is missing points to.
    if int(parents[1:].max(initial=0)) > 1 or parents[0]:
        raise Refused("branches of a tree meet")
    children = np.full((n_nodes, 2), -1, np.int64)
    half = len(below) // 2
    children[above[:half], 0], children[above[half:], 1] = below[:half], below[half:]
    level = np.flatnonzero(parents == 0)
    seen = 0
    for _ in range(_MAX_TREE_DEPTH):
        seen += len(level)
        found = children[level].ravel()
        level = found[found >= 0]
        if not len(level):
            break
    # What no root leads to goes round in a circle.
    if len(level) or seen != n_nodes:
        raise Refused(f"a tree is deeper than {_MAX_TREE_DEPTH:,} levels, or has no end")


def _numbers(runs: list[bytes]) -> npt.NDArray[np.int64]:
    """Return the integers of runs of unpacked fields."""
    data = np.frombuffer(b"".join(runs), np.uint8)
    # Below 128 are a field's tag and its last byte, in turn.
    ends = np.flatnonzero(data < 128)
    tags, last = ends[0::2], ends[1::2]
    values = np.zeros(len(last), np.int64)
    for place in range(int((last - tags).max(initial=0))):
        at = tags + 1 + place
        part = np.where(at <= last, data[np.minimum(at, last)] & 127, 0).astype(np.int64)
        # The tenth byte holds the sign alone.
        values |= part << min(7 * place, 63)
    return values


def _branches(runs: list[bytes]) -> npt.NDArray[np.bool_]:
    """Return which nodes are branches."""
    data = b"".join(runs)
    for mode in _MODES:
        data = data.replace(b"J" + bytes([len(mode)]) + mode, b"B")
    data = data.replace(b"J" + bytes([len(_LEAF)]) + _LEAF, b"L")
    return np.asarray(np.frombuffer(data, np.uint8) == ord("B"))


_RUNS: Mapping[int, re.Pattern[bytes]] = {0x40: _INTS, 0x3D: _FLOATS, 0x4A: _STRINGS}


def _domain(value: Value) -> str:
    """Return an operator domain; the standard one has two names."""
    domain = text(value)
    return "" if domain == "ai.onnx" else domain
