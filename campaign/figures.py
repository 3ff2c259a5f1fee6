"""All figures, by number."""

from __future__ import annotations

from campaign import degenerate, given, interruption, shown, stored, together

__all__ = ["FIGURES"]

FIGURES = tuple(
    sorted(
        (
            *interruption.FIGURES,
            *stored.FIGURES,
            *together.FIGURES,
            *given.FIGURES,
            *shown.FIGURES,
            *degenerate.FIGURES,
        ),
        key=lambda figure: figure.number,
    )
)
