"""The extractor `kmers`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.extractors import Extractor
from mlforge_dna.modality import LETTERS, shares

__all__ = ["Kmers"]


@dataclass(frozen=True, kw_only=True)
class KmersConfig(ComponentConfig):
    """The parameters of `kmers`."""

    length: Annotated[int, Ge(1), Le(6)] = 3
    """How many letters a run has."""


class Kmers(Extractor):
    """How often each run of a few letters occurs."""

    name = "kmers"
    modality = "dna"
    Config = KmersConfig

    def names(self) -> list[str]:
        """Return ``kmers_<letters>``, in alphabetical order."""
        return [f"kmers_{''.join(run)}" for run in product(LETTERS, repeat=self.config.length)]

    def extract(self, examples: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the share of each run, float32, ``n_examples x n_features``."""
        features = np.empty((len(examples), len(self.names())), np.float32)
        for row, sequence in zip(features, examples, strict=True):
            row[:] = shares(sequence, self.config.length)
        return features
