"""An extractor that learns nothing: what tests of those that learn have in common."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mlforge.extractors import LearningExtractor


class LearnsNothing(LearningExtractor):
    """Is the same after it was fitted."""

    name = "learns"
    modality = "image"

    def names(self) -> list[str]:
        return ["learns_it"]

    def extract(self, examples: Any) -> npt.NDArray[np.float32]:
        return np.zeros((len(examples), 1), np.float32)

    def reduced(self, example: Any) -> npt.NDArray[Any]:
        return np.zeros(1)

    def fit(self, training: Any, rng: Any, advance: Any) -> Self:
        return self

    def seconds_a_step(self, training: Any) -> float:
        return 1.0

    def device(self) -> str:
        return "cpu"

    def with_steps(self, n_steps: int) -> Self:
        return self
