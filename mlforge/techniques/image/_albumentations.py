"""Techniques that albumentations carries out."""

from __future__ import annotations

import copy
import os
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from importlib import metadata
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from mlforge.techniques import Drawn
from mlforge.techniques.image._image import ImageTechnique, shortened

__all__ = ["AlbumentationsTechnique"]


class AlbumentationsTechnique(ImageTechnique):
    """A technique that one transform of albumentations carries out.

    The transform is built once. Every application works on a shallow copy of it with a seed of its
    own, so one technique serves several threads.
    """

    @abstractmethod
    def transform(self, library: ModuleType) -> Any:
        """Build the transform from `config`.

        Parameters
        ----------
        library
            The module `albumentations`.
        """

    @abstractmethod
    def describe(self, params: Mapping[str, Any]) -> Drawn:
        """Return what was drawn, in a person's terms.

        Parameters
        ----------
        params
            The values that the transform drew; empty where it left the image as it was.
        """

    def adapt(self, transform: Any, height: int, width: int) -> None:
        """Set what depends on the size of the image, in pixels, on a transform about to be used."""

    def apply(
        self, example: npt.NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], Drawn]:
        """Return a varied image and the values that were drawn for it.

        Parameters
        ----------
        example
            uint8, height x width x 3, RGB; it is never changed.
        rng
            The only source of randomness.
        """
        transform = copy.copy(self._built)
        transform.set_random_seed(int(rng.integers(2**32)))
        self.adapt(transform, *example.shape[:2])
        image: npt.NDArray[np.uint8] = transform(image=example)["image"]
        return image, shortened(self.describe(transform.params))

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `apply` gives."""
        names = ("albucore", "albumentations")
        return {name: metadata.version(name) for name in names} | super().versions()

    @cached_property
    def _built(self) -> Any:
        # Otherwise the import asks the network for a newer version.
        os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
        import albumentations

        return self.transform(albumentations)

    def __getstate__(self) -> dict[str, Any]:
        # Unpickling a built transform would import albumentations before the line above has run.
        return {name: value for name, value in vars(self).items() if name != "_built"}
