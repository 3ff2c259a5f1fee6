"""Modalities: how one kind of data is decoded, encoded, scored and compared."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mlforge.core.component import Component
from mlforge.core.registry import Registry
from mlforge.errors import ConfigError

__all__ = ["MODALITIES", "Example", "GradedChange", "Modality", "Oddity", "Pairs", "Region"]

Example = Any
"""One decoded example; its type is the modality's (an image: uint8, height x width x 3, RGB)."""


@dataclass(frozen=True)
class Oddity:
    """What stands out in one example among those of its category.

    Attributes
    ----------
    kind
        What it is, in one word for scripts.
    message
        What it is, for a person; what the example is called comes before it.
    fix
        What to do.
    """

    kind: str
    message: str
    fix: str


@dataclass(frozen=True)
class Pairs:
    """Pairs of near-duplicates, ``n_pairs`` each.

    Attributes
    ----------
    one, other
        The examples by number; `one` is always the lower.
    distance
        How far they are from each other: 0 where they look the same, at most 1.
    """

    one: npt.NDArray[np.int64]
    other: npt.NDArray[np.int64]
    distance: npt.NDArray[np.float64]


@dataclass(frozen=True)
class GradedChange:
    """A change that happens to examples in the world, in rising strength.

    Attributes
    ----------
    name
        What it is, such as ``blur``.
    unit
        What `levels` are measured in.
    levels
        From hardly any to a lot.
    apply
        Changes an example by a level; the same example and level give the same result.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    apply: Callable[[Example, float], Example]


@dataclass(frozen=True)
class Region:
    """A part of an example that can be hidden.

    Attributes
    ----------
    where
        From where to where it goes, in the modality's own terms, such as
        ``{"x": (0.2, 0.4), "y": (0.0, 0.2)}`` in shares of a picture.
    box
        Its left, top, right and bottom on the example's `thumbnail`, in shares of the side.
    """

    where: Mapping[str, tuple[float, float]]
    box: tuple[float, float, float, float]


class Modality(Component):
    """A kind of data.

    One `decode` serves seeds, samples, prediction and batch, so that what a model sees when it is
    used is what it saw when it was trained.

    Attributes
    ----------
    suffixes
        The file name endings of its examples, lower case, with the dot.
    formats
        What `encode` can write; the first is the default, and lossless.
    has_duration
        Whether an example lasts some seconds.
    offers_arrays
        Whether `resized` and `to_array` are there, so that networks can learn from its examples.
    figures
        The names of what `measure` gives.
    start_bytes
        So much of a file tells what decodes it.
    revision
        Goes up when `fingerprint` or `measure` would give other values, which are then no longer
        taken from a cache.
    """

    suffixes: ClassVar[tuple[str, ...]]
    formats: ClassVar[tuple[str, ...]]
    has_duration: ClassVar[bool] = False
    offers_arrays: ClassVar[bool] = False
    figures: ClassVar[tuple[str, ...]] = ()
    start_bytes: ClassVar[int] = 1024
    revision: ClassVar[int] = 1

    @abstractmethod
    def decode(self, data: bytes) -> Example:
        """Turn a file's bytes into an example.

        Raises
        ------
        SampleError
            If the bytes are not a complete example of an allowed format within the limits. Nothing
            else is raised and nothing crashes, whatever the bytes.
        """

    @abstractmethod
    def encode(self, example: Example, file_format: str, quality: str | int) -> bytes:
        """Turn an example into a file's bytes; `decode` gives it back.

        Parameters
        ----------
        file_format
            One of `formats`.
        quality
            ``"low"``, ``"medium"``, ``"high"``, or 1 to 100; no effect where the format is
            lossless.
        """

    @property
    def most_bytes(self) -> int | None:
        """What no encoded example is larger than; None where nothing is known of it."""
        return None

    @abstractmethod
    def quality(self, example: Example) -> float:
        """Return how much there is to see (hear, read) in an example, from 0 to 1."""

    @abstractmethod
    def fingerprint(self, example: Example) -> npt.NDArray[np.uint8]:
        """Return bits, packed into bytes, of which near-duplicates share almost all."""

    def near_pairs(self, fingerprints: npt.NDArray[np.uint8]) -> Iterator[Pairs]:
        """Yield all pairs of near-duplicates, each once, in as many parts as are convenient.

        Here: none. A modality that overrides it compares in blocks, so that 10,000 examples take
        seconds and little memory.

        Parameters
        ----------
        fingerprints
            ``n_examples x n_bytes``, as `fingerprint` gives them.
        """
        yield from ()

    def measure(self, example: Example) -> dict[str, float]:
        """Return the figures by which an example can stand out, by the names in `figures`.

        Here: none.
        """
        return {}

    def check(
        self, figures: Mapping[str, float], peers: Mapping[str, npt.NDArray[np.float64]]
    ) -> tuple[Oddity, ...]:
        """Return what stands out in an example among those of its category. Here: nothing.

        Parameters
        ----------
        figures
            What `measure` gives of the example.
        peers
            The same figures of all examples of the category, itself included, ``n_examples`` each.
        """
        return ()

    def graded_changes(self) -> tuple[GradedChange, ...]:
        """Return the changes that accuracy is measured against. Here: none."""
        return ()

    def occlusions(self, example: Example) -> Iterator[tuple[Region, Example]]:
        """Yield parts of an example, each with the example in which that part is hidden.

        Together the parts cover the example. Here: none.
        """
        yield from ()

    def resized(self, example: Example, side: int) -> Example:
        """Return an example whose `to_array` has this side; resizing it again changes nothing.

        Techniques can be applied to it as to any example. Here: not possible.

        Raises
        ------
        ConfigError
            If the modality does not offer its examples as arrays.
        """
        raise self._without_arrays()

    def to_array(self, example: Example) -> npt.NDArray[np.float32]:
        """Return a resized example as a network takes it.

        Returns
        -------
        ndarray
            ``side x side x channels``, float32, 0 to 1.

        Raises
        ------
        ConfigError
            If the modality does not offer its examples as arrays.
        """
        raise self._without_arrays()

    def _without_arrays(self) -> ConfigError:
        return ConfigError(
            f"the modality {self.name} does not offer its examples as arrays, so that nothing can "
            "be learned from them",
            "use other features: mlforge features list",
        )

    @abstractmethod
    def thumbnail(self, example: Example, side: int) -> npt.NDArray[np.uint8]:
        """Return a picture of the example: ``side x side x 3``, uint8, RGB."""

    @classmethod
    @abstractmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `decode` and `encode` give."""

    @classmethod
    def versions_for(cls, start: bytes) -> dict[str, str]:
        """Return the versions of the libraries that decode this file, and that most files need not.

        Here: none.

        Parameters
        ----------
        start
            The first `start_bytes` of the file.
        """
        return {}


MODALITIES: Registry[Modality] = Registry("modality", Modality)
