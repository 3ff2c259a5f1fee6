from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto, NodeProto, TensorProto, helper, load_model_from_string, numpy_helper

from mlforge.core.onnx_check import OPERATORS, check_graph
from mlforge.errors import ArtifactError

GOLDEN = Path(__file__).parents[2] / "golden" / "artifacts" / "v1" / "artifact" / "model.onnx"


def model(*nodes: NodeProto, constants: Any = (), ml_version: int = 3) -> ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, None)],
        list(constants),
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", ml_version)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def node(operator: str, domain: str = "", **attributes: Any) -> NodeProto:
    return helper.make_node(operator, ["features"], ["probabilities"], domain=domain, **attributes)


def tree(
    nodes: list[int], true: list[int], false: list[int], modes: list[str] | None = None
) -> NodeProto:
    """Return a tree; a node whose children are both 0 is a leaf where no modes are given."""
    leaf = [t == f == 0 for t, f in zip(true, false, strict=True)]
    return node(
        "TreeEnsembleClassifier",
        "ai.onnx.ml",
        nodes_treeids=[0] * len(nodes),
        nodes_nodeids=nodes,
        nodes_truenodeids=true,
        nodes_falsenodeids=false,
        nodes_modes=modes or ["LEAF" if is_leaf else "BRANCH_LEQ" for is_leaf in leaf],
    )


def chain(depth: int) -> NodeProto:
    """Return a tree of one path with a leaf at each step."""
    true = [n for step in range(depth) for n in (2 * step + 1, 0)] + [0]
    false = [n for step in range(depth) for n in (2 * step + 2, 0)] + [0]
    return tree(list(range(2 * depth + 1)), true, false)


def padded(nodes: list[int], true: list[int], false: list[int]) -> NodeProto:
    """Return a tree with so many leaves that nobody leads to that its shape is looked at."""
    more = list(range(len(nodes), 5_000))
    return tree([*nodes, *more], [*true, *(0 for _ in more)], [*false, *(0 for _ in more)])


def check(proto: ModelProto) -> None:
    check_graph(proto.SerializeToString(), "svm-0001/model.onnx")


def test_a_graph_that_mlforge_wrote_passes() -> None:
    check_graph(GOLDEN.read_bytes(), "model.onnx")


@pytest.mark.parametrize("depth", [1, 10, 1_900, 1_999])
def test_trees_that_can_be_followed_pass(depth: int) -> None:
    check(model(chain(depth)))


@pytest.mark.parametrize("depth", [2_000, 100_000])
def test_a_tree_that_would_end_the_process_is_refused(depth: int) -> None:
    with pytest.raises(ArtifactError, match="deeper than 2,000"):
        check(model(chain(depth)))


@pytest.mark.parametrize(
    ("true", "false"),
    [
        ([1, 0], [1, 0]),
        ([0, 2], [0, 2]),
        ([1, 2, 1], [9, 9, 9]),
        ([1, -5], [2, 0]),
        ([1, 2**40], [2, 2**40]),
        ([0, 2, 1], [0, 3, 4]),
    ],
)
def test_a_large_tree_that_is_none_is_refused(true: list[int], false: list[int]) -> None:
    with pytest.raises(ArtifactError, match="tree"):
        check(model(padded(list(range(len(true))), true, false)))


def test_a_tree_whose_parts_are_missing_or_of_another_length_is_refused() -> None:
    for name in ("nodes_treeids", "nodes_nodeids", "nodes_modes", "nodes_falsenodeids"):
        for change in (_remove, _shorten):
            whole = chain(1_500)
            change(whole, next(a for a in whole.attribute if a.name == name))
            with pytest.raises(ArtifactError, match="tree"):
                check(model(whole))


def _remove(whole: NodeProto, attribute: Any) -> None:
    whole.attribute.remove(attribute)


def _shorten(whole: NodeProto, attribute: Any) -> None:
    del (attribute.strings or attribute.ints)[-1]


def test_an_attribute_that_stands_twice_is_refused() -> None:
    twice = chain(10)
    twice.attribute.append(twice.attribute[0])
    with pytest.raises(ArtifactError, match="twice"):
        check(model(twice))


def _external(tensor: TensorProto, location: str) -> TensorProto:
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "8")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def _constant() -> TensorProto:
    return numpy_helper.from_array(np.zeros(2, np.float32), "constant")


