from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from onnx import TensorProto, helper, load_model_from_string, numpy_helper

from mlforge.core.component import ComponentConfig
from mlforge.errors import ArtifactError
from mlforge.extractors import EXTRACTORS, Extractor, activation_maps
from mlforge.extractors.learned import Learned, LearnedConfig
from mlforge.modalities import MODALITIES
from mlforge.networks.graph import network_graph
from mlforge.networks.plan import NetworkPlan
from mlforge.networks.training import Layer, TrainedNetwork
from mlforge.testing.extractors import (
    EXTRACTOR_CHECKS,
    ExtractorCase,
    awkward_images,
    check_activation_map,
    check_descriptions,
    check_features,
    check_import,
    check_input_unchanged,
    check_names,
    check_no_examples,
    check_parameters,
    check_reduced,
    check_repeatable,
    check_rows_independent,
    check_state,
    check_travels,
    check_versions,
)
from tests.learning import LearnsNothing

Check = Callable[[ExtractorCase], None]
GOLDEN = {
    "color": 81,
    "edges": 128,
    "embedding": 3,
    "hog": 1620,
    "lbp": 531,
    "learned": 64,
    "thumbnail": 192,
}
IMAGE = MODALITIES.get("image")()
SMALL = [
    np.arange(60, dtype=np.uint8).reshape(4, 5, 3),
    np.zeros((3, 3, 3), np.uint8),
]


def averaging_network() -> bytes:
    """Return a graph that gives the mean of each channel."""
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 8, 8])
    means = helper.make_tensor_value_info("means", TensorProto.FLOAT, [1, 3, 1, 1])
    node = helper.make_node("GlobalAveragePool", ["picture"], ["means"])
    graph = helper.make_graph([node], "averaging", [picture], [means])
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


def drawn_network(side: int, width: int) -> bytes:
    """Return the graph of a network whose weights are random."""
    rng = np.random.default_rng(0)
    layers = [
        Layer(
            rng.normal(0, 0.1, (n_out, n_in, 3, 3)).astype(np.float32),
            rng.normal(0, 0.1, n_out).astype(np.float32),
        )
        for n_in, n_out in itertools.pairwise(NetworkPlan(3, 2, width, 1).channels)
    ]
    head = rng.normal(0, 0.1, (2, 4 * width)).astype(np.float32)
    return network_graph(TrainedNetwork(tuple(layers), head), side)


def made(name: str, folder: Path) -> Extractor:
    values: dict[str, Any] = {}
    if name == "learned":
        # A network that was trained needs PyTorch; one that was drawn holds the contract as well.
        state = {"network.onnx": drawn_network(48, 16)}
        return EXTRACTORS.get(name).restore(LearnedConfig(), state).bound_to(IMAGE)
    if name == "embedding":
        path = folder / "backbone.onnx"
        path.write_bytes(averaging_network())
        values = {"source": str(path), "size": 8}
    return EXTRACTORS.get(name, "image").configured(values, "test")


@pytest.mark.parametrize("width", [4, 32])
def test_a_network_of_another_width_is_refused(width: int) -> None:
    state = {"network.onnx": drawn_network(48, width)}
    extractor = EXTRACTORS.get("learned").restore(LearnedConfig(), state).bound_to(IMAGE)
    with pytest.raises(ArtifactError, match="no 64 finite numbers"):
        extractor.extract(SMALL)


def test_a_network_of_another_size_is_refused() -> None:
    state = {"network.onnx": drawn_network(32, 16)}
    extractor = EXTRACTORS.get("learned").restore(LearnedConfig(), state).bound_to(IMAGE)
    with pytest.raises(ArtifactError):
        extractor.extract(SMALL)


def test_a_network_without_maps_has_none() -> None:
    model = load_model_from_string(drawn_network(48, 16))
    del model.graph.output[1]
    state = {"network.onnx": model.SerializeToString()}
    extractor = EXTRACTORS.get("learned").restore(LearnedConfig(), state).bound_to(IMAGE)
    assert activation_maps([extractor], SMALL[0], 0) == {}
    assert extractor.extract(SMALL).shape == (2, 64)


