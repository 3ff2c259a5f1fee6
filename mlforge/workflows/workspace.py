"""An opened project: its settings, its modality, its categories."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlforge.core.category import CategoryConfig
from mlforge.core.digest import digest_bytes
from mlforge.core.names import is_system_name, printable, suggestion
from mlforge.core.records import Failure, Seed
from mlforge.core.settings import ProjectSettings, parse_settings
from mlforge.core.strict_json import parse_json
from mlforge.core.validation import validated
from mlforge.errors import ConfigError, DataError
from mlforge.modalities import MODALITIES, Modality
from mlforge.storage.artifacts import ArtifactStore
from mlforge.storage.files import read_bytes, read_start, real_path
from mlforge.storage.layout import Layout
from mlforge.workflows.seed_files import above_limit

__all__ = ["Category", "SeedFolder", "Workspace", "group_of", "lost_category", "read_seeds"]

# A character of a file name; a line break is one too.
_ANY = "[^/]"


@dataclass(frozen=True)
class Category:
    """A category as it lies on disk.

    Attributes
    ----------
    code
        Its code, the folder's name.
    config
        Its configuration.
    """

    code: str
    config: CategoryConfig


@dataclass(frozen=True)
class SeedFolder:
    """What a category's folder of seeds holds.

    Attributes
    ----------
    seeds
        The seeds, one for each content, in order of their digests.
    duplicates
        Files with the content of another seed of the category.
    refused
        Files that cannot be seeds, and why.
    joined
        Groups that share a content under two names, two by two: they are not independent.
    """

    seeds: tuple[Seed, ...]
    duplicates: tuple[Failure, ...]
    refused: tuple[Failure, ...]
    joined: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Workspace:
    """A project, opened.

    Attributes
    ----------
    root
        The project's folder.

    Raises
    ------
    ConfigError
        If a folder that is written to is a link to a place outside of the project.
    """

    root: Path

    def __post_init__(self) -> None:
        # Whoever names the folder itself has not come by `find_root`.
        self.layout.refuse_links()

    @cached_property
    def layout(self) -> Layout:
        """Where everything lies."""
        return Layout(self.root)

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """The project's artifacts."""
        return ArtifactStore(self.layout.artifacts)

    @cached_property
    def settings(self) -> ProjectSettings:
        """What ``mlforge.toml`` says; the defaults where there is none."""
        path = self.layout.settings
        if not path.is_file():
            return ProjectSettings()
        settings = parse_settings(read_bytes(path), path.name)
        modalities = MODALITIES.names()
        for table in settings.tables:
            if table not in modalities:
                keys = ["modality", "task", "features", "train", "predict", "models", *modalities]
                raise ConfigError(
                    f"{path.name}: {printable(table)}: unknown key", suggestion(table, keys)
                )
        return settings

    @cached_property
    def modality(self) -> Modality:
        """The kind of data, with the parameters that ``mlforge.toml`` gives it."""
        name = self.settings.modality
        component = MODALITIES.get(name, where="mlforge.toml: modality")
        return component.configured(self.settings.tables.get(name, {}), f"mlforge.toml: [{name}]")

    def category(self, code: str) -> Category:
        """Read one category.

        Raises
        ------
        ConfigError
            If there is none of that code, its configuration is wrong, or it is a link to a place
            outside of the project.
        """
        self.require_category(code)
        self._refuse_links(code)
        where = f"categories/{code}/config.json"
        values = parse_json(read_bytes(self.layout.config(code)), where)
        config = validated(CategoryConfig, values, where)
        if config.category_code != code:
            raise ConfigError(
                f"{where}: category_code: {config.category_code!r} is not the folder's name"
                f" {code!r}",
                f'set "category_code" to "{code}", or rename the folder',
            )
        return Category(code, config)

    def require_category(self, code: str) -> None:
        """Raise `ConfigError` unless there is a category of that code; nothing of it is read."""
        known = self.layout.category_codes()
        if code not in known:
            raise ConfigError(
                f"there is no category {printable(code)!r}",
                suggestion(code, known) if known else "mlforge categories add CODE FILES...",
            )

    def _refuse_links(self, code: str) -> None:
        """Raise `ConfigError` where a part of a category is a link to a place outside."""
        layout, root = self.layout, self.root.resolve()
        parts = (layout.config, layout.seeds, layout.samples, layout.responses)
        for path in (part(code) for part in parts):
            if not real_path(path).is_relative_to(root):
                where = path.relative_to(self.root)
                raise ConfigError(
                    f"{where}: a link to a place outside of the project",
                    "put the files themselves there",
                )

    def select(self, codes: tuple[str, ...] = ()) -> list[Category]:
        """Read the categories with those codes, or all.

        Raises
        ------
        ConfigError
            If one is wrong, or a folder of seeds has lost its configuration.
        DataError
            If the project has no category.
        """
        lost = [] if codes else self.layout.lost_categories()
        if lost:
            raise ConfigError(
                lost_category(lost[0]),
                "restore it, or: mlforge categories add "
                f"{printable(lost[0])}, or move the folder away",
            )
        chosen = list(dict.fromkeys(codes)) or self.layout.category_codes()
        if not chosen:
            raise DataError(
                "the project has no categories",
                "mlforge categories add CODE FILES... or: mlforge categories import FOLDER",
            )
        return [self.category(code) for code in chosen]

    def seeds(self, category: Category) -> SeedFolder:
        """Read the digests of a category's seeds; nothing is decoded."""
        self._refuse_links(category.code)
        folder = self.layout.seeds(category.code)
        return read_seeds(folder, category.config, self.modality, self.root)

    def seed_versions(self, category: Category) -> dict[str, str]:
        """Return the versions of the libraries that only some of a category's seeds need."""
        self._refuse_links(category.code)
        versions: dict[str, str] = {}
        folder = self.layout.seeds(category.code)
        for path, reason in _visible(folder, category.config, self.modality, self.root):
            if not reason:
                start = read_start(path, self.modality.start_bytes)
                versions |= self.modality.versions_for(start)
        return versions


