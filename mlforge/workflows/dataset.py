"""What a model is trained on: the seeds and samples of all categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlforge.core.category import CategoryConfig
from mlforge.core.names import printable
from mlforge.core.records import Seed
from mlforge.core.reporting import Reporter
from mlforge.core.validation import validated
from mlforge.errors import DataError
from mlforge.storage.manifest import read_manifest
from mlforge.workflows.categories import class_folders, class_name
from mlforge.workflows.features import ExampleFile
from mlforge.workflows.sample_plan import sample_digest
from mlforge.workflows.workspace import Category, SeedFolder, Workspace, read_seeds

__all__ = ["Dataset", "folder_dataset", "project_dataset"]


@dataclass(frozen=True)
class Dataset:
    """Seeds first, then samples.

    Attributes
    ----------
    categories
        The configuration of each category, in the order of its number.
    files
        All examples.
    labels
        The category of each example by number, ``n_examples``.
    seed_index
        The seed that each example is or comes from, as a row of `files`, ``n_examples``.
    groups
        The group of each seed, ``n_seeds``.
    """

    categories: tuple[CategoryConfig, ...]
    files: tuple[ExampleFile, ...]
    labels: npt.NDArray[np.int64]
    seed_index: npt.NDArray[np.int64]
    groups: tuple[str, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """The code of each category."""
        return tuple(config.category_code for config in self.categories)

    @property
    def n_seeds(self) -> int:
        """How many seeds there are; they are the first of `files`."""
        return len(self.groups)


def project_dataset(workspace: Workspace, reporter: Reporter) -> Dataset:
    """Return the seeds and samples of all categories.

    Raises
    ------
    DataError
        If there are fewer than two categories, or one has no seeds.
    """
    categories = workspace.select()
    found = {category.code: workspace.seeds(category) for category in categories}
    for code, folder in found.items():
        _warn_of_files(code, folder, reporter)
    dataset = _from_seeds([c.config for c in categories], found, reporter)
    samples: list[tuple[ExampleFile, int, int]] = []
    labelled = zip(dataset.labels.tolist(), dataset.files, strict=True)
    rows = {(label, file.digest): row for row, (label, file) in enumerate(labelled)}
    for number, category in enumerate(categories):
        for file, seed in _samples(workspace, category, reporter):
            row = rows.get((number, seed))
            if row is not None:
                samples.append((file, number, row))
    return _with_samples(dataset, samples)


def folder_dataset(workspace: Workspace, folder: Path, reporter: Reporter) -> Dataset:
    """Return the files of a folder of class folders; nothing of the project's categories."""
    configs, found = [], {}
    for code, path in class_folders(folder, workspace.modality.suffixes).items():
        values = {"category_name": class_name(path), "category_code": code}
        config = validated(CategoryConfig, values, printable(str(path)))
        configs.append(config)
        found[code] = read_seeds(path, config, workspace.modality, folder)
        _warn_of_files(code, found[code], reporter)
    return _from_seeds(configs, found, reporter)


def _from_seeds(
    configs: list[CategoryConfig], found: dict[str, SeedFolder], reporter: Reporter
) -> Dataset:
    for code, folder in found.items():
        if not folder.seeds:
            raise DataError(
                f"category {code!r} has no seeds",
                f"mlforge categories add {code} FILES... or: mlforge categories remove {code}",
            )
    if len(found) < 2:
        raise DataError(
            f"only one category, {next(iter(found))!r}: there is nothing to tell it from",
            "mlforge categories add CODE FILES...",
        )
    _warn_of_sharing(found, reporter)
    seeds = [(seed, number) for number, f in enumerate(found.values()) for seed in f.seeds]
    return Dataset(
        categories=tuple(configs),
        files=tuple(ExampleFile(seed.path, seed.digest) for seed, _ in seeds),
        labels=np.array([number for _, number in seeds], np.int64),
        seed_index=np.arange(len(seeds), dtype=np.int64),
        groups=_joined_groups([seed for seed, _ in seeds]),
    )


def _joined_groups(seeds: Sequence[Seed]) -> tuple[str, ...]:
    """Return the group of each seed; groups that share a file, in any category, become one.

    A group that a pattern names (a speaker) is the same in every category already.
    """
    parent: dict[str, str] = {}

    def root(group: str) -> str:
        while parent.get(group, group) != group:
            group = parent[group]
        return group

    first: dict[str, str] = {}
    for seed in seeds:
        parent[root(seed.group)] = root(first.setdefault(seed.digest, seed.group))
    return tuple(root(seed.group) for seed in seeds)


def _samples(
    workspace: Workspace, category: Category, reporter: Reporter
) -> list[tuple[ExampleFile, str]]:
    """Return a category's samples with the digest of their seed; none where they are stale."""
    folder = workspace.layout.samples(category.code)
    manifest = read_manifest(folder)
    if manifest is None:
        return []
    if manifest.config != sample_digest(workspace, category):
        reporter.warn(
            f"{category.code}: its samples were made with another configuration and are left out; "
            "remake them with: mlforge samples generate"
        )
        return []
    if not manifest.complete:
        reporter.warn(
            f"{category.code}: making its samples was interrupted at {len(manifest.records)} of "
            f"{manifest.count}; finish with: mlforge samples generate"
        )
    return [(ExampleFile(folder / r.file, r.digest), r.seed) for r in manifest.samples]


def _with_samples(dataset: Dataset, samples: list[tuple[ExampleFile, int, int]]) -> Dataset:
    return Dataset(
        categories=dataset.categories,
        files=dataset.files + tuple(file for file, _, _ in samples),
        labels=np.append(dataset.labels, np.array([n for _, n, _ in samples], np.int64)),
        seed_index=np.append(dataset.seed_index, np.array([r for *_, r in samples], np.int64)),
        groups=dataset.groups,
    )


def _warn_of_files(code: str, folder: SeedFolder, reporter: Reporter) -> None:
    for failure in folder.refused:
        reporter.warn(f"{code}/{printable(failure.file)}: left out: {failure.reason}")


def _warn_of_sharing(found: dict[str, SeedFolder], reporter: Reporter) -> None:
    owners = Counter(seed.digest for folder in found.values() for seed in folder.seeds)
    shared = {digest for digest, n in owners.items() if n > 1}
    for digest in sorted(shared):
        places = [
            f"{code}/{printable(seed.path.name)}"
            for code, folder in found.items()
            for seed in folder.seeds
            if seed.digest == digest
        ]
        reporter.warn(f"the same file is in two categories: {', '.join(places)}")
