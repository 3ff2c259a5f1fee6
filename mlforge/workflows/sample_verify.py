"""Verifying samples: made again in memory, and compared with files, manifest and lock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mlforge.core.digest import digest_bytes
from mlforge.core.records import Failure, Source
from mlforge.core.reporting import Reporter
from mlforge.engines.local import LocalEngine
from mlforge.errors import SampleError
from mlforge.generators.api import Api
from mlforge.remote.http import Request
from mlforge.storage.files import read_bytes
from mlforge.storage.lock_file import LockedCategory, read_lock
from mlforge.storage.manifest import (
    Entry,
    Outline,
    manifest_line,
    manifest_lines,
    read_outline,
    samples_digest,
)
from mlforge.storage.responses import ResponseStore
from mlforge.storage.sample_files import files_like_samples
from mlforge.workflows.sample_lock import (
    cause_of_difference,
    config_difference,
    source_difference,
    version_difference,
)
from mlforge.workflows.sample_plan import Copies, sources_of
from mlforge.workflows.sample_recipe import Recipe, make_recipe
from mlforge.workflows.sample_worker import Maker, Portion, draw_samples, make_maker, portions
from mlforge.workflows.workspace import Category, Workspace

__all__ = ["VerifiedCategory", "verify"]


@dataclass(frozen=True)
class VerifiedCategory:
    """What `verify` found of one category.

    Attributes
    ----------
    code
        The category.
    n_samples
        How many samples its manifest names.
    n_verified
        How many are, byte for byte, what the manifest says and what they are when made again.
    missing
        Samples without their file.
    changed
        Files that are not what was made: edited or damaged.
    differs
        Samples that are another one when made again, and why.
    unlisted
        Files that are named like samples and that no manifest names.
    problems
        What is wrong with the whole, a sentence each.
    """

    code: str
    n_samples: int
    n_verified: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]
    differs: tuple[Failure, ...]
    unlisted: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is as it should be."""
        return not (self.missing or self.changed or self.differs or self.unlisted or self.problems)


@dataclass(frozen=True)
class _Chunk:
    """Samples to be made again by one worker."""

    maker: Maker
    folder: Path
    portions: tuple[Portion, ...]
    entries: Mapping[tuple[str, int], Entry]


@dataclass(frozen=True)
class _Seen:
    """One sample: the digest of its file, empty where there is none, and of it made again.

    `noted` says whether the manifest's line is the one that is made again.
    """

    seed: str
    copy: int
    on_disk: str
    made: str
    failure: str
    noted: bool


@dataclass(frozen=True)
class _Case:
    """A category that is verified."""

    category: Category
    recipe: Recipe
    sources: Mapping[str, Source]
    outline: Outline | None
    noted: LockedCategory | None
    folder: Path

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self.outline.entries if self.outline else ()

    @property
    def remade(self) -> bool:
        """Whether making the samples again can say anything: draws depend on the configuration."""
        if self.outline is None or self.outline.config == self.recipe.digest:
            return self.outline is not None
        noted = self.noted
        return noted is not None and self.outline.config == self.recipe.digest_with(noted.versions)


def verify(
    workspace: Workspace, codes: tuple[str, ...], workers: int | None, reporter: Reporter
) -> list[VerifiedCategory]:
    """Make samples again in memory and compare them with files, manifest and lock.

    Nothing is written, and no lock is waited for. A sample that is made from the answer of a
    service is made again from the answer that was kept.

    Raises
    ------
    ConfigError
        If a configuration is wrong.
    DataError
        If a category has nothing to make samples from.
    """
    engine = LocalEngine(workers, reporter)
    noted = read_lock(workspace.layout.lock_file)
    cases = [_case(workspace, c, noted.get(c.code)) for c in workspace.select(codes)]
    work = [(case, chunk) for case in cases for chunk in _chunks(workspace, case)]
    seen: dict[str, list[_Seen]] = {case.category.code: [] for case in cases}
    total = sum(len(case.entries) for case in cases)
    with (
        reporter.progress("verifying", total) as advance,
        closing(engine.map(_look, [chunk for _, chunk in work])) as outcomes,
    ):
        for (case, _), outcome in zip(work, outcomes, strict=True):
            found = outcome.unwrap()
            seen[case.category.code] += found
            advance(len(found))
    return [_verdict(case, seen[case.category.code]) for case in cases]


def _case(workspace: Workspace, category: Category, noted: LockedCategory | None) -> _Case:
    recipe = make_recipe(workspace, category)
    sources = sources_of(category, recipe.generator, workspace.seeds(category))
    folder = workspace.layout.samples(category.code)
    return _Case(
        category,
        recipe,
        {source.digest: source for source in sources},
        read_outline(folder),
        noted,
        folder,
    )


def _chunks(workspace: Workspace, case: _Case) -> list[_Chunk]:
    maker = make_maker(workspace, case.category, case.recipe)
    entries = {entry.key: entry for entry in case.entries}
    copies: dict[str, list[int]] = {}
    for entry in case.entries:
        if case.remade and entry.seed in case.sources:
            copies.setdefault(entry.seed, []).append(entry.copy)
    wanted = [
        Copies(case.sources[seed], _ranges(sorted(numbers))) for seed, numbers in copies.items()
    ]
    responses = _responses(workspace, case, wanted)
    return [
        _Chunk(maker, case.folder, part, _named(part, entries))
        for part in portions(wanted, responses)
    ]


