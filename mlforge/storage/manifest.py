"""A category's sample manifest: a sample exists only once its line stands here."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlforge.core.digest import canonical_json, digest_json, json_bytes
from mlforge.core.records import SampleRecord
from mlforge.core.strict_json import parse_line
from mlforge.errors import ConfigError
from mlforge.storage.files import append_lines, file_errors, write_parts

__all__ = [
    "Entry",
    "Manifest",
    "Outline",
    "append_records",
    "find_record",
    "is_sample_name",
    "manifest_line",
    "manifest_lines",
    "named_files",
    "read_manifest",
    "read_outline",
    "rewrite_manifest",
    "samples_digest",
    "write_manifest",
]

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
        How many records it has once it is complete.
    records
        The samples, and those that could not be made.
    asked
        How many samples somebody asked for; None where nobody did.
    """

    config: str
    count: int
    records: tuple[SampleRecord, ...]
    asked: int | None = None

    @property
    def samples(self) -> list[SampleRecord]:
        """The records that have a file."""
        return [record for record in self.records if not record.failure]

    @property
    def complete(self) -> bool:
        """Whether the run that wrote it came to its end."""
        return len(self.records) >= self.count


@dataclass(frozen=True, slots=True)
class Entry:
    """A record without its recipe, and where its line stands: small enough to hold very many.

    Attributes
    ----------
    file, seed, copy, digest, n_bytes, failure
        See `SampleRecord`.
    start, length
        Where its line begins and how long it is, in bytes, with the line break.
    """

    file: str
    seed: str
    copy: int
    digest: str
    n_bytes: int
    failure: str
    start: int
    length: int

    @property
    def key(self) -> tuple[str, int]:
        """What the sample is made from, and its number."""
        return self.seed, self.copy


@dataclass(frozen=True)
class Outline:
    """A manifest without recipes; see `Manifest`."""

    config: str
    count: int
    asked: int | None
    entries: tuple[Entry, ...]

    @property
    def samples(self) -> list[Entry]:
        """The entries that have a file."""
        return [entry for entry in self.entries if not entry.failure]

    @property
    def complete(self) -> bool:
        """Whether the run that wrote it came to its end."""
        return len(self.entries) >= self.count


@dataclass(frozen=True)
class _Head:
    config: str
    count: int
    asked: int | None


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a samples folder; None if there is none or its head is damaged.

    A line that a crash tore, or that is not a record, ends the reading: the samples after it do
    not exist and are made again. Of two lines for the same sample, the later one holds.
    """
    found = _read(folder)
    if found is None:
        return None
    head, lines = found
    records = {(record.seed, record.copy): record for record, _, _ in lines}
    return Manifest(head.config, head.count, tuple(records.values()), head.asked)


def read_outline(folder: Path) -> Outline | None:
    """Return what `read_manifest` does, without recipes."""
    found = _read(folder)
    if found is None:
        return None
    head, lines = found
    entries = {}
    for record, start, length in lines:
        # One text for all samples of a seed.
        seed = sys.intern(record.seed)
        entries[seed, record.copy] = Entry(
            record.file,
            seed,
            record.copy,
            record.digest,
            record.n_bytes,
            record.failure,
            start,
            length,
        )
    return Outline(head.config, head.count, head.asked, tuple(entries.values()))


def find_record(folder: Path, file: str) -> tuple[SampleRecord, str] | None:
    """Return the sample of a file's name, and the manifest's `config`; None where it names none."""
    found = _read(folder)
    if found is None:
        return None
    head, lines = found
    named: SampleRecord | None = None
    for record, _, _ in lines:
        if record.file == file:
            named = record
        elif named is not None and (record.seed, record.copy) == (named.seed, named.copy):
            named = None
    return None if named is None else (named, head.config)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest whole, its records in order of copy and seed."""
    head = _head_line(_Head(manifest.config, manifest.count, manifest.asked))
    records = sorted(manifest.records, key=lambda record: (record.copy, record.seed))
    lines = (json_bytes(f"{manifest_line(record)}\n") for record in records)
    write_parts(folder / FILE_NAME, [head, *lines])


