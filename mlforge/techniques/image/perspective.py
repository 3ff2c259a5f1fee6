"""The technique `perspective`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._image import BORDER, ImageTechnique, shortened

__all__ = ["Perspective"]


@dataclass(frozen=True, kw_only=True)
class PerspectiveConfig(ComponentConfig):
    """The parameters of `perspective`."""

    limit: Annotated[float, Ge(0), Le(0.2)] = 0.08
    """How far each corner may move, as a share of the width and of the height."""


class Perspective(ImageTechnique):
    """Moves the four corners, as another point of view does."""

    name = "perspective"
    Config = PerspectiveConfig

    def apply(
        self, example: npt.NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], Drawn]:
        """Return a varied image and where its corners went.

        OpenCV does it directly: the transform of albumentations 2.0.8 divides by zero on images
        a few pixels high, and cuts off the right and lower parts of others.

        Parameters
        ----------
        example
            uint8, height x width x 3, RGB; it is never changed.
        rng
            The only source of randomness.
        """
        height, width = example.shape[:2]
        shifts = rng.uniform(-self.config.limit, self.config.limit, (4, 2))
        unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
        corners = (unit * (width, height)).astype(np.float32)
        moved = ((unit + shifts) * (width, height)).astype(np.float32)
        matrix = cv2.getPerspectiveTransform(corners, moved)
        image = cv2.warpPerspective(example, matrix, (width, height), borderMode=BORDER)
        return np.asarray(image, np.uint8), shortened({"corners": shifts})
