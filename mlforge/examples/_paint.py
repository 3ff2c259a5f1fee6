"""Painting with arrays: smooth shapes, layers, soft noise and warps.

A *picture* is ``height x width x 3``, a *layer* ``height x width x 4`` and a *mask*
``height x width``, all float32 from 0 to 1, RGB(A). A layer's colours are premultiplied with its
opacity, so that it can be blurred, warped and reduced without dark fringes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

__all__ = [
    "Array",
    "Colour",
    "Line",
    "Points",
    "Polygon",
    "arc",
    "blur",
    "draw",
    "ellipse",
    "mask_of",
    "noise",
    "over",
    "ramp",
    "reduce",
    "resize",
    "rounded",
    "tinted",
    "warp",
]

Array = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]
Colour = tuple[float, float, float]

_FRACTION_BITS = 4
_FINE = 4


@dataclass(frozen=True)
class Polygon:
    """A filled shape.

    Attributes
    ----------
    path
        Its corners: ``n x 2`` pixels (x, y).
    colour
        One value a channel; where it is drawn on a layer, it is opaque.
    """

    path: npt.ArrayLike
    colour: npt.ArrayLike = (1.0,)


@dataclass(frozen=True)
class Line:
    """A line of some thickness in pixels, with round ends and joints; see `Polygon`."""

    path: npt.ArrayLike
    thickness: float
    colour: npt.ArrayLike = (1.0,)


def _floats(values: npt.ArrayLike) -> Array:
    return np.asarray(values, dtype=np.float32)


def _bytes(values: Array) -> npt.NDArray[np.uint8]:
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _fixed_point(points: npt.ArrayLike) -> npt.NDArray[np.int32]:
    # OpenCV puts a pixel's centre on whole numbers; here it lies half a pixel further.
    shifted = (np.asarray(points, dtype=np.float64) - 0.5) * (1 << _FRACTION_BITS)
    return np.round(shifted).astype(np.int32)


def draw(below: Array, shapes: Iterable[Polygon | Line]) -> Array:
    """Return a picture or layer with smooth-edged shapes drawn on it, the first one lowest."""
    # OpenCV smooths edges in 8-bit arrays only.
    canvas = _bytes(below)
    for shape in shapes:
        tone = np.full(4, 255.0)
        parts = np.asarray(shape.colour, dtype=np.float64)
        tone[: len(parts)] = np.clip(parts, 0, 1) * 255
        colour = tone[: below.shape[2]].tolist()
        points = [_fixed_point(shape.path)]
        if isinstance(shape, Polygon):
            cv2.fillPoly(canvas, points, colour, cv2.LINE_AA, _FRACTION_BITS)
        else:
            size = max(1, round(shape.thickness))
            cv2.polylines(
                canvas, points, isClosed=False, color=colour, thickness=size,
                lineType=cv2.LINE_AA, shift=_FRACTION_BITS,
            )  # fmt: skip
    return _floats(canvas) / np.float32(255)


def mask_of(height: int, width: int, *shapes: Polygon | Line) -> Array:
    """Return how much of each pixel the shapes cover: a mask."""
    return draw(np.zeros((height, width, 1), np.float32), shapes)[..., 0]


def tinted(below: Array, mask: Array, colour: npt.ArrayLike) -> Array:
    """Return a picture or layer with a colour (or one a pixel) laid over it where `mask` is set."""
    tone = _floats(colour)
    if below.shape[2] == 4:
        tone = _floats(np.concatenate([tone, np.ones((*tone.shape[:-1], 1))], axis=-1))
    return _floats(below + (tone - below) * mask[..., None])


def over(below: Array, layer: Array) -> Array:
    """Return a picture or layer with `layer` laid over it."""
    return _floats(below * (1 - layer[..., 3:]) + layer[..., : below.shape[2]])


def blur(values: Array, sigma: float) -> Array:
    """Return `values` blurred by `sigma` pixels; unchanged below a tenth of a pixel."""
    if sigma < 0.1:
        return values
    return _floats(cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REFLECT))


def resize(values: Array, height: int, width: int) -> Array:
    """Return `values` stretched smoothly to ``height x width``."""
    return _floats(cv2.resize(values, (width, height), interpolation=cv2.INTER_CUBIC))


def reduce(values: npt.NDArray[Any], factor: int) -> Array:
    """Return `values` with each square of ``factor x factor`` pixels averaged into one."""
    height, width = values.shape[0] // factor, values.shape[1] // factor
    return _floats(cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA))


def warp(layer: Array, corners: npt.ArrayLike, height: int, width: int) -> Array:
    """Return `layer` stretched so that its corners fall on four points, with smooth edges.

    Parameters
    ----------
    layer
        A layer, or a mask as ``height x width x 1``.
    corners
        Where its top left, top right, bottom right and bottom left go: ``4 x 2`` pixels (x, y).
    height, width
        The size of what is returned; it is worked out at four times that size.
    """
    rows, columns, n_channels = layer.shape
    source = _floats([(0, 0), (columns, 0), (columns, rows), (0, rows)]) - np.float32(0.5)
    target = _floats(corners) * _FINE - np.float32(0.5)
    matrix = cv2.getPerspectiveTransform(source, target)
    size = (width * _FINE, height * _FINE)
    fine = cv2.warpPerspective(_bytes(layer), matrix, size, flags=cv2.INTER_LINEAR)
    warped = reduce(np.asarray(fine), _FINE) / np.float32(255)
    return warped.reshape(height, width, n_channels)


def noise(rng: np.random.Generator, height: int, width: int, cell: float, octaves: int) -> Array:
    """Return smooth noise from 0 to 1, ``height x width``: a sum of ever finer random grids.

    Parameters
    ----------
    cell
        The size of the coarsest features in pixels.
    octaves
        How many grids; each is twice as fine and half as strong as the one before.
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        step = max(cell / 2**octave, 1.0)
        rows, columns = int(np.ceil(height / step)) + 2, int(np.ceil(width / step)) + 2
        grid = rng.random((rows, columns), dtype=np.float32)
        total += resize(grid, height, width) * np.float32(0.5**octave)
    low, high = float(total.min()), float(total.max())
    return _floats((total - low) / max(high - low, 1e-6))


