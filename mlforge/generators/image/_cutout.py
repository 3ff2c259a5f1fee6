"""Cutting the object out of a seed: by its own alpha, or a mask estimated from the colours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from mlforge.core.digest import digest_bytes
from mlforge.generators.image._canvas import Color, Floats, Pixels, to_floats, to_pixels

__all__ = ["Cutout", "cut_out"]

MaskSource = Literal["alpha", "estimated", "whole"]

# The mask is estimated at this size, and refined at the seed's own.
_SIDE = 96
_N_WITH_ALPHA = 4
# More than this of a pixel is the object.
_INSIDE = 0.5
_SMALLEST_SIDE = 16
# Through fewer pixels across pass many surfaces.
_LEAST_FITTED = 3
# Distances in CIE Lab: less is background, more is certainly not.
_LEAST_DISTANCE, _CLEAR_DISTANCE = 7.0, 40.0
_N_SPREADS = 4.0
_ROUNDS = 6
# Beyond these shares a mask is a poor guess.
_LEAST_AREA, _MOST_AREA = 0.01, 0.75
_MOST_BORDER = 0.5
_LEAST_MAIN = 0.8
_LEAST_HOLE = 0.002
# Inside the object, what is further off than this is no background seen through a hole.
_BACKGROUND = 0.6
_MOST_LIKE_BORDER = 0.08
_LEAST_AGREEMENT = 0.6
# A background whose colours spread further than this in CIE Lab is a scene, not a backdrop.
_MOST_SPREAD = 7.0
# A poor guess is replaced by the whole picture with an edge this soft, as a share of its side.
_SOFT_EDGE = 0.06
# An object goes on beyond a side when it covers more than this share of it.
_LEAST_CONTACT = 0.02


@dataclass(frozen=True)
class Cutout:
    """Where the object of a seed is.

    Attributes
    ----------
    layer
        uint8, height x width x 4: the object's colours, continued a little beyond its outline so
        that none of the old background shows there, and how much of each pixel is the object.
    color
        The object's mean colour.
    source
        ``alpha`` where the seed says itself what the object is, ``estimated``, or ``whole`` where
        no object stands out and the whole seed is taken.
    box
        The object's left, top, right and bottom in pixels, the last two exclusive.
    touches
        Whether it goes on beyond the picture's left, top, right and bottom side.
    """

    layer: Pixels
    color: Color
    source: MaskSource
    box: tuple[int, int, int, int]
    touches: tuple[bool, bool, bool, bool]


def cut_out(seed: Pixels) -> Cutout:
    """Tell which part of a seed is the object and not its background.

    Where the seed has transparency that leaves something to see, the object is what it leaves.

    Otherwise it is estimated. The background is taken for what lies along the picture's border: a
    quadratic surface is fitted to each channel of its CIE Lab colours, so that vignettes and
    slanting light are background too. The fit is repeated without the pixels that are far off,
    since the object may cross the border. What differs clearly from the surface is the object;
    GrabCut moves its outline to the edges.

    Parameters
    ----------
    seed
        uint8, height x width x 3, RGB, or x 4 with alpha, its colours laid over white; it is never
        changed.

    References
    ----------
    C. Rother, V. Kolmogorov and A. Blake, "GrabCut: interactive foreground extraction using
    iterated graph cuts", ACM Transactions on Graphics 23(3), 2004.
    """
    data = np.ascontiguousarray(seed)
    return _remembered(_Key(digest_bytes(data.tobytes()), data.shape, data))


@dataclass(frozen=True, eq=False)
class _Key:
    """A picture that is looked up by its content."""

    digest: str
    shape: tuple[int, ...]
    pixels: Pixels

    def __hash__(self) -> int:
        return hash((self.digest, self.shape))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and (self.digest, self.shape) == (other.digest, other.shape)


@lru_cache(maxsize=4)
def _remembered(key: _Key) -> Cutout:
    seed = key.pixels
    height, width = seed.shape[:2]
    if seed.shape[2] == _N_WITH_ALPHA:
        alpha = to_floats(np.ascontiguousarray(seed[..., 3]))
        seed = np.ascontiguousarray(seed[..., :3])
        if (alpha > _INSIDE).mean() >= _LEAST_AREA:
            return _given(seed, alpha)
    if min(height, width) < _SMALLEST_SIDE:
        return _whole(seed)
    scale = min(1.0, _SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(seed, size, interpolation=cv2.INTER_AREA), np.uint8)
    distance = _distance_from_background(small)
    if distance is None:
        return _whole(seed)
    mask = _refined(small, distance)
    return _estimated(seed, mask) if _is_credible(mask, distance) else _whole(seed)


def _distance_from_background(picture: Pixels) -> Floats | None:
    """Return each pixel's distance to the background in spreads; None where there is none."""
    lab = cv2.cvtColor(picture.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab)
    height, width = lab.shape[:2]
    if min(height, width) < _LEAST_FITTED:
        return None
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    ring = np.zeros((height, width), bool)
    rim = max(2, round(0.06 * min(height, width)))
    ring[:rim] = ring[-rim:] = ring[:, :rim] = ring[:, -rim:] = True
    colours, basis = lab[ring].astype(np.float64), terms[ring].astype(np.float64)
    near = np.ones(len(colours), bool)
    # A surface bends to a small object at the border, so the first round is plain.
    n_terms = 1
    for _ in range(_ROUNDS):
        used = basis[near, :n_terms]
        weights = np.linalg.solve(used.T @ used, used.T @ colours[near])
        off = np.linalg.norm(colours - basis[:, :n_terms] @ weights, axis=1)
        spread = max(1.0, 1.5 * float(np.median(off)))
        near = off < max(_LEAST_DISTANCE, 3 * spread)
        if near.mean() < 1 - _MOST_BORDER:
            return None
        n_terms = 6
    if spread > _MOST_SPREAD:
        return None
    surface = (terms.reshape(-1, 6) @ weights).reshape(lab.shape)
    distance = np.linalg.norm(lab - surface, axis=2)
    limit = max(_LEAST_DISTANCE, _N_SPREADS * spread)
    return np.asarray(distance / limit, np.float32)


