"""Headers of HEIC and AVIF files: what they claim, read before a decoder sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

__all__ = ["codec", "item_types", "picture_sizes"]

_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_BRAND_BYTES = 4
# More boxes than any picture has, and few enough to walk through in no time.
_MAX_BOXES = 10_000


def codec(data: bytes) -> Literal["heic", "avif"] | None:
    """Return which codec the brands at a file's start name; None where they name neither."""
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4], "big"), len(data), 1024)
    # The major brand, then after four bytes of version the compatible ones.
    starts = [8, *range(16, end - _BRAND_BYTES + 1, _BRAND_BYTES)]
    brands = [data[start : start + _BRAND_BYTES] for start in starts]
    for brand in brands:
        if brand in _AVIF_BRANDS:
            return "avif"
        if brand in _HEIC_BRANDS:
            return "heic"
    return None


def picture_sizes(data: bytes) -> list[tuple[int, int]]:
    """Return width and height of each picture in the file, tiles and thumbnails included.

    Raises
    ------
    ValueError
        If the boxes do not fit into each other or into the file.
    """
    properties = _inside(data, _meta(data), b"iprp")
    sizes = []
    for name, start, end in _boxes(data, *_inside(data, properties, b"ipco")):
        if name == b"ispe":
            if end - start < 12:
                raise ValueError("a size without numbers")
            width = int.from_bytes(data[start + 4 : start + 8], "big")
            height = int.from_bytes(data[start + 8 : start + 12], "big")
            sizes.append((width, height))
    return sizes


def item_types(data: bytes) -> set[bytes]:
    """Return the kinds of the items in the file: ``hvc1`` (coded picture), ``grid``, ...

    Raises
    ------
    ValueError
        If the boxes do not fit into each other or into the file.
    """
    start, end = _inside(data, _meta(data), b"iinf")
    version = data[start : start + 1]
    start += 4 + (2 if version == b"\0" else 4)
    # Of each entry: version and flags (4), its number (2 or 4), its protection (2), its kind.
    return {
        data[first + (8 if data[first : first + 1] < b"\3" else 10) :][:4]
        for name, first, _ in _boxes(data, start, end)
        if name == b"infe"
    }


def _meta(data: bytes) -> tuple[int, int]:
    start, end = _inside(data, (0, len(data)), b"meta")
    return start + 4, end


def _inside(data: bytes, span: tuple[int, int], wanted: bytes) -> tuple[int, int]:
    for name, start, end in _boxes(data, *span):
        if name == wanted:
            return start, end
    raise ValueError(f"no part {wanted.decode()!r}")


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of the content of each box in a span of the file."""
    for _ in range(_MAX_BOXES):
        if start + 8 > end:
            return
        length, header = int.from_bytes(data[start : start + 4], "big"), 8
        if length == 1:
            length, header = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        stop = end if length == 0 else start + length
        if not start + header <= stop <= end:
            raise ValueError("truncated")
        yield data[start + 4 : start + 8], start + header, stop
        start = stop
    raise ValueError("too many parts")
