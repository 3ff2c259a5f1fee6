"""The technique `contrast`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._image import ImageTechnique, shortened
from mlforge.techniques.image._tone import with_levels

__all__ = ["Contrast"]


@dataclass(frozen=True, kw_only=True)
class ContrastConfig(ComponentConfig):
    """The parameters of `contrast`."""

    limit: Annotated[float, Ge(0), Le(1)] = 0.25
    """The largest change of contrast: 0.25 draws a factor from 0.75 to 1.25."""


class Contrast(ImageTechnique):
    """Draws light and dark apart or together, as clear or hazy air does."""

    name = "contrast"
    Config = ContrastConfig
    revision = 2

    def apply(
        self, example: npt.NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], Drawn]:
        """Return a varied image and the factor of its levels' distances from the mean grey.

        Parameters
        ----------
        example
            uint8, height x width x 3, RGB; it is never changed.
        rng
            The only source of randomness.
        """
        factor = rng.uniform(1.0 - self.config.limit, 1.0 + self.config.limit)
        grey = cv2.mean(cv2.cvtColor(example, cv2.COLOR_RGB2GRAY))[0]
        varied = with_levels(example, factor, (1.0 - factor) * grey)
        return varied, shortened({"factor": factor})
