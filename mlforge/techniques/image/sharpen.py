"""The technique `sharpen`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any

from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._albumentations import AlbumentationsTechnique

__all__ = ["Sharpen"]


@dataclass(frozen=True, kw_only=True)
class SharpenConfig(ComponentConfig):
    """The parameters of `sharpen`."""

    limit: Annotated[float, Ge(0), Le(1)] = 0.15
    """The largest share of edges that is added."""


class Sharpen(AlbumentationsTechnique):
    """Sharpens edges, as the software of many cameras does."""

    name = "sharpen"
    Config = SharpenConfig

    def transform(self, library: ModuleType) -> Any:
        """Build the transform from `config`."""
        return library.Sharpen(alpha=(0.0, self.config.limit), lightness=(1.0, 1.0), p=1.0)

    def describe(self, params: Mapping[str, Any]) -> Drawn:
        """Return the share of edges that was added."""
        return {"share": params["alpha"]}
