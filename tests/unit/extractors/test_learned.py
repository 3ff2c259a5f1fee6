from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import LogisticRegression

from mlforge.core.onnx_graph import OnnxGraph
from mlforge.engines.local import LocalEngine
from mlforge.errors import ArtifactError
from mlforge.extractors import TrainingSet
from mlforge.extractors.learned import Learned, LearnedConfig
from mlforge.modalities import MODALITIES
from mlforge.networks.graph import network_graph
from mlforge.networks.plan import ACTIVATIONS, STRIDE, NetworkPlan
from mlforge.networks.training import _has_bfloat16, train_network

pytestmark = pytest.mark.neural
torch = pytest.importorskip("torch", reason="needs the extra neural: PyTorch is not installed")

IMAGE = MODALITIES.get("image")()
SIDE = 32


def untrained(steps: int = 40, width: int = 4) -> Learned:
    return Learned(LearnedConfig(side=SIDE, width=width, steps=steps)).bound_to(IMAGE)


def striped(n: int, *, across: bool, seed: int = 0) -> list[npt.NDArray[np.uint8]]:
    """Return noisy pictures with stripes that run across or down."""
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(n):
        wave = 127 + 90 * np.sin(np.arange(SIDE) * rng.uniform(0.8, 1.2) + rng.uniform(0, 6))
        picture = np.tile(wave[:, None, None], (1, SIDE, 3)) + rng.normal(0, 12, (SIDE, SIDE, 3))
        turned = picture if across else picture.transpose(1, 0, 2)
        pictures.append(np.ascontiguousarray(turned.clip(0, 255).astype(np.uint8)))
    return pictures


def training_set(n: int = 12, *, n_categories: int = 2) -> TrainingSet:
    examples: list[Any] = [*striped(n, across=True), *striped(n, across=False)]
    return TrainingSet(
        examples, np.repeat([0, 1], n), n_categories, lambda place, rng: examples[place]
    )


def fitted(training: TrainingSet, *, seed: int = 0, steps: int = 40) -> Learned:
    return untrained(steps).fit(training, np.random.default_rng(seed), lambda: None)


def test_what_was_learned_tells_new_examples_apart() -> None:
    training = training_set()
    extractor = fitted(training)
    new = [*striped(20, across=True, seed=9), *striped(20, across=False, seed=9)]
    head = LogisticRegression().fit(extractor.extract(training.examples), training.labels)
    assert head.score(extractor.extract(new), np.repeat([0, 1], 20)) >= 0.95


