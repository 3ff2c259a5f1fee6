"""The technique `rotation`."""

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

__all__ = ["Rotation"]


@dataclass(frozen=True, kw_only=True)
class RotationConfig(ComponentConfig):
    """The parameters of `rotation`."""

    limit: Annotated[float, Ge(0), Le(180)] = 15.0
    """The largest angle in degrees, in either direction."""


class Rotation(AffineTechnique):
    """Turns the image around its centre, as a camera held askew does."""

    name = "rotation"
    Config = RotationConfig
    revision = 2

    def matrix(
        self, height: int, width: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float64], Drawn]:
        """Return the turn, and its angle in degrees, counterclockwise."""
        angle = rng.uniform(-self.config.limit, self.config.limit)
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        return about_centre([[cosine, sine], [-sine, cosine]], height, width), {"angle": angle}
