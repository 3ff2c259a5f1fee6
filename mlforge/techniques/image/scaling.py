"""The technique `scaling`."""

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

__all__ = ["Scaling"]


@dataclass(frozen=True, kw_only=True)
class ScalingConfig(ComponentConfig):
    """The parameters of `scaling`."""

    limit: Annotated[float, Ge(0), Le(0.9)] = 0.15
    """The largest change of size: 0.15 draws a factor from 0.85 to 1.15."""


class Scaling(AlbumentationsTechnique):
    """Makes what the image shows larger or smaller, as another distance does."""

    name = "scaling"
    Config = ScalingConfig

    def transform(self, library: ModuleType) -> Any:
        """Build the transform from `config`."""
        limits = (1.0 - self.config.limit, 1.0 + self.config.limit)
        return library.Affine(scale=limits, keep_ratio=True, border_mode=BORDER, p=1.0)

    def describe(self, params: Mapping[str, Any]) -> Drawn:
        """Return the factor."""
        return {"factor": params["scale"]["x"]}
