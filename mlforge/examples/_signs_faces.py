"""The faces of the example signs: clean, flat and seen from the front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlforge.examples._paint import Array, Colour, Line, Points, Polygon, arc, draw, rounded

__all__ = ["FACES", "FACE_SIDE", "UNIT", "Face"]

FACE_SIDE = 384
"""Height and width of a face in pixels."""
UNIT = 180
"""Pixels per unit: faces reach from -1 to 1, with a margin for the plate's rim."""

RED: Colour = (0.76, 0.07, 0.10)
BLUE: Colour = (0.04, 0.25, 0.62)
YELLOW: Colour = (0.98, 0.74, 0.06)
WHITE: Colour = (0.95, 0.95, 0.93)
BLACK: Colour = (0.06, 0.06, 0.07)
RIM: Colour = (0.60, 0.62, 0.64)

Path = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Face:
    """What a kind of sign looks like before weather, light and distance.

    Attributes
    ----------
    shapes
        What is drawn on one another, in pixels, the plate first.
    """

    shapes: tuple[Polygon | Line, ...]

    def layer(self) -> Array:
        """Return the face as a layer, ``FACE_SIDE x FACE_SIDE x 4``."""
        return draw(np.zeros((FACE_SIDE, FACE_SIDE, 4), np.float32), self.shapes)


def _pixels(path: Path) -> Points:
    return np.asarray(path, dtype=np.float64) * UNIT + FACE_SIDE / 2


def _fill(path: Path, colour: Colour) -> Polygon:
    return Polygon(_pixels(path), colour)


def _stroke(path: Path, thickness: float, colour: Colour) -> Line:
    return Line(_pixels(path), thickness * UNIT, colour)


def _scaled(path: Path, factor: float, down: float = 0.0) -> Path:
    return [(x * factor, y * factor + down) for x, y in path]


def _plate(outline: Path, colour: Colour) -> tuple[Polygon, Polygon]:
    return _fill(_scaled(outline, 1.03), RIM), _fill(outline, colour)


def _regular(n_sides: int, turn: float) -> Path:
    angles = np.radians(turn + 360 / n_sides * np.arange(n_sides))
    return [(float(np.cos(a)), float(np.sin(a))) for a in angles]


_DISC: Path = _regular(120, 0.0)
_SQUARE: Path = [(-0.86, -0.86), (0.86, -0.86), (0.86, 0.86), (-0.86, 0.86)]
_DIAMOND: Path = [(0, -1), (1, 0), (0, 1), (-1, 0)]
_TRIANGLE_DOWN: Path = [(-1.02, -0.83), (1.02, -0.83), (0, 0.95)]
_TRIANGLE_UP: Path = [(0, -0.72), (0.72, 0.56), (-0.72, 0.56)]

# Strokes in a box from -0.5 to 0.5 across and from -1 to 1 down.
_ROUND: Path = [*arc((0, -0.45), (0.5, 0.55), 180, 360), *arc((0, 0.45), (0.5, 0.55), 0, 180)]
_GLYPHS: dict[str, Path] = {
    "0": [*_ROUND, _ROUND[0]],
    "3": [*arc((0, -0.5), (0.46, 0.5), 205, 450), *arc((0, 0.5), (0.5, 0.5), 270, 520)],
    "5": [(0.42, -1), (-0.36, -1), (-0.42, -0.1), *arc((0, 0.38), (0.5, 0.62), 222, 510)],
    "S": [*arc((0, -0.5), (0.46, 0.5), -25, -270), *arc((0, 0.5), (0.5, 0.5), -90, 155)],
    "T": [(-0.5, -1), (0.5, -1), (0, -1), (0, 1)],
    "O": [*_ROUND, _ROUND[0]],
    "P": [
        (-0.42, 1),
        (-0.42, -1),
        (0.02, -1),
        *arc((0.02, -0.45), (0.46, 0.55), -90, 90),
        (-0.42, 0.1),
    ],
}


