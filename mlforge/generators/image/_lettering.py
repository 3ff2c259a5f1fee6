"""Setting text: which fonts have its characters, how it is wrapped, and its mask."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from mlforge.generators.image._canvas import Pixels

__all__ = ["Face", "Line", "draw_lines", "faces_for", "fit", "unreadable_character"]

# Widths grow with the size, so they are measured once, at this one.
_REFERENCE = 64
_LEADING = 1.2
_GLYPH = 64
_SIZE_STEP = 1.08
_WIDE = ("W", "F")
# An OpenCV before version 5 has stroke fonts instead; they have the characters of ASCII only.
_HAS_OUTLINE_FONTS = hasattr(cv2, "FontFace")
_STROKE_FONTS = {
    "simplex": cv2.FONT_HERSHEY_SIMPLEX,
    "duplex": cv2.FONT_HERSHEY_DUPLEX,
    "complex": cv2.FONT_HERSHEY_COMPLEX,
    "triplex": cv2.FONT_HERSHEY_TRIPLEX,
}
_STROKE_SIZE = 30

_Places = list[tuple[str, int, int]]


@dataclass(frozen=True)
class Face:
    """A font and its weight; 400 is regular, 700 bold, where the font has weights."""

    font: str
    weight: int = 400


@dataclass(frozen=True)
class Line:
    """One line of text and its width in units of the font's size."""

    text: str
    width: float


_OUTLINE_FACES = (
    *(Face("sans", weight) for weight in (300, 400, 600, 800)),
    *(Face("italic", weight) for weight in (400, 700)),
    Face("uni"),
)
_FACES = (
    Face("aileron"),
    *(_OUTLINE_FACES if _HAS_OUTLINE_FONTS else map(Face, _STROKE_FONTS)),
)


@lru_cache(maxsize=256)
def faces_for(text: str) -> tuple[Face, ...]:
    """Return the faces whose fonts have every character of a text."""
    characters = sorted(set(text) - {"\n", " "})
    return tuple(f for f in _FACES if all(_has(f.font, character) for character in characters))


def unreadable_character(text: str) -> tuple[str, str] | None:
    """Return the first character that cannot be set, and why; None where all can."""
    for character in text:
        if character in "\n ":
            continue
        if unicodedata.bidirectional(character) in ("R", "AL", "AN"):
            return character, "is written from right to left, which is not supported"
        if unicodedata.category(character).startswith(("C", "M", "Z")):
            return character, "is not a character that stands alone"
        if not any(_has(face.font, character) for face in _FACES):
            return character, "is in none of the fonts"
    return None


def fit(
    text: str, face: Face, width: float, height: float, least: float
) -> tuple[tuple[Line, ...], float] | None:
    """Return the lines and the size at which a text fills a box; None where it does not fit.

    Parameters
    ----------
    text
        What to set; it is wrapped at spaces, and between the characters of scripts without them.
    face
        The face to set it in.
    width, height
        The box, in pixels.
    least
        The smallest size, in pixels.
    """
    best = _set_at(text, face, width, height, least)
    if best is None:
        return None
    low, high = 0, max(0, int(math.log(height / least, _SIZE_STEP)))
    while low < high:
        middle = (low + high + 1) // 2
        larger = _set_at(text, face, width, height, least * _SIZE_STEP**middle)
        if larger is None:
            high = middle - 1
        else:
            low, best = middle, larger
    return best


def _set_at(
    text: str, face: Face, width: float, height: float, size: float
) -> tuple[tuple[Line, ...], float] | None:
    lines = _wrapped(text, face, width / size)
    if lines is None or (len(lines) - 1) * _LEADING * size + size > height:
        return None
    return lines, size


def draw_lines(
    lines: Sequence[Line],
    face: Face,
    size: float,
    box: tuple[float, float, float, float],
    alignment: str,
    shape: tuple[int, int],
) -> Pixels:
    """Return the mask of lines in the middle of a box: uint8, height x width, 0 to 255.

    Parameters
    ----------
    lines
        What `fit` gave.
    face
        Their face.
    size
        The font's size in pixels, at most what `fit` gave.
    box
        Its left, top, width and height in pixels.
    alignment
        ``left`` or ``centre``.
    shape
        The mask's height and width.
    """
    left, top, width, height = box
    above = (height - len(lines) * size * _LEADING) / 2
    mask = np.zeros(shape, np.uint8)
    places = []
    for index, line in enumerate(lines):
        indent = (width - line.width * size) / 2 if alignment == "centre" else 0.0
        baseline = top + above + size * (_LEADING * index + 0.95)
        places.append((line.text, round(left + indent), round(baseline)))
    return _DRAW[_kind(face.font)](mask, places, face, size)


