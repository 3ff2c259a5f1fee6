"""The technique `rotation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any

from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._albumentations import AlbumentationsTechnique
from mlforge.techniques.image._image import BORDER

__all__ = ["Rotation"]


@dataclass(frozen=True, kw_only=True)
class RotationConfig(ComponentConfig):
    """The parameters of `rotation`."""

    limit: Annotated[float, Ge(0), Le(180)] = 15.0
    """The largest angle in degrees, in either direction."""


class Rotation(AlbumentationsTechnique):
    """Turns the image around its centre, as a camera held askew does."""

    name = "rotation"
    Config = RotationConfig

    def transform(self, library: ModuleType) -> Any:
        """Build the transform from `config`."""
        limit = self.config.limit
        return library.Affine(rotate=(-limit, limit), border_mode=BORDER, p=1.0)

    def describe(self, params: Mapping[str, Any]) -> Drawn:
        """Return the angle in degrees, counterclockwise."""
        return {"angle": params["rotate"]}
