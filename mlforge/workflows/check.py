"""Looking through configurations and seeds before they cost a training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mlforge.core.names import is_system_name, printable
from mlforge.core.records import Seed
from mlforge.core.reporting import Reporter
from mlforge.engines.local import LocalEngine
from mlforge.errors import MlforgeError
from mlforge.generators import Generator
from mlforge.modalities import Modality
from mlforge.workflows.near_duplicates import (
    Looks,
    NearDuplicates,
    find_near_duplicates,
    look_at,
    tied_groups,
)
from mlforge.workflows.sample_recipe import keys_without_effect, make_generator
from mlforge.workflows.workspace import Category, SeedFolder, Workspace

__all__ = ["Finding", "check"]

FEW_SEEDS = 5
IMBALANCE = 5
CERTAIN = 0.4
"""Near-duplicates at most so far from each other are the same picture beyond doubt."""
_NAMED = 5


@dataclass(frozen=True)
class Finding:
    """Something that is wrong or worth knowing.

    Attributes
    ----------
    severity
        ``error``: training would fail or learn something wrong. ``warning``: it would suffer.
    category
        The category; empty where it concerns several.
    kind
        What it is, in one word for scripts.
    message
        What it is, in a sentence.
    files
        The files it concerns.
    fix
        What to do.
    """

    severity: Literal["error", "warning"]
    category: str
    kind: str
    message: str
    files: tuple[str, ...]
    fix: str


@dataclass(frozen=True)
class _Sight:
    """What was seen of all seeds together.

    `owners` has the category of each seed; `groups` what they count as, near-duplicates joined.
    """

    seeds: tuple[Seed, ...]
    owners: tuple[str, ...]
    groups: tuple[str, ...]
    looks: Looks
    near: NearDuplicates

    def numbers(self, code: str) -> list[int]:
        """Return the numbers of a category's seeds."""
        return [number for number, owner in enumerate(self.owners) if owner == code]

    def touches(self, numbers: Iterable[int], codes: Sequence[str]) -> bool:
        """Return whether one of these seeds is of one of those categories."""
        return any(self.owners[number] in codes for number in numbers)

    def place(self, number: int) -> str:
        """Return CATEGORY/FILE of a seed."""
        return f"{self.owners[number]}/{self.seeds[number].path.name}"


def check(workspace: Workspace, codes: tuple[str, ...], reporter: Reporter) -> list[Finding]:
    """Return all findings, errors first. Nothing is removed, and no seed or configuration changed.

    Also where only some categories are looked at, their pictures are compared with those of all.

    Raises
    ------
    DataError
        If the project has no categories.
    ConfigError
        If one of `codes` is not a category.
    """
    chosen = tuple(dict.fromkeys(codes)) or tuple(workspace.layout.category_codes())
    if not chosen:
        workspace.select()
    for code in chosen:
        workspace.require_category(code)
    findings: list[Finding] = []
    categories: dict[str, tuple[Category, Generator]] = {}
    found: dict[str, SeedFolder] = {}
    for code in chosen:
        try:
            category = workspace.category(code)
            generator = make_generator(workspace, category)
            findings.extend(_check_keys(workspace, category))
            found[code] = workspace.seeds(category)
        except MlforgeError as error:
            message = error.message.replace("\n", "; ")
            findings.append(Finding("error", code, "config", message, (), error.hint))
        else:
            categories[code] = category, generator
    everyone = found | _seeds_of_others(workspace, chosen)
    sight = _look(workspace, dict(sorted(everyone.items())), reporter)
    for code, (category, generator) in categories.items():
        findings.extend(_check_files(code, found[code]))
        findings.extend(_check_pictures(workspace.modality, code, sight))
        findings.extend(_check_sources(category, generator, found[code]))
        findings.extend(_check_groups(category, sight))
    if not codes:
        findings.extend(_check_balance(chosen, found))
        findings.extend(_check_folders(workspace))
    findings.extend(_check_sharing(sight, chosen))
    findings.extend(_check_near_duplicates(sight, chosen))
    return sorted(findings, key=lambda finding: finding.severity)


