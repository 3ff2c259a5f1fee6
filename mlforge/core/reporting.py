"""What long-running work tells whoever watches it, without printing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["Advance", "Reporter", "SilentReporter"]


class Advance(Protocol):
    """Says that so many more items are done."""

    def __call__(self, n_items: int = 1, /) -> None:
        """Add `n_items` to what is done."""


class Reporter(Protocol):
    """Takes warnings and progress; the command line shows them, a library user may ignore them."""

    def warn(self, message: str) -> None:
        """Take one warning, a sentence for a person."""

    def info(self, message: str) -> None:
        """Take one log line, shown with ``--verbose``."""

    def progress(self, description: str, total: int) -> AbstractContextManager[Advance]:
        """Open a progress bar over `total` items; its value is called as items finish."""


class SilentReporter:
    """Drops everything except the warnings, which it keeps.

    Attributes
    ----------
    warnings
        The warnings so far.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        """Keep one warning."""
        self.warnings.append(message)

    def info(self, message: str) -> None:
        """Drop one log line."""

    @contextmanager
    def progress(self, description: str, total: int) -> Iterator[Advance]:
        """Count for nobody."""

        def advance(n_items: int = 1, /) -> None:
            pass

        yield advance