def _bad_opset(domain: str, version: int) -> ModelProto:
    made = model(node("Relu"))
    made.opset_import.append(helper.make_opsetid(domain, version))
    return made


def _with_function() -> ModelProto:
    made = model(node("Relu"))
    made.functions.add().name = "Relu"
    return made


def _with_sparse() -> ModelProto:
    made = model(node("Relu"))
    made.graph.sparse_initializer.add()
    return made


def _relocated(location: str) -> ModelProto:
    return model(node("Relu"), constants=[_external(_constant(), location)])


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        (lambda: _relocated("/etc/passwd"), "another file"),
        (lambda: _relocated("../../secret"), "another file"),
        (lambda: _relocated("*/_ORT_MEM_ADDR_/*"), "another file"),
        (lambda: model(node("Constant", value=_external(_constant(), "x"))), "another file"),
        (lambda: model(node("Relu", sparse_value=_sparse())), "sparse"),
        (_with_sparse, "sparse"),
        (_with_function, "functions"),
        (lambda: model(node("Loop", body=model(node("Relu")).graph)), "Loop|nests graphs"),
        (lambda: model(node("Relu", body=model(node("Relu")).graph)), "nests graphs"),
        (lambda: model(node("If")), "If"),
        (lambda: model(node("Cast", to=TensorProto.STRING)), "texts"),
        (lambda: model(node("Constant", value_string="x")), "texts"),
        (lambda: model(node("Relu"), constants=[_text()]), "texts"),
        (lambda: model(node("Constant", value=_text())), "texts"),
        (lambda: model(node("RandomNormalLike")), "RandomNormalLike"),
        (lambda: model(node("Read", "com.stranger")), "com.stranger.Read"),
        (lambda: model(node("FusedConv", "com.microsoft")), "com.microsoft.FusedConv"),
        (lambda: _bad_opset("com.microsoft", 1), "com.microsoft"),
        (lambda: _bad_opset("", 99), "version 99"),
        (lambda: model(node("Relu"), ml_version=99), "version 99"),
        (lambda: model(*[node("Relu") for _ in range(10_001)]), "more than 10,000 nodes"),
    ],
)
def test_a_hostile_graph_is_refused(hostile: Callable[[], ModelProto], reason: str) -> None:
    with pytest.raises(ArtifactError, match=reason) as caught:
        check(hostile())
    assert caught.value.message.startswith("svm-0001/model.onnx: ")
    assert caught.value.hint


def _text() -> TensorProto:
    return numpy_helper.from_array(np.array(["x" * 100], object), "text")


def _field(number: int, data: bytes, *, beyond: int = 0) -> bytes:
    """Return a field of bytes, with that many added to its tag."""
    return _number((number << 3 | 2) + beyond) + _number(len(data)) + data


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


@pytest.mark.parametrize("beyond", [1 << 32, 1 << 35, 3 << 40, 1 << 63])
def test_a_tag_that_protobuf_cuts_to_another_one_is_refused_in_every_message(beyond: int) -> None:
    opset = _field(8, _field(1, b"") + b"\x10\x12")
    loop = _field(4, b"Identity") + _field(4, b"Loop", beyond=beyond)
    attribute = _field(1, b"body") + _field(6, b"", beyond=beyond)
    outside = _field(13, b"", beyond=beyond)
    hidden = {
        "model": _field(25, b"", beyond=beyond) + _field(7, b""),
        "operator": _field(7, _field(1, loop)),
        "attribute": _field(7, _field(1, _field(4, b"Relu") + _field(5, attribute))),
        "tensor": _field(7, _field(5, outside)),
        "graph": _field(7, _field(15, b"", beyond=beyond)),
        "opset": _field(7, b"") + _field(8, _field(1, b"com.microsoft", beyond=beyond)),
    }
    check_graph(opset + _field(7, b""), "model.onnx")
    for where, graph in hidden.items():
        with pytest.raises(ArtifactError):
            check_graph(opset + graph, where)


@pytest.mark.parametrize("tag", [b"\xba\x00", b"\xba\x80\x00", b"\xba\x80\x80\x80\x80\x00"])
def test_a_tag_that_is_written_longer_than_need_be_is_refused(tag: bytes) -> None:
    opset = _field(8, _field(1, b"") + b"\x10\x12")
    check_graph(opset + b"\x3a\x00", "model.onnx")
    with pytest.raises(ArtifactError):
        check_graph(opset + tag + b"\x00", "model.onnx")


