"""Aliases: movable names for versions, each with its history."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mlforge.core.digest import digest_json
from mlforge.core.names import check_code, printable, suggestion
from mlforge.errors import ArtifactError, ConfigError
from mlforge.storage.files import read_plain, rewrite_json

__all__ = ["Alias", "AliasChange", "Aliases", "check_alias"]

SCHEMA = "mlforge.aliases/1"
_FILE = "aliases.json"
# Some 400,000 moves.
_MAX_BYTES = 64 * 1024**2
_ACTIONS = ("promote", "rollback")


@dataclass(frozen=True)
class AliasChange:
    """One move of an alias.

    Attributes
    ----------
    action
        ``promote`` or ``rollback``.
    version
        What it named from then on.
    previous
        What it named before; None where nothing.
    time
        When: ISO 8601, UTC.
    """

    action: Literal["promote", "rollback"]
    version: str
    previous: str | None
    time: str


@dataclass(frozen=True)
class Alias:
    """A name and every version that it has named.

    Attributes
    ----------
    name
        The name.
    history
        Its moves, the newest last.
    """

    name: str
    history: tuple[AliasChange, ...]

    @property
    def version(self) -> str:
        """The version that it names."""
        return self.history[-1].version

    @property
    def before(self) -> str | None:
        """The version that a rollback goes to; a rollback after a rollback goes further back."""
        named: list[str] = []
        for change in self.history:
            if change.action == "promote":
                named.append(change.version)
            else:
                named.pop()
        return named[-2] if len(named) > 1 else None


class Aliases:
    """The aliases of a project, in ``aliases.json``, which is replaced whole.

    Parameters
    ----------
    folder
        The folder ``artifacts/``.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def read(self) -> dict[str, Alias]:
        """Return the aliases by name.

        Raises
        ------
        ArtifactError
            If the file is not what was stored.
        """
        data = read_plain(self._path, _MAX_BYTES)
        if data is None and not os.path.lexists(self._path):
            return {}
        if data is None or len(data) > _MAX_BYTES:
            raise _damaged("a link, not a plain file, or too large")
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            raise _damaged("not valid JSON") from None
        return _parse(value)

    def promote(self, name: str, version: str, time: str) -> Alias:
        """Let `name` name `version`; call it under the lock of the models.

        Raises
        ------
        ConfigError
            If `name` cannot be an alias.
        """
        known = self.read()
        alias = known.get(check_alias(name), Alias(name, ()))
        if alias.history and alias.version == version:
            return alias
        previous = alias.version if alias.history else None
        change = AliasChange("promote", version, previous, time)
        return self._write(known, Alias(name, (*alias.history, change)))

    def rollback(self, name: str, time: str) -> Alias:
        """Let `name` name what it named before; call it under the lock of the models.

        Raises
        ------
        ArtifactError
            If there is no such alias, or it named nothing before.
        """
        known = self.read()
        if name not in known:
            hint = suggestion(name, known) if known else "mlforge models promote VERSION"
            raise ArtifactError(f"there is no alias {printable(name)!r}", hint)
        alias = known[name]
        if alias.before is None:
            raise ArtifactError(
                f"{name} named nothing before {alias.version}", "mlforge models promote VERSION"
            )
        change = AliasChange("rollback", alias.before, alias.version, time)
        return self._write(known, Alias(name, (*alias.history, change)))

    def drop(self, version: str) -> None:
        """Forget the aliases that name `version`; call it under the lock of the models."""
        known = self.read()
        kept = {name: alias for name, alias in known.items() if alias.version != version}
        if kept != known:
            self._store(kept)

    def _write(self, known: Mapping[str, Alias], alias: Alias) -> Alias:
        self._store({**known, alias.name: alias})
        return alias

    def _store(self, known: Mapping[str, Alias]) -> None:
        values = {
            name: [asdict(change) for change in alias.history]
            for name, alias in sorted(known.items())
        }
        body = {"schema": SCHEMA, "aliases": values}
        rewrite_json(self._path, {**body, "digest": digest_json(body)})


def check_alias(name: str) -> str:
    """Return `name` if it may be an alias.

    Raises
    ------
    ConfigError
        If it has other characters than a category's code, or ends as a version does.

    Examples
    --------
    >>> check_alias("staging")
    'staging'
    """
    check_code(name, "alias")
    stem, _, number = name.rpartition("-")
    if stem and number.isdigit():
        raise ConfigError(
            f"alias: {name!r} looks like a version", "use a name such as production or staging"
        )
    return name


def _parse(value: Any) -> dict[str, Alias]:
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise _damaged(f"not of the form {SCHEMA!r}")
    body = {key: item for key, item in value.items() if key != "digest"}
    try:
        if value.get("digest") != digest_json(body):
            raise _damaged("not what was stored")
        found = {
            check_alias(name): Alias(name, tuple(AliasChange(**change) for change in history))
            for name, history in value["aliases"].items()
        }
        sound = all(_is_sound(alias) for alias in found.values())
    # Its digest is right, and yet somebody else may have written it.
    except (AttributeError, ConfigError, IndexError, KeyError, TypeError, ValueError):
        raise _damaged("does not describe aliases") from None
    if not sound:
        raise _damaged("does not describe aliases")
    return found


def _is_sound(alias: Alias) -> bool:
    texts = all(
        isinstance(change.version, str)
        and isinstance(change.time, str)
        and isinstance(change.previous, str | None)
        and change.action in _ACTIONS
        for change in alias.history
    )
    # Evaluated for what it raises too: a history with more rollbacks than promotions.
    return bool(alias.history) and texts and isinstance(alias.before, str | None)


def _damaged(what: str) -> ArtifactError:
    return ArtifactError(
        f"artifacts/{_FILE}: {what}",
        "take it out of your backup or your repository, or remove it and promote again",
    )
