"""Quantities that people write with a unit."""

from __future__ import annotations

import re

__all__ = ["format_size", "parse_duration", "parse_size"]

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_UNITS = {"": 1, "B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3}
_UNITS |= {"KIB": 1024, "MIB": 1024**2, "GIB": 1024**3, "K": 1000, "M": 1000**2, "G": 1000**3}
# No file system holds a larger file.
_TOO_LARGE = 2**63
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def parse_size(text: str | int) -> int:
    """Return the number of bytes that `text` names.

    Raises
    ------
    ValueError
        If it is not a number with an optional unit (B, KB, MB, GB, KiB, MiB, GiB), is below 1 byte,
        or is more than any file system holds.

    Examples
    --------
    >>> parse_size("25MB"), parse_size("1.5 KiB"), parse_size(10)
    (25000000, 1536, 10)
    """
    match = _SIZE.fullmatch(str(text))
    if not match or match[2].upper() not in _UNITS:
        raise ValueError(f"{text!r} is not a size; write for example '25MB' or '500 KB'")
    size = float(match[1]) * _UNITS[match[2].upper()]
    if not 1 <= size < _TOO_LARGE:
        raise ValueError(f"{text!r} is not a size from 1 byte to 8 EiB")
    return int(size)


def format_size(n_bytes: int) -> str:
    """Return a number of bytes as people read it.

    Examples
    --------
    >>> format_size(25_000_000), format_size(1500), format_size(12)
    ('25 MB', '1.5 KB', '12 B')
    """
    for unit, factor in (("GB", 1000**3), ("MB", 1000**2), ("KB", 1000)):
        # What rounds up to 1000 of a unit is 1 of the next.
        if n_bytes * 2000 >= factor * 1999:
            return f"{float(f'{n_bytes / factor:.3g}'):.15g} {unit}"
    return f"{n_bytes} B"


def parse_duration(text: str) -> float:
    """Return the seconds in a text such as ``60s``, ``1.5m`` or ``90``.

    Raises
    ------
    ValueError
        If it is no such text, or not above 0.

    Examples
    --------
    >>> parse_duration("1.5m")
    90.0
    """
    stripped = text.strip().lower()
    number, factor = stripped, 1.0
    if stripped[-1:] in _SECONDS:
        number, factor = stripped[:-1], _SECONDS[stripped[-1]]
    seconds = float(number) * factor
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{text!r} is not above 0")
    return seconds
