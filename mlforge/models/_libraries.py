"""What models need of the libraries that fit them: versions, seeds and one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

import numpy as np

__all__ = ["library_versions", "one_thread", "seed_from"]


def library_versions(*distributions: str) -> dict[str, str]:
    """Return the versions of installed distributions, without importing them."""
    return {name: metadata.version(name) for name in distributions}


def seed_from(rng: np.random.Generator) -> int:
    """Draw a seed that every library takes."""
    return int(rng.integers(2**31))


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep linear algebra to one thread: with more, its sums have other last bits."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield
