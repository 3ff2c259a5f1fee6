"""Drawing what parts of an example do for a prediction, as colours on its thumbnail."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["PICTURE_SIDE", "activation_picture", "explanation_picture"]

Picture = npt.NDArray[np.uint8]
Activation = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]

PICTURE_SIDE = 448
"""The side in pixels of the thumbnail that is drawn on."""

_MARGIN, _CAPTION = 16, 64
_PAPER = 255
_INK, _DIM = (30, 30, 30), (110, 110, 110)
_FOR, _AGAINST = (214, 40, 40), (33, 102, 204)
# So strong is the colour where a region matters most.
_STRONGEST = 0.75
# Below these the strongest part is hardly coloured: what does nothing must not look important. The
# first is a probability, the second in units of a network's last layer.
_FULL_EFFECT, _FULL_ACTIVATION = 0.1, 1.0
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def explanation_picture(
    picture: Picture,
    effects: Sequence[tuple[Box, float]],
    code: str,
    confidence: float,
    activations: Mapping[str, Activation],
) -> bytes:
    """Return a PNG: the example, and beside it the example with its regions coloured.

    Red regions speak for the prediction: hiding them lowers its probability. Blue ones speak
    against it. The one that speaks for it most has a frame. Then the example as each extractor
    that learned sees it, in the same colours.

    Parameters
    ----------
    picture
        The example's thumbnail, ``side x side x 3``, uint8, RGB.
    effects
        The box of each region, in shares of the side, and by how much hiding it lowers the
        probability; the largest first.
    code, confidence
        The predicted category and its probability.
    activations
        The class-activation map of each extractor that has one, by its name.
    """
    coloured = _coloured(picture, _heat(picture.shape[0], effects), _FULL_EFFECT)
    box, effect = effects[0]
    if effect > 0:
        _frame(coloured, box)
    without = f"without the framed part: {100 * (confidence - effect):.1f} %"
    panels = [
        _panel(picture, f"{code}  {100 * confidence:.1f} %", ""),
        _panel(coloured, "red: speaks for it   blue: against it", without if effect > 0 else ""),
        *(
            _panel(activation_picture(picture, found), f"where {name} finds it", "")
            for name, found in activations.items()
        ),
    ]
    gap = np.full((panels[0].shape[0], _MARGIN, 3), _PAPER, np.uint8)
    whole = np.hstack([gap, *itertools.chain(*((panel, gap) for panel in panels))])
    return cv2.imencode(".png", cv2.cvtColor(whole, cv2.COLOR_RGB2BGR))[1].tobytes()


def activation_picture(picture: Picture, activation: Activation) -> Picture:
    """Return a thumbnail coloured by a class-activation map.

    Red is where there is more that speaks for the category than in half of the picture: the last
    convolution sees far around each place, so that something is found everywhere. Blue is all that
    speaks against it.

    Parameters
    ----------
    picture
        The thumbnail, ``side x side x 3``, uint8, RGB.
    activation
        The map, ``height x width``: above 0 for what speaks for a category.
    """
    side = picture.shape[0]
    common = max(float(np.median(activation)), 0.0)
    telling = np.maximum(activation - common, 0) + np.minimum(activation, 0)
    heat = cv2.resize(telling, (side, side), interpolation=cv2.INTER_LINEAR)
    return _coloured(picture, np.asarray(heat, np.float32), _FULL_ACTIVATION)


def _heat(side: int, effects: Sequence[tuple[Box, float]]) -> Activation:
    """Return the mean effect of the regions over each pixel, smoothed."""
    total = np.zeros((side, side), np.float32)
    n_regions = np.zeros((side, side), np.float32)
    for box, effect in effects:
        left, top, right, bottom = _pixels(box, side)
        total[top:bottom, left:right] += effect
        n_regions[top:bottom, left:right] += 1
    heat = total / np.maximum(n_regions, 1)
    return np.asarray(cv2.GaussianBlur(heat, (0, 0), side / 40), np.float32) * (n_regions > 0)


def _coloured(picture: Picture, heat: Activation, full: float) -> Picture:
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    pale = 0.75 * grey.astype(np.float32) + 0.25 * _PAPER
    scale = max(float(np.abs(heat).max()), full)
    strength = (np.abs(heat) / scale * _STRONGEST)[:, :, None]
    colour = np.where(heat[:, :, None] > 0, np.array(_FOR), np.array(_AGAINST))
    return np.asarray(np.rint(pale + (colour - pale) * strength), np.uint8)


def _frame(picture: Picture, box: Box) -> None:
    left, top, right, bottom = _pixels(box, picture.shape[0])
    for colour, thickness in (((255, 255, 255), 5), (_INK, 2)):
        corners = (left + 2, top + 2), (right - 3, bottom - 3)
        cv2.rectangle(picture, *corners, colour, thickness, cv2.LINE_AA)


def _panel(picture: Picture, first: str, second: str) -> Picture:
    """Return a picture between a margin and its caption."""
    side = picture.shape[0]
    panel = np.full((_MARGIN + side + _CAPTION, side, 3), _PAPER, np.uint8)
    panel[_MARGIN : _MARGIN + side] = picture
    for number, (text, colour) in enumerate(((first, _INK), (second, _DIM))):
        # The built-in font has ASCII only, as codes have.
        position = (0, _MARGIN + side + 24 + 24 * number)
        cv2.putText(panel, text, position, _FONT, 0.55, colour, 1, cv2.LINE_AA)
    return panel


def _pixels(box: Box, side: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(share * side) for share in box)
    return left, top, max(right, left + 1), max(bottom, top + 1)
