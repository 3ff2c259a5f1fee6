"""The outlines of simple shapes."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from mlforge.generators.image._canvas import Floats

__all__ = ["SHAPES", "fill_polygon", "shape_mask"]

Points = npt.NDArray[np.float64]
_FRACTION_BITS = 4
_N_POINTS = 72
_OBLONG = 0.55


def _regular(n_corners: int, turn: float = 0.0, stretch: float = 1.0) -> Points:
    """Return a regular polygon's corners, the first at the top for no turn."""
    angles = np.deg2rad(turn) + 2 * np.pi * np.arange(n_corners) / n_corners
    return np.stack([np.sin(angles), -stretch * np.cos(angles)], axis=1)


def _star() -> Points:
    points = _regular(10)
    points[1::2] *= 0.42
    return points


def _heart() -> Points:
    t = np.linspace(0, 2 * np.pi, _N_POINTS, endpoint=False)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([np.sin(t) ** 3, -(y + 2.5) / 16], axis=1)


def _crescent() -> Points:
    outer = np.linspace(0.25 * np.pi, 1.75 * np.pi, _N_POINTS)
    end = np.array([np.cos(outer[0]), np.sin(outer[0])])
    centre = 0.45
    radius = float(np.hypot(end[0] - centre, end[1]))
    first = float(np.arctan2(end[1], end[0] - centre))
    inner = np.linspace(2 * np.pi - first, first, _N_POINTS)
    arcs = [
        np.stack([np.cos(outer), np.sin(outer)], axis=1),
        np.stack([centre + radius * np.cos(inner), radius * np.sin(inner)], axis=1),
    ]
    return np.asarray(np.concatenate(arcs) + np.array((0.15, 0.0)), np.float64)


def _cross() -> Points:
    arm = 0.34
    quarter = [(arm, -1.0), (arm, -arm), (1.0, -arm)]
    turns = [np.array([[c, s], [-s, c]]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    return np.concatenate([np.array(quarter) @ turn for turn in turns])


def _arrow(turn: float) -> Points:
    """Return an arrow that points to the right, turned clockwise by some degrees."""
    corners = [(-1, -0.3), (0.1, -0.3), (0.1, -0.75), (1, 0), (0.1, 0.75), (0.1, 0.3), (-1, 0.3)]
    c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    return np.asarray(np.array(corners) @ np.array([[c, s], [-s, c]]), np.float64)


SHAPES: dict[str, Callable[[], Points]] = {
    "arrow_down": lambda: _arrow(90),
    "arrow_left": lambda: _arrow(180),
    "arrow_right": lambda: _arrow(0),
    "arrow_up": lambda: _arrow(270),
    "circle": lambda: _regular(_N_POINTS),
    "crescent": _crescent,
    "cross": _cross,
    "diamond": lambda: _regular(4) * (0.72, 1.0),
    "ellipse": lambda: _regular(_N_POINTS, stretch=_OBLONG),
    "heart": _heart,
    "hexagon": lambda: _regular(6),
    "octagon": lambda: _regular(8, 22.5),
    "pentagon": lambda: _regular(5),
    "rectangle": lambda: np.array([(-1, -_OBLONG), (1, -_OBLONG), (1, _OBLONG), (-1, _OBLONG)]),
    "square": lambda: _regular(4, 45) * 1.2,
    "star": _star,
    "triangle": lambda: _regular(3) + np.array((0.0, 0.2)),
}
"""Functions that give a shape's outline: n x 2 (right, down), within about 1 of the middle."""


def shape_mask(
    name: str, centre: tuple[float, float], radius: float, outline: float, shape: tuple[int, int]
) -> Floats:
    """Return the mask of a shape: float32, height x width, 0 to 1.

    Parameters
    ----------
    name
        One of `SHAPES`.
    centre
        Its middle: right and down, in pixels.
    radius
        Half its size, in pixels.
    outline
        The thickness of its line in pixels; 0 fills it.
    shape
        The mask's height and width.
    """
    points = SHAPES[name]() * radius + centre
    if not outline:
        return fill_polygon(points, shape)
    mask = np.zeros(shape, np.uint8)
    cv2.polylines(
        mask, [_fixed(points)], isClosed=True, color=(255,), thickness=max(1, round(outline)),
        lineType=cv2.LINE_AA, shift=_FRACTION_BITS,
    )  # fmt: skip
    return mask.astype(np.float32) / np.float32(255)


def fill_polygon(points: Points, shape: tuple[int, int]) -> Floats:
    """Return the mask of a polygon: float32, height x width, 0 to 1."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [_fixed(points)], (255,), cv2.LINE_AA, _FRACTION_BITS)
    return mask.astype(np.float32) / np.float32(255)


def _fixed(points: Points) -> npt.NDArray[np.int32]:
    return np.rint(points * (1 << _FRACTION_BITS)).astype(np.int32)
