"""Near-duplicates among seeds: found once, so that no figure comes from a picture seen in training.

A seed is decoded once; its fingerprint and figures are cached beside the features.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from mlforge.core.digest import digest_bytes, digest_json
from mlforge.core.names import printable
from mlforge.core.records import Seed
from mlforge.core.reporting import Reporter
from mlforge.engines.local import LocalEngine
from mlforge.errors import DataError, SampleError, StorageError
from mlforge.modalities import Modality
from mlforge.storage.feature_cache import FeatureCache
from mlforge.storage.files import read_bytes
from mlforge.workflows.workspace import Workspace

__all__ = [
    "Looks",
    "NearDuplicates",
    "find_near_duplicates",
    "look_at",
    "tied_groups",
]

_CHUNK = 64
# Ties made one by one before those that follow from them are dropped.
_TIES = 4096

Figures = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Looks:
    """What seeds look like.

    Attributes
    ----------
    fingerprints
        Of each seed that could be decoded, by digest: ``n_bytes``.
    figures
        What its modality measures, by digest and name.
    unreadable
        Why the others could not be decoded, by digest.
    """

    fingerprints: Mapping[str, npt.NDArray[np.uint8]]
    figures: Mapping[str, Mapping[str, float]]
    unreadable: Mapping[str, DataError]


@dataclass(frozen=True)
class NearDuplicates:
    """Which seeds are near-duplicates of which.

    Attributes
    ----------
    cluster
        The lowest number among the seeds that each is tied to by near-duplicates of
        near-duplicates, ``n_seeds``; its own where there are none.
    crossing
        How near the nearest seed of another category is that has other bytes, ``n_seeds``: 0 the
        same, at most 1; infinite where none is a near-duplicate.
    """

    cluster: npt.NDArray[np.int64]
    crossing: npt.NDArray[np.float64]


def tied_groups(
    seeds: Sequence[Seed], near: NearDuplicates, ties: Iterable[tuple[str, str]] = ()
) -> tuple[str, ...]:
    """Return the group of each seed, where groups that share a picture become one.

    Seeds are of one group if they have the same group already, the same bytes, or are
    near-duplicates, in whatever category, and so are groups that a chain of these ties. A joined
    group has the least of its seeds' groups' names.

    Parameters
    ----------
    ties
        Pairs of groups that are to become one though no two seeds show it.
    """
    pairs = list(ties)
    named = dict.fromkeys(chain((seed.group for seed in seeds), *pairs))
    number_of = {name: len(seeds) + number for number, name in enumerate(named)}
    joined = _Ties(len(seeds) + len(named))
    first: dict[str, int] = {}
    for number, seed in enumerate(seeds):
        joined.tie(number, int(near.cluster[number]))
        joined.tie(number, number_of[seed.group])
        joined.tie(number, first.setdefault(seed.digest, number))
    for one, other in pairs:
        joined.tie(number_of[one], number_of[other])
    names: dict[int, str] = {}
    for number, seed in enumerate(seeds):
        root = joined.root(number)
        names[root] = min(names.get(root, seed.group), seed.group)
    return tuple(names[joined.root(number)] for number in range(len(seeds)))


def find_near_duplicates(
    modality: Modality, seeds: Sequence[Seed], looks: Looks, owners: Sequence[str] = ()
) -> NearDuplicates:
    """Compare all seeds with each other.

    Parameters
    ----------
    owners
        The category of each seed; without it no seed crosses from one to another.
    """
    ties = _Ties(len(seeds))
    crossing = np.full(len(seeds), np.inf)
    known = [number for number, seed in enumerate(seeds) if seed.digest in looks.fingerprints]
    if known:
        numbers = np.array(known)
        digests = np.unique([seeds[number].digest for number in known], return_inverse=True)[1]
        codes = np.unique([owners[n] for n in known], return_inverse=True)[1] if owners else None
        prints = np.stack([looks.fingerprints[seeds[number].digest] for number in known])
        for pairs in modality.near_pairs(prints):
            ties.tie_all(numbers[pairs.one], numbers[pairs.other])
            if codes is None:
                continue
            apart = codes[pairs.one] != codes[pairs.other]
            apart &= digests[pairs.one] != digests[pairs.other]
            for side in (pairs.one, pairs.other):
                np.minimum.at(crossing, numbers[side[apart]], pairs.distance[apart])
    return NearDuplicates(ties.roots(), crossing)


def look_at(
    workspace: Workspace, seeds: Iterable[Seed], engine: LocalEngine, reporter: Reporter
) -> Looks:
    """Return what seeds look like, from the cache or by decoding each once."""
    modality = workspace.modality
    by_digest = {seed.digest: seed for seed in seeds}
    cache = FeatureCache(workspace.layout.cache, _cache_key(modality))
    rows = cache.load(list(by_digest))
    missing = [seed for digest, seed in by_digest.items() if digest not in rows]
    made, unreadable = _look_at_missing(modality, missing, engine, reporter)
    if made:
        # Where nothing may be written, looking again costs time and nothing else.
        with suppress(StorageError):
            cache.store(list(made), np.stack(list(made.values())))
    rows |= made
    n_figures = len(modality.figures)
    return Looks(
        {digest: row[n_figures:].astype(np.uint8) for digest, row in rows.items()},
        {d: dict(zip(modality.figures, row.tolist(), strict=False)) for d, row in rows.items()},
        unreadable,
    )


def _cache_key(modality: Modality) -> str:
    key = digest_json(
        {
            "modality": [modality.name, modality.parameters(), modality.revision],
            "figures": list(modality.figures),
            "versions": modality.versions(),
        }
    )
    return f"look-{key[:16]}"


@dataclass(frozen=True)
class _Chunk:
    modality: Modality
    seeds: tuple[Seed, ...]


def _look_at_missing(
    modality: Modality, seeds: Sequence[Seed], engine: LocalEngine, reporter: Reporter
) -> tuple[dict[str, Figures], dict[str, DataError]]:
    made: dict[str, Figures] = {}
    unreadable: dict[str, DataError] = {}
    if not seeds:
        return made, unreadable
    parts = [tuple(seeds[start : start + _CHUNK]) for start in range(0, len(seeds), _CHUNK)]
    chunks = [_Chunk(modality, part) for part in parts]
    with reporter.progress("looking at seeds", len(seeds)) as advance:
        for chunk, outcome in zip(chunks, engine.map(_look_at_chunk, chunks), strict=True):
            for seed, look in zip(chunk.seeds, outcome.unwrap(), strict=True):
                if isinstance(look, DataError):
                    unreadable[seed.digest] = look
                else:
                    made[seed.digest] = look
            advance(len(chunk.seeds))
    return made, unreadable


def _look_at_chunk(chunk: _Chunk) -> list[Figures | DataError]:
    """Decode each seed once; run by a worker."""
    return [_look(chunk.modality, seed) for seed in chunk.seeds]


def _look(modality: Modality, seed: Seed) -> Figures | DataError:
    try:
        data = read_bytes(seed.path)
        if digest_bytes(data) != seed.digest:
            name = printable(seed.path.name)
            raise SampleError(f"{name} was changed while it was read", "run the same command again")
        example = modality.decode(data)
    except DataError as error:
        return error
    figures = modality.measure(example)
    values = [figures[name] for name in modality.figures]
    return np.concatenate([values, modality.fingerprint(example)]).astype(np.float32)


class _Ties:
    """Which of so many things belong together; each set is known by its lowest number."""

    def __init__(self, n: int) -> None:
        self._parents = list(range(n))

    def root(self, number: int) -> int:
        """Return the lowest number that `number` is tied to."""
        parents = self._parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def tie(self, one: int, other: int) -> None:
        """Put the sets of two numbers together."""
        low, high = sorted((self.root(one), self.root(other)))
        self._parents[high] = low

    def tie_all(self, ones: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> None:
        """Put the sets of many pairs together; quick where most are together already."""
        while len(ones):
            for one, other in zip(ones[:_TIES].tolist(), others[:_TIES].tolist(), strict=True):
                self.tie(one, other)
            roots = self.roots()
            apart = roots[ones] != roots[others]
            ones, others = ones[apart], others[apart]

    def roots(self) -> npt.NDArray[np.int64]:
        """Return the lowest number that each is tied to."""
        return np.array([self.root(number) for number in range(len(self._parents))], np.int64)
