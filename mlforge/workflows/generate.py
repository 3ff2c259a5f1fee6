"""Making samples: carrying out the plans of all categories, so that a crash loses nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from mlforge.core.names import printable
from mlforge.core.records import Failure
from mlforge.core.reporting import Advance, Reporter
from mlforge.engines.local import LocalEngine
from mlforge.errors import ConfigError, DataError
from mlforge.storage.files import (
    free_name,
    make_folder,
    move_files,
    remove_file,
    remove_temporaries,
    remove_tree,
    require_space,
)
from mlforge.storage.lock_file import read_lock, update_lock
from mlforge.storage.locking import exclusive
from mlforge.storage.manifest import (
    Entry,
    Outline,
    append_records,
    manifest_lines,
    read_outline,
    rewrite_manifest,
)
from mlforge.storage.sample_files import (
    files_like_samples,
    forget_files,
    note_files,
    own_files,
)
from mlforge.workflows.fetch import fetch_responses
from mlforge.workflows.sample_lock import lock_entry, require_as_locked, require_lockable
from mlforge.workflows.sample_plan import SamplePlan, Wish, make_plan
from mlforge.workflows.sample_recipe import keys_without_effect
from mlforge.workflows.sample_worker import (
    Maker,
    SampleChunk,
    make_chunk,
    make_chunks,
    make_maker,
    sample_file,
)
from mlforge.workflows.workspace import Workspace

__all__ = ["GenerateOptions", "GenerateResult", "GeneratedCategory", "generate"]

# What a file takes on the disk at least, and its line in the manifest, in bytes.
_BLOCK = 4096
_LINE = 700
# So many lines are copied at a time.
_SLICE = 1000


@dataclass(frozen=True)
class GenerateOptions:
    """How `generate` runs.

    Attributes
    ----------
    codes
        The categories; all where empty.
    count
        Samples a category; where None, as many as an earlier run was asked for, else 20 a seed.
    force
        Make every sample again; a service is asked again where its answer could not be used.
    dry_run
        Only say what would be done.
    workers
        Processes side by side; one a processor where None.
    locked
        Make exactly what ``mlforge.lock`` says, or fail and change nothing.
    allowed_hosts
        The hosts that generators may call.
    """

    codes: tuple[str, ...] = ()
    count: int | None = None
    force: bool = False
    dry_run: bool = False
    workers: int | None = None
    locked: bool = False
    allowed_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class GeneratedCategory:
    """What `generate` did, or with `dry_run` would do, for one category.

    Attributes
    ----------
    code
        The category.
    n_seeds
        What its samples are made from: its seeds, or its inputs.
    n_wanted
        How many samples were asked for.
    count_from
        Who asked: ``option``, ``lock``, ``earlier`` (an earlier run) or ``default``.
    n_samples
        How many there are now.
    n_made, n_kept, n_removed
        How many were made, were there already, and were surplus or out of date.
    failures
        Samples and seeds that could not be used, and why.
    """

    code: str
    n_seeds: int
    n_wanted: int
    count_from: str
    n_samples: int
    n_made: int
    n_kept: int
    n_removed: int
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class GenerateResult:
    """What `generate` did.

    Attributes
    ----------
    categories
        One entry a category.
    dry_run
        Whether nothing was written.
    seconds
        How long it took.
    """

    categories: tuple[GeneratedCategory, ...]
    dry_run: bool
    seconds: float

    @property
    def up_to_date(self) -> bool:
        """Whether there was nothing to do."""
        return all(c.n_made == 0 and c.n_removed == 0 for c in self.categories)


def generate(workspace: Workspace, options: GenerateOptions, reporter: Reporter) -> GenerateResult:
    """Make the samples that are missing, and remove those that should not be.

    Raises
    ------
    ConfigError
        If a configuration is wrong; nothing is written then.
    DataError
        If a category has nothing to make samples from, or with `locked` is not what the lock says;
        what there was before is still there then.
    StorageError
        If the disk has too little room.
    """
    start = time.perf_counter()
    if options.count is not None and options.count < 0:
        raise ConfigError(f"--count {options.count}: at least 0")
    if options.locked and options.count is not None:
        raise ConfigError("--locked with --count: the lock says how many", "leave out --count")
    engine = LocalEngine(options.workers, reporter)
    if options.dry_run:
        plans = _plans(workspace, options, reporter)
        done = [_summary(plan, plan.kept, ()) for plan in plans]
        made = tuple(replace(d, n_made=p.n_missing) for d, p in zip(done, plans, strict=True))
        return GenerateResult(made, dry_run=True, seconds=time.perf_counter() - start)
    with exclusive(workspace.layout.artifacts):
        plans = _plans(workspace, options, reporter)
        failed = _make(workspace, plans, options, engine, reporter)
        if options.locked:
            results = _follow_lock(workspace, plans, failed, reporter)
        else:
            results = _finish(workspace, plans, failed)
    return GenerateResult(tuple(results), dry_run=False, seconds=time.perf_counter() - start)


def _plans(workspace: Workspace, options: GenerateOptions, reporter: Reporter) -> list[SamplePlan]:
    noted = read_lock(workspace.layout.lock_file)
    categories = workspace.select(options.codes)
    if options.locked:
        for category in categories:
            if category.code not in noted:
                raise DataError(
                    f"mlforge.lock says nothing of category {category.code!r}",
                    f"mlforge samples generate {category.code}",
                )
    plans = []
    for category in categories:
        wish = Wish(options.count, not options.force, noted.get(category.code), options.locked)
        plans.append(make_plan(workspace, category, wish))
        for sentence in keys_without_effect(workspace, category):
            reporter.warn(sentence)
    if options.locked:
        require_lockable(plans, noted)
    return plans


def _make(
    workspace: Workspace,
    plans: Sequence[SamplePlan],
    options: GenerateOptions,
    engine: LocalEngine,
    reporter: Reporter,
) -> dict[str, list[Failure]]:
    """Make what is missing; return what could not be fetched, which the next run tries again."""
    fetched = {}
    for plan in plans:
        if plan.generator.takes_endpoint and plan.missing:
            fetched[plan.category.code] = fetch_responses(
                workspace, plan, options.allowed_hosts, reporter, anew=options.force
            )
    for plan in plans:
        _require_space(plan, _mean_size(plan.standing or plan.kept), plan.n_missing)
    todo: list[tuple[SamplePlan, SampleChunk]] = []
    for plan in plans:
        maker = make_maker(workspace, plan.category, plan.recipe)
        _begin(workspace, plan, _coming(plan, maker), reporter)
        found = fetched.get(plan.category.code)
        responses = found.responses if found else None
        todo += [(plan, c) for c in make_chunks(maker, plan.folder, plan.missing, responses)]
    with reporter.progress("generating", sum(plan.n_missing for plan in plans)) as advance:
        _run(engine, todo, advance)
    return {
        plan.category.code: [
            Failure(f"{_name(plan, digest)} (copy {copy})", reason)
            for (digest, copy), reason in fetched[plan.category.code].failures.items()
        ]
        for plan in plans
        if plan.category.code in fetched
    }


def _run(
    engine: LocalEngine, todo: Sequence[tuple[SamplePlan, SampleChunk]], advance: Advance
) -> None:
    measured = {plan.folder for plan, _ in todo if plan.standing or plan.kept}
    try:
        with closing(engine.map(make_chunk, [chunk for _, chunk in todo])) as outcomes:
            for (plan, _), outcome in zip(todo, outcomes, strict=True):
                made = outcome.unwrap()
                append_records(plan.folder, made.lines)
                advance(len(made.lines))
                if plan.folder not in measured and made.n_samples:
                    # There was no sample to tell their size from.
                    measured.add(plan.folder)
                    mean = made.n_bytes / made.n_samples
                    _require_space(plan, mean, plan.n_missing - len(made.lines))
    except BaseException:
        # The workers were ended in the middle of what they wrote.
        for folder in {plan.folder for plan, _ in todo}:
            remove_temporaries(folder)
        raise


def _begin(workspace: Workspace, plan: SamplePlan, coming: Set[str], reporter: Reporter) -> None:
    """Bring manifest and folder to what stays, so that a crash from here on loses nothing.

    Parameters
    ----------
    coming
        The names of the files that are to come into the folder.
    """
    make_folder(plan.folder)
    remove_temporaries(plan.folder)
    standing = {entry.file for entry in plan.standing}
    others = files_like_samples(plan.folder) - standing
    own = own_files(plan.folder, others)
    _set_aside(workspace, plan, (others - own) & coming, reporter)
    # Before the manifest forgets some of them, and before the others are there.
    note_files(plan.folder, own | (coming - standing))
    # Whole before anything is added: a torn last line would swallow the first new one.
    _rewrite(plan, plan.folder, plan.standing)
    for name in own:
        remove_file(plan.folder / name)


def _coming(plan: SamplePlan, maker: Maker) -> set[str]:
    """Return the names of the files that a plan makes."""
    return {
        sample_file(copies.source, copy, maker.file_format)
        for copies in plan.missing
        for copy in copies
    }


def _set_aside(workspace: Workspace, plan: SamplePlan, names: Set[str], reporter: Reporter) -> None:
    """Move files that somebody else put where samples go to where nothing of them is lost."""
    if not names:
        return
    make_folder(workspace.layout.removed)
    target = free_name(workspace.layout.removed, f"{plan.category.code}-samples")
    make_folder(target)
    move_files(sorted(names), plan.folder, target)
    many = f"{len(names):,} files that mlforge did not make stood"
    one = f"{printable(min(names))}, which mlforge did not make, stood"
    reporter.warn(
        f"{plan.category.code}: {one if len(names) == 1 else many} where samples go; "
        f"moved to {target.relative_to(workspace.root)}"
    )


def _finish(
    workspace: Workspace, plans: Sequence[SamplePlan], failed: Mapping[str, Sequence[Failure]]
) -> list[GeneratedCategory]:
    results, locked = [], {}
    for plan in plans:
        entries = _entries(plan.folder)
        _rewrite(plan, plan.folder, entries)
        forget_files(plan.folder)
        if len(entries) == plan.n_planned:
            locked[plan.category.code] = lock_entry(plan, entries)
        results.append(_summary(plan, entries, failed.get(plan.category.code, ())))
    update_lock(workspace.layout.lock_file, locked, workspace.layout.category_codes())
    return results


def _follow_lock(
    workspace: Workspace,
    plans: Sequence[SamplePlan],
    failed: Mapping[str, Sequence[Failure]],
    reporter: Reporter,
) -> list[GeneratedCategory]:
    """Put what was made among the samples if all of it is what the lock says."""
    if any(failed.values()):
        # What was made waits for the next run, which asks for the rest again.
        return [_summary(p, p.kept, failed.get(p.category.code, ())) for p in plans]
    noted = read_lock(workspace.layout.lock_file)
    results = []
    made = [_entries(plan.folder) for plan in plans]
    try:
        for plan, entries in zip(plans, made, strict=True):
            require_as_locked(plan, noted[plan.category.code], _joined(plan.kept, entries))
    except DataError:
        for plan in plans:
            remove_tree(plan.folder)
        raise
    for plan, entries in zip(plans, made, strict=True):
        _take_over(workspace, plan, entries, reporter)
        home = workspace.layout.samples(plan.category.code)
        results.append(_summary(plan, _entries(home), ()))
    return results


def _take_over(
    workspace: Workspace, plan: SamplePlan, made: Sequence[Entry], reporter: Reporter
) -> None:
    """Move samples to where they belong, and remove what should not be there."""
    home = workspace.layout.samples(plan.category.code)
    coming = {entry.file for entry in made if not entry.failure}
    _begin(workspace, replace(plan, folder=home, standing=plan.kept), coming, reporter)
    if made:
        move_files(coming, plan.folder, home)
        for start in range(0, len(made), _SLICE):
            append_records(home, manifest_lines(plan.folder, made[start : start + _SLICE]))
        _rewrite(plan, home, _entries(home))
    forget_files(home)
    remove_tree(plan.folder)


def _joined(kept: Sequence[Entry], made: Sequence[Entry]) -> Iterable[Entry]:
    """Return the samples of both; one that was made holds where both have it."""
    return {entry.key: entry for entry in (*kept, *made)}.values()


def _entries(folder: Path) -> tuple[Entry, ...]:
    outline = read_outline(folder)
    return outline.entries if outline else ()


def _rewrite(plan: SamplePlan, folder: Path, entries: tuple[Entry, ...]) -> None:
    rewrite_manifest(folder, Outline(plan.recipe.digest, plan.n_planned, plan.asked, entries))


def _mean_size(entries: Sequence[Entry]) -> float:
    """Return the mean size of samples in bytes; 0 where there is none."""
    sizes = [entry.n_bytes for entry in entries if not entry.failure]
    return sum(sizes) / len(sizes) if sizes else 0.0


def _require_space(plan: SamplePlan, mean: float, n_samples: int) -> None:
    """Raise `StorageError` where `n_samples` of a mean size do not go onto the disk."""
    blocks = max(1, round(mean / _BLOCK + 0.5))
    needed = n_samples * (blocks * _BLOCK + _LINE)
    what = f"{n_samples:,} samples of {plan.category.code}"
    require_space(plan.folder, needed - plan.n_bytes_removed, what)


def _name(plan: SamplePlan, digest: str) -> str:
    return next(source.name for source in plan.sources if source.digest == digest)


def _summary(
    plan: SamplePlan, entries: Sequence[Entry], failed: Sequence[Failure]
) -> GeneratedCategory:
    names = {source.digest: source.name for source in plan.sources}
    failures = tuple(
        Failure(f"{names[entry.seed]} (copy {entry.copy})", entry.failure)
        for entry in sorted(entries, key=lambda entry: (entry.copy, entry.seed))
        if entry.failure
    )
    n_samples = len(entries) - len(failures)
    return GeneratedCategory(
        plan.category.code,
        len(plan.sources),
        plan.n_wanted,
        plan.origin,
        n_samples,
        n_samples - plan.n_kept,
        plan.n_kept,
        plan.n_removed,
        (*plan.refused, *failures, *failed),
    )
