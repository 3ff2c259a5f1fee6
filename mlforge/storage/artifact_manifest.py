"""The manifest of an artifact: what it says of the files, and whether it is what was stored."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from mlforge.core.digest import digest_bytes, digest_json, json_bytes
from mlforge.core.names import printable
from mlforge.errors import ArtifactError

__all__ = [
    "AGAIN",
    "DAMAGED",
    "MANIFEST",
    "MAX_BYTES",
    "MAX_FILES",
    "MAX_MANIFEST_BYTES",
    "SCHEMA",
    "check_described",
    "check_file",
    "check_files",
    "identity",
    "manifest_bytes",
    "parse_manifest",
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
DAMAGED = f"the artifact was changed or damaged; train again: {AGAIN}"
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
        If it is damaged, or of a schema that this mlforge does not know.
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
            f"use the mlforge that made it, or a newer one, or: {AGAIN}",
        )
    body = {key: item for key, item in value.items() if key != "digest"}
    if not _describes_files(value.get("files")) or sealed(body) != data:
        raise ArtifactError(f"{where}: not what was stored", DAMAGED)
    check_files(where, {name: file["bytes"] for name, file in value["files"].items()})
    return value


def _describes_files(files: Any) -> bool:
    def described(file: Any) -> bool:
        match file:
            case {"sha256": str(), "bytes": bool()}:
                return False
            case {"sha256": str(), "bytes": int(size)}:
                return size >= 0
        return False

    return isinstance(files, dict) and all(described(file) for file in files.values())


def check_described(manifest: Mapping[str, Any], where: str) -> None:
    """Raise `ArtifactError` unless a manifest says of what people ask in the form of ours.

    Its digests are right, and yet somebody else may have written it.
    """
    match manifest:
        case {
            "created": str(),
            "model": {"name": str(), "parameters": dict()},
            "extractors": [*extractors],
            "categories": [*categories],
            "n_features": int(),
            "n_seeds": int(),
            "n_samples": int(),
            "versions": dict(),
        } if (
            all(map(_is_extractor, extractors))
            and all(_holds_text(category, "code") for category in categories)
            and (not manifest.get("data") or _holds_text(manifest["data"], "digest"))
            and (not manifest.get("origin") or _holds_text(manifest["origin"], "version"))
        ):
            return
    raise ArtifactError(f"{where}: its manifest does not describe a model", AGAIN)


def _is_extractor(value: Any) -> bool:
    return _holds_text(value, "name") and isinstance(value.get("parameters"), dict)


def _holds_text(value: Any, key: str) -> bool:
    return isinstance(value, dict) and isinstance(value.get(key), str)


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
