from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlforge.core.digest import digest_bytes
from mlforge.storage.feature_cache import FeatureCache

A, B, C = (letter * 64 for letter in "abc")


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    made = FeatureCache(tmp_path / "cache", "key", 3)
    made.store([A, B], np.array([[1, 2, 3], [4, 5, 6]], np.float32))
    made.store([C], np.array([[7, 8, 9]], np.float32))
    return made


def files(cache: FeatureCache) -> list[Path]:
    return sorted(cache.folder.iterdir())


def test_rows_come_back_by_their_example(cache: FeatureCache) -> None:
    rows = cache.load([C, A, "f" * 64])
    assert rows.keys() == {A, C}
    np.testing.assert_array_equal(rows[A], np.array([1, 2, 3], np.float32))
    np.testing.assert_array_equal(rows[C], np.array([7, 8, 9], np.float32))
    assert rows[A].dtype == np.float32


def test_an_empty_cache_has_no_rows(tmp_path: Path) -> None:
    assert FeatureCache(tmp_path / "cache", "key").load([A]) == {}


def test_another_extractor_sees_other_rows(cache: FeatureCache) -> None:
    assert FeatureCache(cache.folder.parent, "other").load([A]) == {}


def test_storing_the_same_again_adds_no_file(cache: FeatureCache) -> None:
    cache.store([C], np.array([[7, 8, 9]], np.float32))
    assert len(files(cache)) == 2


def test_each_flipped_byte_is_found_and_the_other_files_are_used(cache: FeatureCache) -> None:
    (path,) = [path for path in files(cache) if C in FeatureCacheFile(path).digests]
    data = path.read_bytes()
    for place in range(0, len(data), 7):
        flipped = bytearray(data)
        flipped[place] ^= 1 << (place % 8)
        path.write_bytes(flipped)
        assert cache.load([A, B, C]).keys() == {A, B}
        assert not path.exists()
    path.write_bytes(data)
    assert cache.load([A, B, C]).keys() == {A, B, C}


class FeatureCacheFile:
    """What one file of the cache holds."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as arrays:
            self.digests: list[str] = arrays["digests"].tolist()


def npz(**values: object) -> bytes:
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: np.array(value) for name, value in values.items()}
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def zipped(head: str, **values: object) -> bytes:
    """Return a file of the cache whose values have that head."""
    buffer = io.BytesIO(npz(digests=np.array([A], "U64"), **values))
    with zipfile.ZipFile(buffer, "a") as archive:
        text = head.encode()
        member = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
        archive.writestr("values.npy", member + bytes(64))
    return buffer.getvalue()


def torn_deflation() -> bytes:
    """Return a compressed file whose data are no longer what a decompressor takes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, digests=np.array([A]), values=np.zeros((1, 3), np.float32))
    data = bytearray(buffer.getvalue())
    start = data.index(b"digests.npy") + len(b"digests.npy")
    data[start + 20 : start + 60] = b"\xff" * 40
    return bytes(data)


def npy(value: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array(value), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 not a zip",
        b"text",
        npy([1.0]),
        npy([{"an": "object"}]),
        npz(other=[1]),
        npz(digests=[A, B], values=[[1.0]]),
        npz(digests=[[A]], values=[[1.0]]),
        npz(digests=[{"an": "object"}], values=[[1.0]]),
        npz(digests=A, values=[1.0]),
        npz(digests=[A], values=[["x", "y", "z"]]),
        npz(digests=[A], values=[[1.0, 2.0, 3.0]]),
        npz(digests=[A], values=np.ones((1, 2), np.float32)),
        npz(digests=[A], values=np.full((1, 3), np.nan, np.float32)),
        npz(digests=[1], values=np.ones((1, 3), np.float32)),
        zipped("{'descr': '<f4', 'shape': ("),
        zipped("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 10**40), }"),
        zipped("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1, 3), }"),
        torn_deflation(),
    ],
    ids=[
        *("empty", "zip", "text", "npy", "pickle", "keys", "short", "nested", "pickles", "scalar"),
        *("texts", "doubles", "narrow", "nan", "numbers", "token", "huge", "dates", "deflation"),
    ],
)
def test_a_file_that_is_not_ours_is_removed_though_its_name_is_right(
    cache: FeatureCache, data: bytes
) -> None:
    path = cache.folder / f"{digest_bytes(data)}.npz"
    path.write_bytes(data)
    assert cache.load([A, B, C]).keys() == {A, B, C}
    assert not path.exists()