def test_the_graph_computes_what_the_network_did() -> None:
    training = training_set()
    plan = NetworkPlan(3, 2, 4, 10)
    arrays = np.stack([IMAGE.to_array(example) for example in training.examples])
    network = train_network(
        plan,
        lambda n, rng: (arrays[:n], training.labels[:n]),
        np.random.default_rng(0),
        lambda: None,
    )
    value = torch.from_numpy(arrays).permute(0, 3, 1, 2) * 2 - 1
    for number, layer in enumerate(network.layers):
        weight, bias = torch.from_numpy(layer.weight), torch.from_numpy(layer.bias)
        value = torch.nn.functional.conv2d(value, weight, bias, padding=1).relu()
        if number < len(network.layers) - 1:
            value = torch.nn.functional.max_pool2d(value, 2)
    graph = OnnxGraph(network_graph(network, SIDE), "test")
    assert graph.outputs == ("features", "activations")
    features = value.mean(dim=(2, 3)).numpy()
    np.testing.assert_allclose(graph.run(arrays), features, rtol=1e-4, atol=1e-5)
    # The mean of a category's map is what the head said of it, less what it said of all of them.
    said = features @ network.head.T
    maps = graph.run(arrays, ACTIVATIONS)
    assert maps.shape == (len(arrays), 2, SIDE // STRIDE, SIDE // STRIDE)
    expected = said - said.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(maps.mean(axis=(2, 3)), expected, rtol=1e-3, atol=1e-5)


def patched(n: int, *, bright: bool, seed: int) -> list[tuple[npt.NDArray[np.uint8], int, int]]:
    """Return noise with a bright or a dark patch of 12 pixels in it, and the patch's middle."""
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(n):
        picture = rng.integers(90, 160, (48, 48, 3), dtype=np.uint8)
        y, x = rng.integers(0, 48 - 12, 2).tolist()
        picture[y : y + 12, x : x + 12] = 250 if bright else 5
        pictures.append((picture, y + 6, x + 6))
    return pictures


def test_the_map_of_a_category_is_highest_on_what_makes_it_one() -> None:
    drawn = [*patched(20, bright=True, seed=0), *patched(20, bright=False, seed=1)]
    examples: list[Any] = [picture for picture, *_ in drawn]
    training = TrainingSet(examples, np.repeat([0, 1], 20), 2, lambda place, rng: examples[place])
    extractor = (
        Learned(LearnedConfig(side=48, width=8, steps=120))
        .bound_to(IMAGE)
        .fit(training, np.random.default_rng(0), lambda: None)
    )
    for category, bright in enumerate((True, False)):
        for picture, y, x in patched(10, bright=bright, seed=2):
            found = extractor.activation_map(picture, category)
            assert found is not None
            assert found.shape == (12, 12)
            row, column = divmod(int(found.argmax()), 12)
            assert max(abs(4 * row + 2 - y), abs(4 * column + 2 - x)) <= STRIDE


def test_a_category_that_was_not_learned_has_no_map() -> None:
    extractor = fitted(training_set(), steps=10)
    with pytest.raises(ArtifactError, match="no usable map"):
        extractor.activation_map(striped(1, across=True)[0], 2)


def test_the_same_draws_give_the_same_network_byte_for_byte() -> None:
    training = training_set()
    assert fitted(training).state() == fitted(training).state()
    assert fitted(training).state() != fitted(training, seed=1).state()


def test_fits_side_by_side_give_what_they_give_alone() -> None:
    training = training_set()
    together = LocalEngine(4).map_threads(
        lambda seed: fitted(training, seed=seed).state(), range(4)
    )
    assert list(together) == [fitted(training, seed=seed).state() for seed in range(4)]


def test_a_category_is_drawn_as_often_as_one_with_many_times_its_seeds() -> None:
    examples: list[Any] = [*striped(200, across=True), *striped(2, across=False)]
    drawn: list[int] = []

    def vary(place: int, rng: np.random.Generator) -> Any:
        drawn.append(place)
        return examples[place]

    fitted(TrainingSet(examples, np.repeat([0, 1], [200, 2]), 2, vary))
    share = np.mean(np.array(drawn) >= 200)
    assert 0.45 < share < 0.55


def test_what_advance_raises_ends_the_fit() -> None:
    calls = []

    def stop() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        untrained().fit(training_set(), np.random.default_rng(0), stop)
    assert len(calls) == 3


def test_each_step_is_reported() -> None:
    calls = []
    extractor = untrained(steps=11)
    extractor.fit(training_set(), np.random.default_rng(0), lambda: calls.append(1))
    assert len(calls) == extractor.n_steps == 11


@pytest.mark.parametrize("n_categories", [1, 2, 5])
def test_categories_without_examples_are_no_error(n_categories: int) -> None:
    examples: list[Any] = striped(2, across=True)
    training = TrainingSet(
        examples, np.zeros(2, np.int64), n_categories, lambda place, rng: examples[place]
    )
    assert np.isfinite(fitted(training, steps=10).extract(examples)).all()


def test_a_fit_changes_nothing_of_what_was_fitted() -> None:
    extractor = untrained()
    extractor.fit(training_set(), np.random.default_rng(0), lambda: None)
    assert extractor.state() == {}


def test_a_step_of_larger_pictures_takes_longer() -> None:
    training = training_set()
    small, large = (
        Learned(LearnedConfig(side=side, width=4, steps=10)).bound_to(IMAGE) for side in (32, 128)
    )
    assert 0 < small.seconds_a_step(training) < large.seconds_a_step(training)


@pytest.mark.parametrize("supported", [True, False])
def test_a_network_is_trained_with_and_without_bfloat16(
    supported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    types = []
    plain = torch.autocast

    def autocast(kind: str, dtype: Any, *, enabled: bool) -> Any:
        types.append(dtype if enabled else torch.float32)
        return plain(kind, dtype, enabled=enabled)

    monkeypatch.setattr(torch, "autocast", autocast)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: supported)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    training = training_set()
    assert np.isfinite(fitted(training, steps=10).extract(training.examples)).all()
    assert set(types) == {torch.bfloat16 if supported else torch.float32}


@pytest.mark.parametrize("emulated", [True, False])
def test_a_device_that_only_emulates_bfloat16_has_none(
    emulated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation=True: including_emulation or not emulated,
    )
    assert _has_bfloat16(torch.device("cuda")) != emulated


def test_a_network_is_trained_by_deterministic_kernels() -> None:
    torch.backends.cudnn.benchmark = True
    fitted(training_set(), steps=10)
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark


def test_what_networks_are_trained_on_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert untrained().device() == "cpu, float32"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    assert untrained().device() == "a card, bfloat16"
