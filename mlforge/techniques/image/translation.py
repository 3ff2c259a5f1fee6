"""The technique `translation`."""

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

__all__ = ["Translation"]


@dataclass(frozen=True, kw_only=True)
class TranslationConfig(ComponentConfig):
    """The parameters of `translation`."""

    limit: Annotated[float, Ge(0), Le(0.5)] = 0.08
    """The longest shift, as a share of the width and of the height."""


class Translation(AlbumentationsTechnique):
    """Shifts the image by whole pixels, as aiming a little beside the subject does."""

    name = "translation"
    Config = TranslationConfig

    def transform(self, library: ModuleType) -> Any:
        """Build the transform from `config`."""
        limits = (-self.config.limit, self.config.limit)
        shifts = {"x": limits, "y": limits}
        return library.Affine(translate_percent=shifts, border_mode=BORDER, p=1.0)

    def describe(self, params: Mapping[str, Any]) -> Drawn:
        """Return the shift to the right and down, in pixels."""
        return {"x": int(params["matrix"][0, 2]), "y": int(params["matrix"][1, 2])}
