"""Making samples: what a worker does with one chunk of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlforge.core.digest import digest_bytes
from mlforge.core.names import printable
from mlforge.core.randomness import Streams
from mlforge.core.records import SampleRecord, Source
from mlforge.core.units import format_size
from mlforge.errors import MissingDecoderError, SampleError
from mlforge.generators import Generator
from mlforge.modalities import Modality
from mlforge.storage.files import read_bytes, write_batch
from mlforge.storage.manifest import manifest_line
from mlforge.workflows.sample_plan import N_DIGITS, Copies
from mlforge.workflows.sample_recipe import Recipe
from mlforge.workflows.workspace import Category, Workspace

__all__ = [
    "MadeChunk",
    "Maker",
    "Portion",
    "SampleChunk",
    "draw_samples",
    "make_chunk",
    "make_chunks",
    "make_maker",
    "portions",
    "sample_file",
]

MAX_DRAWS = 11
# Small enough that an interruption loses little; large enough that what a chunk costs besides its
# samples, such as syncing the folder, does not count.
CHUNK_SIZE = 64
# Qualities that are tried in turn where a sample is larger than max_file_size.
_SMALLER = (85, 70, 55, 40)


@dataclass(frozen=True)
class Maker:
    """What all samples of a category have in common."""

    generator: Generator
    modality: Modality
    file_format: str
    min_quality: float
    max_bytes: int
    config: str


@dataclass(frozen=True)
class Portion:
    """Some copies of one source; with an endpoint, the file of the answer to each."""

    source: Source
    copies: Sequence[int]
    responses: tuple[Path, ...] = ()


@dataclass(frozen=True)
class SampleChunk:
    """Samples to be made by one worker; it carries paths, not pixels."""

    maker: Maker
    folder: Path
    portions: tuple[Portion, ...]


@dataclass(frozen=True)
class MadeChunk:
    """What came of a chunk: its lines for the manifest, and how much there is of it."""

    lines: tuple[str, ...]
    n_samples: int
    n_bytes: int


def make_maker(workspace: Workspace, category: Category, recipe: Recipe) -> Maker:
    """Return what all samples of a category have in common."""
    thresholds = category.config.quality_thresholds
    return Maker(
        recipe.generator,
        workspace.modality,
        recipe.generator.file_format,
        thresholds.min_quality,
        thresholds.max_bytes,
        recipe.config,
    )


def portions(
    missing: Sequence[Copies], responses: Mapping[tuple[str, int], Path] | None
) -> Iterator[tuple[Portion, ...]]:
    """Cut samples into what one worker makes at a time, so that it decodes a seed once.

    Parameters
    ----------
    responses
        With an endpoint, the file of the answer to each copy of a source; copies without one are
        left out.
    """
    chunk: list[Portion] = []
    room = CHUNK_SIZE
    for copies in missing:
        for numbers in copies.ranges:
            start = 0
            while start < len(numbers):
                part = numbers[start : start + room]
                start += len(part)
                room -= len(part)
                chunk.append(_portion(copies.source, part, responses))
                if room == 0:
                    yield tuple(chunk)
                    chunk, room = [], CHUNK_SIZE
    if chunk:
        yield tuple(chunk)


def make_chunks(
    maker: Maker,
    folder: Path,
    missing: Sequence[Copies],
    responses: Mapping[tuple[str, int], Path] | None,
) -> list[SampleChunk]:
    """Cut a plan into chunks."""
    return [SampleChunk(maker, folder, part) for part in portions(missing, responses)]


def make_chunk(chunk: SampleChunk) -> MadeChunk:
    """Make and write the samples of one chunk; run by a worker."""
    made: list[SampleRecord] = []

    def files() -> Iterator[tuple[Path, bytes]]:
        for portion in chunk.portions:
            for record, data in draw_samples(chunk.maker, portion):
                made.append(record)
                if not record.failure:
                    yield chunk.folder / record.file, data

    write_batch(files(), chunk.folder)
    return MadeChunk(
        tuple(manifest_line(record) for record in made),
        sum(not record.failure for record in made),
        sum(record.n_bytes for record in made),
    )


def draw_samples(maker: Maker, portion: Portion) -> Iterator[tuple[SampleRecord, bytes]]:
    """Make samples in memory."""
    streams = Streams(("samples", maker.config, portion.source.digest))
    example: Any = portion.source.name
    reason, decoded = "", None
    for number, copy in enumerate(portion.copies):
        path = portion.responses[number] if portion.responses else portion.source.path
        # One answer may serve all copies.
        if path is not None and path != decoded:
            example, reason = _decoded(maker, path)
            decoded = path
        if reason:
            yield _failed(portion.source, copy, reason), b""
        else:
            yield _make_sample(maker, portion.source, example, copy, streams)


def sample_file(source: Source, copy: int, file_format: str) -> str:
    """Return the name of a sample's file."""
    return f"sample_{source.digest[:N_DIGITS]}_{copy:04d}.{file_format}"


def _portion(
    source: Source, copies: range, responses: Mapping[tuple[str, int], Path] | None
) -> Portion:
    if responses is None:
        return Portion(source, copies)
    there = [copy for copy in copies if (source.digest, copy) in responses]
    return Portion(source, there, tuple(responses[source.digest, copy] for copy in there))


def _decoded(maker: Maker, path: Path) -> tuple[Any, str]:
    """Return an example, or why there is none.

    A file with this content never decodes, so that this is noted. A file that cannot be read now,
    or not on this machine, may be readable later, and stops the run.
    """
    try:
        return maker.generator.decode(read_bytes(path)), ""
    except MissingDecoderError as error:
        raise MissingDecoderError(f"{printable(path.name)}: {error.message}", error.hint) from None
    except SampleError as error:
        return None, error.message


def _make_sample(
    maker: Maker, source: Source, example: Any, copy: int, streams: Streams
) -> tuple[SampleRecord, bytes]:
    """Draw a sample until it is good enough, at most `MAX_DRAWS` times."""
    best = 0.0
    for attempt in range(MAX_DRAWS):
        generated = maker.generator.generate([example], copy, streams, attempt)
        quality = round(maker.modality.quality(generated.example), 4)
        if quality >= maker.min_quality:
            break
        best = max(best, quality)
    else:
        reason = f"quality {best} in {MAX_DRAWS} draws, below min_quality {maker.min_quality}"
        return _failed(source, copy, reason), b""
    data = _encode(maker, generated.example)
    if len(data) > maker.max_bytes:
        reason = f"{format_size(len(data))}, above max_file_size {format_size(maker.max_bytes)}"
        return _failed(source, copy, reason), b""
    file = sample_file(source, copy, maker.file_format)
    digest = digest_bytes(data)
    record = SampleRecord(file, source.digest, copy, digest, len(data), quality, generated.recipe)
    return record, data


def _encode(maker: Maker, example: Any) -> bytes:
    """Encode an example, at less quality where it would be larger than allowed."""
    data = maker.modality.encode(example, maker.file_format, maker.generator.config.quality)
    for quality in _SMALLER:
        if len(data) <= maker.max_bytes:
            break
        data = maker.modality.encode(example, maker.file_format, quality)
    return data


def _failed(source: Source, copy: int, reason: str) -> SampleRecord:
    return SampleRecord("", source.digest, copy, "", 0, 0.0, (), reason)
