"""The extractor `learned`."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le, MultipleOf

from mlforge.core.component import ComponentConfig, is_installed
from mlforge.core.onnx_graph import OnnxGraph
from mlforge.errors import ArtifactError, MlforgeError
from mlforge.extractors import LearningExtractor, TrainingSet
from mlforge.modalities import Modality
from mlforge.networks.plan import ACTIVATIONS, STRIDE, Batch, NetworkPlan
from mlforge.networks.shifts import shifted, stitched
from mlforge.storage.artifact_manifest import AGAIN

__all__ = ["Learned", "LearnedConfig"]

_GRAPH = "network.onnx"
# Fits run side by side, and their networks share what ONNX Runtime may take of memory.
_MOST_EXAMPLES, _MOST_VALUES = 64, 2**23
# An activation above this tells of no picture.
_MOST = 1e6
_SIDES = (32, 48, 64, 96, 128, 192)


@dataclass(frozen=True, kw_only=True)
class LearnedConfig(ComponentConfig):
    """The parameters of learned."""

    side: Annotated[int, Ge(32), Le(256), MultipleOf(STRIDE)] = 48
    """The height and width that examples are brought to."""
    width: Annotated[int, Ge(4), Le(128)] = 16
    """Channels of the first convolution; the features are four times as many."""
    steps: Annotated[int, Ge(10), Le(100_000)] = 750
    """Batches of 32 that each network is trained on; `mlforge train --budget` sets it by time."""


class Learned(LearningExtractor):
    """What a small network learns to see, trained on your examples alone.

    It is trained anew for each fold, on seeds that the category's techniques vary in each batch.
    """

    name = "learned"
    extra = "neural"
    Config: ClassVar[type[ComponentConfig]] = LearnedConfig
    needs_arrays: ClassVar[bool] = True
    fits_with: ClassVar[tuple[str, ...]] = ("torch",)
    # Measured: docs/explanation/learned-features.md.
    enough_steps: ClassVar[int] = 150

    def __init__(self, config: ComponentConfig | None = None) -> None:
        super().__init__(config)
        self._modality: Modality | None = None
        self._graph: bytes = b""
        self._session: OnnxGraph | None = None

    def bound_to(self, modality: Modality) -> Self:
        """Return it for examples of a modality that offers them as arrays."""
        bound = copy.copy(self)
        bound._modality = modality  # noqa: SLF001 - its own copy
        return bound

    def names(self) -> list[str]:
        """Return ``learned_0``, ``learned_1``, ..., one for each channel."""
        return [f"learned_{number}" for number in range(self._plan(1, 1).n_features)]

    def reduced(self, example: Any) -> npt.NDArray[Any]:
        """Return an example of the network's size."""
        reduced: npt.NDArray[Any] = self._for_modality.resized(example, self.config.side)
        return reduced

    def extract(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Return what the network makes of each example, ``n_examples x n_features``.

        Raises
        ------
        ArtifactError
            If the network fails, or gives something else than that many finite numbers.
        """
        features = np.empty((len(examples), len(self.names())), np.float32)
        size = self._chunk
        for start in range(0, len(examples), size):
            chunk = features[start : start + size]
            given = self._network.run(self._arrays(examples[start : start + size]))
            chunk[:] = self._sound(given, chunk.shape, "numbers")
        return features

    def activation_map(self, example: Any, category: int) -> npt.NDArray[np.float32] | None:
        """Return the network's class-activation map, in units of its last layer.

        None where its graph has none.

        Raises
        ------
        ArtifactError
            If the network fails, or gives something else than maps of finite numbers.
        """
        if ACTIVATIONS not in self._network.outputs:
            return None
        shifts = shifted(self._arrays([example])[0])
        given = self._network.run(shifts, ACTIVATIONS)
        n_places = self.config.side // STRIDE
        n_categories = given.shape[1] if given.ndim > 1 else 0
        maps = self._sound(given, (len(shifts), n_categories, n_places, n_places), "maps")
        if not category < n_categories or np.abs(maps).max() > _MOST:
            raise ArtifactError(f"{self.name}.{_GRAPH}: the network gives no usable map", AGAIN)
        return stitched(maps[:, category])

    @property
    def _network(self) -> OnnxGraph:
        if self._session is None:
            self._session = OnnxGraph(self._graph, f"{self.name}.{_GRAPH}")
        return self._session

    def _sound(
        self, given: npt.NDArray[Any], shape: tuple[int, ...], what: str
    ) -> npt.NDArray[np.float32]:
        """Return what the network gave, if it is what it should be."""
        if given.shape != shape or given.dtype != np.float32 or not np.isfinite(given).all():
            raise ArtifactError(
                f"{self.name}.{_GRAPH}: the network gives no {shape[1]} finite {what} for each "
                "example",
                AGAIN,
            )
        return given

    @property
    def _chunk(self) -> int:
        """How many examples the network sees at a time: its first layer takes the memory."""
        n_values = int(self.config.side**2 * self.config.width)
        return max(1, min(_MOST_EXAMPLES, _MOST_VALUES // n_values))

    def fit(
        self, training: TrainingSet, rng: np.random.Generator, advance: Callable[[], None]
    ) -> Self:
        """Train a network to tell the categories apart; each is drawn equally often."""
        from mlforge.networks.graph import network_graph
        from mlforge.networks.training import train_network

        self.require_modules(self.fits_with)
        network = train_network(self._plan_for(training), self._draw_from(training), rng, advance)
        fitted = copy.copy(self)
        fitted._graph = network_graph(network, self.config.side)  # noqa: SLF001 - its own copy
        fitted._session = None  # noqa: SLF001 - as above
        return fitted

    def seconds_a_step(self, training: TrainingSet) -> float:
        """Return how long a batch takes on this machine."""
        from mlforge.networks.budget import seconds_a_step

        return seconds_a_step(self._plan_for(training), self._draw_from(training))

    def device(self) -> str:
        """Return what networks are trained on, a CUDA device or ``cpu``, and in which numbers."""
        from mlforge.networks.training import device_name

        return device_name()

    def with_steps(self, n_steps: int) -> Self:
        """Return it with another number of batches."""
        return self._with(steps=n_steps)

    def smaller(self) -> Self | None:
        """Return it with examples brought to the next smaller of some sides."""
        side = max((side for side in _SIDES if side < self.config.side), default=None)
        return None if side is None else self._with(side=side)

    def _with(self, **parameters: int) -> Self:
        changed = copy.copy(self)
        changed.config = dataclasses.replace(self.config, **parameters)
        return changed

    def _plan_for(self, training: TrainingSet) -> NetworkPlan:
        """Return the network that would be trained."""
        first = self._arrays(training.examples[:1])
        return self._plan(first.shape[-1], training.n_categories)

    def _draw_from(self, training: TrainingSet) -> Callable[[int, np.random.Generator], Batch]:
        """Return what draws batches: a category at random, then an example of it, varied."""
        present = np.unique(training.labels)
        members = [np.flatnonzero(training.labels == category) for category in present]

        def draw(n: int, rng: np.random.Generator) -> Batch:
            rows = [int(rng.choice(members[i])) for i in rng.integers(len(members), size=n)]
            varied = [training.vary(row, rng) for row in rows]
            return self._arrays(varied), training.labels[rows]

        return draw

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of what runs the network, and of what trains it where installed."""
        names = ("onnxruntime", *(name for name in cls.fits_with if is_installed(name)))
        return super().versions() | {name: metadata.version(name) for name in names}

    @property
    def n_steps(self) -> int:
        """How many batches the network is trained on."""
        return int(self.config.steps)

    def state(self) -> Mapping[str, bytes]:
        """Return the network as an ONNX graph; nothing where it was not trained."""
        return {_GRAPH: self._graph} if self._graph else {}

    @classmethod
    def restore(cls, config: ComponentConfig, state: Mapping[str, bytes]) -> Self:
        """Make the extractor again from its parameters and its network."""
        restored = cls(config)
        restored._graph = state[_GRAPH]
        return restored

    def __getstate__(self) -> dict[str, Any]:
        """Leave the session out: each process makes its own."""
        return {**self.__dict__, "_session": None}

    @property
    def _for_modality(self) -> Modality:
        if self._modality is None:
            raise MlforgeError(f"{self.name}: not bound to a modality")
        return self._modality

    def _arrays(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        modality, side = self._for_modality, self.config.side
        return np.stack([modality.to_array(modality.resized(e, side)) for e in examples])

    def _plan(self, n_channels: int, n_categories: int) -> NetworkPlan:
        return NetworkPlan(n_channels, n_categories, self.config.width, self.config.steps)
