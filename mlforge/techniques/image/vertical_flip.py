"""The technique `vertical_flip`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any

from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._albumentations import AlbumentationsTechnique

__all__ = ["VerticalFlip"]


@dataclass(frozen=True, kw_only=True)
class VerticalFlipConfig(ComponentConfig):
    """The parameters of `vertical_flip`."""

    probability: Annotated[float, Ge(0), Le(1)] = 0.5
    """How often the image is mirrored."""


class VerticalFlip(AlbumentationsTechnique):
    """Turns the image upside down by mirroring; a 6 becomes nearly a 9."""

    name = "vertical_flip"
    keeps_labels = False
    Config = VerticalFlipConfig

    def transform(self, library: ModuleType) -> Any:
        """Build the transform from `config`."""
        return library.VerticalFlip(p=self.config.probability)

    def describe(self, params: Mapping[str, Any]) -> Drawn:
        """Return whether the image was mirrored."""
        return {"flipped": bool(params)}
