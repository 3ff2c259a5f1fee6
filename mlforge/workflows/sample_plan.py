"""What samples a category is to have: a function of sources, configuration and count alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from mlforge.core.digest import digest_bytes, json_bytes
from mlforge.core.names import printable
from mlforge.core.records import Failure, Source
from mlforge.errors import ConfigError, DataError
from mlforge.generators import Generator
from mlforge.storage.files import read_bytes
from mlforge.storage.lock_file import LockedCategory
from mlforge.storage.manifest import Entry, Outline, read_outline
from mlforge.workflows.sample_recipe import Recipe, make_recipe
from mlforge.workflows.workspace import Category, SeedFolder, Workspace

__all__ = [
    "N_DIGITS",
    "Copies",
    "SamplePlan",
    "Wish",
    "make_plan",
    "sources_of",
]

DEFAULT_PER_SOURCE = 20
# More than any disk holds, and few enough for Python to count a range of them.
MAX_COUNT = 10**15
# So many digits of a source's digest stand in the file names of its samples.
N_DIGITS = 8


@dataclass(frozen=True)
class Wish:
    """What somebody wants of a category.

    Attributes
    ----------
    count
        Samples of the category; None for as many as it was made with before.
    keep
        Whether samples that are there already stay.
    noted
        What the lock says of the category.
    locked
        Whether exactly what the lock says is to be made.
    """

    count: int | None = None
    keep: bool = True
    noted: LockedCategory | None = None
    locked: bool = False


@dataclass(frozen=True)
class Copies:
    """Samples of one source.

    Attributes
    ----------
    source
        What they are made from.
    ranges
        Their numbers.
    """

    source: Source
    ranges: tuple[range, ...]

    def __len__(self) -> int:
        return sum(map(len, self.ranges))

    def __iter__(self) -> Iterator[int]:
        for numbers in self.ranges:
            yield from numbers


@dataclass(frozen=True)
class SamplePlan:
    """What is to be done for one category.

    Attributes
    ----------
    category
        The category.
    recipe
        What shapes its samples.
    sources
        What they are made from.
    n_wanted
        How many samples were asked for.
    origin
        Who asked: ``option``, ``lock``, ``earlier`` (an earlier run) or ``default``.
    asked
        The number that somebody asked for, now or earlier; None where it is the default.
    n_planned
        How many there can be: fewer where copies of a source would repeat.
    missing
        The samples to make.
    kept
        The samples, and failures, that are not made again.
    n_removed
        How many samples are surplus, out of date or made again.
    n_bytes_removed
        The size of those that are surplus or out of date.
    folder
        Where samples are made: the samples folder, or another where what there is must not be
        touched before all are found to be what the lock says.
    standing
        What stays in the manifest of `folder` while the others are made.
    refused
        Files that cannot be seeds, and why.
    """

    category: Category
    recipe: Recipe
    sources: tuple[Source, ...]
    n_wanted: int
    origin: str
    asked: int | None
    n_planned: int
    missing: tuple[Copies, ...]
    kept: tuple[Entry, ...]
    n_removed: int
    n_bytes_removed: int
    folder: Path
    standing: tuple[Entry, ...]
    refused: tuple[Failure, ...]

    @property
    def generator(self) -> Generator:
        """The generator, with its techniques."""
        return self.recipe.generator

    @property
    def n_missing(self) -> int:
        """How many samples are to be made."""
        return sum(map(len, self.missing))

    @property
    def n_kept(self) -> int:
        """How many samples are not made again."""
        return sum(not entry.failure for entry in self.kept)


def make_plan(workspace: Workspace, category: Category, wish: Wish) -> SamplePlan:
    """Compare what a category is to have with what there is.

    Raises
    ------
    ConfigError
        If the configuration is wrong.
    DataError
        If there is nothing to make samples from.
    """
    recipe = make_recipe(workspace, category)
    seeds = workspace.seeds(category)
    sources = sources_of(category, recipe.generator, seeds)
    home = workspace.layout.samples(category.code)
    outline = read_outline(home)
    n_wanted, origin = _count(wish, outline, len(sources))
    if n_wanted > MAX_COUNT:
        raise ConfigError(
            f"{category.code}: {n_wanted} samples are wanted; at most {MAX_COUNT:,} are made",
            f"mlforge samples generate {category.code} --count N",
        )
    shares = _shares(len(sources), n_wanted, recipe.generator.limit_per_seed())
    limits = {source.digest: share for source, share in zip(sources, shares, strict=True)}
    usable = _usable(outline, home, recipe, limits, _is_whole if wish.locked else _is_there)
    kept = usable if wish.keep else ()
    # Made again, a sample is what it was: until it is replaced, the old one holds.
    folder, standing = home, usable
    if wish.locked:
        folder = workspace.layout.staged_samples(category.code)
        standing = _usable(read_outline(folder), folder, recipe, limits, _is_there)
    before = [entry for entry in outline.entries if not entry.failure] if outline else []
    return SamplePlan(
        category,
        recipe,
        sources,
        n_wanted,
        origin,
        _asked(wish, n_wanted, origin),
        sum(shares),
        _missing(sources, shares, kept + standing if wish.locked else kept),
        kept,
        len(before) - sum(not entry.failure for entry in kept),
        sum(entry.n_bytes for entry in before) - sum(entry.n_bytes for entry in usable),
        folder,
        standing,
        seeds.refused,
    )


def sources_of(category: Category, generator: Generator, seeds: SeedFolder) -> tuple[Source, ...]:
    """Return what a category's samples are made from: its seeds, or each of its inputs once.

    Raises
    ------
    DataError
        If there is none.
    """
    if generator.needs_seeds:
        sources = [Source(seed.digest, seed.path.name, seed.path) for seed in seeds.seeds]
        fix = f"mlforge categories add {category.code} FILES..."
    else:
        inputs = dict.fromkeys(category.config.sample_inputs)
        sources = sorted(
            (Source(digest_bytes(json_bytes(text)), text) for text in inputs),
            key=lambda source: source.digest,
        )
        fix = f'add "sample_inputs": ["TEXT", ...] to categories/{category.code}/config.json'
    if not sources:
        what = "seeds" if generator.needs_seeds else "sample_inputs"
        raise DataError(f"category {category.code!r} has no {what} to make samples from", fix)
    _refuse_like_digests(sources)
    return tuple(sources)


def _count(wish: Wish, outline: Outline | None, n_sources: int) -> tuple[int, str]:
    """Return how many samples a category is to have, and who says so."""
    default = DEFAULT_PER_SOURCE * n_sources
    if wish.locked and wish.noted:
        return wish.noted.count, "lock"
    if wish.count is not None:
        return wish.count, "option"
    if outline is not None:
        return (default, "default") if outline.asked is None else (outline.asked, "earlier")
    if wish.noted and wish.noted.asked:
        return wish.noted.count, "earlier"
    return default, "default"


def _asked(wish: Wish, n_wanted: int, origin: str) -> int | None:
    """Return the count if somebody ever asked for it."""
    if origin == "lock":
        return n_wanted if wish.noted and wish.noted.asked else None
    return None if origin == "default" else n_wanted


def _shares(n_sources: int, count: int, limit: int | None) -> list[int]:
    """Return how many samples each source gives: copy 1 of every source, then copy 2, ..."""
    full, rest = divmod(count, n_sources)
    shares = [full + (number < rest) for number in range(n_sources)]
    return shares if limit is None else [min(share, limit) for share in shares]


def _usable(
    outline: Outline | None,
    folder: Path,
    recipe: Recipe,
    limits: Mapping[str, int],
    is_usable: Callable[[Path, Entry], bool],
) -> tuple[Entry, ...]:
    """Return what a folder holds of the samples that are wanted."""
    if outline is None or outline.config != recipe.digest:
        return ()
    return tuple(
        entry
        for entry in outline.entries
        if 1 <= entry.copy <= limits.get(entry.seed, 0)
        and (entry.failure or is_usable(folder, entry))
    )


def _missing(
    sources: Sequence[Source], shares: Sequence[int], done: Iterable[Entry]
) -> tuple[Copies, ...]:
    """Return the samples that are not `done`, as ranges: there may be very many."""
    there: dict[str, list[int]] = {}
    for entry in done:
        there.setdefault(entry.seed, []).append(entry.copy)
    missing = []
    for source, share in zip(sources, shares, strict=True):
        ranges, first = [], 1
        for copy in [*sorted(there.get(source.digest, ())), share + 1]:
            if copy > first:
                ranges.append(range(first, copy))
            first = copy + 1
        if ranges:
            missing.append(Copies(source, tuple(ranges)))
    return tuple(missing)


def _refuse_like_digests(sources: Sequence[Source]) -> None:
    """Raise `DataError` where two sources would give their samples the same file names."""
    names: dict[str, str] = {}
    for source in sources:
        other = names.setdefault(source.digest[:N_DIGITS], source.name)
        if other != source.name:
            raise DataError(
                f"the digests of {printable(other)!r} and {printable(source.name)!r} begin with "
                f"the same {N_DIGITS} digits, by chance, and so would the names of their samples",
                "change one of the two a little: save a picture anew in another format",
            )


def _is_there(folder: Path, entry: Entry) -> bool:
    """Return whether a sample has its file: cheap, so that a run with nothing to do is quick."""
    try:
        # Of the file itself: a link in its place is replaced, never followed.
        status = (folder / entry.file).lstat()
    except OSError:
        return False
    return S_ISREG(status.st_mode) and status.st_size == entry.n_bytes


def _is_whole(folder: Path, entry: Entry) -> bool:
    """Return whether a sample's file is what the manifest says, byte for byte."""
    there = _is_there(folder, entry)
    return there and digest_bytes(read_bytes(folder / entry.file)) == entry.digest
