"""The base of the extractors for images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import cv2
import numpy as np

from mlforge.extractors import Extractor
from mlforge.extractors.image._canvas import Floats, Picture

__all__ = ["ImageExtractor"]


class ImageExtractor(Extractor):
    """Features of one picture at a time, so that no row depends on the others."""

    modality: ClassVar[str] = "image"

    @abstractmethod
    def describe(self, image: Picture) -> Floats:
        """Return the features of one picture, ``n_features``.

        Parameters
        ----------
        image
            ``height x width x 3``, uint8, RGB, of any size; it is never changed.
        """

    def extract(self, examples: Sequence[Any]) -> Floats:
        """Return the features, float32, ``n_examples x n_features``, all finite."""
        features = np.empty((len(examples), self._n_features), np.float32)
        for row, image in zip(features, examples, strict=True):
            row[:] = self.describe(image)
        return features

    @cached_property
    def _n_features(self) -> int:
        return len(self.names())

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `extract` gives."""
        return {**super().versions(), "opencv": cv2.__version__}
