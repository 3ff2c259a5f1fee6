"""The technique `blur`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any

from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._albumentations import AlbumentationsTechnique

__all__ = ["Blur"]

_NO_BLUR = 1e-6


@dataclass(frozen=True, kw_only=True)
class BlurConfig(ComponentConfig):
    """The parameters of `blur`."""

    limit: Annotated[float, Ge(0), Le(0.1)] = 0.006
    """The largest standard deviation of the Gaussian, as a share of the longest side."""


class Blur(AlbumentationsTechnique):
    """Blurs the image, as a lens out of focus does."""

    name = "blur"
    Config = BlurConfig

    def transform(self, library: ModuleType) -> Any:
        """Build the transform from `config`."""
        return library.GaussianBlur(p=1.0)

    def adapt(self, transform: Any, height: int, width: int) -> None:
        """Set the range of the standard deviation in pixels."""
        # Above zero, since the kernel is divided by it.
        transform.sigma_limit = (_NO_BLUR, _NO_BLUR + self.config.limit * max(height, width))

    def describe(self, params: Mapping[str, Any]) -> Drawn:
        """Return the standard deviation in pixels; 0 where the kernel is a single pixel."""
        kernel = params["kernel"]
        middle = len(kernel) // 2
        if middle == 0:
            return {"sigma": 0.0}
        return {"sigma": math.sqrt(-0.5 / math.log(kernel[middle + 1] / kernel[middle]))}
