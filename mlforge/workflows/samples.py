"""Listing and cleaning samples."""

from __future__ import annotations

from dataclasses import dataclass

from mlforge.storage.files import remove_tree
from mlforge.storage.locking import exclusive
from mlforge.storage.manifest import read_manifest
from mlforge.workflows.sample_plan import sample_digest
from mlforge.workflows.workspace import Workspace

__all__ = ["CleanedSamples", "SamplesOverview", "clean_samples", "list_samples"]


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
    """What was removed of one category."""

    code: str
    n_samples: int


def list_samples(workspace: Workspace, codes: tuple[str, ...]) -> list[SamplesOverview]:
    """Return an overview of each category's samples."""
    overviews = []
    for category in workspace.select(codes):
        manifest = read_manifest(workspace.layout.samples(category.code))
        if manifest is None:
            overviews.append(SamplesOverview(category.code, 0, 0, 0, "none"))
            continue
        state = "complete" if manifest.complete else "interrupted"
        if manifest.config != sample_digest(workspace, category):
            state = "stale"
        samples = manifest.samples
        overviews.append(
            SamplesOverview(
                category.code,
                len(samples),
                len(manifest.records) - len(samples),
                sum(record.n_bytes for record in samples),
                state,
            )
        )
    return overviews


def clean_samples(workspace: Workspace, codes: tuple[str, ...]) -> list[CleanedSamples]:
    """Remove samples; seeds and configurations stay, and so the samples can be made again."""
    cleaned = []
    with exclusive(workspace.layout.artifacts):
        for category in workspace.select(codes):
            folder = workspace.layout.samples(category.code)
            manifest = read_manifest(folder)
            remove_tree(folder)
            cleaned.append(CleanedSamples(category.code, len(manifest.samples) if manifest else 0))
    return cleaned
