"""Hiding parts of a picture, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from mlforge.modalities import Region
from mlforge.modalities._image_file import Pixels

__all__ = ["occlusions"]

# A window of 3 x 3 cells moves by one cell: fine enough to see, few enough to wait for.
_CELLS = 10
_WINDOW = 3


def occlusions(pixels: Pixels) -> Iterator[tuple[Region, Pixels]]:
    """Yield windows of a picture, each with the picture in which that window is hidden.

    A window is filled with the mean colour of what surrounds it, so that a plain background stays
    plain. It fades in, so that its edge is no edge to an extractor.

    Parameters
    ----------
    pixels
        uint8, ``height x width x 3``, RGB.

    References
    ----------
    M. D. Zeiler, R. Fergus (2014), Visualizing and understanding convolutional networks, European
    Conference on Computer Vision (section 4.2, occlusion sensitivity).
    """
    height, width = pixels.shape[:2]
    whole = pixels.astype(np.float32)
    rows, columns = _windows(height), _windows(width)
    for top, bottom in rows:
        for left, right in columns:
            window = left, top, right, bottom
            fill = _surrounding_colour(whole, window)
            mask = _mask(height, width, window)[:, :, None]
            hidden = np.rint(whole + (fill - whole) * mask).astype(np.uint8)
            x, y = (left / width, right / width), (top / height, bottom / height)
            yield Region({"x": _rounded(x), "y": _rounded(y)}, _box(height, width, x, y)), hidden


def _windows(length: int) -> list[tuple[int, int]]:
    """Return where the windows begin and end along one side; a short side has fewer."""
    places = {
        (length * cell // _CELLS, -(-length * (cell + _WINDOW) // _CELLS))
        for cell in range(_CELLS - _WINDOW + 1)
    }
    return sorted(places)


def _surrounding_colour(
    whole: npt.NDArray[np.float32], window: tuple[int, int, int, int]
) -> npt.NDArray[np.float32]:
    """Return the mean colour of a ring around a window, of the part inside the picture."""
    left, top, right, bottom = window
    ring = max(1, (right - left) // _WINDOW, (bottom - top) // _WINDOW)
    around = whole[max(top - ring, 0) : bottom + ring, max(left - ring, 0) : right + ring]
    inside = whole[top:bottom, left:right]
    n_around = around[:, :, 0].size - inside[:, :, 0].size
    if not n_around:
        return np.asarray(inside.mean(axis=(0, 1)), np.float32)
    total = around.sum(axis=(0, 1)) - inside.sum(axis=(0, 1))
    return np.asarray(np.clip(total / n_around, 0, 255), np.float32)


def _mask(height: int, width: int, window: tuple[int, int, int, int]) -> npt.NDArray[np.float32]:
    """Return how much of each pixel is hidden, 0 to 1."""
    left, top, right, bottom = window
    mask = np.zeros((height, width), np.float32)
    mask[top:bottom, left:right] = 1
    blur = max(right - left, bottom - top) / 8
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(blur, 0.3)), np.float32)


def _box(
    height: int, width: int, x: tuple[float, float], y: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Return a window on the square in whose middle the picture stands."""
    side = max(height, width)
    across, down = width / side, height / side
    left, top = (1 - across) / 2, (1 - down) / 2
    return left + x[0] * across, top + y[0] * down, left + x[1] * across, top + y[1] * down


def _rounded(span: tuple[float, float]) -> tuple[float, float]:
    return round(span[0], 3), round(span[1], 3)
