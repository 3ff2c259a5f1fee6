"""The generator `augmentation`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from mlforge.core.randomness import Streams
from mlforge.generators import Generated, Generator
from mlforge.modalities import Example

__all__ = ["Augmentation"]


class Augmentation(Generator):
    """Varies seeds: each sample is a seed passed through the category's techniques.

    With an `augmentation_ratio` below 1, some seeds get one untouched copy, so that over many
    seeds or few copies that share of samples is varied. Which copy of a seed is the untouched one
    does not depend on how many are made.
    """

    name = "augmentation"
    varies_only: ClassVar[bool] = True

    def generate(
        self, sources: Sequence[Example], copy: int, streams: Streams, attempt: int = 0
    ) -> Generated:
        """Make one sample of the only seed in `sources`."""
        (seed,) = sources
        if self._is_untouched(copy, streams):
            return Generated(seed, ())
        return self.apply_techniques(seed, streams.rng("copy", copy, attempt))

    def limit_per_seed(self) -> int | None:
        """Return 1 where nothing is varied, since all copies would be equal; otherwise None."""
        return None if self._varied_share > 0 else 1

    @property
    def _varied_share(self) -> float:
        return self.category.augmentation_settings.augmentation_ratio if self.techniques else 0.0

    def _is_untouched(self, copy: int, streams: Streams) -> bool:
        """Return whether it is the first of the seed's copies that a draw leaves unvaried."""
        share = self._varied_share
        if share in (0.0, 1.0):
            return share == 0.0
        return copy == int(streams.rng("untouched").geometric(1.0 - share))