def _text(text: str, size: tuple[float, float], weight: float, ink: Colour) -> list[Line]:
    """Return `text` in the middle; `size` is a letter's width and half height in units."""
    width, half_height = size
    pitch = width * 1.62
    letters = []
    for place, letter in enumerate(text):
        left = (place - (len(text) - 1) / 2) * pitch
        path = [(left + x * width, y * half_height) for x, y in _GLYPHS[letter]]
        letters.append(_stroke(path, weight, ink))
    return letters


def _stop() -> Face:
    outline = rounded(_regular(8, 22.5), 0.05)
    letters = _text("STOP", (0.235, 0.29), 0.115, WHITE)
    return Face((*_plate(outline, WHITE), _fill(_scaled(outline, 0.925), RED), *letters))


def _yield() -> Face:
    inside = rounded(_scaled(_TRIANGLE_DOWN, 0.60, -0.105), 0.07)
    return Face((*_plate(rounded(_TRIANGLE_DOWN, 0.16), RED), _fill(inside, WHITE)))


def _priority() -> Face:
    plate = _plate(rounded(_DIAMOND, 0.14), WHITE)
    black = _fill(rounded(_scaled(_DIAMOND, 0.75), 0.07), BLACK)
    return Face((*plate, black, _fill(rounded(_scaled(_DIAMOND, 0.70), 0.06), YELLOW)))


def _speed(text: str) -> Face:
    ring = _fill(_scaled(_DISC, 0.965), RED)
    inside = _fill(_scaled(_DISC, 0.745), WHITE)
    return Face((*_plate(_DISC, WHITE), ring, inside, *_text(text, (0.335, 0.37), 0.145, BLACK)))


def _turn(side: int) -> Face:
    """Return an arrow that bends to the left (-1) or to the right (1)."""
    shaft = [
        (-0.34, 0.60), (-0.34, 0.12), *arc((-0.08, 0.12), (0.26, 0.26), 180, 270), (0.16, -0.14),
    ]  # fmt: skip
    head = rounded([(0.14, -0.56), (0.66, -0.14), (0.14, 0.28)], 0.05)
    arrow = _stroke([(x * side, y) for x, y in shaft], 0.24, WHITE)
    tip = _fill([(x * side, y) for x, y in head], WHITE)
    return Face((*_plate(_DISC, WHITE), _fill(_scaled(_DISC, 0.94), BLUE), arrow, tip))


def _crossing() -> Face:
    stripes: list[Polygon | Line] = [
        _fill([(x, 0.34), (x + 0.14, 0.34), (x + 0.14, 0.49), (x, 0.49)], BLACK)
        for x in (-0.46, -0.20, 0.06, 0.32)
    ]
    walker: list[Polygon | Line] = [
        _fill(_scaled(_DISC, 0.085, -0.36), BLACK),
        _stroke([(0.0, -0.18), (0.0, 0.04)], 0.15, BLACK),
        _stroke([(0.0, 0.04), (-0.08, 0.16), (-0.19, 0.28)], 0.085, BLACK),
        _stroke([(0.0, 0.04), (0.10, 0.15), (0.15, 0.28)], 0.085, BLACK),
        _stroke([(0.02, -0.18), (0.15, -0.06), (0.23, -0.09)], 0.055, BLACK),
        _stroke([(-0.02, -0.18), (-0.13, -0.05), (-0.21, 0.01)], 0.055, BLACK),
    ]
    plate = _plate(rounded(_SQUARE, 0.16), WHITE)
    blue = _fill(rounded(_scaled(_SQUARE, 0.94), 0.12), BLUE)
    return Face((*plate, blue, _fill(rounded(_TRIANGLE_UP, 0.09), WHITE), *stripes, *walker))


FACES: dict[str, Face] = {
    "crossing": _crossing(),
    "priority": _priority(),
    "speed_30": _speed("30"),
    "speed_50": _speed("50"),
    "stop": _stop(),
    "turn_left": _turn(-1),
    "turn_right": _turn(1),
    "yield": _yield(),
}
"""The face of each category, by code."""