def test_what_passes_means_the_same_to_the_official_parser() -> None:
    rng = np.random.default_rng(0)
    wholes = [GOLDEN.read_bytes(), _rich()]
    passed = 0
    for _ in range(4_000):
        data = bytearray(wholes[int(rng.integers(2))])
        for _ in range(int(rng.integers(1, 4))):
            _mutate(data, rng)
        try:
            check_graph(bytes(data), "model.onnx")
        except ArtifactError:
            continue
        with suppress(DecodeError):
            _hold_harmless(load_model_from_string(bytes(data)))
            passed += 1
    assert passed > 200


def _rich() -> bytes:
    nodes = [
        helper.make_node("Cast", ["features"], ["a"], to=TensorProto.FLOAT),
        helper.make_node("Constant", [], ["b"], value=_constant()),
        helper.make_node("Concat", ["a", "b"], ["probabilities"], axis=1),
    ]
    return bytes(model(*nodes, constants=[_constant()]).SerializeToString())


def _mutate(data: bytearray, rng: np.random.Generator) -> None:
    """Change, double or lengthen something: what readers of one format come to differ about."""
    place = int(rng.integers(len(data)))
    match int(rng.integers(5)):
        case 0:
            data[place] = int(rng.integers(256))
        case 1:
            data[place] ^= 1 << int(rng.integers(8))
        case 2:
            data[place:place] = data[place : place + int(rng.integers(1, 40))]
        case 3:
            longer = _number((data[place] & 127) + (1 << int(rng.choice([32, 33, 36, 63]))))
            data[place : place + 1] = longer
        case 4:
            data[place : place + 1] = bytes([data[place] | 128, 0])


def _hold_harmless(parsed: ModelProto) -> None:
    assert not parsed.functions
    assert not parsed.training_info
    assert not parsed.graph.sparse_initializer
    tensors = [*parsed.graph.initializer]
    for one in parsed.graph.node:
        domain = "" if one.domain == "ai.onnx" else one.domain
        assert one.op_type in OPERATORS[domain]
        for attribute in one.attribute:
            assert not attribute.HasField("g")
            assert not attribute.graphs
            tensors += [attribute.t, *attribute.tensors]
    for tensor in tensors:
        assert not tensor.external_data
        assert tensor.data_location == TensorProto.DEFAULT
        assert not tensor.string_data


def _sparse() -> Any:
    values = numpy_helper.from_array(np.zeros(1, np.float32))
    return helper.make_sparse_tensor(values, numpy_helper.from_array(np.zeros(1, np.int64)), [2])


def test_bytes_that_are_no_graph_are_refused() -> None:
    data = GOLDEN.read_bytes()
    for other in (b"", b"\x00", b"\xff" * 100, b"ORTM" * 4, data[:-1], b"\x0b" + data, data + b":"):
        with pytest.raises(ArtifactError):
            check_graph(other, "model.onnx")


@pytest.mark.parametrize("field", [b"\x08\x00", b"\x12\x00"])
def test_a_graph_of_endlessly_many_fields_is_given_up(field: bytes) -> None:
    with pytest.raises(ArtifactError, match="more than 500,000 fields"):
        check_graph(field * 1_000_000, "model.onnx")


def test_two_graphs_in_one_file_are_refused_since_a_reader_would_join_them() -> None:
    data = GOLDEN.read_bytes()
    with pytest.raises(ArtifactError):
        check_graph(data + data, "model.onnx")


def test_whatever_single_byte_is_changed_the_check_ends_in_its_own_error() -> None:
    data = GOLDEN.read_bytes()
    rng = np.random.default_rng(0)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] = int(rng.integers(256))
        with suppress(ArtifactError):
            check_graph(bytes(changed), "model.onnx")


def test_every_allowed_operator_is_one_of_onnx() -> None:
    from onnx import defs

    known = {(schema.domain, schema.name) for schema in defs.get_all_schemas()}
    allowed = {(domain, name) for domain, names in OPERATORS.items() for name in names}
    assert allowed <= known


def test_checking_imports_no_onnx() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from mlforge.core.onnx_check import check_graph\n"
        f"check_graph(Path({str(GOLDEN)!r}).read_bytes(), 'x')\n"
        "print(sorted({'onnx', 'onnxruntime', 'google'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_golden_graph_is_what_the_tests_take_it_for() -> None:
    assert load_model_from_string(GOLDEN.read_bytes()).graph.input[0].name == "features"
