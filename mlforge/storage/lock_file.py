"""``mlforge.lock``: what samples were made, small enough for version control."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlforge.core.digest import json_bytes
from mlforge.core.strict_json import parse_json
from mlforge.errors import ConfigError
from mlforge.storage.files import read_bytes, write_json

__all__ = ["LockedCategory", "update_lock"]

# A list of seeds grows with the project; a hundred thousand of them take two megabytes.
_MAX_BYTES = 64 * 1024 * 1024
SCHEMA = "mlforge.lock/1"


@dataclass(frozen=True)
class LockedCategory:
    """What was made for one category.

    Attributes
    ----------
    config
        The digest of everything that shapes samples besides their seeds.
    count
        How many samples there are.
    seeds
        The first 16 digits of each seed's digest, separated by spaces.
    samples
        One digest over all samples.
    """

    config: str
    count: int
    seeds: str
    samples: str


def update_lock(
    path: Path,
    made: Mapping[str, LockedCategory],
    known: Collection[str],
    versions: Mapping[str, str],
) -> None:
    """Note what was made; what the lock says of other categories stays while they are `known`."""
    categories = {code: entry for code, entry in _read(path).items() if code in known} | dict(made)
    document = {
        "schema": SCHEMA,
        "versions": dict(sorted(versions.items())),
        "categories": {c: dataclasses.asdict(entry) for c, entry in sorted(categories.items())},
    }
    # Unchanged means unwritten: a lock in version control should not look touched.
    if not path.is_file() or read_bytes(path) != _text(document):
        write_json(path, document)


def _text(document: Mapping[str, Any]) -> bytes:
    return json_bytes(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _read(path: Path) -> dict[str, LockedCategory]:
    """Return the categories of a lock; what is missing or damaged is remade."""
    if not path.is_file():
        return {}
    try:
        document = parse_json(read_bytes(path), path.name, _MAX_BYTES)
    except ConfigError:
        return {}
    categories = document.get("categories") if isinstance(document, dict) else None
    if not isinstance(categories, dict):
        return {}
    entries = {code: _entry(values) for code, values in categories.items()}
    return {code: entry for code, entry in entries.items() if entry is not None}


def _entry(values: Any) -> LockedCategory | None:
    match values:
        case {
            "config": str(config),
            "count": int(count),
            "seeds": str(seeds),
            "samples": str(samples),
        }:
            return LockedCategory(config, count, seeds, samples)
    return None