@pytest.mark.parametrize("weight", [np.nan, 3e38])
def test_a_network_whose_maps_nobody_can_use_is_refused(weight: float) -> None:
    model = load_model_from_string(drawn_network(48, 16))
    (head,) = (tensor for tensor in model.graph.initializer if tensor.name == "head")
    head.CopyFrom(numpy_helper.from_array(np.full((2, 64, 1, 1), weight, np.float32), "head"))
    state = {"network.onnx": model.SerializeToString()}
    extractor = EXTRACTORS.get("learned").restore(LearnedConfig(), state).bound_to(IMAGE)
    with pytest.raises(ArtifactError, match=r"no 2 finite maps|no usable map"):
        activation_maps([extractor], SMALL[0], 0)


@pytest.mark.parametrize(("side", "width"), [(48, 16), (256, 16), (256, 128)])
def test_what_a_network_takes_of_memory_has_a_limit(side: int, width: int) -> None:
    n_examples = Learned(LearnedConfig(side=side, width=width))._chunk
    assert 1 <= n_examples <= 64
    # Float32, of the first layer, of which a few are held: below 2 GiB with fits side by side.
    assert 4 * n_examples * width * side**2 <= 2**25


def test_a_network_that_gives_texts_is_refused() -> None:
    model = load_model_from_string(drawn_network(48, 16))
    output = model.graph.output[0]
    node = helper.make_node("Cast", [output.name], ["texts"], to=TensorProto.STRING)
    model.graph.node.append(node)
    output.name, output.type.tensor_type.elem_type = "texts", TensorProto.STRING
    state = {"network.onnx": model.SerializeToString()}
    extractor = EXTRACTORS.get("learned").restore(LearnedConfig(), state).bound_to(IMAGE)
    with pytest.raises(ArtifactError, match="works on texts"):
        extractor.extract(SMALL)


def test_the_registered_extractors_are_exactly_the_golden_ones(tmp_path: Path) -> None:
    own = [c for c in EXTRACTORS.components("image") if EXTRACTORS.origin(c) == "mlforge"]
    assert {c.name: len(made(c.name, tmp_path).names()) for c in own} == GOLDEN
    assert [item for item in EXTRACTORS.broken() if item.source == "mlforge"] == []


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("check", EXTRACTOR_CHECKS, ids=lambda check: str(check.__name__))
def test_extractor_holds_the_contract(check: Check, name: str, tmp_path: Path) -> None:
    check(ExtractorCase(made(name, tmp_path), awkward_images(), IMAGE))


def test_no_two_extractors_share_a_feature_name(tmp_path: Path) -> None:
    names = list(itertools.chain(*(made(name, tmp_path).names() for name in GOLDEN)))
    assert len(set(names)) == len(names)


