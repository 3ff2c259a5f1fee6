"""What both generators of images paint with: colours, soft noise and layers.

A picture is uint8, height x width x 3, RGB; a mask float32, height x width, 0 to 1. Nothing that is
given is changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import cv2
import numpy as np
import numpy.typing as npt

__all__ = [
    "Color",
    "Drawn",
    "Floats",
    "Pixels",
    "bands",
    "blend",
    "color",
    "contrast",
    "drawn_from",
    "filled",
    "luminance",
    "scaled",
    "soft_noise",
    "to_floats",
    "to_pixels",
]

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Color = tuple[float, float, float]
"""Red, green and blue, 0 to 1."""
Drawn = dict[str, object]
"""Values that were drawn, JSON-like."""

_WHITE = np.float32(255)
_DIGITS = 3
_BAND_PIXELS = 8192


def to_floats(pixels: Pixels) -> Floats:
    """Return 8-bit pixels as values from 0 to 1."""
    return np.multiply(pixels, np.float32(1) / _WHITE, dtype=np.float32)


def to_pixels(picture: Floats) -> Pixels:
    """Return values from 0 to 1 as 8-bit pixels, rounded and clipped."""
    return np.asarray(cv2.convertScaleAbs(np.maximum(picture, 0), alpha=255.0), np.uint8)


def color(
    rng: np.random.Generator,
    saturation: tuple[float, float] = (0.0, 0.8),
    value: tuple[float, float] = (0.1, 0.95),
) -> Color:
    """Draw a colour of any hue, with saturation and value (as in HSV) in these ranges."""
    hue, s, v = rng.random() * 6, rng.uniform(*saturation), rng.uniform(*value)
    mixed = [v - v * s * max(0.0, min((n + hue) % 6, 4 - (n + hue) % 6, 1.0)) for n in (5, 3, 1)]
    # Rounded before use: the recipe says exactly what was painted.
    return round(mixed[0], _DIGITS), round(mixed[1], _DIGITS), round(mixed[2], _DIGITS)


def luminance(shade: Color) -> float:
    """Return the relative luminance of an sRGB colour, 0 (black) to 1 (white).

    References
    ----------
    W3C, Web Content Accessibility Guidelines 2.2: ``L = 0.2126 R + 0.7152 G + 0.0722 B`` of the
    linear channels.
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shade]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Color, other: Color) -> float:
    """Return the contrast ratio of two colours, 1 (equal) to 21 (black on white).

    References
    ----------
    W3C, Web Content Accessibility Guidelines 2.2: ``(L1 + 0.05) / (L2 + 0.05)``.

    Examples
    --------
    >>> round(contrast((0, 0, 0), (1, 1, 1)))
    21
    """
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def soft_noise(
    rng: np.random.Generator, height: int, width: int, cells: tuple[float, float]
) -> Floats:
    """Return smooth noise from 0 to 1 with so many bumps down and across."""
    shape = tuple(max(2, min(64, round(n))) for n in cells)
    coarse = rng.random(shape, dtype=np.float32)
    fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(fine, 0, 1), np.float32)


def filled(height: int, width: int, shade: Color) -> Pixels:
    """Return a picture of one colour."""
    picture = np.empty((height, width, 3), np.uint8)
    # Row by row: NumPy is slow at repeating an axis of three.
    picture[:] = np.tile(np.rint(np.multiply(shade, 255)).astype(np.uint8), (1, width, 1))
    return picture


def blend(below: Pixels, above: Pixels | Color, mask: Floats) -> Pixels:
    """Return a picture with another, or a colour, laid over it where the mask is set."""
    if isinstance(above, tuple):
        above = filled(below.shape[0], below.shape[1], above)
    return np.asarray(cv2.blendLinear(above, below, mask, 1 - mask), np.uint8)


def scaled(picture: Pixels, factors: Floats, tint: Color = (1.0, 1.0, 1.0)) -> Pixels:
    """Return a picture with each pixel multiplied by a factor, and each channel by its tint."""
    result = np.empty_like(picture)
    for rows in bands(picture):
        planes = [factors[rows] * np.float32(share) for share in tint]
        cv2.multiply(picture[rows], cv2.merge(planes), dst=result[rows], dtype=cv2.CV_8U)
    return result


def bands(picture: Pixels) -> Iterator[slice]:
    """Yield the rows of a picture in parts whose floating-point copies stay small.

    Large temporary arrays cost more time than what is computed with them: the system hands out
    their memory anew each time.
    """
    height, width = picture.shape[:2]
    step = max(1, _BAND_PIXELS // width)
    for top in range(0, height, step):
        yield slice(top, top + step)


def drawn_from(values: Mapping[str, object]) -> Drawn:
    """Return drawn values as JSON values, numbers with 4 significant digits.

    Examples
    --------
    >>> drawn_from({"angle": np.float64(7.123456789), "place": (1, np.int64(2))})
    {'angle': 7.123, 'place': [1, 2]}
    """
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
