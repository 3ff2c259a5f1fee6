"""What the image extractors share: pictures brought to one size, and cells laid over them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "Picture", "cell_of_each_pixel", "contrast", "grey", "overlap", "squared"]

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


def squared(image: Picture, side: int) -> Picture:
    """Squeeze a picture of any size and shape into a square.

    A side that shrinks is averaged and a side that grows is interpolated, each on its own, so that
    a picture of 2000 x 10 is handled as well as one of 100 x 100.

    Parameters
    ----------
    image
        ``height x width x 3``, uint8, RGB.
    side
        In pixels.

    Returns
    -------
    NDArray
        ``side x side x 3``, uint8, RGB.

    Examples
    --------
    >>> squared(np.full((1, 300, 3), 7, np.uint8), 4).shape
    (4, 4, 3)
    """
    height, width = min(image.shape[0], side), min(image.shape[1], side)
    if (height, width) != image.shape[:2]:
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
    if (height, width) != (side, side):
        image = np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR))
    return image


def grey(image: Picture) -> Picture:
    """Return the brightness of a picture, smoothed a little against noise: ``height x width``."""
    brightness = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.GaussianBlur(brightness, (3, 3), 0), np.uint8)


def contrast(values: Floats, floor: float) -> Floats:
    """Return `values` with their mean taken out, in units of their standard deviation.

    Parameters
    ----------
    floor
        Added to the deviation, so that a flat picture gives zeros and not magnified noise.
    """
    return np.asarray((values - values.mean()) / (values.std() + floor), np.float32)


def cell_of_each_pixel(side: int, grid: int) -> npt.NDArray[np.intp]:
    """Return which cell of a ``grid x grid`` raster each pixel lies in: ``side x side``."""
    along = np.arange(side) * grid // side
    return along[:, None] * grid + along[None, :]


def overlap(side: int, grid: int) -> Floats:
    """Return how much each cell takes of each pixel along one side of a picture.

    A pixel is shared between the two cells whose centres it lies between, by its distance from
    each, so that a picture moved a little changes the sums of the cells a little.

    Returns
    -------
    NDArray
        ``grid x side``, float32, from 0 to 1.

    Examples
    --------
    >>> overlap(4, 2).tolist()
    [[1.0, 0.75, 0.25, 0.0], [0.0, 0.25, 0.75, 1.0]]
    """
    centres = np.arange(grid)[:, None]
    places = (np.arange(side) + 0.5) * grid / side - 0.5
    inside = np.clip(places, 0, grid - 1)[None, :]
    return np.asarray(np.clip(1 - np.abs(inside - centres), 0, None), np.float32)