def _ranges(numbers: Iterable[int]) -> tuple[range, ...]:
    """Join numbers in a row, so that a seed is decoded once for all of them."""
    ranges: list[range] = []
    for number in numbers:
        if ranges and ranges[-1].stop == number:
            ranges[-1] = range(ranges[-1].start, number + 1)
        else:
            ranges.append(range(number, number + 1))
    return tuple(ranges)


def _named(
    part: Iterable[Portion], entries: Mapping[tuple[str, int], Entry]
) -> dict[tuple[str, int], Entry]:
    keys = ((portion.source.digest, copy) for portion in part for copy in portion.copies)
    return {key: entries[key] for key in keys}


def _look(chunk: _Chunk) -> list[_Seen]:
    """Make the samples of a chunk again; run by a worker."""
    drawn = [
        record for portion in chunk.portions for record, _ in draw_samples(chunk.maker, portion)
    ]
    entries = [chunk.entries[record.seed, record.copy] for record in drawn]
    lines = manifest_lines(chunk.folder, entries)
    return [
        _Seen(
            record.seed,
            record.copy,
            _digest(chunk.folder, entry.file),
            record.digest,
            record.failure,
            line == manifest_line(record),
        )
        for record, entry, line in zip(drawn, entries, lines, strict=True)
    ]


def _digest(folder: Path, file: str) -> str:
    """Return the digest of a sample's file; empty where there is none."""
    path = folder / file
    if not file or path.is_symlink() or not path.is_file():
        return ""
    return digest_bytes(read_bytes(path))


def _verdict(case: _Case, seen: Sequence[_Seen]) -> VerifiedCategory:
    made = {(one.seed, one.copy): one for one in seen}
    cause = cause_of_difference(case.recipe, case.noted)
    missing, changed, differs = [], [], []
    n_verified = 0
    for entry in case.entries:
        one = made.get(entry.key)
        on_disk = one.on_disk if one else _digest(case.folder, entry.file)
        reason = _difference(case, entry, one, cause)
        if entry.file and not on_disk:
            missing.append(entry.file)
        elif on_disk != entry.digest:
            changed.append(entry.file)
        if reason:
            differs.append(Failure(entry.file or f"{entry.seed} (copy {entry.copy})", reason))
        n_verified += bool(entry.file) and on_disk == entry.digest and not reason
    return VerifiedCategory(
        case.category.code,
        len(case.outline.samples) if case.outline else 0,
        n_verified,
        tuple(missing),
        tuple(changed),
        tuple(differs),
        _unlisted(case),
        tuple(_problems(case)),
    )


def _difference(case: _Case, entry: Entry, one: _Seen | None, cause: str) -> str:
    """Return why a sample is not what it is when made again; empty where it is."""
    if not case.remade:
        return ""
    if entry.seed not in case.sources:
        return "its seed or input is gone"
    if one is None:
        return "the service's answer is gone"
    if (one.made, one.failure) != (entry.digest, entry.failure):
        return cause
    return "" if one.noted else "its line in the manifest was changed"


def _unlisted(case: _Case) -> tuple[str, ...]:
    named = {entry.file for entry in case.entries}
    return tuple(sorted(files_like_samples(case.folder) - named))


def _problems(case: _Case) -> list[str]:
    if case.outline is None:
        return ["there are no samples"] if case.noted else []
    problems = []
    if not case.remade:
        problems.append("its samples were made with another configuration or library version")
    elif not case.outline.complete:
        problems.append(
            f"making its samples was interrupted at {len(case.entries)} of {case.outline.count}"
        )
    return problems + _lock_problems(case)


def _lock_problems(case: _Case) -> list[str]:
    """Return what is not as ``mlforge.lock`` says."""
    noted = case.noted
    if noted is None:
        return ["mlforge.lock says nothing of it"]
    problems = [
        difference
        for difference in (
            config_difference(case.recipe, noted),
            source_difference(tuple(case.sources.values()), noted),
        )
        if difference
    ]
    if not problems and samples_digest(case.entries) != noted.samples:
        versions = version_difference(case.recipe, noted)
        problems.append(f"its samples are others{f' ({versions})' if versions else ''}")
    return [f"not what mlforge.lock says: {problem}" for problem in problems]


def _responses(
    workspace: Workspace, case: _Case, wanted: Sequence[Copies]
) -> dict[tuple[str, int], Path] | None:
    """Return the files of the answers that are kept; None for a generator that needs none."""
    generator = case.recipe.generator
    if not isinstance(generator, Api):
        return None
    found = {}
    store = ResponseStore(workspace.layout.responses(case.category.code))
    for copies in wanted:
        for copy in copies:
            path = _kept(store, generator, copies.source, copy)
            if path is not None:
                found[copies.source.digest, copy] = path
    return found


def _kept(store: ResponseStore, generator: Api, source: Source, copy: int) -> Path | None:
    """Return the file of an example, or of the answer that holds it; None where neither is kept."""
    try:
        answer = store.load(generator.request(source.name, copy).identity)
        data = None if answer is None else generator.extract(answer)
    except SampleError:
        return None
    if isinstance(data, str):
        answer = data = store.load(Request(data).identity)
    if data is None or answer is None:
        return None
    return store.find(data) or store.find(answer)