def rewrite_manifest(folder: Path, outline: Outline) -> None:
    """Write a manifest whole, in order of copy and seed; lines are copied from the one there is.

    Parameters
    ----------
    outline
        What it is to hold; the entries are from the manifest in `folder`. Where it stands there
        already, line for line, nothing is written.
    """
    path = folder / FILE_NAME
    head = _head_line(_Head(outline.config, outline.count, outline.asked))
    entries = sorted(outline.entries, key=lambda entry: (entry.copy, entry.seed))
    if not _stands(path, head, entries):
        write_parts(path, _copied(path, head, entries))


def manifest_lines(folder: Path, entries: Iterable[Entry]) -> Iterator[str]:
    """Give the lines of entries, without their line breaks."""
    path = folder / FILE_NAME
    for line in _copied(path, b"", list(entries)):
        if line:
            yield line[:-1].decode()


def named_files(folder: Path) -> Iterator[str]:
    """Give the name of every sample that a manifest names, also after a line that is damaged."""
    path = folder / FILE_NAME
    if not path.is_file():
        return
    with file_errors(path, "read"), path.open("rb") as file:
        for line in file:
            match _parse(line):
                case {"file": str(name)} if is_sample_name(name):
                    yield name


def is_sample_name(name: str) -> bool:
    """Return whether a name can be a sample's: it names a sibling of the manifest."""
    return _SAMPLE_NAME.fullmatch(name) is not None


def append_records(folder: Path, lines: Iterable[str]) -> None:
    """Add the lines of records whose files are already on the disk; see `manifest_line`."""
    append_lines(folder / FILE_NAME, lines)


def samples_digest(records: Iterable[SampleRecord | Entry]) -> str:
    """Return one digest over all samples, whatever their order."""
    return digest_json(sorted((r.seed, r.copy, r.digest, r.failure) for r in records))


def manifest_line(record: SampleRecord) -> str:
    """Return a record as a line of a manifest, without the line break."""
    return canonical_json(
        {
            "file": record.file,
            "seed": record.seed,
            "copy": record.copy,
            "digest": record.digest,
            "n_bytes": record.n_bytes,
            "quality": record.quality,
            "recipe": record.recipe,
            "failure": record.failure,
        }
    )


def _head_line(head: _Head) -> bytes:
    return json_bytes(canonical_json({"schema": SCHEMA, **vars(head)}) + "\n")


def _stands(path: Path, head: bytes, entries: list[Entry]) -> bool:
    """Return whether a manifest is `head` and the lines of `entries`, in order, and no more."""
    if not path.is_file():
        return False
    with file_errors(path, "read"), path.open("rb") as file:
        if file.readline() != head:
            return False
        size = file.seek(0, 2)
    ends = [len(head), *(entry.start + entry.length for entry in entries)]
    return ends[-1] == size and all(
        entry.start == end for entry, end in zip(entries, ends, strict=False)
    )


def _copied(path: Path, head: bytes, entries: list[Entry]) -> Iterator[bytes]:
    yield head
    if not entries:
        return
    with file_errors(path, "read"), path.open("rb") as file:
        for entry in entries:
            file.seek(entry.start)
            yield file.read(entry.length)


def _read(folder: Path) -> tuple[_Head, Iterator[tuple[SampleRecord, int, int]]] | None:
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    with file_errors(path, "read"), path.open("rb") as file:
        first = file.readline()
    head = _head(_parse(first))
    # A head without its line break is one that a crash tore; nothing follows it.
    return None if head is None else (head, _records(path, len(first)))


def _records(path: Path, start: int) -> Iterator[tuple[SampleRecord, int, int]]:
    with file_errors(path, "read"), path.open("rb") as file:
        file.seek(start)
        for line in file:
            record = _record(_parse(line)) if line.endswith(b"\n") else None
            if record is None:
                return
            yield record, start, len(line)
            start += len(line)


def _head(values: dict[str, Any] | None) -> _Head | None:
    match values:
        case {"schema": str(schema), "config": str(config), "count": int(count), **rest}:
            asked = rest.get("asked")
            if schema == SCHEMA and (asked is None or isinstance(asked, int)):
                return _Head(config, count, asked)
    return None


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        value = parse_line(line, FILE_NAME)
    except ConfigError:
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
            named = not file if failure else is_sample_name(file)
            if named and len(steps) == len(recipe):
                return SampleRecord(file, seed, copy, digest, n_bytes, quality, steps, failure)
    return None
