"""A category's sample manifest: a sample exists only once its line stands here."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlforge.core.digest import canonical_json, digest_json
from mlforge.core.records import SampleRecord
from mlforge.storage.files import append_lines, read_bytes, write_text

__all__ = ["Manifest", "append_records", "read_manifest", "samples_digest", "write_manifest"]

FILE_NAME = "manifest.jsonl"
SCHEMA = "mlforge.manifest/1"
# The name comes from a file that anybody may have edited: it must name a sibling, and a sample.
_SAMPLE_NAME = re.compile(r"sample_[A-Za-z0-9_.-]{1,200}")


@dataclass(frozen=True)
class Manifest:
    """What a samples folder holds.

    Attributes
    ----------
    config
        The digest of everything that shapes samples besides their seed.
    count
        How many samples were asked for.
    records
        The samples, and those that could not be made.
    """

    config: str
    count: int
    records: tuple[SampleRecord, ...]

    @property
    def samples(self) -> list[SampleRecord]:
        """The records that have a file."""
        return [record for record in self.records if not record.failure]

    @property
    def complete(self) -> bool:
        """Whether the run that wrote it came to its end."""
        return len(self.records) >= self.count


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a samples folder; None if there is none or its head is damaged.

    A line that a crash tore, or that is not a record, ends the reading: the samples after it do
    not exist and are made again.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    lines = read_bytes(path).split(b"\n")
    head = _parse(lines[0])
    match head:
        case {"schema": str(schema), "config": str(config), "count": int(count)}:
            if schema != SCHEMA:
                return None
        case _:
            return None
    records = []
    # The last element is what follows the last line break: nothing, or a torn line.
    for line in lines[1:-1]:
        record = _record(_parse(line))
        if record is None:
            break
        records.append(record)
    return Manifest(config, count, tuple(records))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest whole, its records in order of copy and seed."""
    head = canonical_json({"schema": SCHEMA, "config": manifest.config, "count": manifest.count})
    records = sorted(manifest.records, key=lambda record: (record.copy, record.seed))
    lines = [head, *(_line(record) for record in records)]
    write_text(folder / FILE_NAME, "".join(f"{line}\n" for line in lines))


def append_records(folder: Path, records: Iterable[SampleRecord]) -> None:
    """Add records whose files are already on the disk."""
    append_lines(folder / FILE_NAME, [_line(record) for record in records])


def samples_digest(records: Iterable[SampleRecord]) -> str:
    """Return one digest over all samples, whatever their order."""
    return digest_json(sorted((r.seed, r.copy, r.digest, r.failure) for r in records))


def _line(record: SampleRecord) -> str:
    return canonical_json(dataclasses.asdict(record))


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _record(values: dict[str, Any] | None) -> SampleRecord | None:
    match values:
        case {
            "file": str(file),
            "seed": str(seed),
            "copy": int(copy),
            "digest": str(digest),
            "n_bytes": int(n_bytes),
            "quality": float() | int() as quality,
            "recipe": [*recipe],
            "failure": str(failure),
        }:
            steps = tuple(step for step in recipe if isinstance(step, dict))
            named = not file if failure else _SAMPLE_NAME.fullmatch(file)
            if named and len(steps) == len(recipe):
                return SampleRecord(file, seed, copy, digest, n_bytes, quality, steps, failure)
    return None
