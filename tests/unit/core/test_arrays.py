from __future__ import annotations

import numpy as np
import pytest

from mlforge.core.arrays import array_from_bytes, array_to_bytes


def headed(head: str) -> bytes:
    """Return an array's bytes with a head of one's own."""
    text = head.encode("latin-1")
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.bool_])
def test_an_array_is_read_back(dtype: type[np.generic]) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    np.testing.assert_array_equal(array_from_bytes(array_to_bytes(array), dtype), array)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"words",
        array_to_bytes(np.ones(3, np.float32))[:-1],
        headed("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2"),
        headed("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }}"),
        headed("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 400 + ",), }"),
        headed("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"),
        headed("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }"),
        headed("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"),
        headed("{'descr': ['<f4'], 'fortran_order': False, 'shape': (1,), }"),
        headed("-" * 9000),
        headed("[" * 9000),
        headed("\xe9\x00\n\t'"),
    ],
)
def test_what_is_no_array_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="not an array"):
        array_from_bytes(data, np.float32)


@pytest.mark.parametrize("dtype", ["datetime64[s]", "complex64", "U3", "float64", "int32", "bool"])
def test_an_array_of_another_type_is_a_value_error(dtype: str) -> None:
    with pytest.raises(ValueError, match="an array of"):
        array_from_bytes(array_to_bytes(np.zeros(3, dtype)), np.float32)