def _kind(font: str) -> str:
    if font == "aileron":
        return "pillow"
    return "stroke" if font in _STROKE_FONTS else "outline"


def _draw_pillow(mask: Pixels, places: _Places, _face: Face, size: float) -> Pixels:
    picture = PIL.Image.fromarray(mask)
    pen = PIL.ImageDraw.Draw(picture)
    font = _pillow_font().font_variant(size=size)
    for text, x, y in places:
        pen.text((x, y), text, fill=255, font=font, anchor="ls")
    return np.array(picture, np.uint8)


def _draw_outline(mask: Pixels, places: _Places, face: Face, size: float) -> Pixels:
    font = _outline_font(face.font)
    for text, x, y in places:
        cv2.putText(mask, text, (x, y), (255,), font, int(size), face.weight)
    return mask


def _draw_stroke(mask: Pixels, places: _Places, face: Face, size: float) -> Pixels:
    pen = max(1, round(size / 14))
    for text, x, y in places:
        font, scale = _STROKE_FONTS[face.font], size / _STROKE_SIZE
        cv2.putText(mask, text, (x, y), font, scale, (255,), pen, cv2.LINE_AA)
    return mask


_DRAW = {"pillow": _draw_pillow, "outline": _draw_outline, "stroke": _draw_stroke}


@lru_cache(maxsize=4096)
def _width(face: Face, text: str) -> float:
    """Return how wide a text is, in units of the font's size."""
    kind = _kind(face.font)
    if kind == "pillow":
        return _pillow_font().getlength(text) / _REFERENCE
    if kind == "outline":
        font = _outline_font(face.font)
        box = cv2.getTextSize((0, 0), text, (0, 0), font, _REFERENCE, face.weight)
        return float(box[2]) / _REFERENCE
    (width, _), _ = cv2.getTextSize(text, _STROKE_FONTS[face.font], 1.0, 2)
    return width / _STROKE_SIZE


def _wrapped(text: str, face: Face, width: float) -> tuple[Line, ...] | None:
    """Return lines no wider than so many sizes; None where one word alone is wider."""
    space = _width(face, "n n") - _width(face, "nn")
    lines = []
    for paragraph in text.split("\n"):
        words: list[str] = []
        used = 0.0
        for word, gap in _words(paragraph):
            wide = _width(face, word)
            if wide > width:
                return None
            between = space if gap and words else 0.0
            if words and used + between + wide > width:
                lines.append(Line("".join(words), used))
                words, used, between = [], 0.0, 0.0
            words += [" ", word] if between else [word]
            used += between + wide
        lines.append(Line("".join(words), used))
    return tuple(lines)


@lru_cache(maxsize=256)
def _words(paragraph: str) -> tuple[tuple[str, bool], ...]:
    """Return what a line may be broken between, each with whether a space goes before it."""
    words: list[tuple[str, bool]] = []
    for word in paragraph.split():
        part, gap = "", True
        for character in word:
            if unicodedata.east_asian_width(character) in _WIDE:
                words += [(part, gap)] if part else []
                words.append((character, gap and not part))
                part, gap = "", False
            else:
                part += character
        words += [(part, gap)] if part else []
    return tuple(words)


@cache
def _has(font: str, character: str) -> bool:
    """Return whether a font shows a character as itself and not as the mark for a missing one."""
    kind = _kind(font)
    if kind == "stroke":
        return " " <= character <= "~"
    absent = "\uffff" if kind == "pillow" else "?"
    return character == absent or _glyph(font, character) != _glyph(font, absent)


@cache
def _glyph(font: str, character: str) -> bytes:
    mask = np.zeros((_GLYPH, 2 * _GLYPH), np.uint8)
    place = [(character, _GLYPH // 4, _GLYPH * 3 // 4)]
    return _DRAW[_kind(font)](mask, place, Face(font), _GLYPH // 2).tobytes()


@cache
def _pillow_font() -> PIL.ImageFont.FreeTypeFont:
    font: Any = PIL.ImageFont.load_default(_REFERENCE)
    # The other engine needs a library of the system's, which may be there or not.
    variant: PIL.ImageFont.FreeTypeFont = font.font_variant(
        layout_engine=PIL.ImageFont.Layout.BASIC
    )
    return variant


@cache
def _outline_font(name: str) -> Any:
    return cv2.FontFace(name)
