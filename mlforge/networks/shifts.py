"""Maps of a network that are finer than the places it sees: made of shifted arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlforge.networks.plan import STRIDE

__all__ = ["shifted", "stitched"]

_N_SHIFTS = 4
# What arrays are filled up with beyond their borders: neutral, as what the network is given.
_NEUTRAL = 0.5


def shifted(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return an array shifted by parts of a network's stride, each way.

    Parameters
    ----------
    array
        Float32, ``side x side x n_channels``, 0 to 1.

    Returns
    -------
    numpy.ndarray
        Float32, ``n_shifts x side x side x n_channels``: all shifts across, for each one down.

    References
    ----------
    J. Long, E. Shelhamer, T. Darrell (2015), Fully convolutional networks for semantic
    segmentation, Conference on Computer Vision and Pattern Recognition (shift and stitch).
    """
    side = array.shape[0]
    half, step = STRIDE // 2, STRIDE // _N_SHIFTS
    margins = ((half, half), (half, half), (0, 0))
    padded = np.pad(array, margins, constant_values=np.float32(_NEUTRAL))
    starts = [step * number + step // 2 for number in range(_N_SHIFTS)]
    return np.stack([padded[y : y + side, x : x + side] for y in starts for x in starts])


def stitched(maps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the maps of what `shifted` returns as one, as many times finer as there are shifts.

    Parameters
    ----------
    maps
        Float32, ``n_shifts x n_places x n_places``, in the order of `shifted`.

    Returns
    -------
    numpy.ndarray
        Float32, ``height x width``, the top row first.
    """
    n_places = maps.shape[1]
    by_place = maps.reshape(_N_SHIFTS, _N_SHIFTS, n_places, n_places).transpose(2, 0, 3, 1)
    return by_place.reshape(n_places * _N_SHIFTS, n_places * _N_SHIFTS)