def _seeds_of_others(workspace: Workspace, chosen: Sequence[str]) -> dict[str, SeedFolder]:
    """Return the seeds of the other categories; what is wrong with those is not looked for."""
    others: dict[str, SeedFolder] = {}
    for code in workspace.layout.category_codes():
        if code not in chosen:
            with suppress(MlforgeError):
                others[code] = workspace.seeds(workspace.category(code))
    return others


def _look(workspace: Workspace, found: Mapping[str, SeedFolder], reporter: Reporter) -> _Sight:
    seeds = tuple(seed for folder in found.values() for seed in folder.seeds)
    owners = tuple(code for code, folder in found.items() for _ in folder.seeds)
    looks = look_at(workspace, seeds, LocalEngine(reporter=reporter), reporter)
    near = find_near_duplicates(workspace.modality, seeds, looks, owners)
    return _Sight(seeds, owners, tied_groups(seeds, near), looks, near)


def _check_keys(workspace: Workspace, category: Category) -> Iterator[Finding]:
    for sentence in keys_without_effect(workspace, category):
        fix = "remove the key, or choose a method that uses it"
        yield Finding("warning", category.code, "no_effect", sentence, (), fix)


def _check_files(code: str, folder: SeedFolder) -> Iterator[Finding]:
    for failure in folder.refused:
        message = f"{printable(failure.file)}: {failure.reason}"
        fix = "remove or replace the file"
        yield Finding("error", code, "refused", message, (failure.file,), fix)
    for failure in folder.duplicates:
        message = f"{printable(failure.file)}: {failure.reason}; it counts once"
        fix = "remove one of the two"
        yield Finding("warning", code, "duplicate", message, (failure.file,), fix)


def _check_pictures(modality: Modality, code: str, sight: _Sight) -> Iterator[Finding]:
    """Yield what cannot be decoded, and what stands out among the category's others."""
    seeds = [sight.seeds[number] for number in sight.numbers(code)]
    readable = [seed for seed in seeds if seed.digest in sight.looks.figures]
    for seed in seeds:
        error = sight.looks.unreadable.get(seed.digest)
        if error is not None:
            message = f"{printable(seed.path.name)}: {error.message}"
            yield Finding("error", code, "unreadable", message, (seed.path.name,), error.hint)
    figures = [sight.looks.figures[seed.digest] for seed in readable]
    peers = {name: np.array([each[name] for each in figures]) for name in modality.figures}
    for seed, own in sorted(zip(readable, figures, strict=True), key=lambda pair: pair[0].path):
        for oddity in modality.check(own, peers):
            message = f"{printable(seed.path.name)}: {oddity.message}"
            yield Finding("warning", code, oddity.kind, message, (seed.path.name,), oddity.fix)


def _check_sources(
    category: Category, generator: Generator, folder: SeedFolder
) -> Iterator[Finding]:
    code, n_seeds = category.code, len(folder.seeds)
    fix = f"mlforge categories add {code} FILES..."
    if generator.takes_inputs and not generator.needs_seeds and not category.config.sample_inputs:
        message = f"no sample_inputs, which {generator.name} makes samples from"
        config = f"add sample_inputs to categories/{code}/config.json"
        yield Finding("error", code, "no_inputs", message, (), config)
    if n_seeds == 0 and generator.needs_seeds:
        yield Finding("error", code, "no_seeds", "no seeds", (), fix)
    elif 0 < n_seeds < FEW_SEEDS:
        message = f"only {n_seeds} seed{'s' if n_seeds > 1 else ''}; {FEW_SEEDS} at the least help"
        yield Finding("warning", code, "few_seeds", message, (), fix)


def _check_groups(category: Category, sight: _Sight) -> Iterator[Finding]:
    numbers = sight.numbers(category.code)
    groups = {sight.groups[number] for number in numbers}
    if len(numbers) > 1 and len(groups) == 1:
        message = f"its {len(numbers)} seeds are one group; it cannot be scored"
        fix = "add seeds of another group, or change group_pattern"
        yield Finding("warning", category.code, "one_group", message, (), fix)
    pattern = category.config.group_pattern
    seeds = [sight.seeds[number] for number in numbers]
    if pattern is not None and seeds and all(seed.group == seed.digest for seed in seeds):
        message = f"group_pattern {pattern!r} fits no file name"
        yield Finding("warning", category.code, "group_pattern", message, (), "mend the pattern")