def ramp(height: int, width: int, angle: float) -> Array:
    """Return a plane that rises from 0 to 1 towards `angle` (radians; 0 right, pi/2 down)."""
    across = np.linspace(0, 1, width, dtype=np.float32)[None, :] * np.float32(np.cos(angle))
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    along = across + down
    return _floats((along - along.min()) / max(float(np.ptp(along)), 1e-6))


def arc(
    centre: tuple[float, float], radius: tuple[float, float], start: float, stop: float
) -> list[tuple[float, float]]:
    """Return points on an ellipse from one angle to another (degrees; 0 right, 90 down)."""
    angles = np.radians(np.linspace(start, stop, max(2, int(abs(stop - start) / 6) + 1)))
    x, y = centre
    return [(x + radius[0] * float(np.cos(a)), y + radius[1] * float(np.sin(a))) for a in angles]


def ellipse(centre: npt.ArrayLike, radius: tuple[float, float], turn: float = 0.0) -> Points:
    """Return the outline of an ellipse turned by `turn` radians, as ``24 x 2`` points."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    x, y = radius[0] * np.cos(angles), radius[1] * np.sin(angles)
    c, s = float(np.cos(turn)), float(np.sin(turn))
    outline: Points = np.stack([c * x - s * y, s * x + c * y], axis=1) + np.asarray(centre)
    return outline


def rounded(points: Sequence[tuple[float, float]], radius: float) -> list[tuple[float, float]]:
    """Return a polygon with its corners rounded, cut at `radius` along each side."""
    corners = np.asarray(points, dtype=np.float64)
    smooth: list[tuple[float, float]] = []
    for before, corner, after in zip(
        np.roll(corners, 1, axis=0), corners, np.roll(corners, -1, axis=0), strict=True
    ):
        enter = corner + (before - corner) * radius / np.linalg.norm(before - corner)
        leave = corner + (after - corner) * radius / np.linalg.norm(after - corner)
        for t in np.linspace(0, 1, 9):
            point = (1 - t) ** 2 * enter + 2 * t * (1 - t) * corner + t**2 * leave
            smooth.append((float(point[0]), float(point[1])))
    return smooth
