"""Turning each level into another, the same wherever it stands."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["with_levels"]

_LEVELS = np.arange(256, dtype=np.float32)


def with_levels(
    example: npt.NDArray[np.uint8], slope: float, offset: float
) -> npt.NDArray[np.uint8]:
    """Return an image whose every level is ``slope * level + offset``, clipped.

    Examples
    --------
    >>> with_levels(np.array([[[0, 100, 200]]], np.uint8), 1.5, -10).tolist()
    [[[0, 140, 255]]]
    """
    levels = np.clip(np.rint(slope * _LEVELS + offset), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(example, levels), np.uint8)
