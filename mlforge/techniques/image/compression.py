"""The technique `compression`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any

from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._albumentations import AlbumentationsTechnique

__all__ = ["Compression"]


@dataclass(frozen=True, kw_only=True)
class CompressionConfig(ComponentConfig):
    """The parameters of `compression`."""

    quality: tuple[Annotated[int, Ge(1), Le(100)], Annotated[int, Ge(1), Le(100)]] = (40, 95)
    """The lowest and the highest JPEG quality."""

    def __post_init__(self) -> None:
        low, high = self.quality
        if low > high:
            raise ValueError(f"the lowest quality {low} is above the highest {high}")


class Compression(AlbumentationsTechnique):
    """Adds the blocks and smears of JPEG compression."""

    name = "compression"
    Config = CompressionConfig

    def transform(self, library: ModuleType) -> Any:
        """Build the transform from `config`."""
        return library.ImageCompression(quality_range=tuple(self.config.quality), p=1.0)

    def describe(self, params: Mapping[str, Any]) -> Drawn:
        """Return the JPEG quality."""
        return {"quality": params["quality"]}
