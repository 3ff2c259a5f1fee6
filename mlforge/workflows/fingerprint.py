"""The fingerprint of a training: equal inputs give an equal model, and nothing to train."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from mlforge.core.digest import digest_bytes, digest_json
from mlforge.extractors import Extractor, LearningExtractor
from mlforge.workflows.dataset import Dataset
from mlforge.workflows.lessons import category_techniques, lesson_entries, technique_versions
from mlforge.workflows.model_choice import Contest
from mlforge.workflows.packaging import category_entries
from mlforge.workflows.workspace import Workspace

__all__ = ["fingerprint"]


def fingerprint(
    workspace: Workspace, dataset: Dataset, extractors: Sequence[Extractor], contest: Contest
) -> str:
    """Return the digest of everything that decides what a training gives."""
    # SciPy fits the temperature; a release of mlforge may mend anything between.
    versions = {name: metadata.version(name) for name in ("mlforge", "scipy")}
    versions |= dict(workspace.modality.versions())
    for candidate in contest.candidates:
        versions |= candidate.model.versions()
    used = {name for candidate in contest.candidates for name in candidate.features}
    extractors = [extractor for extractor in extractors if extractor.name in used]
    for extractor in extractors:
        versions |= extractor.versions()
    lessons = []
    if any(isinstance(extractor, LearningExtractor) for extractor in extractors):
        techniques = category_techniques(dataset, workspace.modality)
        lessons = lesson_entries(dataset, techniques)
        versions |= technique_versions(techniques)
    settings = workspace.settings
    return digest_json(
        {
            "models": [
                [c.model.name, dataclasses.asdict(c.config), c.features] for c in contest.candidates
            ],
            "extractors": [_extractor_entry(extractor) for extractor in extractors],
            "modality": [workspace.modality.name, workspace.modality.parameters()],
            "categories": category_entries(dataset),
            "lessons": lessons,
            "examples": [file.digest for file in dataset.files],
            "labels": dataset.labels.tolist(),
            "origins": dataset.seed_index.tolist(),
            "groups": list(dataset.groups),
            "train": [settings.train.seed, settings.train.folds, settings.predict.coverage],
            "versions": versions,
        }
    )


def _extractor_entry(extractor: Extractor) -> list[Any]:
    state = {name: digest_bytes(data) for name, data in extractor.state().items()}
    return [extractor.name, extractor.revision, extractor.parameters(), state]
