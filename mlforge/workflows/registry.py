"""The registry of a project's models: aliases, checks, removal, and the way from and to others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlforge.core.names import PRODUCTION, printable
from mlforge.errors import ArtifactError, ConfigError, MissingExtraError, StorageError
from mlforge.storage.aliases import Alias
from mlforge.storage.artifact_manifest import MANIFEST, identity, manifest_bytes
from mlforge.storage.artifacts import stored_artifact
from mlforge.storage.locking import exclusive
from mlforge.storage.transport import is_transport, read_transport, write_transport
from mlforge.workflows.proof import prove, prove_apart
from mlforge.workflows.workspace import Workspace

__all__ = [
    "Imported",
    "Prune",
    "VersionCheck",
    "export_model",
    "import_model",
    "plan_prune",
    "promote",
    "prune",
    "remove_model",
    "require_unnamed",
    "rollback",
    "verify_models",
]


@dataclass(frozen=True)
class VersionCheck:
    """Whether a version can be used.

    Attributes
    ----------
    version
        The version.
    reason
        Why it cannot be used; empty where it can.
    hint
        What to do about it.
    n_golden
        How many golden examples it predicted as it did when it was made.
    difference
        The largest difference of a probability from what it was then; None where there is none.
    """

    version: str
    reason: str = ""
    hint: str = ""
    n_golden: int = 0
    difference: float | None = None


@dataclass(frozen=True)
class Imported:
    """What importing a file did.

    Attributes
    ----------
    version
        The version in this project.
    origin
        The version that it had where it came from.
    is_new
        Whether it was not there already.
    """

    version: str
    origin: str
    is_new: bool


@dataclass(frozen=True)
class Prune:
    """What a prune removes.

    Attributes
    ----------
    removed, kept
        The versions.
    n_bytes
        How many bytes those take that are removed.
    """

    removed: tuple[str, ...]
    kept: tuple[str, ...]
    n_bytes: int


def promote(workspace: Workspace, name: str, alias: str = PRODUCTION) -> Alias:
    """Let an alias name a version, once that has proved to be sound.

    Parameters
    ----------
    workspace
        The project.
    name
        The version, or an alias that names it.
    alias
        The alias; it is made where there is none of that name.

    Raises
    ------
    ArtifactError
        If the version is damaged or predicts something else than when it was made.
    ConfigError
        If `alias` cannot be an alias.
    """
    store = workspace.artifacts
    version = store.resolve(name)
    prove(store.load(version))
    with exclusive(store.models):
        # It may have been removed since.
        return store.aliases.promote(alias, store.resolve(version), _now())


def rollback(workspace: Workspace, alias: str = PRODUCTION) -> Alias:
    """Let an alias name what it named before.

    Raises
    ------
    ArtifactError
        If there is no such alias, it named nothing before, or that is gone or damaged.
    """
    store = workspace.artifacts
    with exclusive(store.models):
        found = store.aliases.read().get(alias)
        if found is not None and found.before is not None:
            if found.before not in store.versions():
                raise ArtifactError(
                    f"{alias} named {printable(found.before)} before, which is gone",
                    f"mlforge models promote VERSION {alias}",
                )
            store.load(found.before)
        return store.aliases.rollback(alias, _now())


def verify_models(workspace: Workspace, name: str | None = None) -> list[VersionCheck]:
    """Check a version, or all of them: digests, graphs, parameters, golden examples."""
    store = workspace.artifacts
    versions = store.versions() if name is None else [store.resolve(name)]
    return [_check(workspace, version) for version in versions]


def remove_model(workspace: Workspace, version: str, *, force: bool = False) -> tuple[str, ...]:
    """Remove a version, and return the aliases that named it and are gone with it.

    Raises
    ------
    ArtifactError
        If there is no such version.
    ConfigError
        If an alias names it, unless `force`.
    """
    store = workspace.artifacts
    with _alone(workspace):
        if version not in store.versions():
            store.resolve(version)
            raise ArtifactError(f"{printable(version)} is an alias", "name the version itself")
        named = require_unnamed(workspace, version, force=force)
        store.aliases.drop(version)
        store.remove(version)
    return named


def require_unnamed(workspace: Workspace, version: str, *, force: bool = False) -> tuple[str, ...]:
    """Return the aliases that name a version; raise `ConfigError` where some do, unless `force`."""
    aliases = workspace.artifacts.aliases.read().values()
    named = tuple(alias.name for alias in aliases if alias.version == version)
    if named and not force:
        raise ConfigError(
            f"{version} is {', '.join(named)}",
            f"promote another first: mlforge models promote VERSION {named[0]}, "
            f"or: mlforge models remove {version} --force",
        )
    return named


def plan_prune(workspace: Workspace, keep: int) -> Prune:
    """Return what `prune` would remove.

    Kept are the versions that an alias names or would name after a rollback, those of the newest
    `train`, and the `keep` newest.
    """
    store = workspace.artifacts
    newest = store.newest()
    kept = {*newest[:keep], *store.latest()}
    for alias in store.aliases.read().values():
        kept |= {alias.version, alias.before or alias.version}
    removed = tuple(version for version in newest if version not in kept)
    return Prune(
        removed,
        tuple(version for version in newest if version in kept),
        sum(store.size(version) for version in removed),
    )


def prune(workspace: Workspace, keep: int) -> Prune:
    """Remove the versions that nothing needs; see `plan_prune`."""
    store = workspace.artifacts
    with _alone(workspace):
        plan = plan_prune(workspace, keep)
        for version in plan.removed:
            store.remove(version)
    return plan


def export_model(workspace: Workspace, name: str, output: Path) -> str:
    """Write a version as one file, and return which version it is.

    Raises
    ------
    ArtifactError
        If it is damaged.
    """
    store = workspace.artifacts
    artifact = store.load(store.resolve(name))
    if output.is_dir():
        raise ConfigError(f"{printable(str(output))}: a folder", "name a file: model.mlforge")
    if output.exists() and not is_transport(output):
        raise ConfigError(
            f"{printable(str(output))}: is there, and no exported model",
            f"name another file: {artifact.version}.mlforge",
        )
    manifest = manifest_bytes(artifact.manifest)
    write_transport(output, {MANIFEST: manifest, **artifact.files})
    return artifact.version


def import_model(workspace: Workspace, file: Path) -> Imported:
    """Take a model in that `export_model` wrote; nothing of it is stored before all is proved.

    Raises
    ------
    ArtifactError
        If the file is not whole, holds what is not allowed, or predicts something else here than
        where it was made.
    ConfigError
        If it needs a component that is not installed.
    """
    files = read_transport(file)
    artifact = stored_artifact(files.pop(MANIFEST), files, printable(file.name))
    store = workspace.artifacts
    known = _find(workspace, artifact.manifest)
    if known is not None:
        return Imported(known, artifact.version, is_new=False)
    prove_apart(artifact)
    with _alone(workspace):
        known = _find(workspace, artifact.manifest)
        version = store.adopt(artifact) if known is None else known
    return Imported(version, artifact.version, is_new=known is None)


@contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    """Hold both locks: no training counts on a version meanwhile, and no alias moves."""
    with exclusive(workspace.layout.artifacts), exclusive(workspace.artifacts.models):
        yield


def _find(workspace: Workspace, manifest: Mapping[str, Any]) -> str | None:
    """Return the version that is the same artifact, whatever its number, and is whole."""
    wanted = identity(manifest)
    for version in workspace.artifacts.versions():
        try:
            if identity(workspace.artifacts.manifest(version)) == wanted:
                workspace.artifacts.load(version)
                return version
        except (ArtifactError, StorageError):
            continue
    return None


def _check(workspace: Workspace, version: str) -> VersionCheck:
    try:
        result = prove_apart(workspace.artifacts.load(version))
    except (ArtifactError, ConfigError, MissingExtraError, StorageError) as error:
        return VersionCheck(version, error.message, error.hint)
    difference = result.difference if result.n_examples else None
    return VersionCheck(version, n_golden=result.n_examples, difference=difference)


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
