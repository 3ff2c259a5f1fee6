"""Files that may become seeds: which of those given are taken, and what becomes of each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlforge.core.digest import digest_bytes
from mlforge.core.names import is_system_name
from mlforge.core.reporting import Advance
from mlforge.core.units import format_size
from mlforge.engines.local import LocalEngine
from mlforge.errors import DataError, SampleError
from mlforge.modalities import Modality
from mlforge.storage.files import read_bytes

__all__ = ["GivenFiles", "above_limit", "examples_in", "given_files", "inspect_files"]

# A worker is worth its start for so much; small pictures are looked at here.
_CHUNK_BYTES = 32_000_000
_CHUNK_FILES = 64


@dataclass(frozen=True)
class GivenFiles:
    """What somebody gave, with each folder replaced by the examples in it.

    Attributes
    ----------
    paths
        The files to look at.
    n_other
        How many files in the folders are of another kind.
    n_deeper
        How many examples lie in folders below them, which are not taken.
    """

    paths: tuple[Path, ...]
    n_other: int = 0
    n_deeper: int = 0


def given_files(files: Sequence[Path], suffixes: Sequence[str]) -> GivenFiles:
    """Replace each folder by the examples in it; a file is taken whatever its name."""
    paths: list[Path] = []
    n_other = n_deeper = 0
    for path in files:
        if not path.is_dir():
            paths.append(path)
            continue
        found = examples_in(path, suffixes)
        paths.extend(found)
        n_files = sum(p.is_file() and not is_system_name(p.name) for p in path.iterdir())
        n_other += n_files - len(found)
        n_deeper += _count_below(path, suffixes)
    return GivenFiles(tuple(paths), n_other, n_deeper)


def examples_in(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the files in a folder that end in one of `suffixes`, in order, hidden ones aside."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not is_system_name(path.name) and path.is_file()
    )


def inspect_files(
    modality: Modality,
    paths: Sequence[Path],
    max_bytes: int,
    engine: LocalEngine,
    advance: Advance,
) -> list[str | DataError]:
    """Return the digest of each file that can be a seed, and for each other what is wrong."""
    outcomes: list[str | DataError] = []
    chunks = [_Chunk(modality, part, max_bytes) for part in _parts(paths)]
    for outcome in engine.map(_inspect_chunk, chunks):
        digests = outcome.unwrap()
        outcomes.extend(digests)
        advance(len(digests))
    return outcomes


def above_limit(n_bytes: int, max_bytes: int) -> str:
    """Return why a file is too large to be a seed."""
    return (
        f"{format_size(n_bytes)}, above max_file_size {format_size(max_bytes)} "
        "(quality_thresholds.max_file_size in config.json)"
    )


@dataclass(frozen=True)
class _Chunk:
    modality: Modality
    paths: tuple[Path, ...]
    max_bytes: int


def _parts(paths: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    part: list[Path] = []
    n_bytes = 0
    for path in paths:
        part.append(path)
        n_bytes += path.stat().st_size if path.is_file() else 0
        if n_bytes >= _CHUNK_BYTES or len(part) == _CHUNK_FILES:
            yield tuple(part)
            part, n_bytes = [], 0
    if part:
        yield tuple(part)


def _inspect_chunk(chunk: _Chunk) -> list[str | DataError]:
    """Decode each file; run by a worker."""
    outcomes: list[str | DataError] = []
    for path in chunk.paths:
        try:
            outcomes.append(_inspect(chunk.modality, path, chunk.max_bytes))
        except DataError as error:
            outcomes.append(error)
    return outcomes


def _inspect(modality: Modality, path: Path, max_bytes: int) -> str:
    if not path.is_file():
        raise SampleError("no such file")
    if path.suffix.lower() not in modality.suffixes:
        raise SampleError(f"its name does not end in {' '.join(modality.suffixes)}")
    n_bytes = path.stat().st_size
    if n_bytes > max_bytes:
        raise SampleError(above_limit(n_bytes, max_bytes))
    data = read_bytes(path)
    modality.decode(data)
    return digest_bytes(data)


def _count_below(folder: Path, suffixes: Sequence[str]) -> int:
    """Count the examples in all folders below one; hidden folders and links are passed over."""
    n_examples = 0
    for parent, names, files in os.walk(folder):
        names[:] = [name for name in names if not is_system_name(name)]
        if Path(parent) != folder:
            n_examples += sum(
                Path(name).suffix.lower() in suffixes and not is_system_name(name) for name in files
            )
    return n_examples
