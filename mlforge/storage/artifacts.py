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

from mlforge.core.digest import digest_bytes
from mlforge.core.names import PRODUCTION, printable, suggestion
from mlforge.core.onnx_check import check_graph
from mlforge.errors import ArtifactError, StorageError
from mlforge.storage.aliases import Aliases
from mlforge.storage.artifact_manifest import (
    AGAIN,
    ASK,
    DAMAGED,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    SCHEMA,
    advising,
    check_file,
    check_files,
    parse_manifest,
    remedy,
    sealed,
)
from mlforge.storage.files import (
    TEMPORARY_PREFIX,
    file_errors,
    make_folder,
    move,
    read_plain,
    remove_temporaries,
    remove_tree,
    write_batch,
)
from mlforge.storage.model_notes import MAX_NUMBER, ModelNotes

__all__ = [
    "MANIFEST",
    "ArtifactStore",
    "StoredArtifact",
    "stored_artifact",
]

_VERSION = re.compile(r"([a-z][a-z0-9_]*)-(\d{4,9})")


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
    remedy
        What helps where it cannot be used: to train it again, if it was trained here.
    """

    version: str
    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]
    remedy: str = AGAIN

    def read_json(self, name: str) -> Any:
        """Return what a JSON file of it holds.

        Raises
        ------
        ArtifactError
            If the file is missing or not JSON.
        """
        where = f"{self.version}/{name}"
        if name not in self.files:
            raise ArtifactError(f"{where}: missing", self.remedy)
        with advising(self.remedy):
            return _parsed(self.files[name], where)


class ArtifactStore:
    """The artifacts below a project's ``artifacts/``.

    Parameters
    ----------
    folder
        The folder ``artifacts/``.

    Attributes
    ----------
    aliases
        The movable names of its versions.
    notes
        What is remembered beside them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models"
        self.aliases = Aliases(folder)
        self.notes = ModelNotes(folder)

    def versions(self) -> list[str]:
        """Return all versions, sorted by model and number."""
        if not self.models.is_dir():
            return []
        found = [path.name for path in self.models.iterdir() if (path / MANIFEST).is_file()]
        return sorted((v for v in found if _VERSION.fullmatch(v)), key=_sort_key)

    def latest(self) -> list[str]:
        """Return the versions that the newest `train` answered with and that still are.

        Those that failed no gate of their training come first, and of these the best. Where that
        is not known, the newest version of all.
        """
        passed, failed = self._noted()
        return [*passed, *failed] or self.newest()[:1]

    def newest(self) -> list[str]:
        """Return all versions, those made last first."""
        return sorted(self.versions(), key=lambda v: (self._created(v), _sort_key(v)), reverse=True)

    def resolve(self, name: str | None) -> str:
        """Return the version to use.

        Parameters
        ----------
        name
            A version or an alias; where None, what ``production`` names, else the best of the
            newest `train`, never one that failed a gate of its training.

        Raises
        ------
        ArtifactError
            If there is none, or an alias names a version that is gone.
        """
        aliases = self.aliases.read()
        if name is None and PRODUCTION in aliases:
            name = PRODUCTION
        if name is None:
            return self._best()
        known = self.versions()
        if name in known:
            return name
        if name not in aliases:
            options = [*known, *aliases]
            hint = suggestion(name, options) if options else "mlforge train"
            raise ArtifactError(f"there is no model version {printable(name)!r}", hint)
        version = aliases[name].version
        if version not in known:
            raise ArtifactError(
                f"{name} names {printable(version)}, which is gone",
                f"mlforge models rollback {name}, or: mlforge models promote VERSION {name}",
            )
        return version

    def subject(self, name: str | None) -> str:
        """Return the version that is to be looked into, which may have failed a gate.

        Parameters
        ----------
        name
            A version or an alias; where None, what `resolve` takes, else the best of the newest
            `train` although it failed a gate.

        Raises
        ------
        ArtifactError
            If there is none, or an alias names a version that is gone.
        """
        if name is None and PRODUCTION not in self.aliases.read():
            passed, failed = self._noted()
            asked = [*passed, *failed] or [*self._free(), *self.newest()]
            name = asked[0] if asked else None
        return self.resolve(name)

    def manifest(self, version: str) -> dict[str, Any]:
        """Return a version's manifest.

        Raises
        ------
        ArtifactError
            If it is damaged, or of a schema that this mlforge does not know.
        """
        folder = self._folder(version)
        where = f"{version}/{MANIFEST}"
        return parse_manifest(_read_file(folder / MANIFEST, where, MAX_MANIFEST_BYTES), where)

    def read_json(self, version: str, name: str) -> Any:
        """Return a JSON file of a version, its digest checked.

        Raises
        ------
        ArtifactError
            If the file is missing, damaged or not JSON.
        """
        manifest = self.manifest(version)
        with advising(remedy(manifest)):
            return _parsed(self._read(version, name, manifest), f"{version}/{printable(name)}")

    def load(self, version: str) -> StoredArtifact:
        """Read a version whole: sizes, digests, and what its graphs hold.

        Raises
        ------
        ArtifactError
            If a file is missing, or has another size or digest than the manifest says, or a graph
            holds what is not allowed.
        """
        manifest = self.manifest(version)
        helps = remedy(manifest)
        with advising(helps):
            files = {name: self._read(version, name, manifest) for name in manifest["files"]}
            _check_graphs(version, files)
        return StoredArtifact(version, manifest, files, helps)

    def next_versions(self, models: Sequence[str]) -> list[str]:
        """Return the versions that saving these models one after the other gives them.

        They hold as long as the project's lock is held.
        """
        make_folder(self.models)
        given: dict[str, int] = {}
        versions = []
        for model in models:
            given[model] = given.get(model, self._next_number(model) - 1) + 1
            versions.append(_version(model, given[model]))
        return versions

    def save(self, model: str, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
        """Store a new version of `model` and return its name; call it under the project's lock.

        Raises
        ------
        ArtifactError
            If a graph holds what is not allowed, or the files are too many or too large.
        """
        return self._store(model, {"schema": SCHEMA, **manifest}, files)

    def adopt(self, artifact: StoredArtifact) -> str:
        """Store an artifact of another project as the next version of its model; return its name.

        Its manifest keeps its schema and notes under ``origin`` the version and digest it had.
        Call it under the project's lock.

        Raises
        ------
        ArtifactError
            If its version is none.
        """
        match = _VERSION.fullmatch(artifact.version)
        if match is None:
            raise ArtifactError(f"{printable(artifact.version)!r} is not a version")
        origin = {"version": artifact.version, "digest": artifact.manifest["digest"]}
        kept = {k: v for k, v in artifact.manifest.items() if k not in {"digest", "version"}}
        return self._store(match[1], {**kept, "origin": origin}, artifact.files)

    def remove(self, version: str) -> None:
        """Remove a version; its number is never given again. Call it under the lock of the models.

        Raises
        ------
        ArtifactError
            If there is none.
        """
        folder = self._folder(version)
        model, number = _sort_key(version)
        self.notes.note_removed(model, number)
        # Whoever reads finds it whole or not at all.
        temporary = self.models / f"{TEMPORARY_PREFIX}{os.getpid()}-{version}"
        move(folder, temporary)
        remove_tree(temporary)

    def size(self, version: str) -> int:
        """Return how many bytes a version's files take."""
        folder = self._folder(version)
        with file_errors(folder, "read"):
            return sum(path.lstat().st_size for path in folder.iterdir())

    def _best(self) -> str:
        passed, failed = self._noted()
        best = passed or ([] if failed else self._free())
        if best:
            return best[0]
        if failed := failed or self.newest():
            raise ArtifactError(
                f"{failed[0]} failed a gate when it was trained, so it does not answer unless it "
                "is named",
                f"see what it lacks: mlforge report {failed[0]}, or use it all the same: "
                f"--model {failed[0]}",
            )
        raise ArtifactError("no model has been trained yet", "mlforge train")

    def _free(self) -> list[str]:
        """Return the versions that failed no gate of their training, those made last first."""
        withheld = self.notes.withheld()
        return [version for version in self.newest() if version not in withheld]

    def _noted(self) -> tuple[list[str], list[str]]:
        """Return the versions that the newest `train` noted and that still are."""
        known, note = self.versions(), self.notes.latest()
        passed, failed = note["versions"], note["failed"]
        return [v for v in passed if v in known], [v for v in failed if v in known]

    def _store(self, model: str, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
        make_folder(self.models)
        remove_temporaries(self.models)
        version = _version(model, self._next_number(model))
        check_files(version, {name: len(data) for name, data in files.items()})
        _check_graphs(version, files)
        described = {
            name: {"sha256": digest_bytes(data), "bytes": len(data)} for name, data in files.items()
        }
        head = {"schema": manifest["schema"], "version": version}
        text = sealed({**head, **manifest, "version": version, "files": described})
        if len(text) > MAX_MANIFEST_BYTES:
            raise ArtifactError(f"{version}/{MANIFEST}: larger than {MAX_MANIFEST_BYTES:,} bytes")
        temporary = self.models / f"{TEMPORARY_PREFIX}{os.getpid()}-{version}"
        try:
            make_folder(temporary)
            write_batch(
                [(temporary / name, data) for name, data in files.items()]
                + [(temporary / MANIFEST, text)],
                temporary,
            )
            move(temporary, self.models / version)
        except BaseException:
            # What cannot be removed now is removed by the next save; this error is the one to tell.
            with suppress(StorageError):
                remove_tree(temporary)
            raise
        return version

    def _folder(self, version: str) -> Path:
        """Return a version's folder; a link is none."""
        path = self.models / version if _VERSION.fullmatch(version) else self.models / "-"
        if path.is_symlink() or not path.is_dir():
            what = "a link" if path.is_symlink() else "missing"
            raise ArtifactError(f"{printable(version)}: {what}", AGAIN)
        return path

    def _read(self, version: str, name: str, manifest: Mapping[str, Any]) -> bytes:
        expected = manifest["files"].get(name)
        where = f"{version}/{printable(name)}"
        if expected is None:
            raise ArtifactError(f"{where}: missing", DAMAGED)
        data = _read_file(self._folder(version) / name, where, expected["bytes"])
        check_file(data, expected, where)
        return data

    def _next_number(self, model: str) -> int:
        # Also what lost its manifest holds its number: nothing can be moved to its place.
        matches = [_VERSION.fullmatch(path.name) for path in self.models.iterdir()]
        numbers = [int(match[2]) for match in matches if match and match[1] == model]
        number = max([*numbers, self.notes.highest_removed(model)], default=0) + 1
        if number > MAX_NUMBER:
            raise ArtifactError(
                f"{model}: there is no number above {number - 1}",
                "a project of its own counts from 1: mlforge init FOLDER",
            )
        return number

    def _created(self, version: str) -> str:
        try:
            return str(self.manifest(version).get("created", ""))
        except (ArtifactError, StorageError):
            return ""


def stored_artifact(manifest: bytes, files: Mapping[str, bytes], where: str) -> StoredArtifact:
    """Return an artifact of files that lie nowhere yet, checked as `ArtifactStore.load` does.

    Parameters
    ----------
    manifest
        The bytes of its ``manifest.json``.
    files
        Its other files.
    where
        Where they come from, for messages.

    Raises
    ------
    ArtifactError
        If it is not whole, or holds what is not allowed.
    """
    with advising(ASK):
        values = parse_manifest(manifest, f"{where}: {MANIFEST}")
        if set(files) != set(values["files"]):
            raise ArtifactError(f"{where}: its files are not those of its manifest", ASK)
        for name, data in files.items():
            check_file(data, values["files"][name], f"{where}: {printable(name)}")
        version = values.get("version")
        if not isinstance(version, str) or not _VERSION.fullmatch(version):
            raise ArtifactError(f"{where}: its manifest names no version", ASK)
        _check_graphs(where, files)
    return StoredArtifact(version, values, files, ASK)


def _parsed(data: bytes, where: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise ArtifactError(f"{where}: not valid JSON", DAMAGED) from None


def _version(model: str, number: int) -> str:
    return f"{model}-{number:04d}"


def _sort_key(version: str) -> tuple[str, int]:
    model, _, number = version.rpartition("-")
    return model, int(number)


def _check_graphs(where: str, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        if name.endswith(".onnx"):
            check_graph(data, f"{where}/{name}")


def _read_file(path: Path, where: str, max_bytes: int) -> bytes:
    """Return the bytes of a plain file, one more than `max_bytes` at most; a link is none."""
    data = read_plain(path, max_bytes)
    if data is None:
        raise ArtifactError(f"{where}: missing, or not a plain file", DAMAGED)
    return data
