"""A small picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.extractors.image._base import ImageExtractor
from mlforge.extractors.image._canvas import Floats, Picture, contrast, squared

__all__ = ["Thumbnail"]

# A deviation of about 13 grey levels; much less than that in a picture is noise.
FLOOR = 0.05


@dataclass(frozen=True, kw_only=True)
class _Config(ComponentConfig):
    """The parameters of `Thumbnail`."""

    side: Annotated[int, Ge(2), Le(64)] = 8
    """The side of the small picture in pixels."""


class Thumbnail(ImageExtractor):
    """Layout: the picture itself, made small, whatever its brightness and contrast.

    References
    ----------
    A. Torralba, R. Fergus and W. T. Freeman (2008), "80 Million Tiny Images: A Large Data Set for
    Nonparametric Object and Scene Recognition", IEEE TPAMI 30 (11).

    Examples
    --------
    >>> Thumbnail().extract([np.full((40, 30, 3), 200, np.uint8)]).max()
    np.float32(0.0)
    """

    name: ClassVar[str] = "thumbnail"
    Config: ClassVar[type[ComponentConfig]] = _Config

    def names(self) -> list[str]:
        """Return ``thumbnail_<row>_<column>_<red, green or blue>``."""
        along = range(self.config.side)
        return [f"thumbnail_{y}_{x}_{c}" for y in along for x in along for c in "rgb"]

    def describe(self, image: Picture) -> Floats:
        """Return the small picture's values, in deviations from its mean."""
        small = squared(image, self.config.side).astype(np.float32) / np.float32(255)
        return contrast(small, FLOOR).ravel()
