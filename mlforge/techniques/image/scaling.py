"""The technique `scaling`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._affine import AffineTechnique, about_centre

__all__ = ["Scaling"]


@dataclass(frozen=True, kw_only=True)
class ScalingConfig(ComponentConfig):
    """The parameters of `scaling`."""

    limit: Annotated[float, Ge(0), Le(0.9)] = 0.15
    """The largest change of size: 0.15 draws a factor from 0.85 to 1.15."""


class Scaling(AffineTechnique):
    """Makes what the image shows larger or smaller, as another distance does."""

    name = "scaling"
    Config = ScalingConfig
    revision = 2

    def matrix(
        self, height: int, width: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float64], Drawn]:
        """Return the change of size, and its factor."""
        factor = rng.uniform(1.0 - self.config.limit, 1.0 + self.config.limit)
        return about_centre([[factor, 0], [0, factor]], height, width), {"factor": factor}
