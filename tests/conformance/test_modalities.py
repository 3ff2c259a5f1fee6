"""Every registered modality passes the checks that a plugin's must pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mlforge.modalities import MODALITIES, Example, Modality
from mlforge.modalities.image import Image
from mlforge.testing.modalities import CHECKS, check_modality

Pixels = npt.NDArray[np.uint8]
Check = Callable[[Modality, Sequence[Example]], None]


def pictures() -> list[Pixels]:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (37, 61, 3), dtype=np.uint8)
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 90, axis=0).repeat(3, axis=2)
    dot = np.full((1, 1, 3), 200, np.uint8)
    return [noise, np.ascontiguousarray(ramp), dot]


EXAMPLES: dict[str, Callable[[], Sequence[Example]]] = {"image": pictures}


def test_every_registered_modality_has_examples_here_and_the_other_way_round() -> None:
    assert MODALITIES.names() == sorted(EXAMPLES)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_modality_conforms(name: str, check: Check) -> None:
    check(MODALITIES.get(name)(), EXAMPLES[name]())


class CrashesOnDamage(Image):
    def decode(self, data: bytes) -> Pixels:
        if not data:
            raise ValueError("no data")
        return super().decode(data)


class TakesAnything(Image):
    def decode(self, data: bytes) -> Pixels:
        return np.zeros((4, 4, 3), np.uint8)


class Lossy(Image):
    def encode(self, example: Example, file_format: str, quality: str | int) -> bytes:
        return super().encode(example // 2, file_format, quality)


class Forgetful(Image):
    calls = 0

    def encode(self, example: Example, file_format: str, quality: str | int) -> bytes:
        self.calls += 1
        return super().encode(example, file_format, quality) + bytes([self.calls % 256])


class TakesAnyFormat(Image):
    def encode(self, example: Example, file_format: str, quality: str | int) -> bytes:
        return super().encode(
            example, file_format if file_format in self.formats else "png", quality
        )


class Percent(Image):
    def quality(self, example: Example) -> float:
        return 100.0 * super().quality(example)


class LongFingerprint(Image):
    def fingerprint(self, example: Example) -> Pixels:
        return np.zeros(len(example) + 8, np.uint8)


class ThinThumbnail(Image):
    def thumbnail(self, example: Example, side: int) -> Pixels:
        return super().thumbnail(example, side)[:, :, 0]


class ByteArrays(Image):
    def to_array(self, example: Example) -> Any:
        return example


class BrightArrays(Image):
    def to_array(self, example: Example) -> Any:
        return example.astype(np.float32)


class ShiftingArrays(Image):
    def resized(self, example: Example, side: int) -> Example:
        return np.roll(super().resized(example, side), 1, axis=0)


class Scribbler(Image):
    def quality(self, example: Example) -> float:
        example[0, 0] ^= 1
        return 0.5


class NoSuffix(Image):
    suffixes = (".PNG",)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (CrashesOnDamage, "decode raised ValueError"),
        (TakesAnything, "changes an example"),
        (Lossy, "changes an example"),
        (Forgetful, "other bytes the second time"),
        (TakesAnyFormat, "encode takes 'no-such-format'"),
        (Percent, "not from 0 to 1"),
        (LongFingerprint, "several lengths"),
        (ThinThumbnail, "a thumbnail of side"),
        (ByteArrays, "is uint8 of shape"),
        (BrightArrays, "an array has values"),
        (ShiftingArrays, "resizing twice"),
        (Scribbler, "changed the example"),
        (NoSuffix, "not lower case"),
    ],
)
def test_checks_find_a_broken_modality(broken: type[Modality], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_modality(broken(), pictures())


def test_hostile_bytes_that_decode_are_found() -> None:
    check = next(check for check in CHECKS if check.__name__ == "check_hostile_bytes")
    with pytest.raises(AssertionError, match="for an example"):
        check(TakesAnything(), pictures())
