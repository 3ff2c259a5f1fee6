"""Image files: from untrusted bytes to RGB pixels, or to one kind of error."""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
import PIL.features
import PIL.Image

from mlforge.core.extras import install_command
from mlforge.core.names import printable
from mlforge.errors import MissingDecoderError, SampleError
from mlforge.modalities import _heif_header as heif_header

__all__ = [
    "MAX_MEGAPIXELS",
    "MAX_SIDE",
    "Format",
    "Loaded",
    "Pixels",
    "fitted",
    "guarded",
    "in_bands",
    "load",
    "plain",
    "read",
    "shrink",
    "upright",
]

Pixels = npt.NDArray[np.uint8]
Read = TypeVar("Read")

MAX_MEGAPIXELS = 100
MAX_SIDE = 16_384

# The largest JPEG may take so many passes, smaller ones more.
_MAX_SCANS = 20
_BAND_PIXELS = 4_000_000
_ORIENTATION_TAG = 0x0112
_TIFF_PHOTOMETRIC, _TIFF_PLANES, _TIFF_BITS, _TIFF_SAMPLE_FORMAT = 262, 284, 258, 339
_TIFF_TILE_SIDES = (322, 323)

# `warnings.catch_warnings` swaps state of the whole process: two threads inside it at once could
# leave the filters of one of them behind. A process must not be forked while it is held either.
_QUIET = threading.Lock()
os.register_at_fork(
    before=_QUIET.acquire, after_in_parent=_QUIET.release, after_in_child=_QUIET.release
)


@dataclass(frozen=True)
class Format:
    """A file format that is read.

    `max_megapixels` is lower than the general limit where Pillow's decoder needs so many bytes or
    so much time a pixel that a picture at the general limit would take over 1 GiB or 5 s.
    """

    name: str
    module: str
    opener: str
    max_megapixels: int = MAX_MEGAPIXELS


_JPEG = Format("JPEG", "PIL.JpegImagePlugin", "JpegImageFile")
_PNG = Format("PNG", "PIL.PngImagePlugin", "PngImageFile")
_WEBP = Format("WebP", "PIL.WebPImagePlugin", "WebPImageFile", max_megapixels=50)
_BMP = Format("BMP", "PIL.BmpImagePlugin", "BmpImageFile")
_BMP_PACKED = Format("run-length BMP", "PIL.BmpImagePlugin", "BmpImageFile", max_megapixels=16)
_TIFF = Format("TIFF", "PIL.TiffImagePlugin", "TiffImageFile")
_AVIF = Format("AVIF", "PIL.AvifImagePlugin", "AvifImageFile", max_megapixels=64)
_HEIC = Format("HEIC", "pillow_heif", "HeifImageFile", max_megapixels=64)

_SIGNATURES = (
    (b"\xff\xd8\xff", _JPEG),
    (b"\x89PNG\r\n\x1a\n", _PNG),
    (b"RIFF", _WEBP),
    (b"BM", _BMP),
    (b"II*\0", _TIFF),
    (b"MM\0*", _TIFF),
    (b"II+\0", _TIFF),
    (b"MM\0+", _TIFF),
)
_BMP_RUN_LENGTH = (1, 2)
# Pictures laid over each other: a small file could ask for hours of work.
_HEIF_OVERLAY = b"iovl"
_READ = "JPEG, PNG, WebP, BMP, TIFF, HEIC and AVIF are read"
_REPLACE = "export the picture again from where it came from, or remove the file"
_CONVERT = f"save it as an 8-bit PNG or JPEG; {_READ}"


def read(data: bytes, size: int) -> Pixels:
    """Decode a picture and scale it down until its longest side is at most `size`.

    Returns
    -------
    ndarray of uint8
        RGB, C-contiguous, ``height x width x 3``.

    Raises
    ------
    SampleError
        Whatever is wrong with the bytes.
    """
    return guarded(_read, data, size)


