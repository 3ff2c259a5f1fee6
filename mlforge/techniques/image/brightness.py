"""The technique `brightness`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._image import ImageTechnique, shortened
from mlforge.techniques.image._tone import with_levels

__all__ = ["Brightness"]


@dataclass(frozen=True, kw_only=True)
class BrightnessConfig(ComponentConfig):
    """The parameters of `brightness`."""

    limit: Annotated[float, Ge(0), Le(1)] = 0.25
    """The largest change of brightness: 0.25 draws a factor from 0.75 to 1.25."""


class Brightness(ImageTechnique):
    """Makes the image lighter or darker, as more or less light does."""

    name = "brightness"
    Config = BrightnessConfig
    revision = 2

    def apply(
        self, example: npt.NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], Drawn]:
        """Return a varied image and the factor of its levels.

        Parameters
        ----------
        example
            uint8, height x width x 3, RGB; it is never changed.
        rng
            The only source of randomness.
        """
        factor = rng.uniform(1.0 - self.config.limit, 1.0 + self.config.limit)
        return with_levels(example, factor, 0.0), shortened({"factor": factor})
