"""Making samples: what a worker does with one chunk of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlforge.core.digest import digest_bytes
from mlforge.core.randomness import Streams
from mlforge.core.records import SampleRecord, Seed
from mlforge.core.units import format_size
from mlforge.errors import SampleError
from mlforge.generators import Generator
from mlforge.modalities import Modality
from mlforge.storage.files import read_bytes, write_batch
from mlforge.workflows.sample_plan import N_DIGITS, SamplePlan
from mlforge.workflows.workspace import Workspace

__all__ = ["SampleChunk", "make_chunk", "make_chunks"]

MAX_DRAWS = 11
CHUNK_SIZE = 32
# Qualities that are tried in turn where a sample is larger than max_file_size.
_SMALLER = (85, 70, 55, 40)


@dataclass(frozen=True)
class SampleChunk:
    """Samples of one seed to be made by one worker; it carries paths, not pixels."""

    generator: Generator
    modality: Modality
    file_format: str
    folder: Path
    min_quality: float
    max_bytes: int
    config_digest: str
    seed: Seed
    copies: tuple[int, ...]


def make_chunks(workspace: Workspace, plan: SamplePlan) -> list[SampleChunk]:
    """Cut a plan into chunks, each of one seed's copies, so that a worker decodes a seed once."""
    thresholds = plan.category.config.quality_thresholds
    by_seed: dict[Seed, list[int]] = {}
    for seed, copy in plan.missing:
        by_seed.setdefault(seed, []).append(copy)
    return [
        SampleChunk(
            plan.generator,
            workspace.modality,
            plan.generator.config.format or workspace.modality.formats[0],
            workspace.layout.samples(plan.category.code),
            thresholds.min_quality,
            thresholds.max_bytes,
            plan.config_digest,
            seed,
            tuple(copies[start : start + CHUNK_SIZE]),
        )
        for seed, copies in by_seed.items()
        for start in range(0, len(copies), CHUNK_SIZE)
    ]


def make_chunk(chunk: SampleChunk) -> list[SampleRecord]:
    """Make and write the samples of one chunk; run by a worker."""
    streams = Streams(("samples", chunk.config_digest, chunk.seed.digest))
    try:
        example = chunk.modality.decode(read_bytes(chunk.seed.path))
    except SampleError as error:
        # A seed with this content never decodes, so that this is noted. A file that cannot be
        # read now may be readable later, and stops the run.
        reason = f"seed {chunk.seed.path.name}: {error.message}"
        return [_failed(chunk, copy, reason) for copy in chunk.copies]
    records, files = [], []
    for copy in chunk.copies:
        record, data = _make_sample(chunk, example, copy, streams)
        records.append(record)
        if not record.failure:
            files.append((chunk.folder / record.file, data))
    write_batch(files, chunk.folder)
    return records


def _make_sample(
    chunk: SampleChunk, example: object, copy: int, streams: Streams
) -> tuple[SampleRecord, bytes]:
    """Draw a sample until it is good enough, at most `MAX_DRAWS` times."""
    best = 0.0
    for attempt in range(MAX_DRAWS):
        generated = chunk.generator.generate([example], copy, streams, attempt)
        quality = round(chunk.modality.quality(generated.example), 4)
        if quality >= chunk.min_quality:
            break
        best = max(best, quality)
    else:
        reason = f"quality {best} in {MAX_DRAWS} draws, below min_quality {chunk.min_quality}"
        return _failed(chunk, copy, reason), b""
    data = _encode(chunk, generated.example)
    if len(data) > chunk.max_bytes:
        reason = f"{format_size(len(data))}, above max_file_size {format_size(chunk.max_bytes)}"
        return _failed(chunk, copy, reason), b""
    file = f"sample_{chunk.seed.digest[:N_DIGITS]}_{copy:04d}.{chunk.file_format}"
    record = SampleRecord(
        file, chunk.seed.digest, copy, digest_bytes(data), len(data), quality, generated.recipe
    )
    return record, data


def _encode(chunk: SampleChunk, example: object) -> bytes:
    """Encode an example, at less quality where it would be larger than allowed."""
    data = chunk.modality.encode(example, chunk.file_format, chunk.generator.config.quality)
    for quality in _SMALLER:
        if len(data) <= chunk.max_bytes:
            break
        data = chunk.modality.encode(example, chunk.file_format, quality)
    return data


def _failed(chunk: SampleChunk, copy: int, reason: str) -> SampleRecord:
    return SampleRecord("", chunk.seed.digest, copy, "", 0, 0.0, (), reason)
