"""What lies behind an object or a sheet: surfaces that are painted, not photographed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import cv2
import numpy as np

from mlforge.generators.image._canvas import (
    Color,
    Floats,
    Pixels,
    blend,
    color,
    filled,
    scaled,
    soft_noise,
)

__all__ = ["Background", "background_colors", "paint_background"]

Background = Literal[
    "plain", "gradient", "paper", "texture", "noise", "blobs", "stripes", "checker", "wood"
]
"""The kinds of surfaces."""

_N_DISCS = 14


def background_colors(rng: np.random.Generator) -> tuple[Color, Color]:
    """Draw the two colours of a surface, the second related to the first."""
    base, other = color(rng, (0.0, 0.65)), color(rng, (0.0, 0.65))
    share = rng.uniform(0.2, 0.6)
    mixed = [round(b + (o - b) * share, 3) for b, o in zip(base, other, strict=True)]
    return base, (mixed[0], mixed[1], mixed[2])


def paint_background(
    kind: Background, rng: np.random.Generator, height: int, width: int, colors: tuple[Color, Color]
) -> Pixels:
    """Return a surface of two colours: uint8, height x width x 3, RGB."""
    return _PAINTERS[kind](rng, filled(height, width, colors[0]), colors[1])


def _plain(_rng: np.random.Generator, base: Pixels, _other: Color) -> Pixels:
    return base


def _gradient(rng: np.random.Generator, base: Pixels, other: Color) -> Pixels:
    return blend(base, other, _ramp(rng, *base.shape[:2]))


def _paper(rng: np.random.Generator, base: Pixels, _other: Color) -> Pixels:
    """Uneven tone and fine fibres, of one colour."""
    height, width = base.shape[:2]
    tone = soft_noise(rng, height, width, (4, 4)) - np.float32(0.5)
    fibre = soft_noise(rng, height, width, (height / 3, width / 8)) - np.float32(0.5)
    return scaled(base, 1 + tone * np.float32(0.1) + fibre * np.float32(0.08))


def _texture(rng: np.random.Generator, base: Pixels, other: Color) -> Pixels:
    """Patches in patches, as on rock or plaster: noise of four sizes, each half as strong."""
    height, width = base.shape[:2]
    cells = rng.uniform(2, 6)
    total = np.zeros((height, width), np.float32)
    for factor in (1, 2, 4, 8):
        total += soft_noise(rng, height, width, (cells * factor,) * 2) / np.float32(factor)
    return blend(base, other, np.clip((total - np.float32(0.55)) * np.float32(1.6), 0, 1))


def _noise(rng: np.random.Generator, base: Pixels, other: Color) -> Pixels:
    """Grains of both colours, as on gravel or cloth."""
    height, width = base.shape[:2]
    grain = rng.uniform(1.5, 4)
    size = max(1, round(height / grain)), max(1, round(width / grain))
    grains = rng.random(size, dtype=np.float32)
    return blend(base, other, _enlarged(grains, height, width))


def _blobs(rng: np.random.Generator, base: Pixels, other: Color) -> Pixels:
    """Discs of light out of focus."""
    height, width = base.shape[:2]
    picture = _gradient(rng, base, other)
    side = min(height, width)
    for _ in range(_N_DISCS):
        radius = max(1, round(side * rng.uniform(0.03, 0.14)))
        layer = picture.copy()
        centre = int(rng.integers(width)), int(rng.integers(height))
        red, green, blue = color(rng, (0.1, 0.8), (0.3, 1.0))
        cv2.circle(layer, centre, radius, (red * 255, green * 255, blue * 255), -1)
        share = rng.uniform(0.2, 0.6)
        cv2.addWeighted(layer, share, picture, 1 - share, 0, dst=picture)
    softness = max(1, round(side * 0.02)) * 2 + 1
    return np.asarray(cv2.blur(picture, (softness, softness)), np.uint8)


def _stripes(rng: np.random.Generator, base: Pixels, other: Color) -> Pixels:
    height, width = base.shape[:2]
    waves = rng.uniform(3, 14) * np.pi
    across = np.sin(_slope(rng, height, width) * np.float32(waves))
    return blend(base, other, np.clip(across * 4 + 0.5, 0, 1))


def _checker(rng: np.random.Generator, base: Pixels, other: Color) -> Pixels:
    """Tiles of two colours, a little turned."""
    height, width = base.shape[:2]
    angle, n_tiles = rng.uniform(-0.5, 0.5), rng.uniform(4, 12)
    y, x = _places(height, width)
    c, s = np.float32(np.cos(angle) * n_tiles * np.pi), np.float32(np.sin(angle) * n_tiles * np.pi)
    start = rng.random(2).astype(np.float32) * np.float32(np.pi)
    tiles = np.sin(x * c + y * s + start[0]) * np.sin(y * c - x * s + start[1])
    return blend(base, other, np.clip(tiles * 8 + 0.5, 0, 1))


def _wood(rng: np.random.Generator, base: Pixels, other: Color) -> Pixels:
    """Grain that runs along one side and bends, between boards."""
    height, width = base.shape[:2]
    bend = soft_noise(rng, height, width, (3, 3)) * np.float32(rng.uniform(0.1, 0.5))
    y, x = _places(height, width)
    along, across = (x, y) if rng.random() < 0.5 else (y, x)
    rings = np.sin((across + bend) * np.float32(rng.uniform(20, 60)) + along * np.float32(2))
    boards = np.floor(across * np.float32(rng.integers(2, 6)))
    tone = np.float32(0.15) * np.sin(boards * np.float32(12.9898) + np.float32(rng.uniform(0, 6)))
    grained = blend(base, other, np.clip(rings * np.float32(0.35) + np.float32(0.4), 0, 1))
    return scaled(grained, np.broadcast_to(1 + tone, (height, width)))


_PAINTERS: dict[Background, Callable[[np.random.Generator, Pixels, Color], Pixels]] = dict(
    zip(
        get_args(Background),
        (_plain, _gradient, _paper, _texture, _noise, _blobs, _stripes, _checker, _wood),
        strict=True,
    )
)


def _places(height: int, width: int) -> tuple[Floats, Floats]:
    """Return each row's and each column's place, in units of the longer side."""
    unit = np.float32(max(height, width))
    y = np.arange(height, dtype=np.float32)[:, None] / unit
    x = np.arange(width, dtype=np.float32)[None, :] / unit
    return y, x


def _slope(rng: np.random.Generator, height: int, width: int) -> Floats:
    """Return a plane that rises by about 1 over the picture in a drawn direction."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = _places(height, width)
    return np.asarray(x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)), np.float32)


def _ramp(rng: np.random.Generator, height: int, width: int) -> Floats:
    """Return a plane from 0 to 1."""
    slope = _slope(rng, height, width)
    low, high = float(slope.min()), float(slope.max())
    return np.asarray((slope - low) / max(high - low, 1e-6), np.float32)


def _enlarged(small: Floats, height: int, width: int) -> Floats:
    enlarged = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged, np.float32)
