"""Making samples: carrying out the plans of all categories, so that a crash loses nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from mlforge.core.records import Failure, SampleRecord
from mlforge.core.reporting import Reporter
from mlforge.engines.local import LocalEngine
from mlforge.errors import ConfigError, MlforgeError
from mlforge.storage.files import make_folder, remove_file, remove_temporaries
from mlforge.storage.lock_file import LockedCategory, update_lock
from mlforge.storage.locking import exclusive
from mlforge.storage.manifest import (
    Manifest,
    append_records,
    read_manifest,
    samples_digest,
    write_manifest,
)
from mlforge.workflows.sample_plan import (
    SamplePlan,
    keys_without_effect,
    library_versions,
    make_generator,
    make_plan,
)
from mlforge.workflows.sample_worker import make_chunk, make_chunks
from mlforge.workflows.workspace import Workspace

__all__ = ["GenerateOptions", "GenerateResult", "GeneratedCategory", "generate"]


@dataclass(frozen=True)
class GenerateOptions:
    """How `generate` runs.

    Attributes
    ----------
    codes
        The categories; all where empty.
    count
        Samples a category; 20 a seed where None.
    force
        Make every sample again.
    dry_run
        Only say what would be done.
    workers
        Processes side by side; one a processor where None.
    """

    codes: tuple[str, ...] = ()
    count: int | None = None
    force: bool = False
    dry_run: bool = False
    workers: int | None = None


@dataclass(frozen=True)
class GeneratedCategory:
    """What `generate` did, or with `dry_run` would do, for one category.

    Attributes
    ----------
    code
        The category.
    n_seeds
        Its seeds.
    n_wanted
        How many samples were asked for.
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
        If a category has no seeds to make samples from.
    """
    start = time.perf_counter()
    if options.count is not None and options.count < 0:
        raise ConfigError(f"--count {options.count}: at least 0")
    engine = LocalEngine(options.workers)
    if options.dry_run:
        plans = _plans(workspace, options, reporter)
        done = [_summary(plan, plan.kept, plan.refused) for plan in plans]
        made = tuple(replace(d, n_made=len(p.missing)) for d, p in zip(done, plans, strict=True))
        return GenerateResult(made, dry_run=True, seconds=time.perf_counter() - start)
    with exclusive(workspace.layout.artifacts):
        plans = _plans(workspace, options, reporter)
        results = _carry_out(workspace, plans, engine, reporter)
    return GenerateResult(tuple(results), dry_run=False, seconds=time.perf_counter() - start)


def _plans(workspace: Workspace, options: GenerateOptions, reporter: Reporter) -> list[SamplePlan]:
    plans = []
    for category in workspace.select(options.codes):
        plans.append(make_plan(workspace, category, options.count, keep=not options.force))
        for sentence in keys_without_effect(workspace, category):
            reporter.warn(sentence)
    return plans


def _carry_out(
    workspace: Workspace, plans: Sequence[SamplePlan], engine: LocalEngine, reporter: Reporter
) -> list[GeneratedCategory]:
    records = {plan.category.code: list(plan.kept) for plan in plans}
    chunks = []
    for plan in plans:
        _clear(workspace.layout.samples(plan.category.code), plan)
        chunks += [(plan.category.code, chunk) for chunk in make_chunks(workspace, plan)]
    with reporter.progress("generating", sum(len(plan.missing) for plan in plans)) as advance:
        try:
            with closing(engine.map(make_chunk, [chunk for _, chunk in chunks])) as outcomes:
                for (code, _), outcome in zip(chunks, outcomes, strict=True):
                    made = outcome.unwrap()
                    append_records(workspace.layout.samples(code), made)
                    records[code] += made
                    advance(len(made))
        except BaseException:
            # The workers were ended in the middle of what they wrote.
            for plan in plans:
                remove_temporaries(workspace.layout.samples(plan.category.code))
            raise
    for plan in plans:
        folder, made = workspace.layout.samples(plan.category.code), records[plan.category.code]
        _update_manifest(folder, Manifest(plan.config_digest, len(made), tuple(made)))
    _note_in_lock(workspace, plans, records)
    return [_summary(plan, records[plan.category.code], plan.refused) for plan in plans]


def _note_in_lock(
    workspace: Workspace,
    plans: Sequence[SamplePlan],
    records: Mapping[str, Sequence[SampleRecord]],
) -> None:
    known = workspace.layout.category_codes()
    versions = _versions(workspace, [code for code in known if code not in records])
    locked = {}
    for plan in plans:
        made = records[plan.category.code]
        versions |= library_versions(workspace, plan.generator)
        locked[plan.category.code] = LockedCategory(
            config=plan.config_digest,
            count=sum(not record.failure for record in made),
            seeds=" ".join(seed.digest[:16] for seed in plan.seeds),
            samples=samples_digest(made),
        )
    update_lock(workspace.layout.lock_file, locked, known, versions)


def _versions(workspace: Workspace, codes: Iterable[str]) -> dict[str, str]:
    """Return the library versions of other categories, so that the lock keeps them."""
    versions: dict[str, str] = {}
    for code in codes:
        # One that is broken has no samples to be made, and is no concern of this run.
        with suppress(MlforgeError):
            generator = make_generator(workspace, workspace.category(code))
            versions |= library_versions(workspace, generator)
    return versions


def _clear(folder: Path, plan: SamplePlan) -> None:
    """Bring manifest and folder to what is kept, so that a crash from here on loses nothing."""
    make_folder(folder)
    remove_temporaries(folder)
    count = len(plan.kept) + len(plan.missing)
    manifest = Manifest(plan.config_digest, count, plan.kept)
    if plan.missing:
        # Whole before anything is added: a torn last line would swallow the first new one.
        write_manifest(folder, manifest)
    else:
        _update_manifest(folder, manifest)
    named = {record.file for record in plan.kept}
    for path in folder.glob("sample_*"):
        if path.name not in named:
            remove_file(path)


def _update_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest unless it stands there already, line for line."""
    records = tuple(sorted(manifest.records, key=lambda record: (record.copy, record.seed)))
    if read_manifest(folder) != replace(manifest, records=records):
        write_manifest(folder, manifest)


def _summary(
    plan: SamplePlan, records: Iterable[SampleRecord], refused: tuple[Failure, ...]
) -> GeneratedCategory:
    records = tuple(records)
    names = {seed.digest: seed.path.name for seed in plan.seeds}
    failed = tuple(
        Failure(f"{names[record.seed]} (copy {record.copy})", record.failure)
        for record in records
        if record.failure
    )
    n_samples = sum(not record.failure for record in records)
    n_kept = sum(not record.failure for record in plan.kept)
    return GeneratedCategory(
        plan.category.code,
        len(plan.seeds),
        plan.n_wanted,
        n_samples,
        n_samples - n_kept,
        n_kept,
        plan.n_removed,
        refused + failed,
    )