def lost_category(code: str) -> str:
    """Return what is to be said of a folder of seeds that has lost its configuration."""
    return f"categories/{printable(code)}: there are seeds and no config.json"


def read_seeds(
    folder: Path, config: CategoryConfig, modality: Modality, boundary: Path
) -> SeedFolder:
    """Read the digests of the examples in `folder`; links out of `boundary` are not followed."""
    found: dict[str, Seed] = {}
    duplicates, refused, joined = [], [], []
    for path, reason in _visible(folder, config, modality, boundary):
        if reason:
            refused.append(Failure(path.name, reason))
            continue
        digest = digest_bytes(read_bytes(path))
        group = group_of(path.name, config.group_pattern) or digest
        if digest in found:
            duplicates.append(Failure(path.name, f"same content as {found[digest].path.name}"))
            joined.append((found[digest].group, group))
        else:
            found[digest] = Seed(path, digest, group)
    seeds = tuple(found[digest] for digest in sorted(found))
    return SeedFolder(seeds, tuple(duplicates), tuple(refused), tuple(joined))


def _visible(
    folder: Path, config: CategoryConfig, modality: Modality, boundary: Path
) -> Iterator[tuple[Path, str]]:
    """Yield the files of a folder, hidden ones aside, and why each cannot be a seed."""
    max_bytes = config.quality_thresholds.max_bytes
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not is_system_name(path.name):
            yield path, _refusal(path, max_bytes, modality, boundary)


def _refusal(path: Path, max_bytes: int, modality: Modality, boundary: Path) -> str:
    """Return why a file cannot be a seed; empty where it can."""
    if path.is_symlink() and not real_path(path).is_relative_to(boundary.resolve()):
        return "a link to a place outside"
    if not path.is_file():
        return "not a file"
    if path.suffix.lower() not in modality.suffixes:
        return f"not one of {' '.join(modality.suffixes)}"
    size = path.stat().st_size
    if size > max_bytes:
        return above_limit(size, max_bytes)
    return ""


def group_of(file_name: str, pattern: str | None) -> str | None:
    """Return what `pattern` finds in a file name; None where it finds nothing.

    The pattern is matched against the name without its suffix. ``*`` is any text, as short as
    possible; ``{group}`` is the group, without the character that follows it in the pattern.

    Examples
    --------
    >>> group_of("7_jackson_32.wav", "*_{group}_*")
    'jackson'
    >>> group_of("jackson-7.wav", "*_{group}_*") is None
    True
    """
    import re

    if pattern is None:
        return None
    stem = file_name.rpartition(".")[0] or file_name
    before, _, after = pattern.partition("{group}")
    group = f"[^{re.escape(after[0])}]+" if after and after[0] != "*" else f"{_ANY}+?"
    match = re.fullmatch(f"{_expression(before)}({group}){_expression(after)}", stem)
    return match[1] if match else None


def _expression(part: str) -> str:
    """Return what `part` of a group pattern is as a regular expression.

    All but its last ``*`` are decided once: what comes after can move on by itself, and trying
    every combination would take forever on names that nearly fit.
    """
    import re

    first, *pieces = (re.escape(piece) for piece in part.split("*"))
    fixed = "".join(f"(?>{_ANY}*?{piece})" for piece in pieces[:-1])
    return first + fixed + "".join(f"{_ANY}*?{piece}" for piece in pieces[-1:])
