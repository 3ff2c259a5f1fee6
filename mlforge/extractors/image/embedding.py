"""Embeddings of a neural network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from annotated_types import Ge, Gt, Le

from mlforge.core.component import ComponentConfig
from mlforge.errors import ArtifactError, ConfigError
from mlforge.extractors.image._backbone import HINT, Backbone
from mlforge.extractors.image._base import ImageExtractor
from mlforge.extractors.image._canvas import Floats, Picture, squared
from mlforge.extractors.image._source import read_backbone

__all__ = ["Embedding"]

STATE_FILE = "backbone.onnx"
MAXIMUM_FEATURES = 20_000
Positive = Annotated[float, Gt(0)]


@dataclass(frozen=True, kw_only=True)
class _Config(ComponentConfig):
    """The parameters of `Embedding`."""

    source: str = ""
    """The network: an ONNX file, or hub:owner/repository/file.onnx."""
    size: Annotated[int, Ge(4), Le(1024)] = 224
    """The side, in pixels, of the square picture that the network takes."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """What is taken from red, green and blue, which lie between 0 and 1."""
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)
    """What the three are then divided by."""
    layout: Literal["nchw", "nhwc"] = "nchw"
    """Whether the network takes (and gives) channels first or last."""
    pooling: Literal["mean", "max"] = "mean"
    """What becomes of an output with places: the mean or the largest of each channel."""
    output: str = ""
    """Which output of the network to take; the first where nothing is said."""


class Embedding(ImageExtractor):
    """What a neural network that was trained on other pictures sees: its last layer but one.

    The network is an ONNX graph, run by ONNX Runtime on one thread, one picture at a time, so that
    no picture's features depend on the others. An artifact carries the graph: to predict, neither
    its file nor the hub is needed.

    Parameters
    ----------
    config
        The parameters; `source` must be set.
    backbone
        The graph, where it is known; else it is read from `source`.

    Raises
    ------
    ConfigError
        If `source` is not set or cannot be read, or the graph does not fit the parameters.
    MissingExtraError
        If `source` names the hub and the hub's library is not installed.
    EngineError
        If the graph cannot be downloaded.

    References
    ----------
    J. Donahue et al. (2014), "DeCAF: A Deep Convolutional Activation Feature for Generic Visual
    Recognition", ICML.
    """

    name: ClassVar[str] = "embedding"
    # A network in a file needs no more than mlforge does: `requires` stays empty.
    extra: ClassVar[str | None] = "embed"
    Config: ClassVar[type[ComponentConfig]] = _Config

    def __init__(
        self, config: ComponentConfig | None = None, backbone: bytes | None = None
    ) -> None:
        super().__init__(config)
        self._where = self.config.source or STATE_FILE
        if backbone is None:
            backbone = read_backbone(self.config.source, self.install_command())
        self._graph = backbone
        grey = np.full((self.config.size, self.config.size, 3), 128, np.uint8)
        self._length = len(self.describe(grey))

    def names(self) -> list[str]:
        """Return ``embedding_<index>``."""
        return [f"embedding_{index}" for index in range(self._length)]

    def describe(self, image: Picture) -> Floats:
        """Return the pooled output of the network."""
        values = self._backbone.run(self._batch(image), self._output)
        if values.ndim not in {2, 3, 4} or len(values) != 1 or values.size == 0:
            shape = " x ".join(str(side) for side in values.shape) or "a single number"
            raise self._unfit(f"is {shape} for one picture", HINT)
        vector = self._pooled(values[0])
        if len(vector) > MAXIMUM_FEATURES:
            reason = f"gives {len(vector)} features, more than {MAXIMUM_FEATURES}"
            raise self._unfit(reason, "check layout and output under [features.embedding]")
        if not np.isfinite(vector).all():
            raise self._unfit("is not finite", "check mean and std under [features.embedding]")
        return vector

    def state(self) -> Mapping[str, bytes]:
        """Return the graph, as ``backbone.onnx``."""
        return {STATE_FILE: self._graph}

    @classmethod
    def restore(cls, config: ComponentConfig, state: Mapping[str, bytes]) -> Self:
        """Make the extractor again from parameters and graph; `source` is not read.

        Raises
        ------
        ArtifactError
            If the graph is missing or broken.
        """
        if STATE_FILE not in state:
            raise ArtifactError(f"embedding: {STATE_FILE} is missing", "train the model again")
        try:
            return cls(config, state[STATE_FILE])
        except ConfigError as error:
            raise ArtifactError(f"embedding: {error.message}", "train the model again") from None

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `extract` gives."""
        import onnxruntime

        return {**super().versions(), "onnxruntime": onnxruntime.__version__}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what cannot be sent to another process: it is made there again."""
        derived = {"_backbone", "_output"}
        return {key: value for key, value in vars(self).items() if key not in derived}

    @cached_property
    def _backbone(self) -> Backbone:
        return Backbone(self._graph, self._where)

    @cached_property
    def _output(self) -> str:
        known = self._backbone.outputs
        wanted = self.config.output or known[0]
        if wanted not in known:
            raise ConfigError(
                f"features.embedding.output: {self._where} has no output {wanted!r}",
                f"it has {', '.join(known)}",
            )
        return str(wanted)

    def _unfit(self, reason: str, hint: str) -> ConfigError:
        return ConfigError(f"{self._where}: its output {self._output!r} {reason}", hint)

    def _batch(self, image: Picture) -> Floats:
        picture = squared(image, self.config.size).astype(np.float32) / np.float32(255)
        mean = np.asarray(self.config.mean, np.float32)
        deviation = np.asarray(self.config.std, np.float32)
        batch = ((picture - mean) / deviation)[None]
        return np.ascontiguousarray(batch.transpose(0, 3, 1, 2)) if self._channels_first else batch

    def _pooled(self, values: Floats) -> Floats:
        """Return ``n_channels`` numbers of a vector, of tokens x channels, or of a feature map."""
        if values.ndim == 3 and self._channels_first:
            values = values.transpose(1, 2, 0)
        places = values.reshape(-1, values.shape[-1])
        # What is not finite is refused with words; NumPy's warnings would only come on top.
        with np.errstate(invalid="ignore", over="ignore"):
            if self.config.pooling == "max":
                return np.asarray(places.max(axis=0))
            return np.asarray(places.mean(axis=0, dtype=np.float64), np.float32)

    @property
    def _channels_first(self) -> bool:
        return bool(self.config.layout == "nchw")
