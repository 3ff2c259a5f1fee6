"""Templates of documents, labels, signs and bare shapes: a sheet, and where its content goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from mlforge.generators.image._canvas import (
    Color,
    Floats,
    Pixels,
    blend,
    color,
    contrast,
    filled,
)
from mlforge.generators.image._shapes import fill_polygon, shape_mask

__all__ = ["LEAST_BOX", "Sheet", "Style", "draw_sheet", "ink_on"]

Style = Literal["document", "label", "sign", "shape"]

# Ranges and shares that a style's box for content comes from, of the side unless said.
_PAGE_WIDTH, _PAGE_HEIGHT = (0.72, 0.86), (0.86, 0.97)
# Of the page: what stays free at either side, and the part above lines or boxes of a form.
_PAGE_MARGIN, _PAGE_UPPER = (0.07, 0.1), (0.5, 0.58)
_LABEL_WIDTH, _LABEL_HEIGHT = (0.8, 0.95), (0.45, 0.75)
# Of the label's width, then of its height.
_LABEL_TEXT = 0.84
_LABEL_INSET, _LABEL_BAND, _LABEL_CODE = 0.07, (0.1, 0.16), 0.24
# Of these insets, how many stay free above and below together.
_N_INSETS = 3.2
_SIGN_HALF = (0.43, 0.48)
# Of half the sign: width, and the range of the height.
_SIGN_BOX = {"circle": (1.36, (0.95, 0.95)), "diamond": (1.08, (0.84, 0.84))}
_PLATE_BOX = 1.72, (1.0, 1.5)
_BARE_INSET = 0.12

LEAST_BOX: dict[str, tuple[float, float]] = {
    "document": (_PAGE_WIDTH[0] * (1 - 2 * _PAGE_MARGIN[1]), _PAGE_HEIGHT[0] * _PAGE_UPPER[0]),
    "label": (
        _LABEL_WIDTH[0] * _LABEL_TEXT,
        _LABEL_HEIGHT[0] * (1 - _N_INSETS * _LABEL_INSET - max(_LABEL_BAND[1], _LABEL_CODE)),
    ),
    "sign": (
        _SIGN_HALF[0] * min(across for across, _ in (*_SIGN_BOX.values(), _PLATE_BOX)),
        _SIGN_HALF[0] * min(down[0] for _, down in (*_SIGN_BOX.values(), _PLATE_BOX)),
    ),
    "shape": (1 - 2 * _BARE_INSET, 1 - 2 * _BARE_INSET),
}
"""The smallest width and height of a style's box for content, as shares of the side."""

_LEAST_CONTRAST = 4.5
_N_TRIES = 12
# One of the two is always at a contrast ratio of 4.58 or more.
_BLACK: Color = (0.0, 0.0, 0.0)
_WHITE: Color = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Sheet:
    """What content is printed on.

    Attributes
    ----------
    layout
        Which template it is.
    picture
        Its colours: uint8, side x side x 3, RGB.
    alpha
        Where it is: float32, side x side, 0 to 1; None where it is all of the background.
    box
        The left, top, width and height of the place for content, in pixels.
    paper, ink
        The colours of the place and of the content.
    alignment
        Of text: ``left`` or ``centre``.
    """

    layout: str
    picture: Pixels
    alpha: Floats | None
    box: tuple[float, float, float, float]
    paper: Color
    ink: Color
    alignment: str


def draw_sheet(style: Style, rng: np.random.Generator, side: int) -> Sheet:
    """Draw the sheet of a sample, upright in a square of so many pixels."""
    return _TEMPLATES[style](rng, side)


def ink_on(paper: Color, rng: np.random.Generator, saturation: float = 0.8) -> Color:
    """Draw a colour that can be read on another: a contrast ratio of 4.5 or more."""
    for _ in range(_N_TRIES):
        drawn = color(rng, (0.0, saturation), (0.0, 1.0))
        if contrast(drawn, paper) >= _LEAST_CONTRAST:
            return drawn
    return max(_BLACK, _WHITE, key=lambda shade: contrast(shade, paper))


