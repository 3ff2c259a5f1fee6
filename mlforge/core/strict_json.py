"""Reading JSON that a stranger may have written."""

from __future__ import annotations

import json
import math
from typing import Any

from mlforge.core.names import printable
from mlforge.errors import ConfigError

__all__ = ["is_count", "is_number", "parse_json", "parse_line"]

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
_MAX_COUNT = 2**53


def parse_json(data: bytes, where: str, max_bytes: int = MAX_BYTES) -> Any:
    """Parse JSON within limits: 1 MiB unless said, 32 levels, UTF-8, no NaN, no key twice.

    Parameters
    ----------
    data
        The document.
    where
        The file, for messages.
    max_bytes
        The largest document.

    Raises
    ------
    ConfigError
        If the document breaks a limit or is not JSON; the message holds the line.
    """
    if len(data) > max_bytes:
        raise ConfigError(f"{where}: {len(data)} bytes; the limit is {max_bytes}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: not UTF-8 at byte {error.start}", "save it as UTF-8") from None
    _check_depth(text, where)
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{where}, line {error.lineno}, column {error.colno}: not valid JSON: {error.msg}",
            "mend that line; a trailing comma or a missing quote are the usual causes",
        ) from None
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def is_number(value: Any, low: float, high: float) -> bool:
    """Return whether a value of JSON is a number from `low` to `high`; true and NaN are none.

    Examples
    --------
    >>> is_number(0.5, 0, 1), is_number(True, 0, 1), is_number(10**400, 0, 1)
    (True, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def is_count(value: Any) -> bool:
    """Return whether a value of JSON is a whole number that can count things."""
    return isinstance(value, int) and is_number(value, 0, _MAX_COUNT)


def parse_line(line: bytes, where: str) -> Any:
    """Parse a line of which there may be very many: as `parse_json`, but for keys that stand twice.

    Raises
    ------
    ConfigError
        If the line breaks a limit or is not JSON.
    """
    try:
        text = line.decode()
        if text.count("[") + text.count("{") > MAX_DEPTH:
            _check_depth(text, where)
        return _LINES.decode(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def _check_depth(text: str, where: str) -> None:
    """Refuse deep nesting before the parser recurses into it."""
    depth = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ConfigError(f"{where}: nested deeper than {MAX_DEPTH} levels")
        elif character in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {printable(key)!r} stands twice in one object")
        result[key] = value
    return result


def _finite(text: str) -> float:
    # 1e999 is well-formed JSON, and infinity to Python.
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


_LINES = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
