"""The artifacts of a project: immutable folders, one a version."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlforge.core.digest import digest_bytes, digest_json, json_bytes
from mlforge.core.names import printable, suggestion
from mlforge.errors import ArtifactError, StorageError
from mlforge.storage.files import (
    TEMPORARY_PREFIX,
    make_folder,
    move,
    read_bytes,
    remove_temporaries,
    remove_tree,
    write_batch,
    write_json,
)

__all__ = ["ArtifactStore", "StoredArtifact"]

SCHEMA = "mlforge.artifact/1"
MANIFEST = "manifest.json"
LATEST = "latest.json"
_VERSION = re.compile(r"([a-z][a-z0-9_]*)-(\d{4,})")
_MAX_FILE_BYTES = 2 * 1024**3
_DAMAGED = "the artifact was changed or damaged; train again: mlforge train --force"


@dataclass(frozen=True)
class StoredArtifact:
    """An artifact that was read and whose files have their digests.

    Attributes
    ----------
    version
        Its name, such as ``random_forest-0003``.
    manifest
        What ``manifest.json`` holds.
    files
        The other files by name.
    """

    version: str
    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]


class ArtifactStore:
    """The artifacts below a project's ``artifacts/``.

    Parameters
    ----------
    folder
        The folder ``artifacts/``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models"

    def versions(self) -> list[str]:
        """Return all versions, sorted by model and number."""
        if not self.models.is_dir():
            return []
        found = [path.name for path in self.models.iterdir() if (path / MANIFEST).is_file()]
        return sorted((v for v in found if _VERSION.fullmatch(v)), key=_sort_key)

    def latest(self) -> list[str]:
        """Return the versions that the newest `train` answered with and that still are, best first.

        Where that is not known, the newest version of all.
        """
        known = set(self.versions())
        try:
            noted = json.loads((self.folder / LATEST).read_bytes())["versions"]
            latest = [version for version in noted if version in known]
        except (OSError, ValueError, KeyError, TypeError):
            latest = []
        return latest or sorted(known, key=self._created)[-1:]

    def note_latest(self, versions: Sequence[str]) -> None:
        """Remember what the newest `train` answered with, best first."""
        write_json(self.folder / LATEST, {"versions": list(versions)})

    def resolve(self, version: str | None) -> str:
        """Return the version to use: the one that is named, else the best of the newest `train`.

        Raises
        ------
        ArtifactError
            If there is none.
        """
        if version is not None:
            known = self.versions()
            if version not in known:
                hint = suggestion(version, known) if known else "mlforge train"
                raise ArtifactError(f"there is no model version {printable(version)!r}", hint)
            return version
        latest = self.latest()
        if not latest:
            raise ArtifactError("no model has been trained yet", "mlforge train")
        return latest[0]

    def manifest(self, version: str) -> dict[str, Any]:
        """Return a version's manifest.

        Raises
        ------
        ArtifactError
            If it is damaged, or of a schema that this mlforge does not know.
        """
        where = f"{printable(version)}/{MANIFEST}"
        path = self.models / version / MANIFEST
        if not _VERSION.fullmatch(version) or not path.is_file():
            raise ArtifactError(f"{where} is missing", "mlforge train --force")
        data = read_bytes(path)
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            raise ArtifactError(f"{where}: not valid JSON", "mlforge train --force") from None
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            found = value.get("schema") if isinstance(value, dict) else None
            raise ArtifactError(
                f"{where}: written in the form {found!r}, this mlforge reads {SCHEMA!r}",
                "use the mlforge that made it, or: mlforge train --force",
            )
        body = {key: item for key, item in value.items() if key != "digest"}
        if not _describes_files(value.get("files")) or _sealed(body) != data:
            raise ArtifactError(f"{where}: not what was stored", _DAMAGED)
        return value

    def read_json(self, version: str, name: str) -> Any:
        """Return a JSON file of a version, its digest checked."""
        return json.loads(self._read(version, name, self.manifest(version)))

    def load(self, version: str) -> StoredArtifact:
        """Read a version whole.

        Raises
        ------
        ArtifactError
            If a file is missing, or has another size or digest than the manifest says.
        """
        manifest = self.manifest(version)
        files = {name: self._read(version, name, manifest) for name in manifest["files"]}
        return StoredArtifact(version, manifest, files)

    def save(self, model: str, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
        """Store a new version of `model` and return its name; call it under the project's lock."""
        make_folder(self.models)
        remove_temporaries(self.models)
        version = f"{model}-{self._next_number(model):04d}"
        described = {
            name: {"sha256": digest_bytes(data), "bytes": len(data)} for name, data in files.items()
        }
        whole = {"schema": SCHEMA, "version": version, **manifest, "files": described}
        temporary = self.models / f"{TEMPORARY_PREFIX}{os.getpid()}-{version}"
        try:
            make_folder(temporary)
            write_batch(
                [(temporary / name, data) for name, data in files.items()]
                + [(temporary / MANIFEST, _sealed(whole))],
                temporary,
            )
            move(temporary, self.models / version)
        except BaseException:
            # What cannot be removed now is removed by the next save; this error is the one to tell.
            with suppress(StorageError):
                remove_tree(temporary)
            raise
        return version

    def _read(self, version: str, name: str, manifest: Mapping[str, Any]) -> bytes:
        expected = manifest["files"].get(name)
        path = self.models / version / name
        if expected is None or Path(name).name != name or not path.is_file():
            raise ArtifactError(f"{version}: the file {printable(name)!r} is missing", _DAMAGED)
        if path.stat().st_size != expected["bytes"] or expected["bytes"] > _MAX_FILE_BYTES:
            raise ArtifactError(f"{version}/{name}: not the size that the manifest says", _DAMAGED)
        data = read_bytes(path)
        if digest_bytes(data) != expected["sha256"]:
            raise ArtifactError(
                f"{version}/{name}: not the digest that the manifest says", _DAMAGED
            )
        return data

    def _next_number(self, model: str) -> int:
        # Also what lost its manifest holds its number: nothing can be moved to its place.
        matches = [_VERSION.fullmatch(path.name) for path in self.models.iterdir()]
        numbers = [int(match[2]) for match in matches if match and match[1] == model]
        return max(numbers, default=0) + 1

    def _created(self, version: str) -> str:
        try:
            return str(self.manifest(version).get("created", ""))
        except (ArtifactError, StorageError):
            return ""


def _sort_key(version: str) -> tuple[str, int]:
    model, _, number = version.rpartition("-")
    return model, int(number)


def _sealed(values: Mapping[str, Any]) -> bytes:
    """Return a manifest with its own digest, so that a changed byte in it is found too."""
    try:
        whole = {**values, "digest": digest_json(values)}
        return json_bytes(json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False))
    except RecursionError:
        raise ArtifactError(f"{MANIFEST}: nested too deeply", _DAMAGED) from None


def _describes_files(files: Any) -> bool:
    def described(file: Any) -> bool:
        match file:
            case {"sha256": str(), "bytes": int()}:
                return True
        return False

    return isinstance(files, dict) and all(described(file) for file in files.values())
