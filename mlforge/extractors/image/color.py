"""Colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import cv2
import numpy as np
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.extractors.image._base import ImageExtractor
from mlforge.extractors.image._canvas import Floats, Picture, squared

__all__ = ["Color"]

# Enough pixels for a histogram; more would only take longer.
SIDE = 64
# OpenCV stores hue as degrees halved, to fit into a byte.
HUE_END, BYTE_END = 180, 256


@dataclass(frozen=True, kw_only=True)
class _Config(ComponentConfig):
    """The parameters of `Color`."""

    hue_bins: Annotated[int, Ge(2), Le(36)] = 8
    """Into how many bins hue is sorted."""
    saturation_bins: Annotated[int, Ge(1), Le(16)] = 3
    """Into how many bins saturation is sorted."""
    value_bins: Annotated[int, Ge(1), Le(16)] = 3
    """Into how many bins brightness is sorted."""


class Color(ImageExtractor):
    r"""Colours: a histogram of hue, saturation and value, and the moments of red, green and blue.

    The histogram holds the square roots of the shares :math:`p_i` of the pixels, so that the
    distance of two of them is that of Hellinger. The moments of each channel are its mean, its
    standard deviation and the cube root of its third central moment, all as parts of full
    brightness. Where a colour is does not matter.

    References
    ----------
    M. J. Swain and D. H. Ballard (1991), "Color Indexing", IJCV 7 (1). M. Stricker and M. Orengo
    (1995), "Similarity of Color Images", SPIE 2420. R. Arandjelovic and A. Zisserman (2012),
    "Three Things Everyone Should Know to Improve Object Retrieval", CVPR, for the square root.

    Examples
    --------
    >>> features = dict(zip(Color().names(), Color().extract([np.zeros((9, 9, 3), np.uint8)])[0]))
    >>> features["color_0_0_0"], features["color_mean_r"]
    (np.float32(1.0), np.float32(0.0))
    """

    name: ClassVar[str] = "color"
    Config: ClassVar[type[ComponentConfig]] = _Config

    def names(self) -> list[str]:
        """Return ``color_<hue>_<saturation>_<value>`` and ``color_<moment>_<channel>``."""
        hues, saturations, values = self._bins()
        shares = [
            f"color_{hue}_{saturation}_{value}"
            for hue in range(hues)
            for saturation in range(saturations)
            for value in range(values)
        ]
        moments = [f"color_{m}_{c}" for m in ("mean", "deviation", "skewness") for c in "rgb"]
        return shares + moments

    def describe(self, image: Picture) -> Floats:
        """Return the histogram and the moments."""
        small = squared(image, SIDE)
        converted = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
        ranges = [0, HUE_END, 0, BYTE_END, 0, BYTE_END]
        counts = cv2.calcHist([converted], [0, 1, 2], None, self._bins(), ranges)
        return np.concatenate([np.sqrt(counts.ravel() / (SIDE * SIDE)), _moments(small)])

    def _bins(self) -> list[int]:
        return [self.config.hue_bins, self.config.saturation_bins, self.config.value_bins]


def _moments(image: Picture) -> Floats:
    # Whole numbers are summed exactly, so the moments of a flat channel come out as exactly zero.
    levels = np.arange(BYTE_END)
    mean, deviation, skewness = [], [], []
    for channel in range(3):
        counts = np.bincount(image[..., channel].ravel(), minlength=BYTE_END)
        shares = counts / counts.sum()
        centre = shares @ levels
        from_centre = levels - centre
        mean.append(centre)
        deviation.append(np.sqrt(shares @ from_centre**2))
        skewness.append(np.cbrt(shares @ from_centre**3))
    return np.asarray(mean + deviation + skewness, np.float32) / np.float32(255)
