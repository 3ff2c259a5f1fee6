"""The technique `shear`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any

from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._albumentations import AlbumentationsTechnique
from mlforge.techniques.image._image import BORDER

__all__ = ["Shear"]


@dataclass(frozen=True, kw_only=True)
class ShearConfig(ComponentConfig):
    """The parameters of `shear`."""

    limit: Annotated[float, Ge(0), Le(40)] = 8.0
    """The largest angle in degrees by which horizontal and vertical lines lean."""


class Shear(AlbumentationsTechnique):
    """Slants the image, as looking from the side does."""

    name = "shear"
    Config = ShearConfig

    def transform(self, library: ModuleType) -> Any:
        """Build the transform from `config`."""
        limits = (-self.config.limit, self.config.limit)
        return library.Affine(shear={"x": limits, "y": limits}, border_mode=BORDER, p=1.0)

    def describe(self, params: Mapping[str, Any]) -> Drawn:
        """Return the angles in degrees by which vertical (x) and horizontal (y) lines lean."""
        matrix = params["matrix"]
        return {
            "x": math.degrees(math.atan(matrix[0, 1])),
            "y": math.degrees(math.atan(matrix[1, 0])),
        }
