"""Placing a cut-out before a background: where it goes, its shadow, what is in front of it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mlforge.generators.image._canvas import Color, Floats, Pixels, blend, color, scaled, to_floats
from mlforge.generators.image._cutout import Cutout

__all__ = ["Occluder", "Placement", "cast_shadow", "draw_occluder", "hide", "place", "placed"]

# An object that goes on beyond a side may be pushed out by so much of its length, or pulled in.
_PUSH, _PULL = 0.04, 0.08
# Shadows are soft: a quarter of the size loses nothing.
_SHADOW_SCALE = 4


@dataclass(frozen=True)
class Placement:
    """How a cut-out is scaled, turned (degrees, clockwise) and moved (pixels)."""

    scale: float
    angle: float
    shift: tuple[float, float]


@dataclass(frozen=True)
class Occluder:
    """A thing in front of the object: an ellipse, or a strip when it is long.

    Attributes
    ----------
    centre
        Where it is, in pixels.
    axes
        Half its length and half its breadth, in pixels.
    angle
        How it is turned, in degrees.
    color
        Its colour.
    """

    centre: tuple[float, float]
    axes: tuple[float, float]
    angle: float
    color: Color


def place(
    cutout: Cutout,
    rng: np.random.Generator,
    scale: tuple[float, float],
    rotation: float,
    position: float,
) -> Placement:
    """Draw a placement in which no part of the object leaves the picture.

    What goes on beyond a side of the seed keeps doing so: an arm is not cut off in mid-air.

    Parameters
    ----------
    cutout
        The object.
    rng
        The only source of randomness.
    scale
        The range of scales; one at which the object would not fit is lowered.
    rotation
        The largest angle in degrees.
    position
        The share of the free space that is used, 0 to 1.
    """
    height, width = cutout.layer.shape[:2]
    angle = float(rng.uniform(-rotation, rotation))
    drawn = float(rng.uniform(*scale))
    corners = _turned_corners(cutout, angle)
    left, top, right, bottom = cutout.touches
    for axis, (length, is_open) in enumerate(((width, left or right), (height, top or bottom))):
        extent = float(np.ptp(corners[:, axis]))
        if not is_open:
            drawn = min(drawn, length / extent)
    centre = _centre(cutout)
    shifts = [
        _shift(rng, centre[axis] + drawn * corners[:, axis], length, sides, position)
        for axis, length, sides in ((0, width, (left, right)), (1, height, (top, bottom)))
    ]
    return Placement(round(drawn, 4), round(angle, 2), (round(shifts[0], 2), round(shifts[1], 2)))


def placed(cutout: Cutout, placement: Placement) -> tuple[Pixels, Floats]:
    """Return the colours and the alpha of a cut-out in its place."""
    height, width = cutout.layer.shape[:2]
    matrix = cv2.getRotationMatrix2D(_centre(cutout), -placement.angle, placement.scale)
    matrix[:, 2] += np.array(placement.shift)
    # The border is repeated: what goes on beyond a side of the seed goes on here too.
    layer = cv2.warpAffine(
        cutout.layer, matrix, (width, height),
        flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    colors = np.asarray(cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB), np.uint8)
    return colors, to_floats(np.asarray(cv2.extractChannel(layer, 3), np.uint8))


def cast_shadow(
    background: Pixels, alpha: Floats, angle: float, length: float, darkness: float
) -> Pixels:
    """Return the background with the soft shadow of an object.

    Parameters
    ----------
    background
        uint8, height x width x 3, RGB.
    alpha
        The object's.
    angle
        Where the light comes from, in degrees: 0 from the right, 90 from below.
    length
        How far the shadow lies from the object, in pixels.
    darkness
        The share of light that the shadow takes away.
    """
    height, width = alpha.shape
    size = max(1, width // _SHADOW_SCALE), max(1, height // _SHADOW_SCALE)
    small = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    reach = length * size[0] / width
    turn = np.deg2rad(angle)
    move = np.array([[1, 0, -reach * np.cos(turn)], [0, 1, -reach * np.sin(turn)]])
    moved = cv2.warpAffine(small, move, size, borderMode=cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(moved, (0, 0), max(0.5, reach / 3), borderType=cv2.BORDER_REPLICATE)
    shadow = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    return scaled(background, np.asarray(1 - np.float32(darkness) * shadow, np.float32))


def draw_occluder(rng: np.random.Generator, alpha: Floats, share: float) -> Occluder | None:
    """Draw a thing that hides at most this share of an object; None where that is no pixel."""
    inside = np.argwhere(alpha > 0.5)
    area = share * len(inside)
    if area < 1:
        return None
    y, x = inside[int(rng.integers(len(inside)))]
    stretch = float(rng.uniform(1.0, 3.0))
    radius = (area / (np.pi * stretch)) ** 0.5
    return Occluder(
        (float(x), float(y)),
        (round(radius * stretch, 2), round(radius, 2)),
        round(float(rng.uniform(0, 180)), 1),
        color(rng),
    )


def hide(picture: Pixels, occluder: Occluder) -> Pixels:
    """Return the picture with the thing in front of it."""
    fine = 16
    mask = np.zeros(picture.shape[:2], np.uint8)
    centre = [round(c * fine) for c in occluder.centre]
    axes = [round(a * fine) for a in occluder.axes]
    turns = np.deg2rad(np.arange(0, 360, 12))
    points = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    turn = np.deg2rad(occluder.angle)
    along = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    outline = np.rint(points * np.array(axes) @ along + centre).astype(np.int32)
    cv2.fillPoly(mask, [outline], (255,), cv2.LINE_AA, 4)
    return blend(picture, occluder.color, mask.astype(np.float32) / np.float32(255))


def _centre(cutout: Cutout) -> tuple[float, float]:
    left, top, right, bottom = cutout.box
    return (left + right) / 2, (top + bottom) / 2


def _turned_corners(cutout: Cutout, angle: float) -> npt.NDArray[np.float64]:
    """Return the corners of the object's box around its centre, turned: 4 x 2 pixels."""
    left, top, right, bottom = cutout.box
    half_width, half_height = (right - left) / 2, (bottom - top) / 2
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (half_width, half_height)
    turn = np.deg2rad(angle)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.asarray(corners @ matrix, np.float64)


def _shift(
    rng: np.random.Generator,
    places: npt.NDArray[np.float64],
    length: int,
    touches: tuple[bool, bool],
    position: float,
) -> float:
    """Draw how far the object moves along one axis.

    Parameters
    ----------
    places
        Where its corners lie before.
    length
        The picture's, in pixels.
    touches
        Whether the object goes on beyond the low and the high side.
    """
    low, high = float(places.min()), float(places.max())
    draw = float(rng.random())
    if touches == (True, True):
        return 0.0
    extent = high - low
    if touches == (False, False):
        least, most = -low, length - high
        home = min(max(0.0, least), most)
        return home + position * (least + (most - least) * draw - home)
    move = position * extent * (draw * (_PUSH + _PULL) - _PUSH)
    return min(move - low, length - high) if touches[0] else max(length - high - move, -low)
