"""What a network is made of and how it is trained: all that decides what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ACTIVATIONS", "STRIDE", "Batch", "Draw", "NetworkPlan"]

Batch = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]
"""Arrays, ``n x height x width x channels`` from 0 to 1, and their categories by number."""
Draw = Callable[[int, np.random.Generator], Batch]
"""Draws so many training examples, varied anew each time."""

_N_STAGES = 5
_WIDEST = 4
STRIDE = 2 ** (_N_STAGES - 1)
"""How far apart the places are that the last convolution sees, in places of an array."""
ACTIVATIONS = "activations"
"""The output of a network's graph that holds the class-activation maps."""


@dataclass(frozen=True)
class NetworkPlan:
    """The shape of a network, and its schedule.

    Attributes
    ----------
    n_channels
        Of the arrays.
    n_categories
        What it is trained to tell apart.
    width
        Channels of the first convolution; later ones have up to four times as many.
    n_steps
        Batches that it is trained on, at least 10.
    batch_size
        Examples a batch.
    learning_rate
        The highest of the schedule.
    """

    n_channels: int
    n_categories: int
    width: int
    n_steps: int
    batch_size: int = 32
    learning_rate: float = 6e-3

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels of the arrays and of what each convolution gives."""
        grown = (min(2**stage, _WIDEST) * self.width for stage in range(_N_STAGES))
        return (self.n_channels, *grown)

    @property
    def n_features(self) -> int:
        """How many numbers describe an example."""
        return self.channels[-1]
