"""The technique `shadow`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any

from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._albumentations import AlbumentationsTechnique

__all__ = ["Shadow"]


@dataclass(frozen=True, kw_only=True)
class ShadowConfig(ComponentConfig):
    """The parameters of `shadow`."""

    limit: Annotated[float, Ge(0), Le(1)] = 0.4
    """The share of light that the darkest shadow takes away."""


class Shadow(AlbumentationsTechnique):
    """Lays the shadow of something with straight edges over the image."""

    name = "shadow"
    Config = ShadowConfig

    def transform(self, library: ModuleType) -> Any:
        """Build the transform from `config`."""
        return library.RandomShadow(
            shadow_roi=(0.0, 0.0, 1.0, 1.0),
            num_shadows_limit=(1, 1),
            shadow_dimension=3,
            shadow_intensity_range=(0.0, self.config.limit),
            p=1.0,
        )

    def describe(self, params: Mapping[str, Any]) -> Drawn:
        """Return the share of light that was taken away and the shadow's corners in pixels."""
        return {"darkness": params["intensities"][0], "corners": params["vertices_list"][0]}
