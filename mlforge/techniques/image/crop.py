"""The technique `crop`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any

from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._albumentations import AlbumentationsTechnique

__all__ = ["Crop"]


@dataclass(frozen=True, kw_only=True)
class CropConfig(ComponentConfig):
    """The parameters of `crop`."""

    limit: Annotated[float, Ge(0), Le(0.45)] = 0.1
    """The most that is cut off each side, as a share of the width or of the height."""


class Crop(AlbumentationsTechnique):
    """Cuts a strip off each side and stretches the rest to the old size."""

    name = "crop"
    Config = CropConfig

    def transform(self, library: ModuleType) -> Any:
        """Build the transform from `config`."""
        return library.CropAndPad(percent=(-self.config.limit, 0.0), p=1.0)

    def describe(self, params: Mapping[str, Any]) -> Drawn:
        """Return left, top, right and bottom of what was kept, in pixels."""
        height, width = params["shape"][:2]
        return {"box": params["crop_params"] or [0, 0, width, height]}
