"""Listing, explaining and cleaning samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlforge.core.digest import digest_bytes
from mlforge.core.names import printable
from mlforge.core.records import SampleRecord, Source
from mlforge.errors import DataError
from mlforge.storage.files import read_bytes, real_path
from mlforge.storage.locking import exclusive
from mlforge.storage.manifest import find_record, read_outline
from mlforge.storage.sample_files import remove_samples
from mlforge.workflows.sample_plan import sources_of
from mlforge.workflows.sample_recipe import make_recipe, sample_digest
from mlforge.workflows.workspace import Category, Workspace

__all__ = [
    "CleanedSamples",
    "ExplainedSample",
    "SamplesOverview",
    "clean_samples",
    "explain_sample",
    "list_samples",
]


@dataclass(frozen=True)
class SamplesOverview:
    """A category's samples.

    Attributes
    ----------
    code
        The category.
    n_samples
        How many there are.
    n_failed
        How many could not be made.
    n_bytes
        Their size.
    state
        ``none``, ``complete``, ``interrupted``, or ``stale`` where the configuration has changed.
    """

    code: str
    n_samples: int
    n_failed: int
    n_bytes: int
    state: str


@dataclass(frozen=True)
class CleanedSamples:
    """What was removed of one category.

    Attributes
    ----------
    code
        The category.
    n_samples
        How many samples were removed.
    left
        What lay among them and stays, since mlforge did not make it; relative to the project.
    """

    code: str
    n_samples: int
    left: tuple[str, ...]


@dataclass(frozen=True)
class ExplainedSample:
    """Where one sample comes from.

    Attributes
    ----------
    file
        The sample, relative to the project.
    code
        Its category.
    source
        The seed's file, relative to the project, or the input; None where it is gone.
    source_digest
        The SHA-256 of the seed, or of the input.
    copy
        Its number among the samples of its source.
    recipe
        The steps that made it, with the values that were drawn.
    quality
        Its quality score, 0 to 1.
    n_bytes
        The size of what was made.
    digest
        The SHA-256 of what was made.
    state
        ``as made``, ``changed`` where the file is not what was made, or ``missing``.
    up_to_date
        Whether it is what the configuration and libraries of now would make.
    """

    file: str
    code: str
    source: str | None
    source_digest: str
    copy: int
    recipe: tuple[Mapping[str, Any], ...]
    quality: float
    n_bytes: int
    digest: str
    state: str
    up_to_date: bool


def list_samples(workspace: Workspace, codes: tuple[str, ...]) -> list[SamplesOverview]:
    """Return an overview of each category's samples."""
    overviews = []
    for category in workspace.select(codes):
        outline = read_outline(workspace.layout.samples(category.code))
        if outline is None:
            overviews.append(SamplesOverview(category.code, 0, 0, 0, "none"))
            continue
        state = "complete" if outline.complete else "interrupted"
        if outline.config != sample_digest(workspace, category):
            state = "stale"
        samples = outline.samples
        overviews.append(
            SamplesOverview(
                category.code,
                len(samples),
                len(outline.entries) - len(samples),
                sum(entry.n_bytes for entry in samples),
                state,
            )
        )
    return overviews


def explain_sample(workspace: Workspace, file: Path) -> ExplainedSample:
    """Return where a sample comes from.

    Parameters
    ----------
    file
        Its file, or its name alone.

    Raises
    ------
    DataError
        If no manifest names it, or those of several categories do.
    """
    found = []
    for category in _candidates(workspace, file):
        named = find_record(workspace.layout.samples(category.code), file.name)
        if named is not None:
            found.append((category, *named))
    shown = printable(str(file))
    if not found:
        raise DataError(
            f"{shown}: no manifest of the project's samples names it", "mlforge samples list"
        )
    if len(found) > 1:
        codes = ", ".join(category.code for category, _, _ in found)
        raise DataError(
            f"{shown}: a sample of several categories: {codes}",
            f"mlforge samples why categories/{found[0][0].code}/samples/{file.name}",
        )
    return _explained(workspace, *found[0])


def _candidates(workspace: Workspace, file: Path) -> list[Category]:
    """Return the categories that a sample's path may mean: the one it lies in, else all."""
    if file.parent == Path():
        return workspace.select()
    folder = real_path(file.parent)
    return [
        category
        for category in workspace.select()
        if workspace.layout.samples(category.code).resolve() == folder
    ]


def _explained(
    workspace: Workspace, category: Category, record: SampleRecord, made_with: str
) -> ExplainedSample:
    path = workspace.layout.samples(category.code) / record.file
    if path.is_symlink() or not path.is_file():
        state = "missing"
    else:
        state = "as made" if digest_bytes(read_bytes(path)) == record.digest else "changed"
    source = _source(workspace, category, record.seed)
    name = None
    if source is not None:
        name = str(source.path.relative_to(workspace.root)) if source.path else source.name
    return ExplainedSample(
        str(path.relative_to(workspace.root)),
        category.code,
        name,
        record.seed,
        record.copy,
        record.recipe,
        record.quality,
        record.n_bytes,
        record.digest,
        state,
        source is not None and made_with == sample_digest(workspace, category),
    )


def _source(workspace: Workspace, category: Category, digest: str) -> Source | None:
    try:
        generator = make_recipe(workspace, category).generator
        sources = sources_of(category, generator, workspace.seeds(category))
    except DataError:
        return None
    return next((source for source in sources if source.digest == digest), None)


def clean_samples(workspace: Workspace, codes: tuple[str, ...]) -> list[CleanedSamples]:
    """Remove samples; seeds and configurations stay, and so the samples can be made again."""
    cleaned = []
    with exclusive(workspace.layout.artifacts):
        for category in workspace.select(codes):
            folder = workspace.layout.samples(category.code)
            n_removed, left = remove_samples(folder)
            place = folder.relative_to(workspace.root)
            names = tuple(str(place / name) for name in left)
            cleaned.append(CleanedSamples(category.code, n_removed, names))
    return cleaned
