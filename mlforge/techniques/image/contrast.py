"""The technique `contrast`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any

from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._albumentations import AlbumentationsTechnique
from mlforge.techniques.image._image import UNCHANGED_COLOR

__all__ = ["Contrast"]


@dataclass(frozen=True, kw_only=True)
class ContrastConfig(ComponentConfig):
    """The parameters of `contrast`."""

    limit: Annotated[float, Ge(0), Le(1)] = 0.25
    """The largest change of contrast: 0.25 draws a factor from 0.75 to 1.25."""


class Contrast(AlbumentationsTechnique):
    """Draws light and dark apart or together, as clear or hazy air does."""

    name = "contrast"
    Config = ContrastConfig

    def transform(self, library: ModuleType) -> Any:
        """Build the transform from `config`."""
        limits = (1.0 - self.config.limit, 1.0 + self.config.limit)
        return library.ColorJitter(**UNCHANGED_COLOR | {"contrast": limits}, p=1.0)

    def describe(self, params: Mapping[str, Any]) -> Drawn:
        """Return the factor."""
        return {"factor": params["contrast"]}