def _document(rng: np.random.Generator, side: int) -> Sheet:
    """Draw a page: a heading or a full text, and often boxes, or lines too small to read."""
    width, height = side * rng.uniform(*_PAGE_WIDTH), side * rng.uniform(*_PAGE_HEIGHT)
    left, top = (side - width) / 2, (side - height) / 2
    paper = color(rng, (0.0, 0.12), (0.88, 1.0))
    ink = ink_on(paper, rng, 0.6 if rng.random() < 0.3 else 0.1)
    alpha = _rectangle(left, top, width, height, side)
    picture = filled(side, side, paper)
    layout = str(rng.choice(("text", "letter", "form", "ruled")))
    margin = width * rng.uniform(*_PAGE_MARGIN)
    box_height = height * (rng.uniform(*_PAGE_UPPER) if layout in ("letter", "form") else 0.84)
    box = left + margin, top + height * 0.06, width - 2 * margin, box_height
    if layout in ("letter", "form"):
        below = box[1] + box_height + height * 0.04, top + height * 0.95
        _fill_below(picture, rng, layout, (box[0], box[2]), below, ink)
    elif layout == "ruled":
        faint = paper[0] - 0.12, paper[1] - 0.12, paper[2]
        gap = max(4.0, side * rng.uniform(0.04, 0.07))
        for y in np.arange(top + gap, top + height, gap):
            _bar(picture, left, y, width, max(1.0, side / 256), faint)
    alignment = "left" if layout == "letter" else str(rng.choice(("left", "centre")))
    return Sheet(layout, picture, alpha, box, paper, ink, alignment)


def _fill_below(
    picture: Pixels,
    rng: np.random.Generator,
    layout: str,
    across: tuple[float, float],
    down: tuple[float, float],
    ink: Color,
) -> None:
    """Draw lines of grey, as text too small to be read, or the boxes of a form."""
    side = picture.shape[0]
    red, green, blue = (0.45 + 0.5 * share for share in ink)
    pale = red, green, blue
    step = side * rng.uniform(0.025, 0.045) * (1 if layout == "letter" else 2)
    for y in np.arange(down[0], down[1] - step, step):
        if layout == "letter":
            _bar(picture, across[0], y, across[1] * rng.uniform(0.55, 1.0), step * 0.35, pale)
            continue
        half = across[1] * rng.uniform(0.25, 0.4)
        _bar(picture, across[0], y + step * 0.3, half * 0.8, step * 0.25, pale)
        _bar(picture, across[0] + half, y + step * 0.7, across[1] - half, max(1, side / 200), ink)


def _label(rng: np.random.Generator, side: int) -> Sheet:
    """Draw a sticker, a tag or a plate, with a border, a band or a bar code."""
    width, height = side * rng.uniform(*_LABEL_WIDTH), side * rng.uniform(*_LABEL_HEIGHT)
    left, top = (side - width) / 2, (side - height) / 2
    pale = rng.random() < 0.6
    paper = color(rng, (0.0, 0.3), (0.85, 1.0)) if pale else color(rng, (0.2, 0.9), (0.2, 0.9))
    ink = ink_on(paper, rng)
    corner = height * rng.choice((0.0, 0.06, 0.16))
    alpha = _rectangle(left, top, width, height, side, corner)
    picture = filled(side, side, paper)
    layout = str(rng.choice(("plain", "border", "band", "bar_code")))
    inset = _LABEL_INSET * height
    box_top, box_height = top + 1.6 * inset, height - _N_INSETS * inset
    if layout == "border":
        inner = _rectangle(
            left + inset / 2, top + inset / 2, width - inset, height - inset, side, corner
        )
        line = max(1.0, side * rng.uniform(0.006, 0.02))
        core = _rectangle(
            left + inset / 2 + line, top + inset / 2 + line,
            width - inset - 2 * line, height - inset - 2 * line, side, corner * 0.8,
        )  # fmt: skip
        picture = blend(picture, ink, np.clip(inner - core, 0, 1))
    elif layout == "band":
        band = height * rng.uniform(*_LABEL_BAND)
        at_top = rng.random() < 0.5
        _bar(picture, left, top if at_top else top + height - band, width, band, ink)
        box_height -= band
        box_top += band if at_top else 0.0
    elif layout == "bar_code":
        code = height * _LABEL_CODE
        _bar_code(picture, rng, (left + 0.1 * width, top + height - inset - code, code), ink)
        box_height -= code
    box = left + 0.08 * width, box_top, _LABEL_TEXT * width, box_height
    return Sheet(layout, picture, alpha, box, paper, ink, str(rng.choice(("left", "centre"))))


