"""The technique `shear`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._affine import AffineTechnique, about_centre

__all__ = ["Shear"]


@dataclass(frozen=True, kw_only=True)
class ShearConfig(ComponentConfig):
    """The parameters of `shear`."""

    limit: Annotated[float, Ge(0), Le(40)] = 8.0
    """The largest angle in degrees by which horizontal and vertical lines lean."""


class Shear(AffineTechnique):
    """Slants the image, as looking from the side does."""

    name = "shear"
    Config = ShearConfig
    revision = 2

    def matrix(
        self, height: int, width: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float64], Drawn]:
        """Return the slant, and by how many degrees vertical (x) and horizontal (y) lines lean."""
        x, y = rng.uniform(-self.config.limit, self.config.limit, 2)
        slant = [[1, math.tan(math.radians(x))], [math.tan(math.radians(y)), 1]]
        return about_centre(slant, height, width), {"x": x, "y": y}
