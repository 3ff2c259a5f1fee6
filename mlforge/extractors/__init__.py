"""Extractors: what turns one decoded example into a fixed vector of named features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from mlforge.core.component import Component, ComponentConfig
from mlforge.core.registry import Registry

__all__ = ["EXTRACTORS", "Extractor"]


class Extractor(Component):
    """Features of one kind.

    What it needs at prediction is NumPy, OpenCV and ONNX Runtime at most.

    Attributes
    ----------
    revision
        Raised whenever the code gives other numbers; part of the key of cached features.
    """

    modality: ClassVar[str]
    revision: ClassVar[int] = 1

    @abstractmethod
    def names(self) -> list[str]:
        """Return the feature names, one for each column of `extract`, each used once."""

    @abstractmethod
    def extract(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Return the features, float32, ``n_examples x n_features``, all finite.

        The row of an example depends on that example alone.
        """

    def state(self) -> Mapping[str, bytes]:
        """Return the files, by name, that `restore` needs besides the parameters; usually none."""
        return {}

    @classmethod
    def restore(cls, config: ComponentConfig, state: Mapping[str, bytes]) -> Self:
        """Make the extractor again from parameters and `state`, as `mlforge predict` does."""
        return cls(config)

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `extract` gives."""
        return {"numpy": np.__version__}


EXTRACTORS: Registry[Extractor] = Registry("extractor", Extractor)