def guarded(reader: Callable[[Format, bytes, int], Read], data: bytes, size: int) -> Read:
    """Return what a reader gives; whatever it raises is a `SampleError`."""
    kind = _recognise(data)
    with _QUIET, warnings.catch_warnings():
        # Odd metadata is no reason to refuse a picture, nor to tell anybody.
        warnings.simplefilter("ignore")
        try:
            return reader(kind, data, size)
        except SampleError:
            raise
        # Pillow raises almost anything on damaged bytes: OSError, SyntaxError, ValueError,
        # struct.error, zlib.error, OverflowError, MemoryError, ...
        except Exception as error:
            raise _unreadable(kind, error) from error


def shrink(pixels: Pixels, width: int, height: int) -> Pixels:
    """Scale down by area, so that every pixel counts and thin lines do not flicker."""
    if pixels.shape[1::-1] == (width, height):
        return pixels
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _recognise(data: bytes) -> Format:
    if not data:
        raise SampleError("the file is empty", _REPLACE)
    for signature, kind in _SIGNATURES:
        if data.startswith(signature) and (kind is not _WEBP or data[8:12] == b"WEBP"):
            packed = kind is _BMP and int.from_bytes(data[30:34], "little") in _BMP_RUN_LENGTH
            return _BMP_PACKED if packed else kind
    codec = heif_header.codec(data)
    if codec is not None:
        return _AVIF if codec == "avif" else _HEIC
    if not data.strip(b"\0"):
        raise SampleError("not an image: it holds nothing but zero bytes", _REPLACE)
    begins = repr(data[:12]).removeprefix("b")
    raise SampleError(f"not an image that can be read: begins with {begins}", _CONVERT)


def _read(kind: Format, data: bytes, size: int) -> Pixels:
    loaded = load(kind, data, size)
    if loaded.picture.mode.startswith("I;16"):
        pixels = _from_16_bit(kind, loaded.picture)
    else:
        pixels = in_bands(loaded.picture, size, lambda band, by: _flat(kind, band, by))
    pixels = shrink(pixels, *loaded.fitted)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    return np.ascontiguousarray(upright(pixels, loaded.orientation))


@dataclass(frozen=True)
class Loaded:
    """An opened picture, the size it is to have, and its orientation in EXIF's terms."""

    picture: Any
    fitted: tuple[int, int]
    orientation: int


def load(kind: Format, data: bytes, size: int) -> Loaded:
    """Check a file and load its pixels, a JPEG's at a reduced scale."""
    if kind is _PNG:
        _check_png(data)
    elif kind is _WEBP:
        _check_webp(data)
    elif kind is _TIFF:
        _check_tiff_length(data)
    elif kind in (_HEIC, _AVIF):
        _check_heif(kind, data)
    picture = getattr(importlib.import_module(kind.module), kind.opener)(io.BytesIO(data))
    width, height = picture.size
    _check_size(kind, width, height)
    width, height = fitted(width, height, size)
    if kind is _JPEG:
        _check_scans(data, picture)
        picture.draft(None, (width, height))
    elif kind is _PNG:
        _scale_transparency(data, picture)
    elif kind is _TIFF:
        _check_tiff_tags(picture)
    picture.load()
    if kind is _BMP and picture.mode == "RGBA" and picture.getextrema()[3] == (0, 0):
        # Many programs leave the fourth byte 0 and mean nothing by it.
        picture = picture.convert("RGB")
    # Read before anything is converted, and after loading: TIFF is turned while it is loaded.
    return Loaded(picture, (width, height), _orientation(picture))


def _check_size(kind: Format, width: int, height: int) -> None:
    if max(width, height) > MAX_SIDE or width * height > kind.max_megapixels * 1_000_000:
        raise SampleError(
            f"the picture has {width:,} x {height:,} pixels; the limit is {kind.max_megapixels} "
            f"megapixels ({kind.name}) and {MAX_SIDE:,} pixels a side",
            "scale the picture down first",
        )


