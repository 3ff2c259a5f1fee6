"""The technique `occlusion`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any

from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._albumentations import AlbumentationsTechnique

__all__ = ["Occlusion"]


@dataclass(frozen=True, kw_only=True)
class OcclusionConfig(ComponentConfig):
    """The parameters of `occlusion`."""

    holes: Annotated[int, Ge(1), Le(8)] = 2
    """The most rectangles that are covered."""
    limit: Annotated[float, Ge(0), Le(0.9)] = 0.2
    """The largest rectangle's width and height, as a share of the image's."""


class Occlusion(AlbumentationsTechnique):
    """Covers small rectangles, as things in front of the subject do.

    References
    ----------
    Zhong et al., "Random Erasing Data Augmentation", AAAI 2020.
    """

    name = "occlusion"
    Config = OcclusionConfig

    def transform(self, library: ModuleType) -> Any:
        """Build the transform from `config`."""
        sides = (self.config.limit / 4, self.config.limit)
        return library.CoarseDropout(
            num_holes_range=(1, self.config.holes),
            hole_height_range=sides,
            hole_width_range=sides,
            fill="random_uniform",
            p=1.0,
        )

    def describe(self, params: Mapping[str, Any]) -> Drawn:
        """Return left, top, right and bottom of each rectangle, in pixels."""
        return {"boxes": params["holes"]}
