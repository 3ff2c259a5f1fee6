"""Content digests: the identity of bytes and of JSON values."""

from __future__ import annotations

import hashlib
import json
from typing import Any

__all__ = ["canonical_json", "digest_bytes", "digest_json", "json_bytes"]


def canonical_json(value: Any) -> str:
    """Serialize a JSON value so that equal values give equal text.

    Raises
    ------
    ValueError
        If the value holds NaN or an infinity.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def json_bytes(text: str) -> bytes:
    r"""Encode JSON text as UTF-8.

    A lone surrogate, as in the name of a file that is not UTF-8, becomes the JSON escape that
    stands for it, so that reading gives it back.

    Examples
    --------
    >>> json_bytes('"\udcff"')
    b'"\\udcff"'
    """
    return text.encode("utf-8", "backslashreplace")


def digest_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest_json(value: Any) -> str:
    """Return the SHA-256 of a JSON value's canonical form as 64 hexadecimal digits.

    Examples
    --------
    >>> digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
    True
    """
    return digest_bytes(json_bytes(canonical_json(value)))
