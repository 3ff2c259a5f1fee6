"""Edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import cv2
import numpy as np
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.extractors.image._base import ImageExtractor
from mlforge.extractors.image._canvas import Floats, Picture, grey, squared

__all__ = ["Edges"]


@dataclass(frozen=True, kw_only=True)
class _Config(ComponentConfig):
    """The parameters of `Edges`."""

    size: Annotated[int, Ge(16), Le(256)] = 64
    """The side, in pixels, of the square that a picture is first brought to."""
    grid: Annotated[int, Ge(1), Le(16)] = 8
    """Into how many cells that square is parted along each side."""
    weakest: Annotated[int, Ge(1), Le(1020)] = 60
    """The slope that carries an edge on."""
    strongest: Annotated[int, Ge(1), Le(1020)] = 160
    """The slope that starts an edge."""

    def __post_init__(self) -> None:
        if self.weakest > self.strongest:
            raise ValueError("weakest is above strongest")


class Edges(ImageExtractor):
    """Outlines: how many edges each cell holds and how far from edges it lies.

    Edges are Canny's. The distance of a pixel from the nearest edge, as a part of a quarter of the
    picture's side and at most 1, changes little when an outline moves a little; the share of edge
    pixels tells busy cells from plain ones.

    References
    ----------
    J. Canny (1986), "A Computational Approach to Edge Detection", IEEE TPAMI 8 (6). H. G. Barrow,
    J. M. Tenenbaum, R. C. Bolles and H. C. Wolf (1977), "Parametric Correspondence and Chamfer
    Matching", IJCAI, for the distances.

    Examples
    --------
    >>> features = Edges().extract([np.zeros((40, 30, 3), np.uint8)])[0]
    >>> features[:64].max(), features[64:].min()
    (np.float32(0.0), np.float32(1.0))
    """

    name: ClassVar[str] = "edges"
    Config: ClassVar[type[ComponentConfig]] = _Config

    def names(self) -> list[str]:
        """Return ``edges_<share or distance>_<cell row>_<cell column>``."""
        along = range(self.config.grid)
        return [f"edges_{k}_{y}_{x}" for k in ("share", "distance") for y in along for x in along]

    def describe(self, image: Picture) -> Floats:
        """Return the share of edge pixels of each cell, then its mean distance from edges."""
        brightness = grey(squared(image, self.config.size))
        edges = np.asarray(
            cv2.Canny(brightness, self.config.weakest, self.config.strongest), np.uint8
        )
        shares = np.asarray(edges / 255, np.float32)
        return np.concatenate([self._cells(shares), self._cells(_distances(edges))])

    def _cells(self, values: Floats) -> Floats:
        grid = self.config.grid
        means = cv2.resize(values, (grid, grid), interpolation=cv2.INTER_AREA)
        return np.asarray(means, np.float32).ravel()


def _distances(edges: Picture) -> Floats:
    """Return how far each pixel is from the nearest edge: ``height x width``, from 0 to 1."""
    if not edges.any():
        return np.ones(edges.shape, np.float32)
    # The precise mask was seen to give other last digits from run to run; this one sums integers.
    pixels = cv2.distanceTransform(cv2.bitwise_not(edges), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(np.minimum(pixels / (len(edges) / 4), 1), np.float32)
