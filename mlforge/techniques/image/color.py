"""The technique `color`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any

from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._albumentations import AlbumentationsTechnique

__all__ = ["Color"]

_CIRCLE = 360.0


@dataclass(frozen=True, kw_only=True)
class ColorConfig(ComponentConfig):
    """The parameters of `color`."""

    hue: Annotated[float, Ge(0), Le(180)] = 6.0
    """The largest turn of the colour circle in degrees, in either direction; 120 takes red to
    green."""
    saturation: Annotated[float, Ge(0), Le(1)] = 0.25
    """The largest change of saturation: 0.25 draws a factor from 0.75 to 1.25."""


class Color(AlbumentationsTechnique):
    """Shifts hue and saturation a little, as another lamp or camera does."""

    name = "color"
    Config = ColorConfig

    def transform(self, library: ModuleType) -> Any:
        """Build the transform from `config`."""
        turn = self.config.hue / _CIRCLE
        limits = {
            "hue": (-turn, turn),
            "saturation": (1.0 - self.config.saturation, 1.0 + self.config.saturation),
        }
        return library.ColorJitter(brightness=(1.0, 1.0), contrast=(1.0, 1.0), **limits, p=1.0)

    def describe(self, params: Mapping[str, Any]) -> Drawn:
        """Return the turn of the hue in degrees and the factor of the saturation."""
        return {"hue": params["hue"] * _CIRCLE, "saturation": params["saturation"]}