def fitted(width: int, height: int, size: int) -> tuple[int, int]:
    """Return width and height scaled down until the longest side is at most `size`."""
    longest = max(width, height)
    if longest <= size:
        return width, height
    return max(1, round(width * size / longest)), max(1, round(height * size / longest))


def _check_png(data: bytes) -> None:
    """Check every chunk: Pillow decodes a PNG whose end is missing or whose pixels are damaged."""
    view = memoryview(data)
    position = 8
    while True:
        if position + 12 > len(data):
            raise SampleError("truncated PNG picture", _REPLACE)
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            raise SampleError("truncated PNG picture", _REPLACE)
        name = data[position + 4 : position + 8]
        if zlib.crc32(view[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            chunk = printable(name.decode("latin-1"))
            raise SampleError(f"damaged PNG picture: wrong checksum of its {chunk} part", _REPLACE)
        if name == b"IEND":
            return
        position = end + 4


def _check_webp(data: bytes) -> None:
    """Check length and canvas size: Pillow allocates the canvas while it reads the header."""
    if len(data) < 30 or len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise SampleError("truncated WebP picture", _REPLACE)
    chunk = data[12:16]
    if chunk == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
    elif chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        width, height = (int.from_bytes(data[i : i + 2], "little") & 0x3FFF for i in (26, 28))
    _check_size(_WEBP, width, height)


def _check_heif(kind: Format, data: bytes) -> None:
    """Check that it can be read here, then what it claims: the decoders allocate at once."""
    if kind is _HEIC and importlib.util.find_spec(kind.module) is None:
        command = install_command("mlforge", "heic")
        raise MissingDecoderError(
            f"a HEIC picture, for which pillow-heif is not installed ({command})",
            f"{command}, or save the picture as JPEG",
        )
    if kind is _AVIF and not PIL.features.check("avif"):
        raise MissingDecoderError(
            "an AVIF picture, which the Pillow that is installed was built without "
            "(python -m pip install --upgrade pillow)",
            "python -m pip install --upgrade pillow, or save the picture as JPEG",
        )
    for width, height in heif_header.picture_sizes(data):
        _check_size(kind, width, height)
    if _HEIF_OVERLAY in heif_header.item_types(data):
        raise SampleError(f"a {kind.name} picture made of several layers is not read", _CONVERT)


def _check_scans(data: bytes, picture: Any) -> None:
    """Refuse a small JPEG file that makes the decoder pass over a large picture very often."""
    begin = data.rfind(b"\xff\xda", 0, picture.fp.tell())
    if not picture.info.get("progressive") and data[begin + 4] >= picture.layers:
        return
    scans = data.count(b"\xff\xda", begin)
    if scans * picture.width * picture.height > _MAX_SCANS * MAX_MEGAPIXELS * 1_000_000:
        raise SampleError(
            f"the JPEG picture is stored in {scans} passes, too many for its size", _REPLACE
        )


def _scale_transparency(data: bytes, picture: Any) -> None:
    """Bring the transparent value of a PNG to the 8 bits that Pillow brings its pixels to."""
    depth = data[24]
    value = picture.info.get("transparency")
    if isinstance(value, tuple) and depth == 16:
        picture.info["transparency"] = tuple(v >> 8 for v in value)
    elif isinstance(value, int) and picture.mode == "L" and depth in (2, 4):
        picture.info["transparency"] = (value & (1 << depth) - 1) * 255 // ((1 << depth) - 1)


def _check_tiff_length(data: bytes) -> None:
    """Name the plain case: writers put the directory last, Pillow then misses the dimensions."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    is_big_tiff = 43 in data[2:4]
    directory = int.from_bytes(data[8:16] if is_big_tiff else data[4:8], order)
    if directory + 2 > len(data):
        raise SampleError("truncated TIFF picture", _REPLACE)


def _check_tiff_tags(picture: Any) -> None:
    tags = picture.tag_v2
    sample_format = tags.get(_TIFF_SAMPLE_FORMAT, (1,))
    bits = tags.get(_TIFF_BITS, (1,))
    # Pillow reads planes of 16 bits as planes of 8: noise instead of an error.
    mixed = tags.get(_TIFF_PLANES, 1) == 2 and any(b != 8 for b in bits)
    if any(f != 1 for f in sample_format) or any(b > 16 for b in bits) or mixed:
        raise SampleError(
            "a TIFF picture of signed, floating point or 32-bit numbers, or of planes of other "
            "than 8 bits, has no defined brightness as a picture",
            _CONVERT,
        )
    across, down = (tags.get(tag, 0) for tag in _TIFF_TILE_SIDES)
    if across * down > _TIFF.max_megapixels * 1_000_000:
        raise SampleError(f"the TIFF picture has tiles of {across:,} x {down:,} pixels", _REPLACE)


def _orientation(picture: Any) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - unreadable metadata says nothing about which way is up
        return 1


def _from_16_bit(kind: Format, picture: Any) -> Pixels:
    """Return 16-bit grey as 8-bit grey; `Image.convert` would clip it."""
    deep = np.asarray(picture)
    is_12_bit = kind is _TIFF and picture.tag_v2.get(_TIFF_BITS) == (12,)
    grey = (deep >> (4 if is_12_bit else 8)).astype(np.uint8)
    if kind is _TIFF and picture.tag_v2.get(_TIFF_PHOTOMETRIC) == 0:
        # White is zero: Pillow turns 8 bits round, and leaves 16 as they are.
        grey = np.subtract(255, grey, dtype=np.uint8)
    transparent = picture.info.get("transparency")
    if transparent is not None:
        grey[deep == transparent] = 255
    return grey


def in_bands(picture: Any, size: int, take: Callable[[Any, int], Pixels]) -> Pixels:
    """Take a picture at about twice the size that is wanted, band by band to save memory."""
    width, height = picture.size
    factor = max(1, max(width, height) // (2 * size))
    rows = factor * max(1, _BAND_PIXELS // (width * factor))
    bands = [
        take(picture.crop((0, top, width, min(top + rows, height))), factor)
        for top in range(0, height, rows)
    ]
    return bands[0] if len(bands) == 1 else np.concatenate(bands)


def _flat(kind: Format, band: Any, factor: int) -> Pixels:
    band = plain(kind, band)
    if factor > 1:
        band = band.reduce(factor)
    if band.mode == "RGBA":
        white = PIL.Image.new("RGBA", band.size, "white")
        band = PIL.Image.alpha_composite(white, band).convert("RGB")
    elif band.mode == "CMYK":
        band = band.convert("RGB")
    return np.array(band, np.uint8)


def plain(kind: Format, picture: Any) -> Any:
    """Return the picture as L, RGB, RGBA or CMYK."""
    mode = picture.mode
    if mode not in {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}:
        raise SampleError(f"a {kind.name} picture of the kind {mode!r} is not read", _CONVERT)
    if mode == "La":
        return picture.convert("LA").convert("RGBA")
    if picture.has_transparency_data:
        return picture if mode == "RGBA" else picture.convert("RGBA")
    if mode in {"L", "RGB", "CMYK"}:
        return picture
    return picture.convert("L" if mode == "1" else "RGB")


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn and mirror a picture as its EXIF orientation, 1 to 8, says."""
    if orientation in {5, 6, 7, 8}:
        pixels = pixels.swapaxes(0, 1)
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    return pixels


def _unreadable(kind: Format, error: Exception) -> SampleError:
    if isinstance(error, MemoryError):
        return SampleError(f"the {kind.name} picture needs more memory than there is", _REPLACE)
    said = str(error).lower()
    if isinstance(error, EOFError) or "truncated" in said or "end of file" in said:
        return SampleError(f"truncated {kind.name} picture", _REPLACE)
    detail = printable(str(error).strip())[:200] or type(error).__name__
    return SampleError(f"damaged {kind.name} picture: {detail}", _REPLACE)
