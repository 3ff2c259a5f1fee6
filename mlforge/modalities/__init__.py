"""Modalities: how one kind of data is decoded, encoded, scored and compared."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mlforge.core.component import Component
from mlforge.core.registry import Registry

__all__ = ["MODALITIES", "Example", "Modality"]

Example = Any
"""One decoded example; its type is the modality's (an image: uint8, height x width x 3, RGB)."""


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
    """

    suffixes: ClassVar[tuple[str, ...]]
    formats: ClassVar[tuple[str, ...]]
    has_duration: ClassVar[bool] = False

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

    @abstractmethod
    def quality(self, example: Example) -> float:
        """Return how much there is to see (hear, read) in an example, from 0 to 1."""

    @abstractmethod
    def fingerprint(self, example: Example) -> npt.NDArray[np.uint8]:
        """Return bits, packed into bytes, of which near-duplicates share almost all."""

    @abstractmethod
    def thumbnail(self, example: Example, side: int) -> npt.NDArray[np.uint8]:
        """Return a picture of the example: ``side x side x 3``, uint8, RGB."""

    @classmethod
    @abstractmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `decode` and `encode` give."""


MODALITIES: Registry[Modality] = Registry("modality", Modality)
