"""What samples are against what ``mlforge.lock`` says of them, and why they differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mlforge.core.names import printable
from mlforge.core.records import SampleRecord, Source
from mlforge.errors import DataError
from mlforge.storage.lock_file import LockedCategory
from mlforge.storage.manifest import Entry, samples_digest
from mlforge.workflows.sample_plan import SamplePlan
from mlforge.workflows.sample_recipe import Recipe

__all__ = [
    "cause_of_difference",
    "config_difference",
    "lock_entry",
    "require_as_locked",
    "require_lockable",
    "source_difference",
    "version_difference",
]

_NOTE_ANEW = "to note the new samples instead: mlforge samples generate"
_MAX_NAMED = 3


def lock_entry(plan: SamplePlan, entries: Iterable[Entry]) -> LockedCategory:
    """Return what the lock is to say of a category."""
    return LockedCategory(
        config=plan.recipe.config,
        count=plan.n_wanted,
        seeds=LockedCategory.shortened([source.digest for source in plan.sources]),
        samples=samples_digest(entries),
        versions=plan.recipe.versions,
        asked=plan.asked is not None,
    )


def require_lockable(plans: Sequence[SamplePlan], noted: Mapping[str, LockedCategory]) -> None:
    """Raise `DataError` unless configurations and sources are those of the lock."""
    problems = []
    for plan in plans:
        code = plan.category.code
        differences = [
            config_difference(plan.recipe, noted[code]),
            source_difference(plan.sources, noted[code]),
        ]
        problems += [f"{code}: {difference}" for difference in differences if difference]
    if problems:
        raise DataError(f"not what mlforge.lock says: {'; '.join(problems)}", _NOTE_ANEW)


def require_as_locked(
    plan: SamplePlan, noted: LockedCategory, entries: Iterable[SampleRecord | Entry]
) -> None:
    """Raise `DataError` unless the samples that were made are those of the lock."""
    if samples_digest(entries) != noted.samples:
        cause = cause_of_difference(plan.recipe, noted)
        raise DataError(
            f"{plan.category.code}: the samples are not those of mlforge.lock ({cause}); "
            "nothing was changed",
            _NOTE_ANEW,
        )


def config_difference(recipe: Recipe, noted: LockedCategory) -> str:
    """Return that the configuration is another one than the lock's; empty where it is not."""
    if recipe.config == noted.config:
        return ""
    return "its configuration, or the code that it names, is another one"


def source_difference(sources: Sequence[Source], noted: LockedCategory) -> str:
    """Return which sources came or went since the lock was written; empty where none did."""
    names = {LockedCategory.shortened([source.digest])[0]: source.name for source in sources}
    added = [printable(name) for short, name in names.items() if short not in noted.seeds]
    gone = [short for short in noted.seeds if short not in names]
    parts = [
        f"{len(found)} {_of(found, 'seed or input', 'seeds or inputs')} {what} ({_list(found)})"
        for found, what in ((added, "new"), (gone, "gone"))
        if found
    ]
    return ", ".join(parts)


def version_difference(recipe: Recipe, noted: LockedCategory) -> str:
    """Return which libraries have another version than the lock's; empty where none has."""
    libraries = sorted({*recipe.versions, *noted.versions})
    changed = [
        f"{library} {noted.versions.get(library, 'none')} -> {recipe.versions.get(library, 'none')}"
        for library in libraries
        if recipe.versions.get(library) != noted.versions.get(library)
    ]
    return ", ".join(changed)


def cause_of_difference(recipe: Recipe, noted: LockedCategory | None) -> str:
    """Return why samples that are made again differ, as far as it is known."""
    versions = version_difference(recipe, noted) if noted else ""
    if versions:
        return f"another library version: {versions}"
    if recipe.generator.takes_endpoint:
        return "the service gave other answers, or this processor computes differently"
    return "same configuration, sources and library versions: this processor computes differently"


def _of(found: Sequence[str], one: str, many: str) -> str:
    return one if len(found) == 1 else many


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more
