"""The manifest of an artifact: what it says of the files, and whether it is what was stored."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mlforge.core.digest import digest_bytes, digest_json, json_bytes
from mlforge.core.names import check_code, printable
from mlforge.core.strict_json import is_count, is_number
from mlforge.errors import ArtifactError, ConfigError

__all__ = [
    "AGAIN",
    "ASK",
    "DAMAGED",
    "MANIFEST",
    "MAX_BYTES",
    "MAX_FILES",
    "MAX_MANIFEST_BYTES",
    "SCHEMA",
    "advising",
    "check_file",
    "check_files",
    "identity",
    "manifest_bytes",
    "parse_manifest",
    "remedy",
    "sealed",
]

SCHEMA = "mlforge.artifact/2"
"""The form that is written."""
SCHEMAS = ("mlforge.artifact/1", SCHEMA)
"""The forms that are read."""
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 4 * 1024**2
MAX_BYTES = 2 * 1024**3
MAX_FILES = 200
AGAIN = "mlforge train --force"
"""What helps where an artifact cannot be used."""
ASK = "get the file again, or ask who made it"
"""What helps where it was made elsewhere: nobody here can train it again."""
DAMAGED = f"the artifact was changed or damaged; train again: {AGAIN}"
_TEMPERATURES = (0.01, 100.0)
"""Far beyond those that a training gives; outside of them probabilities overflow."""
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """Return the bytes of the ``manifest.json`` that `manifest` was read from."""
    return sealed({key: value for key, value in manifest.items() if key != "digest"})


def identity(manifest: Mapping[str, Any]) -> str:
    """Return the digest of what an artifact is, wherever it lies and whatever number it has."""
    own = {"version", "origin", "digest"}
    return digest_json({key: value for key, value in manifest.items() if key not in own})


def sealed(values: Mapping[str, Any]) -> bytes:
    """Return a manifest with its own digest, so that a changed byte in it is found too."""
    try:
        whole = {**values, "digest": digest_json(values)}
        return json_bytes(json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False))
    except (RecursionError, ValueError):
        raise ArtifactError(f"{MANIFEST}: nested too deeply, or not a number", DAMAGED) from None


def parse_manifest(data: bytes, where: str) -> dict[str, Any]:
    """Return what a ``manifest.json`` holds.

    Raises
    ------
    ArtifactError
        If it is damaged, of a schema that this mlforge does not know, or describes no model.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise ArtifactError(f"{where}: not valid JSON", AGAIN) from None
    if not isinstance(value, dict) or value.get("schema") not in SCHEMAS:
        found = value.get("schema") if isinstance(value, dict) else None
        raise ArtifactError(
            f"{where}: written in the form {printable(repr(found)[:80])}, this mlforge reads "
            f"{', '.join(SCHEMAS)}",
            "use the mlforge that made it, or a newer one",
        )
    body = {key: item for key, item in value.items() if key != "digest"}
    if not _describes_files(value.get("files")) or sealed(body) != data:
        raise ArtifactError(f"{where}: not what was stored", DAMAGED)
    check_files(where, {name: file["bytes"] for name, file in value["files"].items()})
    _check_described(value, where)
    return value


def remedy(manifest: Mapping[str, Any]) -> str:
    """Return what helps where the artifact of a manifest cannot be used."""
    return ASK if manifest.get("origin") else AGAIN


@contextmanager
def advising(helps: str) -> Iterator[None]:
    """Let an error that advises to train again advise what helps in this case."""
    try:
        yield
    except ArtifactError as error:
        if helps == AGAIN or AGAIN not in error.hint:
            raise
        raise ArtifactError(error.message, helps) from error


def _describes_files(files: Any) -> bool:
    def described(file: Any) -> bool:
        match file:
            case {"sha256": str(), "bytes": bool()}:
                return False
            case {"sha256": str(), "bytes": int(size)}:
                return size >= 0
        return False

    return isinstance(files, dict) and all(described(file) for file in files.values())


