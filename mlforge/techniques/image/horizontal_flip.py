"""The technique `horizontal_flip`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any

from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._albumentations import AlbumentationsTechnique

__all__ = ["HorizontalFlip"]


@dataclass(frozen=True, kw_only=True)
class HorizontalFlipConfig(ComponentConfig):
    """The parameters of `horizontal_flip`."""

    probability: Annotated[float, Ge(0), Le(1)] = 0.5
    """How often the image is mirrored."""


class HorizontalFlip(AlbumentationsTechnique):
    """Mirrors the image left to right; a left arrow becomes a right one."""

    name = "horizontal_flip"
    keeps_labels = False
    Config = HorizontalFlipConfig

    def transform(self, library: ModuleType) -> Any:
        """Build the transform from `config`."""
        return library.HorizontalFlip(p=self.config.probability)

    def describe(self, params: Mapping[str, Any]) -> Drawn:
        """Return whether the image was mirrored."""
        return {"flipped": bool(params)}
