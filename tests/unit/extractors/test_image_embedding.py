from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlforge.errors import ArtifactError, ConfigError, EngineError, MissingExtraError
from mlforge.extractors.image.embedding import Embedding

PLAIN = {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0], "size": 8}
NCHW: list[int | str] = ["n", 3, 8, 8]
NHWC: list[int | str] = ["n", 8, 8, 3]
WEIGHTS = np.random.default_rng(0).normal(size=(5, 3, 3, 3)).astype(np.float32)


def network(
    nodes: Sequence[tuple[str, list[str], list[str], dict[str, Any]]],
    inputs: Sequence[tuple[str, int, list[int | str]]] = (("x", TensorProto.FLOAT, NCHW),),
    outputs: Sequence[tuple[str, int]] = (("y", TensorProto.FLOAT),),
    constants: dict[str, npt.NDArray[Any]] | None = None,
) -> onnx.ModelProto:
    """Return a graph of (operator, inputs, outputs, attributes)."""
    graph = helper.make_graph(
        [helper.make_node(kind, i, o, **attributes) for kind, i, o, attributes in nodes],
        "backbone",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def convolution() -> onnx.ModelProto:
    return network([("Conv", ["x", "w"], ["y"], {})], constants={"w": WEIGHTS})


def embedding(folder: Path, model: onnx.ModelProto, **values: Any) -> Embedding:
    path = folder / "backbone.onnx"
    path.write_bytes(model.SerializeToString())
    return Embedding.configured({**PLAIN, "source": str(path), **values}, "test")


def picture(seed: int = 0, side: int = 8) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def responses(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return what `convolution` gives, place by place: ``5 x 6 x 6``."""
    pixels = image.transpose(2, 0, 1) / 255
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (3, 3, 3))[0]
    return np.asarray(np.einsum("yxchw,kchw->kyx", windows, WEIGHTS.astype(float)))


def test_a_feature_map_becomes_the_mean_of_each_channel(tmp_path: Path) -> None:
    extractor = embedding(tmp_path, convolution())
    assert extractor.names() == [f"embedding_{index}" for index in range(5)]
    expected = responses(picture()).mean(axis=(1, 2))
    assert extractor.extract([picture()])[0] == pytest.approx(expected, abs=1e-4)


def test_pooling_by_maximum_takes_the_strongest_response(tmp_path: Path) -> None:
    extractor = embedding(tmp_path, convolution(), pooling="max")
    expected = responses(picture()).max(axis=(1, 2))
    assert extractor.extract([picture()])[0] == pytest.approx(expected, abs=1e-4)


def test_mean_and_deviation_are_taken_out_channel_by_channel(tmp_path: Path) -> None:
    model = network([("GlobalAveragePool", ["x"], ["y"], {})])
    extractor = embedding(tmp_path, model, mean=[0.5, 0.25, 0.0], std=[0.5, 0.25, 2.0])
    image = np.full((3, 3, 3), (255, 51, 102), np.uint8)
    assert extractor.extract([image])[0] == pytest.approx([1, -0.2, 0.2], abs=1e-6)


def test_channels_last_is_pooled_over_its_places(tmp_path: Path) -> None:
    model = network([("Identity", ["x"], ["y"], {})], [("x", TensorProto.FLOAT, NHWC)])
    extractor = embedding(tmp_path, model, layout="nhwc")
    image = picture()
    expected = (image / 255).mean(axis=(0, 1))
    assert extractor.extract([image])[0] == pytest.approx(expected, abs=1e-6)


def test_tokens_are_pooled_and_keep_their_channels(tmp_path: Path) -> None:
    shape = {"shape": np.array([1, 3, 64], np.int64)}
    nodes = [("Reshape", ["x", "shape"], ["y"], dict[str, Any]())]
    extractor = embedding(tmp_path, network(nodes, constants=shape))
    expected = (picture() / 255).reshape(64, 3).T.mean(axis=0)
    assert extractor.extract([picture()])[0] == pytest.approx(expected, abs=1e-6)


def test_a_vector_is_taken_as_it_is(tmp_path: Path) -> None:
    extractor = embedding(tmp_path, network([("Flatten", ["x"], ["y"], {})]))
    expected = (picture() / 255).transpose(2, 0, 1).ravel()
    assert extractor.extract([picture()])[0] == pytest.approx(expected, abs=1e-6)


def test_an_output_can_be_chosen_by_name(tmp_path: Path) -> None:
    nodes = [
        ("GlobalAveragePool", ["x"], ["first"], dict[str, Any]()),
        ("Flatten", ["x"], ["second"], {}),
    ]
    outputs = [("first", TensorProto.FLOAT), ("second", TensorProto.FLOAT)]
    model = network(nodes, outputs=outputs)
    assert len(embedding(tmp_path, model).names()) == 3
    assert len(embedding(tmp_path, model, output="second").names()) == 192
    with pytest.raises(ConfigError, match="no output 'third'") as caught:
        embedding(tmp_path, model, output="third")
    assert "first, second" in caught.value.hint


def test_an_artifact_needs_neither_the_file_nor_pydantic(tmp_path: Path) -> None:
    extractor = embedding(tmp_path, convolution())
    state = dict(extractor.state())
    assert state == {"backbone.onnx": convolution().SerializeToString()}
    (tmp_path / "backbone.onnx").unlink()
    values = {**extractor.parameters(), "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
    restored = Embedding.restore(Embedding.Config(**values), state)
    assert np.array_equal(restored.extract([picture()]), extractor.extract([picture()]))


def test_a_copy_made_for_another_process_gives_the_same(tmp_path: Path) -> None:
    extractor = embedding(tmp_path, convolution())
    copied = copy.deepcopy(extractor)
    assert np.array_equal(copied.extract([picture()]), extractor.extract([picture()]))


def test_a_graph_with_a_free_shape_takes_the_size_that_is_asked_for(tmp_path: Path) -> None:
    free: list[int | str] = ["n", 3, "h", "w"]
    model = network([("Flatten", ["x"], ["y"], {})], [("x", TensorProto.FLOAT, free)])
    assert len(embedding(tmp_path, model, size=12).names()) == 3 * 12 * 12


@pytest.mark.parametrize(
    ("values", "shown"),
    [({"size": 16}, "1 x 3 x 16 x 16"), ({"layout": "nhwc"}, "1 x 8 x 8 x 3")],
)
def test_a_picture_of_the_wrong_shape_is_refused(
    tmp_path: Path, values: dict[str, Any], shown: str
) -> None:
    with pytest.raises(ConfigError, match=f"{shown} .it takes n x 3 x 8 x 8.") as caught:
        embedding(tmp_path, convolution(), **values)
    assert "size and layout" in caught.value.hint


def unfit_networks() -> dict[str, tuple[onnx.ModelProto, str]]:
    shapes = {"single": [192], "many": [192, 1], "five": [1, 1, 3, 8, 8]}
    reshapes = {
        key: network(
            [("Reshape", ["x", "s"], ["y"], {})], constants={"s": np.array(shape, np.int64)}
        )
        for key, shape in shapes.items()
    }
    opposite = np.zeros((1, 1, 8, 8), np.float32)
    opposite[..., 0, :2] = np.inf, -np.inf
    empty = network(
        [("Expand", ["c", "s"], ["y"], {}), ("Identity", ["x"], ["unused"], {})],
        constants={"c": np.ones((1, 1), np.float32), "s": np.array([1, 0], np.int64)},
    )
    huge: list[int | str] = ["n", 3, 96, 96]
    return {
        "bytes": (
            network([("Cast", ["x"], ["y"], {"to": 1})], [("x", TensorProto.UINT8, NCHW)]),
            "one float32 input; it has x: tensor.uint8.",
        ),
        "two inputs": (
            network(
                [("Add", ["x", "z"], ["y"], {})],
                [("x", TensorProto.FLOAT, NCHW), ("z", TensorProto.FLOAT, NCHW)],
            ),
            "one float32 input; it has x: tensor.float., z: tensor.float.",
        ),
        "no output": (network([("Identity", ["x"], ["y"], {})], outputs=[]), "has no output"),
        "whole numbers": (
            network(
                [("Cast", ["x"], ["y"], {"to": TensorProto.INT64})],
                outputs=[("y", TensorProto.INT64)],
            ),
            "no real numbers",
        ),
        "logarithm of less than nothing": (
            network([("Log", ["x"], ["y"], {})]),
            "'y' is not finite",
        ),
        "opposite infinities": (
            network([("Add", ["x", "c"], ["y"], {})], constants={"c": opposite}),
            "'y' is not finite",
        ),
        "one axis": (reshapes["single"], "is 192 for one picture"),
        "more rows than pictures": (reshapes["many"], "is 192 x 1 for one picture"),
        "five axes": (reshapes["five"], "is 1 x 1 x 3 x 8 x 8 for one picture"),
        "empty": (empty, "is 1 x 0 for one picture"),
        "too long": (
            network([("Flatten", ["x"], ["y"], {})], [("x", TensorProto.FLOAT, huge)]),
            "27648 features, more than 20000",
        ),
    }


@pytest.mark.parametrize("kind", unfit_networks())
def test_a_graph_that_does_not_fit_is_refused_with_the_reason(tmp_path: Path, kind: str) -> None:
    model, reason = unfit_networks()[kind]
    parameters: dict[str, dict[str, Any]] = {
        "too long": {"size": 96},
        "logarithm of less than nothing": {"mean": [1.0, 1.0, 1.0]},
    }
    with pytest.raises(ConfigError, match=reason) as caught:
        embedding(tmp_path, model, **parameters.get(kind, {}))
    assert caught.value.hint


def test_a_picture_for_which_the_output_is_not_finite_is_refused(tmp_path: Path) -> None:
    extractor = embedding(tmp_path, network([("Log", ["x"], ["y"], {})]))
    assert extractor.extract([np.full((8, 8, 3), 255, np.uint8)]) == pytest.approx(0)
    with pytest.raises(ConfigError, match="not finite"):
        extractor.extract([np.zeros((8, 8, 3), np.uint8)])


@pytest.mark.parametrize("data", [b"", b"hello", bytes(range(256)) * 9, None, "truncated"])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, data: bytes | str | None) -> None:
    graph = convolution().SerializeToString()
    content = data if isinstance(data, bytes) else (graph[:-40] if data else graph[40:])
    path = tmp_path / "backbone.onnx"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"not an ONNX graph|it is cut off") as caught:
        Embedding.configured({**PLAIN, "source": str(path)}, "test")
    assert str(path) in caught.value.message
    with pytest.raises(ArtifactError, match=r"not an ONNX graph|it is cut off"):
        Embedding.restore(Embedding.Config(), {"backbone.onnx": content})


def test_an_artifact_without_its_graph_is_refused() -> None:
    with pytest.raises(ArtifactError, match=r"backbone\.onnx is missing"):
        Embedding.restore(Embedding.Config(), {})


def test_weights_in_another_file_are_refused_even_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("backbone.onnx")
    onnx.save(convolution(), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    with pytest.raises(ConfigError, match="weights from another file"):
        Embedding.configured({**PLAIN, "source": str(path)}, "test")
    # What the hint says to do.
    onnx.save(onnx.load(path), path)
    Path("w.bin").unlink()
    assert len(Embedding.configured({**PLAIN, "source": str(path)}, "test").names()) == 5


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "source: not set"),
        ("missing.onnx", "cannot read 'missing.onnx': No such file"),
        (".", "cannot read '.': Is a directory"),
        ("a\0b", "cannot read"),
        ("hub:backbone.onnx", "does not name a file of the hub"),
        ("hub:owner/repository/weights.bin", "does not name a file of the hub"),
    ],
)
def test_a_source_that_cannot_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=reason) as caught:
        Embedding.configured({"source": source}, "test")
    assert caught.value.hint


class Hub(ModuleType):
    """Stands in for the hub's library: holds one file, or fails."""

    def __init__(self, path: Path | None, failure: Exception | None = None) -> None:
        super().__init__("huggingface_hub")
        self.path, self.failure = path, failure
        self.calls: list[tuple[str, str, bool]] = []
        self.errors = ModuleType("huggingface_hub.errors")
        for name, base in (("HFValidationError", ValueError), ("EntryNotFoundError", Exception)):
            setattr(self.errors, name, type(name, (base,), {}))

    def hf_hub_download(self, repository: str, file: str, *, local_files_only: bool) -> str:
        self.calls.append((repository, file, local_files_only))
        if self.failure:
            raise self.failure
        return str(self.path)


def installed(monkeypatch: pytest.MonkeyPatch, hub: Hub) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", hub.errors)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())


@pytest.mark.parametrize("allowed", ["", "0", "1"])
def test_the_hub_is_asked_over_the_network_only_where_downloads_are_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: str
) -> None:
    path = tmp_path / "cached"
    path.write_bytes(convolution().SerializeToString())
    hub = Hub(path)
    installed(monkeypatch, hub)
    monkeypatch.setenv("MLFORGE_ALLOW_DOWNLOAD", allowed)
    source = "hub:some-owner/a.repository/onnx/model.onnx"
    assert len(Embedding.configured({**PLAIN, "source": source}, "test").names()) == 5
    assert hub.calls == [("some-owner/a.repository", "onnx/model.onnx", allowed != "1")]


def test_a_file_outside_the_cache_is_refused_and_the_variable_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed(monkeypatch, Hub(None, FileNotFoundError()))
    monkeypatch.delenv("MLFORGE_ALLOW_DOWNLOAD", raising=False)
    with pytest.raises(ConfigError, match="downloads are not allowed") as caught:
        Embedding.configured({"source": "hub:owner/repository/m.onnx"}, "test")
    assert "MLFORGE_ALLOW_DOWNLOAD=1" in caught.value.hint


def test_a_failed_download_is_the_services_error(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, Hub(None, ConnectionError("no route")))
    monkeypatch.setenv("MLFORGE_ALLOW_DOWNLOAD", "1")
    with pytest.raises(EngineError, match="could not be downloaded: ConnectionError"):
        Embedding.configured({"source": "hub:owner/repository/m.onnx"}, "test")


def test_without_the_extra_the_hub_is_refused_and_a_file_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="needs huggingface_hub") as caught:
        Embedding.configured({"source": "hub:owner/repository/m.onnx"}, "test")
    assert caught.value.hint == "python -m pip install 'huggingface-hub<3,>=1'"
    assert len(embedding(tmp_path, convolution()).names()) == 5


def test_a_malformed_repository_is_refused_by_the_real_library() -> None:
    pytest.importorskip("huggingface_hub")
    with pytest.raises(ConfigError, match="alphanumeric"):
        Embedding.configured({"source": "hub:owner/repository../m.onnx"}, "test")


def test_a_file_outside_the_real_cache_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("MLFORGE_ALLOW_DOWNLOAD", raising=False)
    with pytest.raises(ConfigError, match="downloads are not allowed"):
        Embedding.configured({"source": "hub:owner/repository/m.onnx"}, "test")


def test_the_versions_name_the_runtime() -> None:
    assert set(Embedding.versions()) == {"numpy", "opencv", "onnxruntime"}


@pytest.mark.parametrize("values", [{"std": [0.0, 1.0, 1.0]}, {"mean": [0.5]}, {"layout": "hw"}])
def test_parameters_that_cannot_be_are_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        embedding(tmp_path, convolution(), **values)
