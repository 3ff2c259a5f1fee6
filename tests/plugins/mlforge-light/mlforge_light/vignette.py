"""The technique `vignette`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import Annotated

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig
from mlforge.techniques import Drawn, Technique

__all__ = ["Vignette"]


@dataclass(frozen=True, kw_only=True)
class VignetteConfig(ComponentConfig):
    """The parameters of `vignette`."""

    limit: Annotated[float, Ge(0), Le(1)] = 0.5
    """The share of light that the corners lose at most."""


class Vignette(Technique):
    """Darkens the corners, as a simple lens does."""

    name = "vignette"
    modality = "image"
    Config = VignetteConfig

    def apply(
        self, example: npt.NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], Drawn]:
        """Return a varied image and the share of light that its corners lost.

        Parameters
        ----------
        example
            uint8, height x width x 3, RGB; it is never changed.
        rng
            The only source of randomness.
        """
        loss = round(float(rng.uniform(0.0, self.config.limit)), 4)
        height, width = example.shape[:2]
        down = np.linspace(-1.0, 1.0, height)[:, None]
        across = np.linspace(-1.0, 1.0, width)[None, :]
        light = 1.0 - loss * (down**2 + across**2) / 2
        return np.rint(example * light[..., None]).astype(np.uint8), {"loss": loss}

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions that decide the result: its own too, so a new one remakes samples."""
        own = "mlforge-light"
        return {"numpy": np.__version__, own: metadata.version(own)}
