"""The generator `framed`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from annotated_types import Ge, Le

from mlforge.core.randomness import Streams
from mlforge.generators import Generated, Generator, GeneratorConfig
from mlforge.modalities import Example

__all__ = ["Framed"]


@dataclass(frozen=True, kw_only=True)
class FramedConfig(GeneratorConfig):
    """The parameters of `framed`."""

    margin: Annotated[float, Ge(0.01), Le(0.5)] = 0.2
    """The widest frame, as a share of the picture's side."""


class Framed(Generator):
    """Puts seeds into plain frames of many colours and widths, then varies them.

    So a model learns what is in the picture, not what is around it.
    """

    name = "framed"
    modality = "image"
    Config = FramedConfig

    def generate(
        self, sources: Sequence[Example], copy: int, streams: Streams, attempt: int = 0
    ) -> Generated:
        """Make one sample of the only seed in `sources`."""
        (seed,) = sources
        rng = streams.rng("copy", copy, attempt)
        height, width = seed.shape[:2]
        share = float(rng.uniform(0.0, self.config.margin))
        rows, columns = round(height * share), round(width * share)
        color = [int(level) for level in rng.integers(0, 256, 3)]
        framed = cv2.copyMakeBorder(
            seed, rows, rows, columns, columns, cv2.BORDER_CONSTANT, value=color
        )
        scaled = np.asarray(cv2.resize(framed, (width, height), interpolation=cv2.INTER_AREA))
        step = {"step": "frame", "rows": rows, "columns": columns, "color": color}
        varied = self.apply_techniques(scaled, rng)
        return Generated(varied.example, (step, *varied.recipe))
