"""How each category varies what extractors that learn are fitted to, and what decides it."""

from __future__ import annotations

from itertools import chain
from typing import Any

from mlforge.modalities import Modality
from mlforge.techniques import Technique, techniques_of
from mlforge.workflows.dataset import Dataset

__all__ = ["Techniques", "category_techniques", "lesson_entries", "technique_versions"]

Techniques = tuple[tuple[Technique, ...], ...]
"""Those of each category, by its number."""


def category_techniques(dataset: Dataset, modality: Modality) -> Techniques:
    """Return the techniques of each category in their order; none where it switches them off.

    Raises
    ------
    ConfigError
        If one is unknown, or a parameter is wrong.
    """
    return tuple(tuple(techniques_of(config, modality.name)) for config in dataset.categories)


def lesson_entries(dataset: Dataset, techniques: Techniques) -> list[list[Any]]:
    """Return what decides which examples of each category are learned from, and how varied."""
    return [
        [
            config.generation_settings.method,
            config.augmentation_settings.augmentation_ratio,
            [[technique.name, technique.parameters()] for technique in used],
        ]
        for config, used in zip(dataset.categories, techniques, strict=True)
    ]


def technique_versions(techniques: Techniques) -> dict[str, str]:
    """Return the revisions of the techniques in use, and the versions of their libraries."""
    versions: dict[str, str] = {}
    for technique in chain.from_iterable(techniques):
        versions |= technique.versions()
        versions[f"technique {technique.name}"] = f"revision {technique.revision}"
    return versions
