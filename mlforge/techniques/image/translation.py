"""The technique `translation`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._affine import AffineTechnique

__all__ = ["Translation"]


@dataclass(frozen=True, kw_only=True)
class TranslationConfig(ComponentConfig):
    """The parameters of `translation`."""

    limit: Annotated[float, Ge(0), Le(0.5)] = 0.08
    """The longest shift, as a share of the width and of the height."""


class Translation(AffineTechnique):
    """Shifts the image by whole pixels, as aiming a little beside the subject does."""

    name = "translation"
    Config = TranslationConfig
    revision = 2

    def matrix(
        self, height: int, width: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float64], Drawn]:
        """Return the shift, and how far it goes to the right and down, in pixels."""
        shares = rng.uniform(-self.config.limit, self.config.limit, 2)
        x, y = (round(share * side) for share, side in zip(shares, (width, height), strict=True))
        matrix = np.eye(3)
        matrix[:2, 2] = x, y
        return matrix, {"x": x, "y": y}
