"""``mlforge.lock``: what samples were made, small enough for version control."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlforge.core.digest import digest_json, json_bytes
from mlforge.core.names import printable
from mlforge.core.strict_json import parse_json
from mlforge.errors import ConfigError, DataError
from mlforge.storage.files import read_bytes, rewrite_json

__all__ = ["LockedCategory", "read_lock", "update_lock"]

# A list of seeds grows with the project; a hundred thousand of them take two megabytes.
_MAX_BYTES = 64 * 1024 * 1024
SCHEMA = "mlforge.lock/1"
# So many digits of a seed's digest, and of the digest of an entry, stand in the lock.
_N_DIGITS = 16

_RESTORE = "restore it from git, or remove it"
_NEWER = "a newer mlforge may have written it"


@dataclass(frozen=True)
class LockedCategory:
    """What was made for one category.

    Attributes
    ----------
    config
        The digest of everything that shapes samples besides their seeds and the libraries.
    count
        How many samples were asked for.
    seeds
        The digest of each seed, or of each input, as far as the lock keeps it.
    samples
        One digest over all samples.
    versions
        The versions of the libraries that made them.
    asked
        Whether somebody asked for that count; otherwise it grows with the seeds.
    """

    config: str
    count: int
    seeds: tuple[str, ...]
    samples: str
    versions: Mapping[str, str]
    asked: bool = False

    @staticmethod
    def shortened(digests: Collection[str]) -> tuple[str, ...]:
        """Return the part of each digest that the lock keeps, in order."""
        return tuple(sorted(digest[:_N_DIGITS] for digest in digests))


def read_lock(path: Path) -> dict[str, LockedCategory]:
    """Return what the lock says of each category; nothing where there is no lock.

    Raises
    ------
    DataError
        If any of it is not what was written: what it says of other categories would be lost with
        the next run.
    """
    if not os.path.lexists(path):
        return {}
    try:
        document = parse_json(read_bytes(path), path.name, _MAX_BYTES)
    except ConfigError as error:
        raise DataError(error.message, _RESTORE) from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise DataError(f"{path.name}: its schema is not {SCHEMA}", f"{_RESTORE}; {_NEWER}")
    categories = document.get("categories")
    if not isinstance(categories, dict):
        raise DataError(f"{path.name}: names no categories", _RESTORE)
    return {code: _entry(values, f"{path.name}: {code}") for code, values in categories.items()}


def update_lock(path: Path, made: Mapping[str, LockedCategory], known: Collection[str]) -> None:
    """Note what was made; what the lock says of other categories stays while they are `known`.

    Raises
    ------
    DataError
        See `read_lock`.
    """
    kept = {code: entry for code, entry in read_lock(path).items() if code in known}
    categories = sorted((kept | dict(made)).items())
    document = {"schema": SCHEMA, "categories": {c: _values(entry) for c, entry in categories}}
    # Unchanged means unwritten: a lock in version control should not look touched.
    if not path.is_file() or read_bytes(path) != _text(document):
        rewrite_json(path, document)


def _text(document: Mapping[str, Any]) -> bytes:
    return json_bytes(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _values(entry: LockedCategory) -> dict[str, Any]:
    """Return an entry as it stands in the lock: a line a key, so that a diff is short."""
    versions = sorted(entry.versions.items())
    values: dict[str, Any] = {
        "config": entry.config,
        "count": entry.count,
        "seeds": " ".join(entry.seeds),
        "samples": entry.samples,
        "versions": " ".join(f"{library}={version}" for library, version in versions),
    }
    if entry.asked:
        values["asked"] = True
    return {**values, "check": digest_json(values)[:_N_DIGITS]}


def _entry(values: Any, where: str) -> LockedCategory:
    match values:
        case {
            "config": str(config),
            "count": int(count),
            "seeds": str(seeds),
            "samples": str(samples),
            "versions": str(versions),
            "check": str(check),
            **rest,
        } if count >= 0 and (not rest or list(rest.items()) == [("asked", True)]):
            noted = {key: value for key, value in values.items() if key != "check"}
            if check == digest_json(noted)[:_N_DIGITS]:
                pairs = [pair.partition("=") for pair in versions.split()]
                named = {library: version for library, _, version in pairs}
                asked = "asked" in rest
                return LockedCategory(
                    config, count, tuple(seeds.split()), samples, named, asked=asked
                )
    raise DataError(f"{printable(where)}: not what was written there", _RESTORE)
