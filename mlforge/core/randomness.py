"""Random draws that depend on what they are for and on nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from mlforge.core.digest import canonical_json, json_bytes

__all__ = ["Streams"]


@dataclass(frozen=True)
class Streams:
    """A tree of independent random generators, each addressed by a path of names.

    A generator's draws depend on its path alone: not on order, process, worker count or time.

    Parameters
    ----------
    path
        What the draws are for, such as a configuration's digest and a seed's digest.

    Examples
    --------
    >>> streams = Streams(("samples", "ab12"))
    >>> a = streams.rng("copy", 3).random()
    >>> a == Streams(("samples", "ab12", "copy")).rng(3).random()
    True
    """

    path: tuple[str | int, ...]

    def child(self, *names: str | int) -> Streams:
        """Return the subtree below `names`."""
        return Streams(self.path + names)

    def rng(self, *names: str | int) -> np.random.Generator:
        """Return a new generator at the start of the stream below `names`."""
        key = json_bytes(canonical_json([*self.path, *names]))
        entropy = int.from_bytes(hashlib.sha256(key).digest(), "little")
        return np.random.Generator(np.random.PCG64(entropy))
