"""What an input of `synthetic` asks for: a text, or a simple shape."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np

from mlforge.core.names import printable, suggestion
from mlforge.errors import ConfigError
from mlforge.generators.image._canvas import Drawn, Floats
from mlforge.generators.image._lettering import (
    Face,
    draw_lines,
    faces_for,
    fit,
    unreadable_character,
)
from mlforge.generators.image._shapes import SHAPES, shape_mask
from mlforge.generators.image._templates import LEAST_BOX, Sheet, Style

__all__ = ["Content", "draw_content", "parse_content"]

_PREFIX = "shape:"
_MOST_CHARACTERS = 2000
_SHOWN = 40
_OUTLINED = 0.3


@dataclass(frozen=True)
class Content:
    """A text and the faces that it can be set in, or a shape."""

    text: str = ""
    faces: tuple[Face, ...] = ()
    shape: str = ""


def parse_content(given: str, style: Style, side: int, least: float, where: str) -> Content:
    """Return what an input asks for.

    Parameters
    ----------
    given
        The input: a text, or ``shape:`` and a shape's name; for the style ``shape`` the name alone
        will do.
    style
        The style it is drawn in.
    side
        The side of the square it is drawn in, in pixels.
    least
        The smallest size of text, in pixels.
    where
        Where the input stands, for messages.

    Raises
    ------
    ConfigError
        If the shape is unknown, a character is in no font, or the text is too long to be read.
    """
    if given.startswith(_PREFIX) or style == "shape":
        name = given.removeprefix(_PREFIX).strip()
        if name not in SHAPES:
            raise ConfigError(
                f"{where}: unknown shape {printable(name)[:_SHOWN]!r}", suggestion(name, SHAPES)
            )
        return Content(shape=name)
    text = unicodedata.normalize("NFC", given).replace("\r\n", "\n").replace("\t", " ").strip()
    faces = _faces_that_show(text, where)
    width, height = (share * side for share in LEAST_BOX[style])
    if len(text) <= _MOST_CHARACTERS:
        readable = tuple(face for face in faces if fit(text, face, width, height, least))
        if readable:
            return Content(text, readable)
    n_lines = text.count("\n") + 1
    lines = f" in {n_lines} lines" if n_lines > 1 else ""
    raise ConfigError(
        f"{where}: {len(text)} characters{lines}, or a word among them, are too long to be read "
        f"on a {style} of {side} pixels",
        "shorten it, raise generation_settings.parameters.scale or size, or use style document",
    )


def _faces_that_show(text: str, where: str) -> tuple[Face, ...]:
    """Return the faces that have all characters of a text, or raise `ConfigError`."""
    if not text:
        raise ConfigError(f"{where}: holds no text", "write the text that the samples show")
    found = unreadable_character(text)
    if found is not None:
        character, reason = found
        name = unicodedata.name(character, "no name").lower()
        raise ConfigError(
            f"{where}: the character {printable(character)!r} (U+{ord(character):04X}, {name}) "
            f"{reason}",
            "leave it out, or use pictures of the text as seeds with the method augmentation",
        )
    faces = faces_for(text)
    if not faces:
        raise ConfigError(
            f"{where}: no single font has all characters of {printable(text)[:_SHOWN]!r}",
            "write texts in different scripts as inputs of their own",
        )
    return faces


def draw_content(
    content: Content, sheet: Sheet, least: float, rng: np.random.Generator
) -> tuple[Floats, Drawn]:
    """Return the mask of the ink and the step of the recipe.

    Parameters
    ----------
    content
        What `parse_content` gave.
    sheet
        What it is drawn on.
    least
        The smallest size of text, in pixels.
    rng
        The only source of randomness.
    """
    if content.shape:
        return _draw_shape(content.shape, sheet, rng)
    face = content.faces[int(rng.integers(len(content.faces)))]
    left, top, width, height = sheet.box
    fitted = fit(content.text, face, width, height, least)
    if fitted is None:
        raise AssertionError(f"{content.text!r} fitted the smallest box of its style")
    lines, largest = fitted
    size = max(least, largest * float(rng.uniform(0.65, 1.0)))
    # Text is set in the middle of its box; a box cut short puts it higher or lower.
    free = max(0.0, height - len(lines) * size * 1.25) * float(rng.uniform(-0.7, 0.7))
    place = left, top + max(0.0, free), width, height - abs(free)
    mask = draw_lines(lines, face, size, place, sheet.alignment, sheet.picture.shape[:2])
    drawn: Drawn = {"step": "text", "text": content.text, "font": face.font, "weight": face.weight}
    drawn |= {"size": round(size, 1), "n_lines": len(lines), "alignment": sheet.alignment}
    return mask.astype(np.float32) / np.float32(255), drawn


def _draw_shape(name: str, sheet: Sheet, rng: np.random.Generator) -> tuple[Floats, Drawn]:
    left, top, width, height = sheet.box
    most = min(width, height) / 2
    radius = most * float(rng.uniform(0.65, 0.95))
    centre = left + width / 2, top + height / 2
    outline = radius * float(rng.uniform(0.08, 0.2)) if rng.random() < _OUTLINED else 0.0
    mask = shape_mask(name, centre, radius, outline, sheet.picture.shape[:2])
    drawn: Drawn = {"step": "shape", "shape": name, "radius": round(radius, 1)}
    return mask, drawn | {"outline": round(outline, 1)}
