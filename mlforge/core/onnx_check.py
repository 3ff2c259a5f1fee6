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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mlforge.core.names import printable
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
# Real graphs have a few fields a node; each takes its microsecond to step over.
_MAX_FIELDS = 500_000
# A tree is followed by a function that calls itself; the stack ends somewhere above 10,000.
_MAX_TREE_DEPTH = 2_000

# What each message may hold: the kinds of a field by its number. Anything else might mean something
# to another reader: protobuf, for one, cuts a longer tag to 32 bits and obeys what is left.
_Known = Mapping[int, tuple[int, ...]]
_TEXT, _NUMBER, _NUMBERS, _WORDS = (2,), (0,), (0, 2), (2, 5)
_MODEL: _Known = {
    **dict.fromkeys((1, 5), _NUMBER),
    **dict.fromkeys((2, 3, 4, 6, 7, 8, 14, 20, 25), _TEXT),
}
_OPSET: _Known = {1: _TEXT, 2: _NUMBER}
_GRAPH: _Known = dict.fromkeys((1, 2, 5, 10, 11, 12, 13, 14, 15, 16), _TEXT)
_NODE: _Known = dict.fromkeys((1, 2, 3, 4, 5, 6, 7, 9), _TEXT)
_ATTRIBUTE: _Known = {
    2: (5,),
    3: _NUMBER,
    7: _WORDS,
    8: _NUMBERS,
    20: _NUMBER,
    **dict.fromkeys((1, 4, 5, 6, 9, 10, 11, 13, 14, 15, 22, 23), _TEXT),
}
_TENSOR: _Known = {
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
_MAX_TAG_BYTES = 5
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


class _Refused(Exception):  # noqa: N818 - control flow: the caller knows what to call the graph
    """Why a graph is refused."""


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
        _check_model(_Walk(), memoryview(data))
    except _Refused as reason:
        raise ArtifactError(
            f"{where}: not used: {reason}",
            "use models of people you trust, or train it yourself: mlforge train --force",
        ) from None


def _check_model(walk: _Walk, data: memoryview) -> None:
    graphs, opsets = [], 0
    for number, value in walk.fields(data, _MODEL):
        match number:
            case 7:
                graphs.append(_message(value))
            case 8:
                opsets += 1
                _check_opset(walk, _message(value))
            case 20 | 25:
                raise _Refused("it brings functions or training steps of its own")
    if len(graphs) != 1 or not opsets:
        raise _Refused("it is not an ONNX graph")
    _check_nodes(walk, graphs[0])


def _check_nodes(walk: _Walk, graph: memoryview) -> None:
    n_nodes = 0
    for number, value in walk.fields(graph, _GRAPH):
        match number:
            case 1:
                n_nodes += 1
                if n_nodes > _MAX_NODES:
                    raise _Refused(f"it has more than {_MAX_NODES:,} nodes")
                _check_node(walk, _message(value))
            case 5:
                _check_tensor(walk, _message(value))
            case 15:
                raise _Refused("it holds sparse tensors")


def _check_opset(walk: _Walk, data: memoryview) -> None:
    domain, version = "", 0
    for number, value in walk.fields(data, _OPSET):
        if number == 1:
            domain = _domain(value)
        elif number == 2 and isinstance(value, int):
            version = value
    if domain not in _OPSETS:
        raise _Refused(f"it uses operators of {printable(domain)!r}")
    if version not in _OPSETS[domain]:
        name = domain or "ai.onnx"
        raise _Refused(f"it needs version {version} of the operators {name!r}")


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
    element_type: _Value = 0


def _check_node(walk: _Walk, data: memoryview) -> None:
    operator, domain = "", ""
    attributes = []
    for number, value in walk.fields(data, _NODE):
        match number:
            case 4:
                operator = _text(value)
            case 5:
                attributes.append(_attribute(walk, _message(value)))
            case 7:
                domain = _domain(value)
    if operator not in OPERATORS.get(domain, ()):
        name = f"{domain}.{operator}" if domain else operator
        raise _Refused(f"it uses the operator {printable(name)!r}")
    for attribute in attributes:
        is_type = attribute.name in {"to", "dtype"} and _is_string(attribute.element_type)
        if is_type or attribute.name in _TEXTS:
            raise _Refused(_NO_TEXTS)
    if operator in _TREES:
        _check_trees(attributes)


def _attribute(walk: _Walk, data: memoryview) -> _Attribute:
    found = _Attribute()
    for number, value in walk.fields(data, _ATTRIBUTE, _RUNS):
        match number:
            case 1:
                if found.name:
                    raise _Refused("it is not an ONNX graph")
                found.name = _text(value)
            case 3:
                found.element_type = value
            case 5 | 10:
                _check_tensor(walk, _message(value))
            case 6 | 11:
                raise _Refused("it nests graphs")
            case 8 | 9 if isinstance(value, bytes):
                (found.ints if number == 8 else found.strings).append(value)
            case 8 | 9:
                found.is_plain = False
            case 22 | 23:
                raise _Refused("it holds sparse tensors")
    return found


def _check_tensor(walk: _Walk, data: memoryview) -> None:
    for number, value in walk.fields(data, _TENSOR):
        if number == 13 or (number == 14 and value != 0):
            raise _Refused("it reads weights from another file")
        if number == 6 or (number == 2 and _is_string(value)):
            raise _Refused(_NO_TEXTS)


def _is_string(element_type: _Value) -> bool:
    """Return whether a number names the element type of texts; readers look at 32 bits of it."""
    return isinstance(element_type, int) and element_type & 0xFFFFFFFF == _STRING


def _check_trees(attributes: list[_Attribute]) -> None:
    """Refuse a tree that has no end, whose branches meet, or that is too deep to follow."""
    by_name = {attribute.name: attribute for attribute in attributes}
    if len(by_name) != len(attributes):
        raise _Refused("an attribute stands twice")
    names = (*_TREE_NUMBERS, _TREE_MODES)
    if not all(name in by_name and by_name[name].is_plain for name in names):
        raise _Refused("a tree is not written as ONNX writes it")
    trees = _numbers(by_name[_TREE_NUMBERS[0]].ints)
    if len(trees) and trees.min() >= 0 and np.unique_counts(trees).counts.max() <= _MAX_TREE_DEPTH:
        # Too few nodes to be deep; that no path visits one twice is ONNX Runtime's to see.
        return
    nodes, *children = (_numbers(by_name[name].ints) for name in _TREE_NUMBERS[1:])
    branches = _branches(by_name[_TREE_MODES].strings)
    columns = (trees, nodes, *children)
    if len({len(column) for column in (*columns, branches)}) != 1 or not len(nodes):
        raise _Refused("a tree is incomplete")
    if min(int(column.min()) for column in columns) < 0:
        raise _Refused("a tree is broken")
    below = np.concatenate([_rows(trees, nodes, column)[branches] for column in children])
    above = np.tile(np.flatnonzero(branches), 2)
    _check_depth(below, above, len(nodes))


def _rows(
    trees: npt.NDArray[np.int64], nodes: npt.NDArray[np.int64], children: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the row of each node's child; 0 where it has none, which is nobody's child."""
    if max(int(trees.max()), int(nodes.max()), int(children.max())) >= 2**31:
        raise _Refused("a tree is broken")
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
        raise _Refused("branches of a tree meet")
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
        raise _Refused(f"a tree is deeper than {_MAX_TREE_DEPTH:,} levels, or has no end")


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


_Value = int | memoryview | bytes
_RUNS: Mapping[int, re.Pattern[bytes]] = {0x40: _INTS, 0x3D: _FLOATS, 0x4A: _STRINGS}


class _Walk:
    """One walk through a graph, of so many steps at most."""

    def __init__(self) -> None:
        self._n_fields = 0

    def fields(
        self,
        data: memoryview,
        known: _Known,
        runs: Mapping[int, re.Pattern[bytes]] | None = None,
    ) -> Iterator[tuple[int, _Value]]:
        """Yield the number and value of each field of a message that holds nothing but `known`.

        A value is a number, or a view of what is a text or a message. What a pattern of `runs`
        takes, by the tag that it begins with, comes as one value of bytes.
        """
        place, end = 0, len(data)
        while place < end:
            self._n_fields += 1
            if self._n_fields > _MAX_FIELDS:
                raise _Refused(f"it has more than {_MAX_FIELDS:,} fields")
            start = place
            pattern = runs.get(data[start]) if runs else None
            found = pattern.match(data, start) if pattern else None
            if found and found.end() > start:
                place = found.end()
                yield data[start] >> 3, found.group()
                continue
            tag, place = _varint(data, place)
            if place - start > _MAX_TAG_BYTES or tag & 7 not in known.get(tag >> 3, ()):
                raise _Refused("it is not an ONNX graph: it holds what no reader of ONNX knows")
            value, place = _value(data, place, tag & 7)
            yield tag >> 3, value
        if place != end:
            raise _Refused("it is cut off")


def _value(data: memoryview, place: int, kind: int) -> tuple[_Value, int]:
    """Return the value of a field of that kind, and the place after it."""
    match kind:
        case 0:
            return _varint(data, place)
        case 1:
            return 0, place + 8
        case 2:
            begin = place
            size, place = _varint(data, place)
            if place - begin > _MAX_TAG_BYTES or size > len(data) - place:
                raise _Refused("it is cut off")
            return data[place : place + size], place + size
        case 5:
            return 0, place + 4
    raise _Refused("it is not an ONNX graph")


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """Return the number that begins at `place`, and the place after it."""
    value = shift = 0
    for byte in data[place : place + 10]:
        value |= (byte & 127) << shift
        shift += 7
        place += 1
        if byte < 128:
            # A number has one way to be written: a longer one is read in more than one.
            if byte == 0 and shift > 7:
                break
            return value, place
    raise _Refused("it is not an ONNX graph")


def _message(value: _Value) -> memoryview:
    if not isinstance(value, memoryview):
        raise _Refused("it is not an ONNX graph")
    return value


def _text(value: _Value) -> str:
    return bytes(_message(value)).decode("utf-8", "replace")


def _domain(value: _Value) -> str:
    """Return an operator domain; the standard one has two names."""
    domain = _text(value)
    return "" if domain == "ai.onnx" else domain
