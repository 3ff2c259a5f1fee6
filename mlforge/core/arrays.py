"""Arrays as bytes: NumPy's own format, without pickle."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["array_from_bytes", "array_to_bytes"]


def array_to_bytes(array: npt.NDArray[Any]) -> bytes:
    """Return an array of numbers in NumPy's format, the same bytes on every platform.

    Examples
    --------
    >>> array_from_bytes(array_to_bytes(np.arange(3)), np.int64)
    array([0, 1, 2])
    """
    buffer = io.BytesIO()
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    np.lib.format.write_array(buffer, little, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def array_from_bytes(data: bytes, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return the array of `dtype` that `array_to_bytes` made `data` of.

    Raises
    ------
    ValueError
        If the bytes are no such array; nothing that they name is run.
    """
    try:
        array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    # NumPy parses the head as Python: what a damaged one fails with is no closed list.
    except Exception as error:  # noqa: BLE001 - see above
        raise ValueError(f"not an array: {error}") from None
    if array.dtype.newbyteorder("=") != np.dtype(dtype):
        raise ValueError(f"an array of {array.dtype}, not of {np.dtype(dtype)}")
    return array
