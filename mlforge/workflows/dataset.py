"""What a model is trained on: the seeds and samples of all categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlforge.core.category import CategoryConfig
from mlforge.core.digest import digest_bytes, json_bytes
from mlforge.core.names import printable
from mlforge.core.records import Seed
from mlforge.core.reporting import Reporter
from mlforge.core.validation import validated
from mlforge.engines.local import LocalEngine
from mlforge.errors import DataError
from mlforge.storage.manifest import read_manifest
from mlforge.workflows.categories import class_folders, class_name
from mlforge.workflows.features import ExampleFile
from mlforge.workflows.near_duplicates import find_near_duplicates, look_at, tied_groups
from mlforge.workflows.sample_recipe import make_generator, sample_digest
from mlforge.workflows.workspace import Category, SeedFolder, Workspace, read_seeds

__all__ = ["Dataset", "folder_dataset", "project_dataset"]


@dataclass(frozen=True)
class Dataset:
    """Seeds first, then samples.

    A category that is made from inputs alone has no seeds. The first sample of each of its inputs
    then stands where a seed would: it is tested, and the input is its group.

    Attributes
    ----------
    categories
        The configuration of each category, in the order of its number.
    files
        All examples; those that are tested first.
    labels
        The category of each example by number, ``n_examples``.
    seed_index
        The seed that each example is or comes from, as a row of `files`, ``n_examples``; -1 for a
        sample that comes from an input beside which there are seeds: it is trained on only.
    groups
        The group of each seed, ``n_seeds``.
    generated_only
        The codes of the categories without seeds: what is measured on them is measured on samples.
    """

    categories: tuple[CategoryConfig, ...]
    files: tuple[ExampleFile, ...]
    labels: npt.NDArray[np.int64]
    seed_index: npt.NDArray[np.int64]
    groups: tuple[str, ...]
    generated_only: tuple[str, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """The code of each category."""
        return tuple(config.category_code for config in self.categories)

    def name(self, row: int) -> str:
        """Return an example as ``CODE/NAME``."""
        return f"{self.codes[self.labels[row]]}/{self.files[row].path.name}"

    @property
    def n_seeds(self) -> int:
        """How many seeds there are, samples that stand for one included: the first of `files`."""
        return len(self.groups)

    @property
    def n_stand_ins(self) -> int:
        """How many of the first `n_seeds` files are samples of categories without seeds."""
        codes = self.codes
        return sum(
            codes[label] in self.generated_only for label in self.labels[: self.n_seeds].tolist()
        )

    def are_evidence(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Return which of some tested rows are seeds and no stand-ins; all where none is."""
        invented = [n for n, code in enumerate(self.codes) if code in self.generated_only]
        real: npt.NDArray[np.bool_] = ~np.isin(self.labels[rows], invented)
        return real if real.any() else np.ones(len(rows), np.bool_)

    def only(self, rows: npt.NDArray[np.intp]) -> Dataset:
        """Return some of the seeds, and no sample."""
        places = rows.tolist()
        return replace(
            self,
            files=tuple(self.files[row] for row in places),
            labels=self.labels[rows],
            seed_index=np.arange(len(rows), dtype=np.int64),
            groups=tuple(self.groups[row] for row in places),
        )

    def of_seeds(self, values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return for each example what its seed has, ``n_examples``; -1 where it has no seed.

        Parameters
        ----------
        values
            One value a seed, ``n_seeds``.
        """
        return np.where(self.seed_index < 0, -1, values[self.seed_index])


@dataclass(frozen=True)
class _Sample:
    """A sample and the digest of what it was made from."""

    file: ExampleFile
    origin: str


@dataclass(frozen=True)
class _Part:
    """What there is of one category: its seeds, and its samples in order of copy and origin."""

    config: CategoryConfig
    seeds: SeedFolder
    samples: tuple[_Sample, ...] = ()
    needs_seeds: bool = True

    @property
    def code(self) -> str:
        return self.config.category_code

    @property
    def is_generated_only(self) -> bool:
        return not (self.needs_seeds or self.seeds.seeds)

    def tested(self) -> list[Seed]:
        """Return its seeds; where it is made without any, the first sample of each input."""
        if not self.is_generated_only:
            return list(self.seeds.seeds)
        first: dict[str, Seed] = {}
        for sample in self.samples:
            stand_in = Seed(sample.file.path, sample.file.digest, sample.origin)
            first.setdefault(sample.origin, stand_in)
        return [first[origin] for origin in sorted(first)]


def project_dataset(workspace: Workspace, engine: LocalEngine, reporter: Reporter) -> Dataset:
    """Return the seeds and samples of all categories.

    Raises
    ------
    DataError
        If there are fewer than two categories, or one has neither seeds nor samples without them.
    """
    parts = [_part(workspace, category, reporter) for category in workspace.select()]
    return _dataset(workspace, parts, engine, reporter)


def folder_dataset(
    workspace: Workspace, folder: Path, engine: LocalEngine, reporter: Reporter
) -> Dataset:
    """Return the files of a folder of class folders; nothing of the project's categories."""
    parts = []
    for code, path in class_folders(folder, workspace.modality.suffixes).items():
        values = {"category_name": class_name(path), "category_code": code}
        config = validated(CategoryConfig, values, printable(str(path)))
        seeds = read_seeds(path, config, workspace.modality, folder)
        _warn_of_files(code, seeds, reporter)
        parts.append(_Part(config, seeds))
    return _dataset(workspace, parts, engine, reporter)


def _part(workspace: Workspace, category: Category, reporter: Reporter) -> _Part:
    seeds = workspace.seeds(category)
    _warn_of_files(category.code, seeds, reporter)
    generator = make_generator(workspace, category)
    samples = _samples(workspace, category, reporter)
    if not generator.needs_seeds:
        # What was made from an input that was taken out since is no longer wanted.
        inputs = {digest_bytes(json_bytes(text)) for text in category.config.sample_inputs}
        samples = [sample for sample in samples if sample.origin in inputs]
    return _Part(category.config, seeds, tuple(samples), generator.needs_seeds)


def _dataset(
    workspace: Workspace, parts: Sequence[_Part], engine: LocalEngine, reporter: Reporter
) -> Dataset:
    for part in parts:
        _require_examples(part)
    if len(parts) < 2:
        raise DataError(
            f"only one category, {parts[0].code!r}: there is nothing to tell it from",
            "mlforge categories add CODE FILES...",
        )
    _warn_of_sharing({part.code: part.seeds for part in parts}, reporter)
    tested = [(seed, number) for number, part in enumerate(parts) for seed in part.tested()]
    dataset = Dataset(
        categories=tuple(part.config for part in parts),
        files=tuple(ExampleFile(seed.path, seed.digest) for seed, _ in tested),
        labels=np.array([number for _, number in tested], np.int64),
        seed_index=np.arange(len(tested), dtype=np.int64),
        groups=_groups(workspace, parts, engine, reporter),
        generated_only=tuple(part.code for part in parts if part.is_generated_only),
    )
    return _with_samples(dataset, parts, [seed for seed, _ in tested])


def _require_examples(part: _Part) -> None:
    """Raise `DataError` where there is nothing to train a category on."""
    if part.seeds.seeds or (part.samples and not part.needs_seeds):
        return
    if part.needs_seeds:
        raise DataError(
            f"category {part.code!r} has no seeds",
            f"mlforge categories add {part.code} FILES... or: mlforge categories remove "
            f"{part.code}",
        )
    method = part.config.generation_settings.method
    raise DataError(
        f"category {part.code!r} has no samples; the method {method} makes them without seeds",
        f"mlforge samples generate {part.code}"
        if part.config.sample_inputs
        else f'add "sample_inputs": ["TEXT", ...] to categories/{part.code}/config.json',
    )


def _groups(
    workspace: Workspace, parts: Sequence[_Part], engine: LocalEngine, reporter: Reporter
) -> tuple[str, ...]:
    """Return the group of everything that is tested, near-duplicates in one.

    A group that a pattern names (a speaker) is the same in every category already. Samples that
    stand for inputs look alike by nature; their inputs are their groups.
    """
    tested = [seed for part in parts for seed in part.tested()]
    real = [seed for part in parts if not part.is_generated_only for seed in part.tested()]
    looks = look_at(workspace, real, engine, reporter)
    near = find_near_duplicates(workspace.modality, tested, looks)
    return tied_groups(tested, near, _ties(parts))


def _ties(parts: Sequence[_Part]) -> list[tuple[str, str]]:
    """Return pairs of groups that are not independent though no two tested files show it.

    A file may stand in one category under the names of two groups. And two inputs are the same to
    a service that answers both with the same picture.
    """
    first: dict[str, str] = {}
    alike = [
        (first.setdefault(sample.file.digest, sample.origin), sample.origin)
        for part in parts
        if part.is_generated_only
        for sample in part.samples
    ]
    return [*alike, *(pair for part in parts for pair in part.seeds.joined)]


def _samples(workspace: Workspace, category: Category, reporter: Reporter) -> list[_Sample]:
    """Return a category's samples in order of copy and origin; none where they are stale."""
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
    records = sorted(manifest.samples, key=lambda record: (record.copy, record.seed))
    return [_Sample(ExampleFile(folder / r.file, r.digest), r.seed) for r in records]


def _with_samples(dataset: Dataset, parts: Sequence[_Part], tested: Sequence[Seed]) -> Dataset:
    """Add the samples that are not tested themselves."""
    labels = dataset.labels.tolist()
    # What a category's samples come from: its seeds, or the inputs of which one is tested.
    origins: dict[tuple[int, str], int] = {}
    # An input may serve several categories, and is held out in all of them together.
    inputs: dict[str, int] = {}
    for row, (seed, number) in enumerate(zip(tested, labels, strict=True)):
        generated = parts[number].is_generated_only
        origins[number, seed.group if generated else seed.digest] = row
        if generated:
            inputs.setdefault(seed.group, row)
    standing = {file.path for file in dataset.files}
    added = [
        (sample.file, number, origins.get((number, sample.origin), inputs.get(sample.origin, -1)))
        for number, part in enumerate(parts)
        for sample in part.samples
        if sample.file.path not in standing
        # A sample of a seed that was removed since is no longer wanted.
        and not (part.needs_seeds and (number, sample.origin) not in origins)
    ]
    return replace(
        dataset,
        files=dataset.files + tuple(file for file, _, _ in added),
        labels=np.append(dataset.labels, np.array([n for _, n, _ in added], np.int64)),
        seed_index=np.append(dataset.seed_index, np.array([r for *_, r in added], np.int64)),
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
