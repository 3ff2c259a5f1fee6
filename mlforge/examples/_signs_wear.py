"""What years outside do to a sign's face: fading, flakes, dirt, rust, scratches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlforge.examples._paint import (
    Array,
    Line,
    Polygon,
    blur,
    draw,
    ellipse,
    mask_of,
    noise,
    tinted,
)
from mlforge.examples._signs_faces import FACE_SIDE, UNIT

__all__ = ["weathered"]

_N = FACE_SIDE
_MIDDLE = FACE_SIDE / 2


def weathered(face: Array, rng: np.random.Generator) -> Array:
    """Return the face with bolts and some years of wear; the plate's outline is kept."""
    worn = _bolts(face)
    age = rng.beta(1.4, 1.8)
    for mark, odds in _MARKS:
        if rng.random() < odds * (0.35 + age):
            worn = mark(worn, rng, float(age))
    plate = face[..., 3:]
    return np.concatenate([np.clip(worn[..., :3], 0, plate), plate], axis=2)


def _bolts(face: Array) -> Array:
    shapes = []
    for y in (-0.60, 0.60):
        centre, radius = np.asarray((_MIDDLE, _MIDDLE + y * UNIT)), 0.036 * UNIT
        shapes += [
            Polygon(ellipse(centre + 2, (radius * 1.15, radius * 1.15)), (0.2, 0.2, 0.2)),
            Polygon(ellipse(centre, (radius, radius)), (0.5, 0.5, 0.52)),
            Polygon(ellipse(centre - 1.5, (radius * 0.45, radius * 0.45)), (0.8, 0.8, 0.8)),
        ]
    return draw(face, shapes)


def _fading(face: Array, rng: np.random.Generator, age: float) -> Array:
    """Bleach the pigments unevenly towards a chalky tone of themselves."""
    amount = age * rng.uniform(0.15, 0.6) * (0.6 + 0.4 * noise(rng, _N, _N, _N / 2, 3))
    colour = face[..., :3]
    grey = colour.mean(axis=2, keepdims=True)
    chalk = 0.42 + 0.5 * (0.55 * grey + 0.45 * colour)
    faded = colour + (chalk - colour) * amount[..., None]
    return np.concatenate([faded, face[..., 3:]], axis=2).astype(np.float32)


def _dirt(face: Array, rng: np.random.Generator, age: float) -> Array:
    """Gather dust in blotches, most of it near the lower edge."""
    down = np.linspace(0, 1, _N, dtype=np.float32)[:, None] ** 2
    blotches = np.clip(noise(rng, _N, _N, _N / 3, 6) - 0.45, 0, 1) * 2
    mask = np.clip(blotches * (0.35 + down) * (0.3 + age), 0, 0.8)
    return tinted(face, mask, (0.27, 0.23, 0.17))


def _rust(face: Array, rng: np.random.Generator, age: float) -> Array:
    """Let rust start at the bolts and at the rim, and run down."""
    runs = []
    for top in (_MIDDLE - 0.60 * UNIT, _MIDDLE + 0.60 * UNIT):
        for _ in range(int(rng.integers(2, 5))):
            x, half = _MIDDLE + rng.normal(0, 4), rng.uniform(1.8, 4.5)
            tip = (x + rng.normal(0, 4), top + UNIT * rng.uniform(0.1, 0.55) * (0.4 + age))
            runs.append(Polygon([(x - half, top), (x + half, top), tip]))
    grain = noise(rng, _N, _N, 68, 6)
    run = blur(mask_of(_N, _N, *runs), 1.8) * (0.45 + 0.4 * grain)
    face = tinted(face, run, (0.45, 0.20, 0.07))
    near_rim = 1.0 - blur(face[..., 3], 10)
    rim = np.clip(near_rim * np.clip(grain - 0.45, 0, 1) * 3.5 * (0.4 + age), 0, 0.9)
    return tinted(face, rim, (0.40, 0.19, 0.08))


def _scratches(face: Array, rng: np.random.Generator, age: float) -> Array:
    """Add thin bent scratches down to the bare metal."""
    lines = []
    for _ in range(int(rng.integers(2, 5 + int(6 * age)))):
        turn, length = rng.uniform(0, np.pi), UNIT * rng.uniform(0.2, 0.9)
        t = np.linspace(0, 1, 12)
        along = np.asarray((np.cos(turn), np.sin(turn))) * (t * length)[:, None]
        bend = rng.normal(0, 0.6) * length * t * (1 - t)
        across = np.asarray((-np.sin(turn), np.cos(turn))) * bend[:, None]
        start = rng.uniform(0.1, 0.9, 2) * _N
        lines.append(Line(start + along + across, rng.uniform(1, 3), (rng.uniform(0.4, 0.9),)))
    return tinted(face, mask_of(_N, _N, *lines), np.full(3, rng.uniform(0.5, 0.8)))


def _stickers(face: Array, rng: np.random.Generator, age: float) -> Array:
    """Add one to three stickers with a band of another colour; `age` makes no difference."""
    del age
    shapes = []
    for _ in range(int(rng.integers(1, 4))):
        centre = _MIDDLE + rng.uniform(-0.75, 0.75, 2) * UNIT
        turn = rng.uniform(-0.7, 0.7)
        axes = np.asarray([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
        corners = np.asarray([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * UNIT
        corners = corners * rng.uniform(0.07, 0.17, 2)
        paper = rng.uniform(0.1, 0.95, 3)
        shapes.append(Polygon(corners @ axes + centre, paper))
        shapes.append(Polygon((corners * (0.75, 0.3)) @ axes + centre, 1 - paper))
    return draw(face, shapes)


def _peeling(face: Array, rng: np.random.Generator, age: float) -> Array:
    """Flake the printed film off down to pale metal, most of it near the rim."""
    near_rim = 1.0 - blur(face[..., 3], 0.12 * UNIT)
    flakes = noise(rng, _N, _N, 0.4 * UNIT, 5) + 0.3 * near_rim + np.float32(0.1 * age)
    level = np.float32(rng.uniform(0.80, 0.95))
    bare = np.clip((flakes - level) * np.float32(14), 0, 1)
    face = tinted(face, blur(bare, 2.0) * np.float32(0.3), (0.1, 0.1, 0.1))
    metal = 0.62 + 0.2 * noise(rng, _N, _N, 0.2 * UNIT, 3)
    return tinted(face, bare, metal[..., None] * np.ones(3))


_MARKS: tuple[tuple[Callable[[Array, np.random.Generator, float], Array], float], ...] = (
    (_fading, 0.9),
    (_peeling, 0.2),
    (_dirt, 0.8),
    (_rust, 0.55),
    (_scratches, 0.6),
    (_stickers, 0.3),
)