def _bar_code(
    picture: Pixels, rng: np.random.Generator, place: tuple[float, float, float], ink: Color
) -> None:
    left, top, height = place
    side = picture.shape[0]
    module = max(1.0, side / 160)
    for start in range(0, int(rng.integers(24, 40)), 2):
        _bar(picture, left + 2 * start * module, top, module * rng.integers(1, 4), height, ink)


def _sign(rng: np.random.Generator, side: int) -> Sheet:
    """Draw a coloured plate, often with a border of the lettering's colour."""
    half = side * rng.uniform(*_SIGN_HALF)
    centre = side / 2, side / 2
    paper = color(rng, (0.55, 1.0), (0.3, 0.95)) if rng.random() < 0.75 else _WHITE
    ink = ink_on(paper, rng, 0.9 if paper == _WHITE else 0.15)
    layout = str(rng.choice(("rectangle", "rounded", "circle", "diamond")))
    across, downs = _SIGN_BOX.get(layout, _PLATE_BOX)
    down = rng.uniform(*downs)

    def plate(inset: float) -> Floats:
        radius = half - inset
        if layout == "circle":
            return shape_mask("circle", centre, radius, 0, (side, side))
        if layout == "diamond":
            points = np.array([(0, -1), (1, 0), (0, 1), (-1, 0)]) * radius * 1.06 + centre
            return fill_polygon(points, (side, side))
        corner = half * 0.18 if layout == "rounded" else 0.0
        height = half * (down + 0.24) - 2 * inset
        return _rectangle(side / 2 - radius, (side - height) / 2, 2 * radius, height, side, corner)

    picture = filled(side, side, paper)
    if rng.random() < 0.7:
        line = side * rng.uniform(0.012, 0.025)
        gap = side * 0.012
        picture = blend(picture, ink, np.clip(plate(gap) - plate(gap + line), 0, 1))
    width, height = half * across, half * down
    box = (side - width) / 2, (side - height) / 2, width, height
    return Sheet(layout, picture, plate(0.0), box, paper, ink, "centre")


def _bare(rng: np.random.Generator, side: int) -> Sheet:
    """No sheet at all: the shape lies on the background itself."""
    paper = color(rng, (0.0, 0.7), (0.1, 1.0))
    ink = ink_on(paper, rng, 1.0)
    inset = side * _BARE_INSET
    box = inset, inset, side - 2 * inset, side - 2 * inset
    return Sheet("bare", filled(side, side, paper), None, box, paper, ink, "centre")


_TEMPLATES: dict[Style, Callable[[np.random.Generator, int], Sheet]] = {
    "document": _document,
    "label": _label,
    "sign": _sign,
    "shape": _bare,
}


def _rectangle(
    left: float, top: float, width: float, height: float, side: int, corner: float = 0.0
) -> Floats:
    """Return the mask of a rectangle with round corners."""
    turns = np.deg2rad(np.arange(0, 91, 15))
    arc = np.stack([np.sin(turns), -np.cos(turns)], axis=1) * corner
    inner = np.array([(1, -1), (1, 1), (-1, 1), (-1, -1)]) * (
        width / 2 - corner,
        height / 2 - corner,
    )
    quarters = [
        arc @ np.array([[c, s], [-s, c]]) + middle
        for (c, s), middle in zip(((1, 0), (0, 1), (-1, 0), (0, -1)), inner, strict=True)
    ]
    points = np.concatenate(quarters) + np.array((left + width / 2, top + height / 2))
    return fill_polygon(points, (side, side))


def _bar(
    picture: Pixels, left: float, top: float, width: float, height: float, shade: Color
) -> None:
    """Draw a filled upright rectangle into a picture."""
    corner = round(left), round(top)
    opposite = round(left + width) - 1, max(round(top), round(top + height) - 1)
    red, green, blue = shade
    cv2.rectangle(picture, corner, opposite, (red * 255, green * 255, blue * 255), -1)
