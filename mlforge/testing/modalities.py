"""Conformance checks for modalities: what must hold for any kind of data.

A plugin's tests run them all on a few examples, or each of `CHECKS` as a test of its own::

    from mlforge.testing.modalities import check_modality

    def test_my_modality_conforms() -> None:
        check_modality(MyModality(), my_examples)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from mlforge.errors import ConfigError, SampleError
from mlforge.modalities import Example, Modality
from mlforge.testing._expect import expect

__all__ = [
    "CHECKS",
    "check_arrays",
    "check_encode_is_deterministic",
    "check_examples_are_not_changed",
    "check_figures",
    "check_fingerprint_is_stable",
    "check_hostile_bytes",
    "check_modality",
    "check_names",
    "check_near_pairs",
    "check_oddities",
    "check_quality_is_a_fraction",
    "check_round_trip",
    "check_thumbnail",
    "check_unknown_format",
]

_THUMBNAIL_SIDES = (1, 17, 96)
_ARRAY_SIDES = (32, 48)
_HOSTILE_BLOBS = (b"", b"\0", b"\0" * 4096, b"\xff" * 4096, b"not an example", bytes(range(256)))
_MUTATIONS = 48


def check_modality(modality: Modality, examples: Sequence[Example]) -> None:
    """Run all checks.

    Parameters
    ----------
    modality
        The modality, made with the configuration to be checked.
    examples
        At least one example as `decode` gives them.

    Raises
    ------
    AssertionError
        If a check fails; it says what the modality does and must not do.
    """
    for check in CHECKS:
        check(modality, examples)


def check_names(modality: Modality, examples: Sequence[Example]) -> None:
    """Check that suffixes, formats and versions are there and well formed."""
    expect(len(examples) > 0, "the checks need at least one example")
    expect(modality.modality == modality.name, "a modality's `modality` is its own name")
    expect(len(modality.suffixes) > 0, f"{modality.name} has no suffixes")
    for suffix in modality.suffixes:
        well_formed = suffix.startswith(".") and suffix == suffix.lower()
        expect(well_formed, f"the suffix {suffix!r} is not lower case with its dot")
    expect(len(modality.formats) > 0, f"{modality.name} has no formats")
    for file_format in modality.formats:
        known = f".{file_format}" in modality.suffixes
        expect(known, f"what is encoded as {file_format!r} has no suffix that is decoded")
    versions = modality.versions()
    expect(len(versions) > 0, "versions() names no library")
    strings = all(isinstance(part, str) for pair in versions.items() for part in pair)
    expect(strings, "versions() maps names to other things than strings")


def check_round_trip(modality: Modality, examples: Sequence[Example]) -> None:
    """Check that the default format loses nothing and that every format decodes."""
    for example in examples:
        default = modality.formats[0]
        again = modality.decode(modality.encode(example, default, "high"))
        expect(_same(again, example), f"{default!r}, the default format, changes an example")
        for file_format in modality.formats[1:]:
            decoded = modality.decode(modality.encode(example, file_format, "high"))
            expect(
                type(decoded) is type(example),
                f"{file_format!r} decodes to another type of example",
            )


def check_encode_is_deterministic(modality: Modality, examples: Sequence[Example]) -> None:
    """Check that the same example gives the same bytes, at each quality, word or number."""
    for example in examples:
        for file_format in modality.formats:
            for quality in ("low", "medium", "high", 1, 100):
                first = modality.encode(example, file_format, quality)
                second = modality.encode(copy.deepcopy(example), file_format, quality)
                expect(isinstance(first, bytes), f"{file_format!r} is not encoded to bytes")
                expect(first == second, f"{file_format!r} gives other bytes the second time")


def check_unknown_format(modality: Modality, examples: Sequence[Example]) -> None:
    """Check that an unknown format or quality is a `ConfigError`."""
    default = modality.formats[0]
    wrong: tuple[tuple[str, str | int], ...] = (
        ("no-such-format", "high"),
        (default, "no-such-quality"),
        (default, 0),
        (default, 101),
    )
    for file_format, quality in wrong:
        try:
            modality.encode(examples[0], file_format, quality)
        except ConfigError:
            continue
        expect(condition=False, message=f"encode takes {file_format!r} at quality {quality!r}")


def check_hostile_bytes(modality: Modality, examples: Sequence[Example]) -> None:
    """Check that damaged bytes decode or raise `SampleError`, and nothing else."""
    for blob in _HOSTILE_BLOBS:
        outcome = _decoded(modality, blob)
        expect(isinstance(outcome, SampleError), f"decode takes {blob[:16]!r} for an example")
    for file_format in modality.formats:
        data = modality.encode(examples[0], file_format, "high")
        for damaged in _mutations(data):
            _decoded(modality, damaged)


def check_quality_is_a_fraction(modality: Modality, examples: Sequence[Example]) -> None:
    """Check that `quality` is a float from 0 to 1, the same each time."""
    for example in examples:
        quality = modality.quality(example)
        expect(isinstance(quality, float), f"quality is a {type(quality).__name__}, not a float")
        expect(0.0 <= quality <= 1.0, f"quality is {quality}, not from 0 to 1")
        same = modality.quality(copy.deepcopy(example)) == quality
        expect(same, "quality is another one the second time")


def check_fingerprint_is_stable(modality: Modality, examples: Sequence[Example]) -> None:
    """Check that `fingerprint` is uint8, of one length, the same after a round trip."""
    lengths = set()
    for example in examples:
        bits = modality.fingerprint(example)
        expect(bits.dtype == np.uint8 and bits.ndim == 1, "a fingerprint is not a row of uint8")
        again = modality.fingerprint(copy.deepcopy(example))
        expect(np.array_equal(bits, again), "a fingerprint is another one the second time")
        decoded = modality.decode(modality.encode(example, modality.formats[0], "high"))
        expect(
            np.array_equal(bits, modality.fingerprint(decoded)),
            "a fingerprint is another one after encoding and decoding",
        )
        lengths.add(len(bits))
    expect(len(lengths) == 1, f"fingerprints have several lengths: {sorted(lengths)}")
    expect(min(lengths) >= 8, "a fingerprint has fewer than 64 bits")


def check_near_pairs(modality: Modality, examples: Sequence[Example]) -> None:
    """Check that `near_pairs` gives each pair once, the lower number first, from 0 to 1 apart."""
    prints = [modality.fingerprint(example) for example in examples]
    rows = np.stack([*prints, *prints])
    found: list[tuple[int, int]] = []
    for pairs in modality.near_pairs(rows):
        lengths = {len(pairs.one), len(pairs.other), len(pairs.distance)}
        expect(len(lengths) == 1, "near_pairs gives columns of several lengths")
        fractions = bool(((pairs.distance >= 0) & (pairs.distance <= 1)).all())
        expect(fractions, "near_pairs gives a distance that is not from 0 to 1")
        found += zip(pairs.one.tolist(), pairs.other.tolist(), strict=True)
    for one, other in found:
        expect(0 <= one < other < len(rows), f"near_pairs gives the pair {one}, {other}")
    expect(len(set(found)) == len(found), "near_pairs gives a pair twice")


def check_figures(modality: Modality, examples: Sequence[Example]) -> None:
    """Check that `measure` gives a finite float for each of `figures`, the same each time."""
    for example in examples:
        figures = modality.measure(example)
        expect(
            set(figures) == set(modality.figures),
            f"measure gives {sorted(figures)}, where figures are {sorted(modality.figures)}",
        )
        finite = all(isinstance(v, float) and np.isfinite(v) for v in figures.values())
        expect(finite, f"measure gives what is no finite float: {figures}")
        same = modality.measure(copy.deepcopy(example)) == figures
        expect(same, "measure gives other figures the second time")


def check_oddities(modality: Modality, examples: Sequence[Example]) -> None:
    """Check that findings are whole, and that none is odd where all others are the same."""
    for example in examples:
        figures = modality.measure(example)
        for n_peers in (1, 20):
            peers = {name: np.full(n_peers, value) for name, value in figures.items()}
            for oddity in modality.check(figures, peers):
                whole = bool(oddity.kind and oddity.message and oddity.fix)
                expect(whole, f"a finding lacks kind, message or fix: {oddity}")
                expect(n_peers == 1, f"{oddity.kind}: found where all examples are the same")


def check_thumbnail(modality: Modality, examples: Sequence[Example]) -> None:
    """Check that `thumbnail` is ``side x side x 3`` and uint8 at any side."""
    for example in examples:
        for side in _THUMBNAIL_SIDES:
            picture = modality.thumbnail(example, side)
            expect(
                picture.shape == (side, side, 3) and picture.dtype == np.uint8,
                f"a thumbnail of side {side} is {picture.dtype} of shape {picture.shape}",
            )


def check_arrays(modality: Modality, examples: Sequence[Example]) -> None:
    """Check what networks are given, where the modality offers it: one shape, from 0 to 1."""
    if not modality.offers_arrays:
        return
    for side in _ARRAY_SIDES:
        channels = set()
        for example in examples:
            resized = modality.resized(example, side)
            expect(_same(modality.resized(resized, side), resized), "resizing twice changes it")
            array = modality.to_array(resized)
            well_formed = array.dtype == np.float32 and array.shape[:-1] == (side, side)
            expect(well_formed, f"an array of side {side} is {array.dtype} of shape {array.shape}")
            within = bool(((array >= 0) & (array <= 1)).all())
            expect(within, "an array has values that are not from 0 to 1")
            channels.add(array.shape[-1])
        expect(len(channels) == 1, f"arrays have several numbers of channels: {sorted(channels)}")


def check_examples_are_not_changed(modality: Modality, examples: Sequence[Example]) -> None:
    """Check that no method writes into the example it is given."""
    for example in examples:
        before = copy.deepcopy(example)
        for file_format in modality.formats:
            modality.encode(example, file_format, "medium")
        modality.quality(example)
        modality.fingerprint(example)
        modality.measure(example)
        modality.thumbnail(example, 32)
        if modality.offers_arrays:
            modality.to_array(modality.resized(example, 32))
        expect(_same(example, before), "a method changed the example it was given")


def _mutations(data: bytes) -> Iterator[bytes]:
    """Yield cut, flipped, spliced and repeated copies, the same ones each time."""
    rng = np.random.default_rng(len(data))
    yield data + data
    for _ in range(_MUTATIONS):
        here, there = (int(i) for i in rng.integers(0, len(data), size=2))
        yield data[:here]
        flipped = bytearray(data)
        flipped[here] ^= 1 << int(rng.integers(8))
        yield bytes(flipped)
        yield data[:here] + data[there:]
        yield data[:here] + rng.bytes(16) + data[here + 16 :]


def _decoded(modality: Modality, data: bytes) -> Example | SampleError:
    try:
        return modality.decode(data)
    except SampleError as error:
        expect(bool(error.message), "a SampleError does not say what is wrong")
        return error
    # Anything else that decode raises is what this looks for.
    except Exception as error:
        raise AssertionError(
            f"decode raised {type(error).__name__}, not SampleError: {error}"
        ) from error


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return bool(one == other)


CHECKS: tuple[Callable[[Modality, Sequence[Example]], None], ...] = (
    check_names,
    check_round_trip,
    check_encode_is_deterministic,
    check_unknown_format,
    check_hostile_bytes,
    check_quality_is_a_fraction,
    check_fingerprint_is_stable,
    check_near_pairs,
    check_figures,
    check_oddities,
    check_thumbnail,
    check_arrays,
    check_examples_are_not_changed,
)
"""All checks; each takes a modality and examples, and raises `AssertionError`."""