def _refined(picture: Pixels, distance: Floats) -> npt.NDArray[np.bool_]:
    """Return the object's mask: what stands out, its outline moved to the picture's edges."""
    marks = np.full(distance.shape, cv2.GC_BGD, np.uint8)
    marks[distance > 0.5] = cv2.GC_PR_BGD
    marks[distance > 1.0] = cv2.GC_PR_FGD
    marks[distance > 3.0] = cv2.GC_FGD
    if (distance > 1.0).any():
        # GrabCut draws the first centres of its colours from OpenCV's own random numbers.
        cv2.setRNGSeed(0)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(picture, marks, (0, 0, 0, 0), *models, 1, cv2.GC_INIT_WITH_MASK)
    inside = (marks & 1).astype(np.uint8)
    n_parts, parts, sizes, _ = cv2.connectedComponentsWithStats(inside)
    if n_parts > 1:
        largest = int(sizes[1:, cv2.CC_STAT_AREA].max())
        small = np.flatnonzero(sizes[:, cv2.CC_STAT_AREA] < 0.1 * largest)
        inside[np.isin(parts, small)] = 0
    return np.asarray(_without_false_holes(inside, distance) == 1, np.bool_)


def _without_false_holes(inside: Pixels, distance: Floats) -> Pixels:
    """Fill holes that are tiny, or that do not show the background as the hole of a ring does."""
    n_parts, parts, sizes, _ = cv2.connectedComponentsWithStats(1 - inside)
    filled = inside.copy()
    for part in range(1, n_parts):
        left, top, width, height, area = (int(value) for value in sizes[part])
        touches = left == 0 or top == 0
        touches |= left + width == inside.shape[1] or top + height == inside.shape[0]
        hole = parts == part
        is_tiny = area < _LEAST_HOLE * inside.size
        if not touches and (is_tiny or float(np.median(distance[hole])) > _BACKGROUND):
            filled[hole] = 1
    return filled


