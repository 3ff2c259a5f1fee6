"""The technique `grayscale`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._image import ImageTechnique

__all__ = ["Grayscale"]


@dataclass(frozen=True, kw_only=True)
class GrayscaleConfig(ComponentConfig):
    """The parameters of `grayscale`."""

    probability: Annotated[float, Ge(0), Le(1)] = 0.5
    """How often the colour is taken away."""


class Grayscale(ImageTechnique):
    """Takes the colour away; a red light becomes as gray as a green one."""

    name = "grayscale"
    keeps_labels = False
    Config = GrayscaleConfig

    def apply(
        self, example: npt.NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], Drawn]:
        """Return the image, gray or as it was, and whether its colour was taken away.

        OpenCV does it directly: the transform of albumentations 2.0.8 loses the shape of an image
        of one pixel.

        Parameters
        ----------
        example
            uint8, height x width x 3, RGB; it is never changed.
        rng
            The only source of randomness.
        """
        if rng.random() >= self.config.probability:
            return example, {"gray": False}
        gray = cv2.cvtColor(example, cv2.COLOR_RGB2GRAY)
        return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), np.uint8), {"gray": True}
