"""Local binary patterns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.extractors.image._base import ImageExtractor
from mlforge.extractors.image._canvas import Floats, Picture, cell_of_each_pixel, grey, squared

__all__ = ["Lbp"]

# The eight neighbours in the order in which a circle passes them: only so are patterns uniform.
NEIGHBOURS = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))
N_PATTERNS = 59


@dataclass(frozen=True, kw_only=True)
class _Config(ComponentConfig):
    """The parameters of `Lbp`."""

    size: Annotated[int, Ge(32), Le(256)] = 64
    """The side, in pixels, of the square that a picture is first brought to."""
    grid: Annotated[int, Ge(1), Le(8)] = 3
    """Into how many cells that square is parted along each side."""
    radius: Annotated[int, Ge(1), Le(8)] = 2
    """How far from a pixel, in pixels, its eight neighbours are."""


class Lbp(ImageExtractor):
    r"""Texture: which neighbours of a pixel are at least as bright as it (uniform LBP).

    The pattern of a pixel of brightness :math:`c` with neighbours :math:`n_0 ... n_7` is
    :math:`\sum_k [n_k \ge c] 2^k`. The 58 patterns with at most two changes around the circle are
    told apart; all others share one bin. Each cell holds the square roots of its patterns' shares.
    The neighbours lie on a square around the pixel instead of a circle, which needs no
    interpolation, and the picture is smoothed a little first.

    References
    ----------
    T. Ojala, M. Pietikainen and T. Maenpaa (2002), "Multiresolution Gray-Scale and Rotation
    Invariant Texture Classification with Local Binary Patterns", IEEE TPAMI 24 (7). T. Ahonen, A.
    Hadid and M. Pietikainen (2006), "Face Description with Local Binary Patterns", IEEE TPAMI 28
    (12), for the cells.

    Examples
    --------
    >>> Lbp().extract([np.zeros((40, 30, 3), np.uint8)]).shape
    (1, 531)
    """

    name: ClassVar[str] = "lbp"
    Config: ClassVar[type[ComponentConfig]] = _Config

    def __init__(self, config: ComponentConfig | None = None) -> None:
        super().__init__(config)
        self._inside = self.config.size - 2 * self.config.radius
        self._bins = _uniform_patterns()
        cells = cell_of_each_pixel(self._inside, self.config.grid)
        self._first_bins = cells * N_PATTERNS
        self._n_pixels = np.bincount(cells.ravel())[:, None]

    def names(self) -> list[str]:
        """Return ``lbp_<cell row>_<cell column>_<pattern>``."""
        along = range(self.config.grid)
        return [
            f"lbp_{y}_{x}_{pattern}" for y in along for x in along for pattern in range(N_PATTERNS)
        ]

    def describe(self, image: Picture) -> Floats:
        """Return the roots of the shares of the patterns, cell by cell."""
        brightness = grey(squared(image, self.config.size))
        bins = self._first_bins + self._bins[self._patterns(brightness)]
        n_cells = len(self._n_pixels)
        counts = np.bincount(bins.ravel(), minlength=n_cells * N_PATTERNS)
        shares = counts.reshape(n_cells, N_PATTERNS) / self._n_pixels
        return np.sqrt(shares).astype(np.float32).ravel()

    def _patterns(self, brightness: Picture) -> Picture:
        radius, inside = self.config.radius, self._inside
        middle = slice(radius, radius + inside)
        centre = brightness[middle, middle]
        patterns = np.zeros(centre.shape, np.uint8)
        for bit, (down, right) in enumerate(NEIGHBOURS):
            top, left = radius * (1 + down), radius * (1 + right)
            neighbour = brightness[top : top + inside, left : left + inside]
            patterns |= (neighbour >= centre).view(np.uint8) << np.uint8(bit)
        return patterns


def _uniform_patterns() -> npt.NDArray[np.uint8]:
    """Return the bin of each of the 256 patterns."""
    patterns = np.arange(256)
    bits = (patterns[:, None] >> np.arange(8)) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    bins = np.full(256, N_PATTERNS - 1, np.uint8)
    bins[uniform] = np.arange(N_PATTERNS - 1)
    return bins
