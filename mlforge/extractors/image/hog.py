"""Histograms of oriented gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import cv2
import numpy as np
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.extractors.image._base import ImageExtractor
from mlforge.extractors.image._canvas import Floats, Picture, overlap, squared

__all__ = ["Hog"]

MAXIMUM_FEATURES = 20_000
# An average slope below this, in square roots of grey levels a pixel, counts as noise.
NOISE = 0.3
# Dalal and Triggs clip a normalised block here, so that one strong edge cannot hide the others.
CLIP = 0.2


@dataclass(frozen=True, kw_only=True)
class _Config(ComponentConfig):
    """The parameters of `Hog`."""

    size: Annotated[int, Ge(16), Le(256)] = 56
    """The side, in pixels, of the square that a picture is first brought to."""
    cell: Annotated[int, Ge(4), Le(64)] = 8
    """The side, in pixels of that square, of a cell that gets a histogram."""
    levels: Annotated[int, Ge(1), Le(3)] = 2
    """How often histograms are taken, each time in cells twice as large."""
    orientations: Annotated[int, Ge(4), Le(36)] = 9
    """Into how many bins directions are sorted."""
    signed: bool = True
    """Whether dark to light and light to dark are different directions."""

    def __post_init__(self) -> None:
        if min(self.grids) < 2:
            smallest = self.cell * 2 ** (self.levels - 1) + 1
            raise ValueError(
                f"size {self.size} is less than two cells of the largest level across; "
                f"it takes at least {smallest}"
            )
        if self.n_features > MAXIMUM_FEATURES:
            raise ValueError(
                f"these are {self.n_features} features, more than {MAXIMUM_FEATURES}: "
                "enlarge cell or reduce size, levels or orientations"
            )

    @property
    def grids(self) -> tuple[int, ...]:
        """The number of cells along a side at each level."""
        return tuple(-(-self.size // (self.cell * 2**level)) for level in range(self.levels))

    @property
    def n_features(self) -> int:
        """The number of features of a picture."""
        return sum(4 * self.orientations * (grid - 1) ** 2 for grid in self.grids)


class Hog(ImageExtractor):
    r"""Shapes: in which directions brightness changes, cell by cell (HOG).

    The slopes :math:`g_x, g_y` are central differences of the square roots of the grey levels, in
    the colour channel where they are steepest. A pixel adds :math:`\sqrt{g_x^2 + g_y^2}` to the two
    nearest bins of direction of the nearest cells. Each block of 2 x 2 cells, :math:`v`, is
    normalised, :math:`v / \sqrt{\|v\|^2 + \epsilon^2}`, and clipped at 0.2. A second level with
    cells twice as large sees coarse shape.

    References
    ----------
    N. Dalal and B. Triggs (2005), "Histograms of Oriented Gradients for Human Detection", CVPR,
    section 6. P. F. Felzenszwalb et al. (2010), "Object Detection with Discriminatively Trained
    Part-Based Models", IEEE TPAMI 32 (9), section 6.1, for clipping as the last step. S. Lazebnik,
    C. Schmid and J. Ponce (2006), "Beyond Bags of Features: Spatial Pyramid Matching for
    Recognizing Natural Scene Categories", CVPR, for the levels.

    Examples
    --------
    >>> Hog().extract([np.zeros((40, 30, 3), np.uint8)]).shape
    (1, 1620)
    """

    name: ClassVar[str] = "hog"
    Config: ClassVar[type[ComponentConfig]] = _Config

    def __init__(self, config: ComponentConfig | None = None) -> None:
        super().__init__(config)
        side = self.config.size
        self._pixels = np.arange(side * side)
        self._overlaps = [overlap(side, grid) for grid in self.config.grids]

    def names(self) -> list[str]:
        """Return ``hog_<level>_<block row>_<block column>_<cell of the block>_<bin>``."""
        return [
            f"hog_{level}_{row}_{column}_{cell}_{direction}"
            for level, grid in enumerate(self.config.grids)
            for row in range(grid - 1)
            for column in range(grid - 1)
            for cell in range(4)
            for direction in range(self.config.orientations)
        ]

    def describe(self, image: Picture) -> Floats:
        """Return the normalised blocks of all levels, one after the other."""
        maps = self._directions(*_steepest_slopes(squared(image, self.config.size)))
        return np.concatenate([self._blocks(maps, along) for along in self._overlaps])

    def _directions(self, slope_x: Floats, slope_y: Floats) -> Floats:
        """Return one map of slopes for each direction: ``orientations x size x size``."""
        bins, side = self.config.orientations, self.config.size
        length, angle = cv2.cartToPolar(slope_x, slope_y)
        half_turns = 2 if self.config.signed else 1
        place = angle.ravel() * np.float32(bins / (half_turns * np.pi))
        below = np.floor(place)
        upper_share = (place - below) * length.ravel()
        lower = below.astype(np.intp) % bins
        maps = np.zeros((bins, side * side), np.float32)
        maps[lower, self._pixels] = length.ravel() - upper_share
        maps[(lower + 1) % bins, self._pixels] = upper_share
        return maps.reshape(bins, side, side)

    def _blocks(self, maps: Floats, along: Floats) -> Floats:
        cells = (along @ maps @ along.T).transpose(1, 2, 0)
        blocks = np.concatenate(
            [cells[:-1, :-1], cells[:-1, 1:], cells[1:, :-1], cells[1:, 1:]], axis=2
        )
        noise = NOISE * (self.config.size / len(along)) ** 2
        squares = np.einsum("...i,...i->...", blocks, blocks)[..., None]
        lengths = np.sqrt(squares + np.float32(noise * noise))
        return np.asarray(np.minimum(blocks / lengths, CLIP), np.float32).ravel()


def _steepest_slopes(image: Picture) -> tuple[Floats, Floats]:
    """Return the slopes to the right and down, each ``height x width``."""
    roots = np.sqrt(image, dtype=np.float32)
    slopes = [
        cv2.Sobel(roots, cv2.CV_32F, dx, dy, ksize=1, borderType=cv2.BORDER_REPLICATE)
        for dx, dy in ((1, 0), (0, 1))
    ]
    steepness = slopes[0] * slopes[0] + slopes[1] * slopes[1]
    channel = steepness.argmax(axis=2)[..., None]
    steepest = [np.take_along_axis(slope, channel, axis=2)[..., 0] for slope in slopes]
    return np.asarray(steepest[0], np.float32), np.asarray(steepest[1], np.float32)
