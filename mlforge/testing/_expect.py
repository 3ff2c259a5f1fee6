"""The one way in which conformance checks fail."""

from __future__ import annotations

__all__ = ["expect"]


def expect(condition: bool, message: str) -> None:  # noqa: FBT001 - the condition is the subject
    """Raise `AssertionError` with `message` unless `condition` holds.

    Plain ``assert`` is stripped by ``python -O``; a conformance check must not be.
    """
    if not condition:
        raise AssertionError(message)
