"""Graded changes of images: what cameras, light and networks do to them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mlforge.modalities import GradedChange
from mlforge.modalities._image_file import Pixels

__all__ = ["CHANGES"]


def _blur(image: Pixels, level: float) -> Pixels:
    """Blur with a standard deviation in percent of the shorter side."""
    sigma = level / 100 * min(image.shape[:2])
    return _pixels(cv2.GaussianBlur(image, (0, 0), sigma))


def _darken(image: Pixels, level: float) -> Pixels:
    return _pixels(np.rint(image * np.float32(1 - level / 100)))


def _brighten(image: Pixels, level: float) -> Pixels:
    return _pixels(np.rint(image * np.float32(1 + level / 100)))


def _rotate(image: Pixels, level: float) -> Pixels:
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), level, 1.0)
    return _pixels(cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE))


def _compress(image: Pixels, level: float) -> Pixels:
    """Encode as JPEG at a quality of 100 less the level, and decode."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(100 - level)])
    return _pixels(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)))


def _add_noise(image: Pixels, level: float) -> Pixels:
    """Add Gaussian noise with a standard deviation in percent of the full range."""
    # The same noise each time: the levels then differ in strength alone.
    noise = np.random.default_rng(0).standard_normal(image.shape, np.float32)
    return _pixels(np.rint(image + noise * np.float32(2.55 * level)))


def _pixels(values: npt.NDArray[Any]) -> Pixels:
    limited: Pixels = np.clip(values, 0, 255).astype(np.uint8)
    return limited


CHANGES = (
    GradedChange("blur", "% of the side", (0.5, 1.0, 2.0, 4.0), _blur),
    GradedChange("darker", "%", (20.0, 40.0, 60.0, 80.0), _darken),
    GradedChange("brighter", "%", (20.0, 40.0, 60.0, 80.0), _brighten),
    GradedChange("rotation", "degrees", (5.0, 10.0, 20.0, 40.0), _rotate),
    GradedChange("compression", "100 - JPEG quality", (50.0, 70.0, 85.0, 95.0), _compress),
    GradedChange("noise", "% of the range", (2.0, 5.0, 10.0, 20.0), _add_noise),
)
