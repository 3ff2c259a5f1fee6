"""Adding, importing, showing, checking and removing categories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlforge.core.category import SCHEMA_FILE, CategoryConfig, TechniqueSpec, config_schema
from mlforge.core.names import check_code, code_from_name, is_system_name, printable
from mlforge.core.records import Failure
from mlforge.core.reporting import Advance, Reporter
from mlforge.core.validation import validated
from mlforge.engines.local import LocalEngine
from mlforge.errors import ConfigError, DataError
from mlforge.generators import GENERATORS
from mlforge.storage.files import (
    free_name,
    make_folder,
    move,
    read_bytes,
    write_bytes,
    write_json,
    write_text,
)
from mlforge.storage.locking import exclusive
from mlforge.storage.manifest import read_outline
from mlforge.techniques import TECHNIQUES
from mlforge.workflows.seed_files import GivenFiles, examples_in, given_files, inspect_files
from mlforge.workflows.workspace import Category, Workspace, lost_category

__all__ = [
    "AddedCategory",
    "CategoryOverview",
    "NewCategory",
    "add_category",
    "class_folders",
    "class_name",
    "import_categories",
    "list_categories",
    "remove_category",
]

DEFAULT_METHOD = "augmentation"


@dataclass(frozen=True)
class NewCategory:
    """What a category is made of, where it does not exist yet.

    Attributes
    ----------
    name
        The name for people; made of the code where not given.
    method
        The generator; augmentation where not given.
    techniques
        The techniques by name; the defaults where there are none.
    """

    name: str | None = None
    method: str | None = None
    techniques: tuple[str, ...] = ()


@dataclass(frozen=True)
class AddedCategory:
    """What adding seeds to a category did.

    Attributes
    ----------
    code
        The category.
    created
        Whether it is new.
    n_added
        How many seeds were added.
    n_seeds
        How many it has now.
    duplicates
        Files that the category had already, by content.
    refused
        Files that cannot be seeds, and why.
    n_other
        How many files in the folders given are of another kind, and were left.
    n_deeper
        How many examples lie in folders below those given, and were left.
    needs_seeds
        Whether its samples are made from seeds.
    """

    code: str
    created: bool
    n_added: int
    n_seeds: int
    duplicates: tuple[Failure, ...]
    refused: tuple[Failure, ...]
    n_other: int
    n_deeper: int
    needs_seeds: bool


@dataclass(frozen=True)
class CategoryOverview:
    """One category in a listing."""

    code: str
    name: str
    method: str
    n_seeds: int
    n_samples: int
    tags: tuple[str, ...]


def add_category(
    workspace: Workspace,
    code: str,
    files: Sequence[Path],
    new: NewCategory,
    reporter: Reporter,
) -> AddedCategory:
    """Make a category, or add seeds to one that exists and leave its configuration alone.

    Raises
    ------
    ConfigError
        If the code, the method or a technique is wrong, or a name, method or technique is given
        for a category that exists with another one; nothing is written then.
    DataError
        If files were given and none of them can be a seed; nothing is written then.
    """
    check_code(code)
    _check_components(workspace, new)
    with exclusive(workspace.layout.artifacts):
        for key, _ in _ignored(workspace, code, new):
            raise ConfigError(
                f"category {code!r} exists already; its {key} is not changed by adding to it",
                f"edit categories/{code}/config.json, or leave the option out",
            )
        given = given_files(files, workspace.modality.suffixes)
        with reporter.progress(f"adding to {code}", len(given.paths)) as advance:
            addition = _plan(workspace, code, given, new, advance)
        if files and not addition.has_use:
            raise _nothing_to_add(addition, files)
        return _carry_out(workspace, addition)


def import_categories(
    workspace: Workspace, folder: Path, new: NewCategory, reporter: Reporter
) -> list[AddedCategory]:
    """Make a category of each folder in `folder`, named after it.

    Raises
    ------
    DataError
        If `folder` holds no folders with files, or one holds none that can be a seed.
    ConfigError
        If two folders give the same code, or one gives none.

    Nothing is written then.
    """
    suffixes = workspace.modality.suffixes
    named = class_folders(folder, suffixes)
    _check_components(workspace, new)
    files = {code: given_files([path], suffixes) for code, path in named.items()}
    n_files = sum(len(given.paths) for given in files.values())
    _warn_of_loose_files(folder, suffixes, reporter)
    additions = []
    with exclusive(workspace.layout.artifacts):
        for code in named:
            for key, kept in _ignored(workspace, code, new):
                reporter.warn(f"{code} exists already and keeps its {key}: {kept}")
        with reporter.progress("importing", n_files) as advance:
            for code, path in named.items():
                named_new = NewCategory(class_name(path), new.method, new.techniques)
                additions.append(_plan(workspace, code, files[code], named_new, advance))
        for addition in additions:
            if not addition.has_use:
                raise _nothing_to_add(addition, [named[addition.code]])
        return [_carry_out(workspace, addition) for addition in additions]


def class_folders(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """Return the class folders in `folder` that hold examples, by code.

    Raises
    ------
    DataError
        If there is no such folder, or none in it holds an example.
    ConfigError
        If two folders give the same code, or one gives none.
    """
    if not folder.is_dir():
        raise DataError(f"{printable(str(folder))}: not a folder", "give a folder of class folders")
    named: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_dir() or is_system_name(path.name) or not examples_in(path, suffixes):
            continue
        code = code_from_name(path.name)
        if not code:
            raise ConfigError(
                f"{printable(str(path))}: no code can be made from this name",
                "rename the folder with letters a-z or digits",
            )
        if code in named:
            raise ConfigError(
                f"the folders {printable(named[code].name)!r} and {printable(path.name)!r} "
                f"both give the code {code!r}",
                "rename or merge one of them",
            )
        named[code] = path
    if not named:
        raise DataError(
            f"{printable(str(folder))}: no class folders with files ending in {' '.join(suffixes)}",
            "lay the files out as FOLDER/CLASS/FILE",
        )
    return named


def class_name(folder: Path) -> str:
    """Return the name for people of a class folder; what is no text in it becomes ``?``."""
    return folder.name.encode("utf-8", "replace").decode()


def list_categories(workspace: Workspace, reporter: Reporter) -> list[CategoryOverview]:
    """Return an overview of each category; warn of folders that are none any more."""
    for code in workspace.layout.lost_categories():
        reporter.warn(lost_category(code))
    overviews = []
    for code in workspace.layout.category_codes():
        category = workspace.category(code)
        outline = read_outline(workspace.layout.samples(code))
        overviews.append(
            CategoryOverview(
                code,
                category.config.category_name,
                category.config.generation_settings.method,
                len(workspace.seeds(category).seeds),
                len(outline.samples) if outline else 0,
                category.config.metadata.tags,
            )
        )
    return overviews


def remove_category(workspace: Workspace, code: str) -> Path:
    """Take a category out of the project and return where its folder is kept now."""
    with exclusive(workspace.layout.artifacts):
        # Not read: a category whose configuration is broken can be removed too.
        workspace.require_category(code)
        make_folder(workspace.layout.removed)
        target = free_name(workspace.layout.removed, code)
        move(workspace.layout.category(code), target)
    return target


@dataclass(frozen=True)
class _Addition:
    """What is to be written for one category."""

    code: str
    created: bool
    config: CategoryConfig
    needs_seeds: bool
    given: GivenFiles
    n_known: int
    accepted: tuple[Path, ...]
    duplicates: tuple[Failure, ...]
    refused: tuple[Failure, ...]

    @property
    def has_use(self) -> bool:
        """Whether any of the files is or becomes a seed."""
        return bool(self.accepted or self.duplicates)


def _plan(
    workspace: Workspace, code: str, given: GivenFiles, new: NewCategory, advance: Advance
) -> _Addition:
    """Find the files that become seeds; name those that are known already, and those refused."""
    created = code not in workspace.layout.category_codes()
    config = _new_config(workspace, code, new) if created else workspace.category(code).config
    method = GENERATORS.get(config.generation_settings.method, workspace.modality.name)
    known = workspace.seeds(Category(code, config)).seeds
    seen = {seed.digest for seed in known}
    accepted: list[Path] = []
    duplicates: list[Failure] = []
    refused: list[Failure] = []
    max_bytes = config.quality_thresholds.max_bytes
    outcomes = inspect_files(workspace.modality, given.paths, max_bytes, LocalEngine(), advance)
    for path, outcome in zip(given.paths, outcomes, strict=True):
        if isinstance(outcome, DataError):
            refused.append(Failure(str(path), outcome.message))
        elif outcome in seen:
            duplicates.append(Failure(str(path), "the category has this content already"))
        else:
            seen.add(outcome)
            accepted.append(path)
    return _Addition(
        code,
        created,
        config,
        method.needs_seeds,
        given,
        len(known),
        tuple(accepted),
        tuple(duplicates),
        tuple(refused),
    )


def _carry_out(workspace: Workspace, addition: _Addition) -> AddedCategory:
    code, layout = addition.code, workspace.layout
    folder = layout.seeds(code)
    make_folder(folder)
    if addition.created:
        write_text(layout.categories / SCHEMA_FILE, config_schema())
        write_json(layout.config(code), addition.config.to_json())
    for path in addition.accepted:
        write_bytes(free_name(folder, path.name), read_bytes(path))
    return AddedCategory(
        code,
        addition.created,
        len(addition.accepted),
        addition.n_known + len(addition.accepted),
        addition.duplicates,
        addition.refused,
        addition.given.n_other,
        addition.given.n_deeper,
        addition.needs_seeds,
    )


def _nothing_to_add(addition: _Addition, given: Sequence[Path]) -> DataError:
    what = f"nothing of {printable(str(given[0]))}" if len(given) == 1 else "none of the files"
    reason = "no picture in it"
    if addition.refused:
        first = addition.refused[0]
        reason = f"{printable(first.file)}: {first.reason}"
    elif addition.given.n_deeper:
        reason += f", but {addition.given.n_deeper:,} in folders below it, which are not taken"
    return DataError(
        f"{what} can be a seed of {addition.code!r}: {reason}",
        "give pictures, or folders of pictures",
    )


def _check_components(workspace: Workspace, new: NewCategory) -> None:
    if new.method is not None:
        GENERATORS.get(new.method, workspace.modality.name)
    for name in new.techniques:
        TECHNIQUES.get(name, workspace.modality.name)


def _new_config(workspace: Workspace, code: str, new: NewCategory) -> CategoryConfig:
    values: dict[str, Any] = {
        "$schema": f"../{SCHEMA_FILE}",
        "category_name": new.name or code.replace("_", " ").capitalize(),
        "category_code": code,
        "generation_settings": {
            "method": new.method or DEFAULT_METHOD,
            "parameters": {"quality": "high", "format": workspace.modality.formats[0]},
        },
    }
    if new.techniques:
        specs = [TechniqueSpec(name=name).model_dump() for name in new.techniques]
        values["augmentation_settings"] = {"techniques": specs}
    return validated(CategoryConfig, values, f"categories/{code}/config.json")


def _ignored(workspace: Workspace, code: str, new: NewCategory) -> Iterator[tuple[str, str]]:
    """Yield each key that `new` wants otherwise than a category that exists has it, and its own."""
    if code not in workspace.layout.category_codes():
        return
    config = workspace.category(code).config
    if new.name not in (None, config.category_name):
        yield "name", config.category_name
    method = config.generation_settings.method
    if new.method not in (None, method):
        yield "method", method
    techniques = tuple(spec.name for spec in config.augmentation_settings.techniques)
    if new.techniques and new.techniques != techniques:
        yield "techniques", ", ".join(techniques)


def _warn_of_loose_files(folder: Path, suffixes: Sequence[str], reporter: Reporter) -> None:
    n_loose = len(examples_in(folder, suffixes))
    if n_loose:
        reporter.warn(
            f"{n_loose:,} file{'s' if n_loose > 1 else ''} directly in {printable(str(folder))} "
            "belong to no class folder and were left"
        )
