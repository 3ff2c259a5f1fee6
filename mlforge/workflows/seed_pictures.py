"""Seeds as small pictures, for pages that show them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlforge.errors import MlforgeError
from mlforge.modalities import MODALITIES, Modality
from mlforge.storage.files import read_bytes

__all__ = ["SeedPictures"]

_QUALITY = 75
_N_KEPT = 36


class SeedPictures:
    """Small pictures of seeds, each made once however many pages show it.

    Parameters
    ----------
    modality
        Decodes a seed and draws its picture.
    paths
        The file of each seed by its digest; a seed that is not there gets no picture.

    Attributes
    ----------
    modality
        As above.
    """

    def __init__(self, modality: Modality, paths: Mapping[str, Path]) -> None:
        self.modality = modality
        self._paths = paths
        self._image = MODALITIES.get("image")()
        self._made: dict[tuple[str, int], bytes | None] = {}
        # Models of one training show mostly the same few seeds in full.
        self._recent = lru_cache(_N_KEPT)(self._decoded)

    def load(self, digest: str, side: int) -> bytes | None:
        """Return a seed's picture of `side` pixels, encoded; None where there is none."""
        key = (digest, side)
        if key not in self._made:
            example = self._decoded(digest)
            self._made[key] = (
                None if example is None else self.encode(self.modality.thumbnail(example, side))
            )
        return self._made[key]

    def example(self, digest: str) -> Any | None:
        """Return a decoded seed; None where it is gone or unreadable."""
        return self._recent(digest)

    def _decoded(self, digest: str) -> Any | None:
        path = self._paths.get(digest)
        if path is None:
            return None
        try:
            return self.modality.decode(read_bytes(path))
        except MlforgeError:
            return None

    def encode(self, picture: npt.NDArray[np.uint8]) -> bytes:
        """Return a picture, ``height x width x 3``, as WebP."""
        return self._image.encode(picture, "webp", _QUALITY)