def _check_described(manifest: Mapping[str, Any], where: str) -> None:
    """Raise `ArtifactError` unless all that prediction and people ask for is there and usable.

    The digests are right, and yet somebody else may have written it. What comes after relies on
    the types and ranges that hold here.
    """
    for key, is_sound in _DESCRIPTION.items():
        if not is_sound(manifest.get(key)):
            message = f"{where}: does not describe a model: its {key} is missing or wrong"
            raise ArtifactError(message, remedy(manifest))


_Check = Callable[[Any], bool]


def _record(**checks: _Check) -> _Check:
    """Return the check of an object: that of each key holds; others may stand beside them."""
    return lambda value: (
        isinstance(value, dict) and all(check(value.get(key)) for key, check in checks.items())
    )


def _list(check: _Check, fewest: int) -> _Check:
    return lambda value: isinstance(value, list) and len(value) >= fewest and all(map(check, value))


def _optional(check: _Check) -> _Check:
    """Return the check of what older artifacts, or some, do not have."""
    return lambda value: value is None or check(value)


def _number(low: float, high: float) -> _Check:
    return lambda value: is_number(value, low, high)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_code(value: Any) -> bool:
    """Return whether a value may name a category, as a person's own would have to."""
    try:
        return _is_text(value) and bool(check_code(value))
    except ConfigError:
        return False


def _is_name(value: Any) -> bool:
    """Return whether a value is a text that can be written; a lone surrogate cannot."""
    return _is_text(value) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _are_categories(value: Any) -> bool:
    return _CATEGORIES(value) and len({category["code"] for category in value}) == len(value)


_CATEGORIES = _list(_record(code=_is_code, name=_is_name, min_confidence=_number(0, 1)), 1)
_CANDIDATE = _record(
    name=_is_text,
    parameters=_is_object,
    features=_optional(_list(_is_text, 0)),
    held_out_accuracy=_number(0, 1),
)
_DESCRIPTION: Mapping[str, _Check] = {
    "created": _is_text,
    "model": _record(name=_is_text, parameters=_is_object),
    "modality": _record(name=_is_text, parameters=_is_object),
    "extractors": _list(
        _record(name=_is_text, revision=is_count, parameters=_is_object, state=_are_texts), 1
    ),
    "categories": _are_categories,
    "temperature": _number(*_TEMPERATURES),
    "set_threshold": _optional(_number(0, 1)),
    "unknown": _optional(_record(threshold=_number(0, sys.float_info.max), state=_are_texts)),
    "chosen_from": _optional(_record(candidates=_list(_CANDIDATE, 0))),
    "n_features": is_count,
    "n_seeds": is_count,
    "n_samples": is_count,
    "data": _optional(_record(digest=_is_text)),
    "settings": _optional(_is_object),
    "versions": _are_texts,
    "environment": _optional(_is_object),
    "origin": _optional(_record(version=_is_text, digest=_is_text)),
}


def check_files(where: str, sizes: Mapping[str, int]) -> None:
    """Refuse names that could reach elsewhere, and more than a machine should take in."""
    for name in sizes:
        if not _FILE_NAME.fullmatch(name) or name == MANIFEST:
            raise ArtifactError(f"{where}: {printable(name)!r} cannot be a file's name", DAMAGED)
    if len({name.casefold() for name in sizes}) != len(sizes) or len(sizes) > MAX_FILES:
        raise ArtifactError(f"{where}: more than {MAX_FILES} files, or one twice", DAMAGED)
    if sum(sizes.values()) > MAX_BYTES:
        raise ArtifactError(f"{where}: more than {MAX_BYTES:,} bytes", DAMAGED)


def check_file(data: bytes, expected: Mapping[str, Any], where: str) -> None:
    """Raise `ArtifactError` unless a file has the size and digest that the manifest says."""
    if len(data) != expected["bytes"]:
        raise ArtifactError(f"{where}: not the size that the manifest says", DAMAGED)
    if digest_bytes(data) != expected["sha256"]:
        raise ArtifactError(f"{where}: not the digest that the manifest says", DAMAGED)
