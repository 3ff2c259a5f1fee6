"""Light that falls on a scene, and the camera that takes its picture."""

from __future__ import annotations

import cv2
import numpy as np

from mlforge.generators.image._canvas import Pixels, bands, scaled

__all__ = ["add_sensor_noise", "blurred", "jpeg_compressed", "lit"]

# The share of the noise's variance that all channels have in common.
_FINE_SHARE = 0.8
_LEAST_BLUR = 0.2


def lit(picture: Pixels, angle: float, fall: float, warmth: float, gain: float) -> Pixels:
    """Return a picture under a light from one side.

    Parameters
    ----------
    picture
        uint8, height x width x 3, RGB.
    angle
        Where the light comes from, in degrees: 0 from the right, 90 from below.
    fall
        How much brighter the side to the light is than the other, as a share.
    warmth
        The share by which red is raised and blue lowered; negative for cold light.
    gain
        What all brightness is multiplied with.
    """
    height, width = picture.shape[:2]
    turn = np.deg2rad(angle)
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None] * np.float32(np.sin(turn))
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :] * np.float32(np.cos(turn))
    shade = (1 + np.float32(fall) * (x + y)) * np.float32(gain)
    return scaled(picture, shade, (1 + warmth, 1.0, 1 - warmth))


def blurred(picture: Pixels, sigma: float) -> Pixels:
    """Return a picture out of focus; `sigma` in pixels, 0 for sharp."""
    if sigma < _LEAST_BLUR:
        return picture
    soft = cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(soft, np.uint8)


def add_sensor_noise(picture: Pixels, rng: np.random.Generator, shot: float, read: float) -> Pixels:
    """Return a picture with the noise of a sensor, whose variance is ``shot^2 x + read^2``.

    `x` is the brightness from 0 to 1. The noise is the same in all channels but for a coarser
    share, as cameras have it that compute two of a pixel's three colours from its neighbours.

    References
    ----------
    A. Foi, M. Trimeche, V. Katkovnik and K. Egiazarian, "Practical Poissonian-Gaussian noise
    modeling and fitting for single-image raw-data", IEEE Transactions on Image Processing 17(10),
    2008.
    """
    height, width = picture.shape[:2]
    brightness = np.arange(256, dtype=np.float32) / np.float32(255)
    deviations = 255 * np.sqrt(brightness * np.float32(shot**2) + np.float32(read**2))
    quarter = (max(1, height // 4), max(1, width // 4), 3)
    coarse = rng.standard_normal(quarter, dtype=np.float32) * np.float32((1 - _FINE_SHARE) ** 0.5)
    hue = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    noisy = np.empty_like(picture)
    for rows in bands(picture):
        part = picture[rows]
        fine = rng.standard_normal(part.shape[:2], dtype=np.float32) * np.float32(_FINE_SHARE**0.5)
        deviation = deviations[cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)]
        noise = cv2.multiply(
            cv2.add(hue[rows], cv2.merge((fine,) * 3)), cv2.merge((deviation,) * 3)
        )
        cv2.add(part, noise, dst=noisy[rows], dtype=cv2.CV_8U)
    return noisy


def jpeg_compressed(pixels: Pixels, quality: int) -> Pixels:
    """Return a picture after JPEG at a quality from 1 to 100; 100 leaves it untouched."""
    if quality == 100:
        return pixels
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(np.asarray(decoded), cv2.COLOR_BGR2RGB), np.uint8)
