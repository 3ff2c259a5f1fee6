"""Reading protocol buffers strictly: what another reader could understand otherwise is refused.

References
----------
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

__all__ = ["Known", "Refused", "Value", "Walk", "message", "text"]

# Real graphs have a few fields a node; each takes its microsecond to step over.
_MAX_FIELDS = 500_000
_MAX_TAG_BYTES = 5

Value = int | memoryview | bytes
"""What a field holds: a number, a view of a text or a message, or a run of unpacked fields."""
Known = Mapping[int, tuple[int, ...]]
"""What a message may hold: the kinds of a field by its number."""


class Refused(Exception):  # noqa: N818 - control flow: the caller knows what to call the graph
    """Why a graph is refused."""


class Walk:
    """One walk through a graph, of so many steps at most."""

    def __init__(self) -> None:
        self._n_fields = 0

    def fields(
        self,
        data: memoryview,
        known: Known,
        runs: Mapping[int, re.Pattern[bytes]] | None = None,
    ) -> Iterator[tuple[int, Value]]:
        """Yield the number and value of each field of a message that holds nothing but `known`.

        A value is a number, or a view of what is a text or a message. What a pattern of `runs`
        takes, by the tag that it begins with, comes as one value of bytes.
        """
        place, end = 0, len(data)
        while place < end:
            self._n_fields += 1
            if self._n_fields > _MAX_FIELDS:
                raise Refused(f"it has more than {_MAX_FIELDS:,} fields")
            start = place
            pattern = runs.get(data[start]) if runs else None
            found = pattern.match(data, start) if pattern else None
            if found and found.end() > start:
                place = found.end()
                yield data[start] >> 3, found.group()
                continue
            tag, place = _varint(data, place)
            if place - start > _MAX_TAG_BYTES or tag & 7 not in known.get(tag >> 3, ()):
                raise Refused("it is not an ONNX graph: it holds what no reader of ONNX knows")
            value, place = _value(data, place, tag & 7)
            yield tag >> 3, value
        if place != end:
            raise Refused("it is cut off")


def _value(data: memoryview, place: int, kind: int) -> tuple[Value, int]:
    """Return the value of a field of that kind, and the place after it."""
    match kind:
        case 0:
            return _varint(data, place)
        case 1:
            return 0, place + 8
        case 2:
            begin = place
            size, place = _varint(data, place)
            if place - begin > _MAX_TAG_BYTES or size > len(data) - place:
                raise Refused("it is cut off")
            return data[place : place + size], place + size
        case 5:
            return 0, place + 4
    raise Refused("it is not an ONNX graph")


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """Return the number that begins at `place`, and the place after it."""
    value = shift = 0
    for byte in data[place : place + 10]:
        value |= (byte & 127) << shift
        shift += 7
        place += 1
        if byte < 128:
            # A number has one way to be written: a longer one is read in more than one.
            if byte == 0 and shift > 7:
                break
            return value, place
    raise Refused("it is not an ONNX graph")


def message(value: Value) -> memoryview:
    """Return a value that must be a message or a text."""
    if not isinstance(value, memoryview):
        raise Refused("it is not an ONNX graph")
    return value


def text(value: Value) -> str:
    """Return a value that must be a text."""
    return bytes(message(value)).decode("utf-8", "replace")
