"""One file that holds a whole artifact, to be sent around: ``.mlforge``.

The file begins with `MAGIC`, then the length of a header as 8 bytes (little-endian), then the
header, a JSON document with the names, sizes and digests of the files, then its SHA-256, then the
files one after the other, in the header's order, and nothing else::

    magic   length   header (JSON)   SHA-256 of the header   file   file   ...
    12      8        length          32                      sizes as the header says

Nothing is compressed, so nothing grows; no name leads anywhere, since the reader hands out bytes
by name and writes none.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from mlforge.core.digest import canonical_json, digest_bytes, json_bytes
from mlforge.core.names import printable
from mlforge.errors import ArtifactError
from mlforge.storage.artifact_manifest import MANIFEST, MAX_BYTES, MAX_FILES, MAX_MANIFEST_BYTES
from mlforge.storage.files import file_errors, read_start, write_parts

__all__ = ["MAGIC", "SCHEMA", "is_transport", "pack", "read_transport", "unpack", "write_transport"]

MAGIC = b"\x89mlforge\r\n\x1a\n"
"""What the file begins with; a transfer that changes line ends or cuts the eighth bit spoils it."""
SCHEMA = "mlforge.transport/1"
_MAX_HEADER_BYTES = 256 * 1024
_LENGTH_BYTES = 8
_DIGEST_BYTES = 32
_AGAIN = "get the file again, or make it again: mlforge models export VERSION --output FILE"


def pack(files: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """Return the parts, one after the other, of one file that holds `files`."""
    entries = [
        {"name": name, "bytes": len(data), "sha256": digest_bytes(data)}
        for name, data in files.items()
    ]
    header = json_bytes(canonical_json({"schema": SCHEMA, "files": entries}))
    length = len(header).to_bytes(_LENGTH_BYTES, "little")
    digest = hashlib.sha256(header).digest()
    return (MAGIC, length, header, digest, *files.values())


def write_transport(path: Path, files: Mapping[str, bytes]) -> None:
    """Write files into one, whole or not at all.

    Parameters
    ----------
    path
        The file to write; one that is there is replaced.
    files
        The files by name.
    """
    write_parts(path, pack(files))


def read_transport(path: Path) -> dict[str, bytes]:
    """Return the files that one holds, each with the size and digest that the header says.

    The header's sizes must add up to the file's own before anything of that size is read.

    Raises
    ------
    ArtifactError
        If it is not such a file, is cut off, goes on after its end, or was changed.
    """
    where = printable(path.name)
    with file_errors(path, "read"):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise ArtifactError(f"{where}: not a plain file", _AGAIN)
        with os.fdopen(descriptor, "rb") as file:
            return unpack(file, status.st_size, where)


def is_transport(path: Path) -> bool:
    """Return whether a file begins as `write_transport` lets it begin."""
    return read_start(path, len(MAGIC)) == MAGIC


def unpack(file: IO[bytes], size: int, where: str) -> dict[str, bytes]:
    """Return the files that an open one of `size` bytes holds; see `read_transport`."""
    entries = _header(file, size, where)
    return {name: _blob(file, entry, where) for name, entry in entries.items()}


def _header(file: IO[bytes], size: int, where: str) -> dict[str, Mapping[str, Any]]:
    """Read up to the first file and return what the header says of each."""
    if file.read(len(MAGIC)) != MAGIC:
        raise ArtifactError(f"{where}: not a file that mlforge models export made", _AGAIN)
    length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    if not 0 < length <= _MAX_HEADER_BYTES:
        raise ArtifactError(f"{where}: its header is cut off or too large", _AGAIN)
    header, digest = file.read(length), file.read(_DIGEST_BYTES)
    if hashlib.sha256(header).digest() != digest:
        raise ArtifactError(f"{where}: its header is cut off or was changed", _AGAIN)
    entries = _entries(header, where)
    whole = file.tell() + sum(entry["bytes"] for entry in entries.values())
    if whole != size:
        what = "cut off" if size < whole else "longer than it says"
        raise ArtifactError(f"{where}: {what}: {size:,} bytes, not {whole:,}", _AGAIN)
    return entries


def _entries(header: bytes, where: str) -> dict[str, Mapping[str, Any]]:
    try:
        value = json.loads(header)
    except (ValueError, RecursionError):
        raise ArtifactError(f"{where}: its header is not JSON", _AGAIN) from None
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != SCHEMA:
        raise ArtifactError(
            f"{where}: written in the form {printable(repr(schema)[:80])}, this mlforge reads "
            f"{SCHEMA!r}",
            "use the mlforge that made it, or a newer one",
        )
    listed = value.get("files")
    if not isinstance(listed, list) or not all(_is_entry(entry) for entry in listed):
        raise ArtifactError(f"{where}: its header does not describe files", _AGAIN)
    entries = {entry["name"]: entry for entry in listed}
    if len(entries) != len(listed):
        raise ArtifactError(f"{where}: a name stands twice in its header", _AGAIN)
    if MANIFEST not in entries or len(entries) > MAX_FILES + 1:
        raise ArtifactError(f"{where}: no {MANIFEST} in it, or too many files", _AGAIN)
    manifest_bytes = entries[MANIFEST]["bytes"]
    others = sum(entry["bytes"] for entry in listed) - manifest_bytes
    if manifest_bytes > MAX_MANIFEST_BYTES or others > MAX_BYTES:
        raise ArtifactError(f"{where}: larger than a model may be", _AGAIN)
    return entries


def _is_entry(entry: Any) -> bool:
    match entry:
        case {"name": str(), "bytes": bool()}:
            return False
        case {"name": str(), "bytes": int(size), "sha256": str()}:
            return size >= 0
    return False


def _blob(file: IO[bytes], entry: Mapping[str, Any], where: str) -> bytes:
    data = file.read(entry["bytes"])
    if digest_bytes(data) != entry["sha256"]:
        raise ArtifactError(f"{where}: {printable(entry['name'])} was changed", _AGAIN)
    return data
