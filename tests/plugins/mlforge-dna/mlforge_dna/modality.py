"""The modality `dna`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import cv2
import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.errors import ConfigError, SampleError
from mlforge.modalities import Modality

__all__ = ["LETTERS", "Dna", "shares"]

LETTERS = "ACGT"
_BITS_OF_FOUR_LETTERS = 2.0
_FINGERPRINT_LENGTH = 4
_COLORS = np.array([[0, 158, 115], [0, 114, 178], [230, 159, 0], [213, 94, 0]], np.uint8)


@dataclass(frozen=True, kw_only=True)
class DnaConfig(ComponentConfig):
    """The parameters of `dna`."""

    max_length: Annotated[int, Ge(1), Le(1_000_000)] = 10_000
    """The longest sequence, in letters."""


class Dna(Modality):
    """Sequences of the letters A, C, G and T, as text.

    An example is a string of these letters. A file may break it into lines and use small letters;
    anything else is refused.
    """

    name = "dna"
    modality = "dna"
    suffixes: ClassVar[tuple[str, ...]] = (".dna",)
    formats: ClassVar[tuple[str, ...]] = ("dna",)
    Config = DnaConfig

    def decode(self, data: bytes) -> str:
        """Turn a file's bytes into a sequence.

        Raises
        ------
        SampleError
            If there is no letter, too many, or another character.
        """
        letters = b"".join(data.split()).upper()
        if not 1 <= len(letters) <= self.config.max_length:
            raise SampleError(f"{len(letters)} letters; 1 to {self.config.max_length} are read")
        if letters.translate(None, LETTERS.encode()):
            raise SampleError(
                f"other characters than {LETTERS}", "save the sequence alone, as text"
            )
        return letters.decode("ascii")

    def encode(self, example: str, file_format: str, quality: str | int) -> bytes:
        """Turn a sequence into a file's bytes; `quality` has no effect.

        Raises
        ------
        ConfigError
            If the format or the quality is unknown.
        """
        if file_format not in self.formats:
            raise ConfigError(f"unknown format {file_format!r}", "use dna")
        if quality not in ("low", "medium", "high", *range(1, 101)):
            raise ConfigError(f"unknown quality {quality!r}", "use low, medium, high, or 1 to 100")
        return f"{example}\n".encode("ascii")

    def quality(self, example: str) -> float:
        """Return the entropy of the letters: 0 for one letter only, 1 for all alike."""
        parts = shares(example, 1)
        parts = parts[parts > 0]
        return float(abs(parts @ np.log2(parts))) / _BITS_OF_FOUR_LETTERS

    def fingerprint(self, example: str) -> npt.NDArray[np.uint8]:
        """Return 256 bits: which runs of four letters occur."""
        return np.packbits(shares(example, _FINGERPRINT_LENGTH) > 0)

    def thumbnail(self, example: str, side: int) -> npt.NDArray[np.uint8]:
        """Return the sequence as coloured stripes, ``side x side x 3``."""
        stripes = _COLORS[[LETTERS.index(letter) for letter in example]][None]
        return np.asarray(cv2.resize(stripes, (side, side), interpolation=cv2.INTER_NEAREST))

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what a sequence becomes."""
        return {"numpy": np.__version__}


def shares(sequence: str, length: int) -> npt.NDArray[np.float64]:
    """Return how often each run of `length` letters occurs, as a share, in alphabetical order.

    Examples
    --------
    >>> shares("ACCA", 1).tolist()
    [0.5, 0.5, 0.0, 0.0]
    """
    digits = np.array([LETTERS.index(letter) for letter in sequence])
    n_runs = max(len(digits) - length + 1, 0)
    runs = np.zeros(n_runs, np.int64)
    for first in range(length):
        runs = runs * len(LETTERS) + digits[first : first + n_runs]
    counts = np.bincount(runs, minlength=len(LETTERS) ** length)
    return counts / max(n_runs, 1)