def _is_credible(mask: npt.NDArray[np.bool_], distance: Floats) -> bool:
    if not _LEAST_AREA <= mask.mean() <= _MOST_AREA:
        return False
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    if border.mean() > _MOST_BORDER:
        return False
    sizes = cv2.connectedComponentsWithStats(mask.astype(np.uint8))[2][1:, cv2.CC_STAT_AREA]
    if sizes.max() < _LEAST_MAIN * sizes.sum():
        return False
    standing_out = distance > 1.0
    agreement = (mask & standing_out).sum() / (mask | standing_out).sum()
    if agreement < _LEAST_AGREEMENT:
        return False
    # A busy background has much that stands out as clearly as the object.
    return float(standing_out[~mask].mean()) <= _MOST_LIKE_BORDER


def _estimated(seed: Pixels, mask: npt.NDArray[np.bool_]) -> Cutout:
    """Return the cut-out with a soft edge, at the seed's own size."""
    height, width = seed.shape[:2]
    grown = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    sigma = max(0.6, 0.4 * max(height, width) / _SIDE)
    smooth = cv2.GaussianBlur(grown, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    # Steeper and a little wider: rather a rim of background than a finger lost.
    alpha = np.asarray(np.clip((smooth - np.float32(0.25)) * np.float32(2.2), 0, 1), np.float32)
    colors = _without_old_rim(to_floats(seed), alpha)
    return _frozen(colors, alpha, "estimated", _box(alpha))


def _box(alpha: Floats) -> tuple[int, int, int, int]:
    rows = np.flatnonzero(alpha.max(axis=1) > _INSIDE)
    columns = np.flatnonzero(alpha.max(axis=0) > _INSIDE)
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _given(seed: Pixels, alpha: Floats) -> Cutout:
    """Return the cut-out that a seed's own alpha makes, with the white behind it taken away.

    ``c = (seen - (1 - a)) / a``; where hardly anything of a colour is left to divide, those inside
    the outline take its place.
    """
    share = np.maximum(alpha, np.float32(0.02))[..., None]
    own = np.clip((to_floats(seed) - (1 - share)) / share, 0, 1).astype(np.float32)
    return _frozen(_without_old_rim(own, alpha), alpha, "alpha", _box(alpha))


def _without_old_rim(colors: Floats, alpha: Floats) -> Floats:
    """Replace the colours along the outline by those just inside it."""
    core = cv2.erode((alpha > 0.98).astype(np.float32), np.ones((3, 3)))
    size = (7, 7)
    near = cv2.blur(core, size)[..., None]
    inside = cv2.blur(colors * core[..., None], size) / np.maximum(near, np.float32(1e-3))
    # A part too thin to have an inside keeps its colours.
    share = (1 - core[..., None]) * np.clip(near * 8, 0, 1)
    return np.asarray(colors + (inside - colors) * share, np.float32)


def _whole(seed: Pixels) -> Cutout:
    """Return the whole picture with a soft edge, or with none where it is tiny."""
    height, width = seed.shape[:2]

    def ramp(length: int) -> Floats:
        if length < _SMALLEST_SIDE:
            return np.ones(length, np.float32)
        place = np.linspace(0, 1, length, dtype=np.float32)
        return np.minimum(1, np.minimum(place, 1 - place) / np.float32(_SOFT_EDGE))

    alpha = np.asarray(np.outer(ramp(height), ramp(width)), np.float32)
    return _frozen(to_floats(seed), alpha, "whole", (0, 0, width, height))


def _frozen(
    colors: Floats,
    alpha: Floats,
    source: MaskSource,
    box: tuple[int, int, int, int],
) -> Cutout:
    """Return a cut-out that nobody can change: it is remembered."""
    red, green, blue, _ = cv2.mean(colors, (alpha > 0.5).astype(np.uint8))
    layer = to_pixels(np.dstack([colors, alpha]))
    layer.setflags(write=False)
    sides = alpha[:, 0], alpha[0], alpha[:, -1], alpha[-1]
    left, top, right, bottom = (bool((side > 0.5).mean() > _LEAST_CONTACT) for side in sides)
    return Cutout(layer, (red, green, blue), source, box, (left, top, right, bottom))