def _check_folders(workspace: Workspace) -> Iterator[Finding]:
    known = workspace.layout.category_codes()
    for folder in sorted(workspace.layout.categories.iterdir()):
        if folder.is_dir() and folder.name not in known and not is_system_name(folder.name):
            message = f"categories/{printable(folder.name)}: a folder without config.json"
            fix = "mlforge categories add CODE, with the folder's name, writes one"
            yield Finding("error", "", "no_config", message, (folder.name,), fix)


def _check_balance(codes: Sequence[str], found: Mapping[str, SeedFolder]) -> Iterator[Finding]:
    if len(codes) == 1:
        (code,) = codes
        message = "the only category: there is nothing to tell it from"
        fix = "mlforge categories add CODE FILES..."
        yield Finding("error", code, "one_category", message, (), fix)
    counts = {code: len(folder.seeds) for code, folder in found.items() if folder.seeds}
    largest = max(counts, key=counts.__getitem__, default="")
    for code, n_seeds in counts.items():
        if counts[largest] > IMBALANCE * n_seeds:
            message = (
                f"{n_seeds} seed{'s' if n_seeds > 1 else ''}, where {largest} has "
                f"{counts[largest]}: it will be recognized less"
            )
            fix = f"mlforge categories add {code} FILES..."
            yield Finding("warning", code, "imbalance", message, (), fix)


def _check_sharing(sight: _Sight, chosen: Sequence[str]) -> Iterator[Finding]:
    places: dict[str, list[int]] = {}
    for number, seed in enumerate(sight.seeds):
        places.setdefault(seed.digest, []).append(number)
    for numbers in places.values():
        if len(numbers) > 1 and sight.touches(numbers, chosen):
            files = tuple(sight.place(number) for number in numbers)
            message = f"the same file is in two categories: {printable(', '.join(files))}"
            fix = "keep it in the category that it belongs to"
            yield Finding("error", "", "shared", message, files, fix)


def _check_near_duplicates(sight: _Sight, chosen: Sequence[str]) -> Iterator[Finding]:
    """Yield a finding for each set of seeds that look alike; the same bytes are another matter."""
    clusters: dict[int, list[int]] = {}
    for number, cluster in enumerate(sight.near.cluster.tolist()):
        clusters.setdefault(cluster, []).append(number)
    for members in clusters.values():
        if len({sight.seeds[number].digest for number in members}) > 1:
            yield from _check_crossing(sight, members, chosen)
            for code in dict.fromkeys(sight.owners[number] for number in members):
                if code in chosen:
                    yield from _check_repeats(sight, code, members)


def _check_crossing(
    sight: _Sight, members: Sequence[int], chosen: Sequence[str]
) -> Iterator[Finding]:
    crossing = sight.near.crossing
    certain = [number for number in members if crossing[number] <= CERTAIN]
    files = tuple(sight.place(number) for number in certain)
    if sight.touches(certain, chosen):
        message = f"the same picture, saved anew, is in two categories: {_listed(files)}"
        fix = "keep it in the category that it belongs to"
        yield Finding("error", "", "near_shared", message, files, fix)
    alike = [number for number in members if CERTAIN < crossing[number] <= 1]
    files = tuple(sight.place(number) for number in alike)
    if not certain and sight.touches(alike, chosen):
        message = f"look almost alike, in two categories: {_listed(files)}"
        fix = "look at them: is each in its category?"
        yield Finding("warning", "", "alike", message, files, fix)


def _check_repeats(sight: _Sight, code: str, members: Sequence[int]) -> Iterator[Finding]:
    own = [number for number in members if sight.owners[number] == code]
    if len(own) > 1:
        files = tuple(sorted(sight.seeds[number].path.name for number in own))
        message = f"look almost alike: {_listed(files)}; they count as one group"
        fix = "keep the best of them, or leave them: they are never split over train and test"
        yield Finding("warning", code, "near_duplicate", message, files, fix)


def _listed(files: Sequence[str]) -> str:
    named = printable(", ".join(files[:_NAMED]))
    more = len(files) - _NAMED
    return f"{named} and {more:,} more" if more > 0 else named
