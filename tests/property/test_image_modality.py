"""Whatever the bytes, decoding an image gives RGB pixels or a `SampleError`."""

from __future__ import annotations

import functools
import importlib.util
import io
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.features
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as P

from mlforge.core.names import printable
from mlforge.errors import SampleError
from mlforge.modalities.image import Image

SIZE = 24
SAVE_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("JPEG", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"}),
    "progressive jpeg": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "animated png": ("PNG", {"save_all": True}),
    "webp": ("WEBP", {}),
    "lossless webp": ("WEBP", {"lossless": True}),
    "animated webp": ("WEBP", {"save_all": True}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "tiff lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff deflate": ("TIFF", {"compression": "tiff_deflate"}),
    "tiff pages": ("TIFF", {"save_all": True}),
}
# Where what reads them is installed.
if PIL.features.check("avif"):
    SAVE_OPTIONS["avif"] = ("AVIF", {})
    SAVE_OPTIONS["animated avif"] = ("AVIF", {"save_all": True})
if importlib.util.find_spec("pillow_heif") is not None:
    SAVE_OPTIONS["heic"] = ("HEIF", {})


@functools.cache
def original(kind: str) -> bytes:
    rng = np.random.default_rng(1)
    frames = [
        P.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).convert(mode)
        for mode in ("RGB", "RGB")
    ]
    file_format, options = SAVE_OPTIONS[kind]
    more = {"append_images": frames[1:]} if options.get("save_all") else {}
    buffer = io.BytesIO()
    if file_format == "HEIF":
        import pillow_heif

        pillow_heif.from_pillow(frames[0]).save(buffer)
        return buffer.getvalue()
    frames[0].save(buffer, file_format, **options, **more)
    return buffer.getvalue()


def check(data: bytes) -> None:
    outcome = decoded(data)
    if isinstance(outcome, SampleError):
        assert outcome.message == printable(outcome.message) != ""
        assert outcome.hint
        return
    assert outcome.dtype == np.uint8
    assert outcome.shape[2:] == (3,)
    assert 0 < min(outcome.shape[:2]) <= max(outcome.shape[:2]) <= SIZE
    assert outcome.flags.c_contiguous


def decoded(data: bytes) -> npt.NDArray[np.uint8] | SampleError:
    try:
        return Image(Image.Config(size=SIZE)).decode(data)
    except SampleError as error:
        return error


edits = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "cut", "delete", "insert", "copy"]),
        st.floats(0, 1, exclude_max=True),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=6,
)
# Headers decide most of what a decoder does: half of all edits fall into the first bytes.
edits = st.one_of(
    edits, edits.map(lambda all_: [(k, a * 0.06, b * 0.06, c) for k, a, b, c in all_])
)


def mutated(data: bytes, changes: list[tuple[str, float, float, bytes]]) -> bytes:
    for kind, first, second, new in changes:
        here, there = sorted((int(first * len(data)), int(second * len(data))))
        if kind == "flip" and data:
            data = data[:here] + bytes([data[here] ^ 1 << new[0] % 8]) + data[here + 1 :]
        elif kind == "set":
            data = data[:here] + new + data[here + len(new) :]
        elif kind == "cut":
            data = data[: max(here, 1)] if second > 0.8 else data
        elif kind == "delete":
            data = data[:here] + data[there:]
        elif kind == "insert":
            data = data[:here] + new + data[here:]
        else:
            data = data[:there] + data[here:]
    return data


def with_right_checksums(data: bytes) -> bytes:
    """Mend the checksums of a PNG, so that damage reaches what is behind them."""
    mended, position = data[:8], 8
    while position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        if end + 4 > len(data):
            break
        checksum = zlib.crc32(data[position + 4 : end]).to_bytes(4, "big")
        mended += data[position:end] + checksum
        position = end + 4
    return mended + data[position:]


@pytest.mark.parametrize("kind", SAVE_OPTIONS)
def test_unchanged_files_decode(kind: str) -> None:
    assert max(Image(Image.Config(size=SIZE)).decode(original(kind)).shape) == SIZE


@pytest.mark.parametrize("kind", SAVE_OPTIONS)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(changes=edits)
def test_mutated_files_decode_or_raise_a_sample_error(
    kind: str, changes: list[tuple[str, float, float, bytes]]
) -> None:
    data = mutated(original(kind), changes)
    check(data)
    if data.startswith(b"\x89PNG"):
        check(with_right_checksums(data))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    signature=st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBPVP8 ", b"BM", b"II*\0",
         b"MM\0*", b"II+\0", b"MM\0+", b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypavif"]
    ),
    body=st.binary(max_size=200),
)  # fmt: skip
def test_any_bytes_behind_any_signature_decode_or_raise_a_sample_error(
    signature: bytes, body: bytes
) -> None:
    check(signature + body)
