"""The extractor `gradient_profile`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import cv2
import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.extractors import Extractor

__all__ = ["GradientProfile"]

_PIXELS_PER_STRIP = 4


@dataclass(frozen=True, kw_only=True)
class GradientProfileConfig(ComponentConfig):
    """The parameters of `gradient_profile`."""

    strips: Annotated[int, Ge(2), Le(64)] = 16
    """Into how many strips a picture is cut, each way."""


class GradientProfile(Extractor):
    """How fast brightness changes, strip by strip, down the picture and across it.

    A picture of any size is squeezed into a square first. Rows of text, bars and stairs give
    profiles with peaks; a flat surface gives zeros.

    Examples
    --------
    >>> dark_above_bright = np.zeros((64, 64, 3), np.uint8)
    >>> dark_above_bright[32:] = 255
    >>> features = GradientProfile(GradientProfileConfig(strips=4)).extract([dark_above_bright])
    >>> features.round(3).tolist()
    [[0.0, 0.125, 0.125, 0.0, 0.0, 0.0, 0.0, 0.0]]
    """

    name = "gradient_profile"
    modality = "image"
    Config = GradientProfileConfig

    def names(self) -> list[str]:
        """Return ``gradient_profile_<direction>_<strip>``."""
        strips = range(self.config.strips)
        return [f"gradient_profile_{d}_{strip}" for d in ("down", "across") for strip in strips]

    def extract(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Return the mean gradient of each strip, float32, ``n_examples x n_features``."""
        features = np.empty((len(examples), len(self.names())), np.float32)
        for row, image in zip(features, examples, strict=True):
            row[:] = self._profile(image)
        return features

    def _profile(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        strips = self.config.strips
        side = strips * _PIXELS_PER_STRIP
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        square = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA)
        down, across = np.abs(np.gradient(square.astype(np.float32) / 255))
        lines = np.concatenate([down.mean(axis=1), across.mean(axis=0)])
        return np.asarray(lines.reshape(2 * strips, _PIXELS_PER_STRIP).mean(axis=1), np.float32)

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `extract` gives."""
        return super().versions() | {"opencv": cv2.__version__}
