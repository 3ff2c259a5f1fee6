"""Looking through configurations and seeds before they cost a training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mlforge.core.names import printable
from mlforge.core.reporting import Reporter
from mlforge.errors import MlforgeError, SampleError
from mlforge.storage.files import read_bytes
from mlforge.workflows.sample_plan import keys_without_effect, make_generator
from mlforge.workflows.workspace import Category, SeedFolder, Workspace

__all__ = ["Finding", "check"]

FEW_SEEDS = 5
IMBALANCE = 5


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


def check(workspace: Workspace, codes: tuple[str, ...], reporter: Reporter) -> list[Finding]:
    """Return all findings, errors first. Nothing is changed or removed.

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
    found: dict[str, SeedFolder] = {}
    with reporter.progress("checking", len(chosen)) as advance:
        for code in chosen:
            try:
                category = workspace.category(code)
                findings.extend(_check_config(workspace, category))
                found[code] = workspace.seeds(category)
                findings.extend(_check_seeds(workspace, category, found[code]))
            except MlforgeError as error:
                message = error.message.replace("\n", "; ")
                findings.append(Finding("error", code, "config", message, (), error.hint))
            advance()
    if not codes:
        findings.extend(_check_balance(chosen, found))
        findings.extend(_check_folders(workspace))
    findings.extend(_check_sharing(found))
    return sorted(findings, key=lambda finding: finding.severity)


def _check_config(workspace: Workspace, category: Category) -> Iterator[Finding]:
    make_generator(workspace, category)
    for sentence in keys_without_effect(workspace, category):
        fix = "remove the key, or choose a method that uses it"
        yield Finding("warning", category.code, "no_effect", sentence, (), fix)


def _check_seeds(workspace: Workspace, category: Category, folder: SeedFolder) -> Iterator[Finding]:
    code = category.code
    for failure in folder.refused:
        message = f"{printable(failure.file)}: {failure.reason}"
        yield Finding(
            "error", code, "refused", message, (failure.file,), "remove or replace the file"
        )
    for failure in folder.duplicates:
        message = f"{printable(failure.file)}: {failure.reason}; it counts once"
        yield Finding(
            "warning", code, "duplicate", message, (failure.file,), "remove one of the two"
        )
    for seed in folder.seeds:
        try:
            workspace.modality.decode(read_bytes(seed.path))
        except SampleError as error:
            message = f"{printable(seed.path.name)}: {error.message}"
            yield Finding("error", code, "unreadable", message, (seed.path.name,), error.hint)
    yield from _check_count(category, folder)


def _check_count(category: Category, folder: SeedFolder) -> Iterator[Finding]:
    code, n_seeds = category.code, len(folder.seeds)
    fix = f"mlforge categories add {code} FILES..."
    if n_seeds == 0:
        yield Finding("error", code, "no_seeds", "no seeds", (), fix)
    elif n_seeds < FEW_SEEDS:
        message = f"only {n_seeds} seed{'s' if n_seeds > 1 else ''}; {FEW_SEEDS} at the least help"
        yield Finding("warning", code, "few_seeds", message, (), fix)
    n_groups = len({seed.group for seed in folder.seeds})
    if n_seeds > 1 and n_groups == 1:
        message = f"its {n_seeds} seeds are one group; it cannot be scored"
        fix = "add seeds of another group, or change group_pattern"
        yield Finding("warning", code, "one_group", message, (), fix)
    pattern = category.config.group_pattern
    if pattern is not None and n_seeds and all(s.group == s.digest for s in folder.seeds):
        message = f"group_pattern {pattern!r} fits no file name"
        yield Finding("warning", code, "group_pattern", message, (), "mend the pattern")


def _check_folders(workspace: Workspace) -> Iterator[Finding]:
    known = workspace.layout.category_codes()
    for folder in sorted(workspace.layout.categories.iterdir()):
        if folder.is_dir() and folder.name not in known and not folder.name.startswith("."):
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
    if not counts:
        return
    largest, smallest = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if counts[largest] > IMBALANCE * counts[smallest]:
        message = (
            f"seeds: {counts[smallest]}, where {largest} has {counts[largest]}: "
            "the smaller will be recognized less"
        )
        fix = f"mlforge categories add {smallest} FILES..."
        yield Finding("warning", smallest, "imbalance", message, (), fix)


def _check_sharing(found: Mapping[str, SeedFolder]) -> Iterator[Finding]:
    places: dict[str, list[str]] = {}
    for code, folder in found.items():
        for seed in folder.seeds:
            places.setdefault(seed.digest, []).append(f"{code}/{seed.path.name}")
    for files in places.values():
        if len(files) > 1:
            message = f"the same file is in two categories: {printable(', '.join(files))}"
            fix = "keep it in the category that it belongs to"
            yield Finding("error", "", "shared", message, tuple(files), fix)