class Sound(Extractor):
    """Holds the mean of a picture."""

    name = "sound"
    modality = "image"

    def names(self) -> list[str]:
        return ["sound_mean"]

    def extract(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        return np.asarray([[e.mean()] for e in examples], np.float32).reshape(-1, 1)


class Undescribed(Sound):
    __doc__ = None


class TakesAnything(Sound):
    @classmethod
    def configured(cls, values: Any, where: str) -> Any:
        return cls(ComponentConfig())


class NamesTwice(Sound):
    def names(self) -> list[str]:
        return ["sound_mean", "sound_mean"]


class NamesOthers(Sound):
    def names(self) -> list[str]:
        return ["mean"]


class GivesDoubles(Sound):
    def extract(self, examples: Sequence[Any]) -> Any:
        return super().extract(examples).astype(np.float64)


class GivesNan(Sound):
    def extract(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        return super().extract(examples) * np.float32("nan")


class GivesMoreColumns(Sound):
    def extract(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        return super().extract(examples).repeat(2, axis=1)


class LosesItsShape(Sound):
    def extract(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        return super().extract(examples) if examples else np.zeros((0,), np.float32)


class Counts(Sound):
    count = 0

    def extract(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        self.count += 1
        return super().extract(examples) + np.float32(self.count)


class LooksAtTheBatch(Sound):
    def extract(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        return super().extract(examples) + np.float32(len(examples))


class WritesIntoItsInput(Sound):
    def extract(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        for example in examples:
            example += np.uint8(1)
        return super().extract(examples)


class NeedsToWrite(Sound):
    def extract(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        for example in examples:
            example[0, 0, 0] = example[0, 0, 0]
        return super().extract(examples)


class ForgetsItsState(Sound):
    offset = 3.0

    def extract(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        return super().extract(examples) + np.float32(self.offset)

    @classmethod
    def restore(cls, config: ComponentConfig, state: Mapping[str, bytes]) -> Any:
        restored = cls(config)
        restored.offset = 0.0
        return restored


class StatesAPath(Sound):
    def state(self) -> Mapping[str, bytes]:
        return {"../weights": b""}


class HoldsAGenerator(Sound):
    def __init__(self, config: ComponentConfig | None = None) -> None:
        super().__init__(config)
        self.pending = (number for number in range(3))


class SeesMoreThanItReduces(Sound, LearnsNothing):
    def reduced(self, example: Any) -> npt.NDArray[Any]:
        small: npt.NDArray[Any] = example[:2, :2]
        return small


class ReducesToAnySize(SeesMoreThanItReduces):
    def reduced(self, example: Any) -> npt.NDArray[Any]:
        return np.asarray(example)


class MapsARow(ReducesToAnySize):
    def activation_map(self, example: Any, category: int) -> npt.NDArray[np.float32]:
        return np.zeros(3, np.float32)


class MapsNan(ReducesToAnySize):
    def activation_map(self, example: Any, category: int) -> npt.NDArray[np.float32]:
        return np.full((2, 2), np.nan, np.float32)


class HidesItsVersions(Sound):
    @classmethod
    def versions(cls) -> dict[str, str]:
        return {}


@pytest.mark.parametrize(
    "check",
    # Importing this very module imports onnx, which builds the network above.
    [check for check in EXTRACTOR_CHECKS if check is not check_import],
    ids=lambda check: str(check.__name__),
)
def test_a_sound_extractor_passes(check: Check) -> None:
    check(ExtractorCase(Sound(), awkward_images()))


class Length(Sound):
    """Counts the letters of a text."""

    modality = "text"

    def extract(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        return np.asarray([[len(e)] for e in examples], np.float32).reshape(-1, 1)


def test_examples_need_not_be_arrays() -> None:
    for check in EXTRACTOR_CHECKS:
        if check is not check_import:
            check(ExtractorCase(Length(), ["", "one", "a longer text"]))


@pytest.mark.parametrize(
    ("check", "broken", "reason"),
    [
        (check_descriptions, Undescribed, "no docstring"),
        (check_parameters, TakesAnything, "accepts 'no_such_parameter'"),
        (check_names, NamesTwice, "used twice"),
        (check_names, NamesOthers, "do not begin with"),
        (check_features, GivesDoubles, "returns float64"),
        (check_features, GivesNan, "NaN or infinity"),
        (check_features, GivesMoreColumns, r"not \(1, 1\)"),
        (check_no_examples, LosesItsShape, r"not \(0, 1\)"),
        (check_repeatable, Counts, "second run differs"),
        (check_rows_independent, LooksAtTheBatch, "among others"),
        (check_input_unchanged, WritesIntoItsInput, "changes its input"),
        (check_input_unchanged, NeedsToWrite, "read-only"),
        (check_state, ForgetsItsState, "restored, it gives others"),
        (check_state, StatesAPath, "not a plain file name"),
        (check_travels, HoldsAGenerator, "cannot be copied"),
        (check_reduced, SeesMoreThanItReduces, "reduced examples give others"),
        (check_reduced, ReducesToAnySize, "2 shapes"),
        (check_activation_map, MapsARow, r"float32 \(3,\)"),
        (check_activation_map, MapsNan, "map holds NaN"),
        (check_versions, HidesItsVersions, "lack numpy"),
    ],
)
def test_a_broken_extractor_is_found(check: Check, broken: type[Extractor], reason: str) -> None:
    with pytest.raises(AssertionError, match=reason):
        check(ExtractorCase(broken(), [example.copy() for example in SMALL]))


def test_an_extractor_with_a_heavy_import_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "heavy_extractor.py").write_text("import scipy\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    heavy = type("Heavy", (Sound,), {"__module__": "heavy_extractor"})
    with pytest.raises(AssertionError, match="imports scipy"):
        check_import(ExtractorCase(heavy(), SMALL))


def test_an_extractor_that_cannot_be_imported_is_found() -> None:
    lost = type("Lost", (Sound,), {"__module__": "no_such_module"})
    with pytest.raises(AssertionError, match="cannot be imported"):
        check_import(ExtractorCase(lost(), SMALL))
