"""What use does to a printed sheet: faded ink, stains, folds, scratches."""

from __future__ import annotations

import cv2
import numpy as np

from mlforge.generators.image._canvas import Drawn, Floats, Pixels, blend, scaled, soft_noise

__all__ = ["faded", "worn"]

_ODDS = 0.45
_MOST_FADED = 0.45


def faded(ink: Floats, rng: np.random.Generator, wear: float) -> tuple[Floats, Drawn]:
    """Return the mask of ink that has faded unevenly, and the largest share that is gone."""
    share = float(rng.uniform(0, _MOST_FADED * wear))
    patches = soft_noise(rng, ink.shape[0], ink.shape[1], (5, 5))
    return ink * (1 - np.float32(share) * patches), {"step": "fading", "share": round(share, 3)}


def worn(sheet: Pixels, rng: np.random.Generator, wear: float) -> tuple[Pixels, list[Drawn]]:
    """Return a sheet with marks of use, each kind at random, and the steps of the recipe.

    Parameters
    ----------
    sheet
        uint8, height x width x 3, RGB.
    rng
        The only source of randomness.
    wear
        How strong the marks are at most, 0 to 1.
    """
    recipe: list[Drawn] = []
    for name, mark in (("stains", _stains), ("folds", _folds), ("scratches", _scratches)):
        if wear > 0 and rng.random() < _ODDS:
            strength = float(rng.uniform(0.2, 1) * wear)
            sheet = mark(sheet, rng, strength)
            recipe.append({"step": name, "strength": round(strength, 3)})
    return sheet, recipe


def _stains(sheet: Pixels, rng: np.random.Generator, strength: float) -> Pixels:
    """Darken and brown some blotches, and now and then the ring of a cup."""
    height, width = sheet.shape[:2]
    blotches = np.clip((soft_noise(rng, height, width, (6, 6)) - np.float32(0.6)) * 3, 0, 1)
    mask = (blotches * np.float32(0.35 * strength)).astype(np.float32)
    if rng.random() < 0.5:
        side = min(height, width)
        centre = int(rng.integers(width)), int(rng.integers(height))
        ring = np.zeros((height, width), np.uint8)
        radius = max(2, round(side * rng.uniform(0.1, 0.2)))
        cv2.circle(ring, centre, radius, (255,), max(1, side // 60), cv2.LINE_AA)
        mask = np.maximum(mask, ring.astype(np.float32) * np.float32(0.3 * strength / 255))
    return blend(sheet, (0.42, 0.30, 0.16), mask)


def _folds(sheet: Pixels, rng: np.random.Generator, strength: float) -> Pixels:
    """Crease the sheet along one or two lines: a light edge beside a dark one."""
    height, width = sheet.shape[:2]
    shade = np.ones((height, width), np.float32)
    for _ in range(int(rng.integers(1, 3))):
        turn = rng.choice((0.0, np.pi / 2)) + rng.normal(0, 0.06)
        c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        middle = rng.uniform(0.2, 0.8, 2) * (height, width)
        y = np.arange(height, dtype=np.float32)[:, None] - np.float32(middle[0])
        x = np.arange(width, dtype=np.float32)[None, :] - np.float32(middle[1])
        distance = (x * s + y * c) / np.float32(max(1.0, max(height, width) / 110))
        crease = distance / (1 + distance * distance * distance * distance)
        shade += crease * np.float32(0.3 * strength)
    return scaled(sheet, shade)


def _scratches(sheet: Pixels, rng: np.random.Generator, strength: float) -> Pixels:
    """Scrape thin lines, paler or darker than what is below."""
    height, width = sheet.shape[:2]
    side = max(height, width)
    mask = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(2, 3 + round(6 * strength)))):
        turn, length = rng.uniform(0, np.pi), side * rng.uniform(0.1, 0.5)
        start = rng.random(2) * (width, height)
        t = np.linspace(0, 1, 6)[:, None]
        bend = rng.normal(0, 0.12) * length * t * (1 - t)
        along = np.array([np.cos(turn), np.sin(turn)])
        across = np.array([-along[1], along[0]])
        path = np.rint((start + along * length * t + across * bend) * 16).astype(np.int32)
        cv2.polylines(
            mask, [path], isClosed=False, color=(255,), thickness=max(1, side // 200),
            lineType=cv2.LINE_AA, shift=4,
        )  # fmt: skip
    tone = float(rng.choice((0.15, 0.9)))
    opacity = mask.astype(np.float32) * np.float32(0.6 * strength / 255)
    return blend(sheet, (tone, tone, tone), opacity)
