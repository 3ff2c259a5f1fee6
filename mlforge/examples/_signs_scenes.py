"""What stands behind the example signs: skies, hills, leaves, walls, streets and lights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlforge.examples._paint import (
    Array,
    Colour,
    Line,
    Points,
    Polygon,
    blur,
    draw,
    ellipse,
    mask_of,
    noise,
    over,
    ramp,
    resize,
    tinted,
)

__all__ = ["SCENES", "Scene"]


@dataclass(frozen=True)
class Scene:
    """A kind of background.

    Attributes
    ----------
    paint
        Draws it in daylight: ``height x width x 3``.
    lights
        The names of the lights that suit it.
    shadow
        How dark the sign's shadow falls on it: 0 where it is far away, up to 1.
    """

    paint: Callable[[np.random.Generator, int, int], Array]
    lights: tuple[str, ...]
    shadow: float = 0.0


def _plain(height: int, width: int, colour: npt.ArrayLike) -> Array:
    return np.full((height, width, 3), np.asarray(colour), np.float32)


def _fade(height: int, width: int, top: Colour, bottom: Colour) -> Array:
    down = np.linspace(0, 1, height)[:, None, None]
    return _plain(height, width, np.asarray(top) * (1 - down) + np.asarray(bottom) * down)


def _jitter(rng: np.random.Generator, colour: Colour, amount: float) -> Points:
    """Return the colour, lighter or darker by up to `amount` and a little off in hue."""
    tone = np.asarray(colour) * (1 + rng.uniform(-amount, amount) + rng.normal(0, 0.04, 3))
    return np.clip(tone, 0, 1)


def _times(picture: Array, factor: Array) -> Array:
    return np.asarray(np.clip(picture * factor[..., None], 0, 1), dtype=np.float32)


def _ridge(
    picture: Array, rng: np.random.Generator, level: float, colour: npt.ArrayLike, rough: float
) -> Array:
    """Return the picture with rolling ground or treetops below `level` (a share of the height)."""
    height, width = picture.shape[:2]
    line = noise(rng, 4, width, width / 2.5, 5)[1] - 0.5
    edge = (level + rough * 2 * line) * height
    rows = np.arange(height, dtype=np.float32)[:, None]
    mask = np.clip(rows - edge[None, :] + 0.5, 0, 1).astype(np.float32)
    grain = 0.75 + 0.5 * noise(rng, height, width, 14, 4)
    return tinted(picture, mask, np.clip(np.asarray(colour) * grain[..., None], 0, 1))


def _sky(rng: np.random.Generator, height: int, width: int) -> Array:
    """Paint a clear sky with clouds, and trees along the lower edge."""
    picture = _fade(height, width, (0.20, 0.45, 0.80), (0.74, 0.87, 0.96))
    puffs = resize(noise(rng, height, width // 2, width / rng.uniform(2.5, 5), 5), height, width)
    cover = np.clip((puffs - rng.uniform(0.45, 0.62)) * 3.2, 0, 0.95)
    picture = tinted(picture, cover, (0.88 + 0.12 * puffs)[..., None] * np.ones(3))
    return _ridge(picture, rng, rng.uniform(0.80, 1.02), (0.16, 0.29, 0.13), 0.05)


def _hills(rng: np.random.Generator, height: int, width: int) -> Array:
    """Paint rows of hills that fade into the distance, with a field in front."""
    picture = _fade(height, width, (0.42, 0.66, 0.90), (0.97, 0.93, 0.84))
    n_ridges = int(rng.integers(3, 5))
    far, near = np.asarray((0.58, 0.68, 0.78)), np.asarray((0.24, 0.38, 0.12))
    for place, level in enumerate(np.linspace(rng.uniform(0.35, 0.5), 0.78, n_ridges)):
        share = place / (n_ridges - 1)
        picture = _ridge(picture, rng, float(level), far * (1 - share) + near * share, 0.09)
    field = ((0.78, 0.64, 0.24), (0.38, 0.54, 0.16), (0.60, 0.42, 0.56))[int(rng.integers(3))]
    return _ridge(picture, rng, rng.uniform(0.82, 0.93), field, 0.02)


def _leaves(rng: np.random.Generator, height: int, width: int) -> Array:
    """Paint a hedge: layers of leaves, darker and softer the further back they are."""
    tint: Colour = (0.64, 0.37, 0.10) if rng.random() < 0.3 else (0.28, 0.47, 0.13)
    picture = _plain(height, width, np.asarray(tint) * 0.25)
    for depth, (n_leaves, size, softness) in enumerate(
        [(110, 0.085, 2.4), (120, 0.065, 1.2), (90, 0.05, 0.5)]
    ):
        leaves = []
        for _ in range(n_leaves):
            centre = rng.uniform(0, (width, height))
            length = width * size * rng.uniform(0.6, 1.4)
            path = ellipse(centre, (length, length * 0.45), rng.uniform(0, np.pi))
            leaves.append(Polygon(path, _jitter(rng, tint, 0.35) * (0.55 + 0.3 * depth)))
        picture = blur(draw(picture, leaves), softness)
    return _times(picture, 0.6 + 0.7 * noise(rng, height, width, width / 2, 3))


def _bricks(rng: np.random.Generator, height: int, width: int) -> Array:
    """Paint a brick wall, each brick with a tone of its own."""
    rows = int(rng.integers(9, 14))
    tall = height / rows
    wide = tall * rng.uniform(2.1, 2.6)
    gap = max(0.9, tall * 0.09)
    clay: Colour = (0.60, 0.28, 0.19) if rng.random() < 0.7 else (0.70, 0.62, 0.48)
    bricks = []
    for row in range(rows + 1):
        for column in range(-1, int(width / wide) + 2):
            left, top = (column + 0.5 * (row % 2)) * wide + gap, row * tall + gap
            right, low = left + wide - 2 * gap, top + tall - 2 * gap
            path = [(left, top), (right, top), (right, low), (left, low)]
            bricks.append(Polygon(path, _jitter(rng, clay, 0.20)))
    picture = draw(_plain(height, width, (0.66, 0.63, 0.58)), bricks)
    grain = 0.82 + 0.36 * noise(rng, height, width, 9, 4)
    return _times(picture, grain * (0.75 + 0.35 * noise(rng, height, width, width / 2, 3)))


def _plaster(rng: np.random.Generator, height: int, width: int) -> Array:
    """Paint a plastered wall with stains and a few cracks."""
    paints: list[Colour] = [(0.84, 0.80, 0.70), (0.88, 0.68, 0.46), (0.64, 0.72, 0.72)]
    picture = _plain(height, width, _jitter(rng, paints[int(rng.integers(len(paints)))], 0.08))
    grain = 0.9 + 0.2 * noise(rng, height, width, 6, 3)
    picture = _times(picture, grain * (0.74 + 0.4 * noise(rng, height, width, width / 1.5, 5)))
    cracks = []
    for _ in range(int(rng.integers(1, 4))):
        steps = rng.normal((0.2, 1.6), 2.2, (60, 2)).cumsum(axis=0)
        cracks.append(Line(steps + rng.uniform(0, (width, 0.6 * height)), 1))
    return tinted(picture, mask_of(height, width, *cracks) * np.float32(0.45), (0.2, 0.18, 0.16))


def _street(rng: np.random.Generator, height: int, width: int) -> Array:
    """Paint a street of houses that runs to a vanishing point, out of focus."""
    far_point = (rng.uniform(0.3, 0.7) * width, rng.uniform(0.55, 0.66) * height)
    centre = np.asarray(far_point)
    shapes: list[Polygon] = []
    for side in (0.0, float(width)):
        near = 1.0
        while near > 0.25:
            far = near * rng.uniform(0.55, 0.75)
            corner = np.asarray((side, rng.uniform(-0.35, 0.25) * height))
            tone = _jitter(rng, (0.66, 0.54, 0.44), 0.35)
            shapes += _house(centre, corner, height, (near, far), tone)
            near = far
    grey = np.full(3, rng.uniform(0.30, 0.42))
    shapes.append(Polygon([(-0.9 * width, height), far_point, (1.9 * width, height)], grey))
    line = [(0.44 * width, height), far_point, (0.50 * width, height)]
    shapes.append(Polygon(line, (0.85, 0.84, 0.78)))
    picture = _fade(height, width, (0.46, 0.65, 0.86), (0.90, 0.90, 0.86))
    return blur(draw(picture, shapes), rng.uniform(1.4, 2.6))


def _house(
    centre: Points, corner: Points, height: int, span: tuple[float, float], tone: Points
) -> list[Polygon]:
    """Return one front and its windows between two depths (1 at the edge, 0 far away)."""
    near, far = span

    def front(left: float, right: float, top: float, low: float) -> Points:
        path = []
        for share, level in ((left, top), (right, top), (right, low), (left, low)):
            edge = corner + np.asarray((0, level * (height - corner[1])))
            path.append(centre + (edge - centre) * (near + (far - near) * share))
        return np.asarray(path)

    windows = [
        Polygon(front(left, left + 0.25, top, top + 0.2), tone * 0.35)
        for top in (0.12, 0.42)
        for left in (0.15, 0.60)
    ]
    return [Polygon(front(0, 1, 0, 1), tone), *windows]


def _lights(rng: np.random.Generator, height: int, width: int) -> Array:
    """Paint a town after sunset: its lamps far out of focus."""
    horizon: Colour = (1.0, 0.56, 0.34) if rng.random() < 0.6 else (0.80, 0.56, 0.74)
    picture = _fade(height, width, (0.22, 0.28, 0.56), horizon)
    picture = _ridge(picture, rng, rng.uniform(0.55, 0.75), (0.13, 0.13, 0.22), 0.08)
    lamps = ((1.0, 0.78, 0.40), (1.0, 0.88, 0.66), (1.0, 0.34, 0.20), (0.55, 0.78, 1.0))
    for _ in range(int(rng.integers(16, 30))):
        radius = width * rng.uniform(0.02, 0.065)
        centre = rng.uniform((0, height * 0.45), (width, height))
        disc = mask_of(height, width, Polygon(ellipse(centre, (radius, radius))))
        glow = blur(disc, 0.8) * np.float32(rng.uniform(0.35, 1.0))
        tone = np.asarray(lamps[int(rng.integers(len(lamps)))], np.float32)
        picture = 1 - (1 - picture) * (1 - glow[..., None] * tone)
    return picture


def _forest(rng: np.random.Generator, height: int, width: int) -> Array:
    """Paint tree trunks before a bright clearing, out of focus."""
    picture = _fade(height, width, (0.52, 0.66, 0.32), (0.32, 0.38, 0.16))
    picture = _times(picture, 0.7 + 0.6 * ramp(height, width, rng.uniform(-2.2, -1.0)))
    picture = _times(picture, 0.65 + 0.7 * noise(rng, height, width, width / 5, 5))
    for n_trunks, size, softness in ((6, 0.5, 2.2), (int(rng.integers(1, 4)), 1.0, 0.8)):
        trunks = []
        for _ in range(n_trunks):
            x, lean = rng.uniform(0, width), rng.normal(0, 0.04) * width
            half = width * size * rng.uniform(0.025, 0.055)
            top = (x + lean - half * 0.7, x + lean + half * 0.7)
            path = [(x - half, height), (top[0], 0), (top[1], 0), (x + half, height)]
            trunks.append(Polygon(path, _jitter(rng, (0.24, 0.18, 0.12), 0.4)))
        layer = draw(np.zeros((height, width, 4), np.float32), trunks)
        picture = over(picture, blur(layer, softness))
    return _times(picture, 0.8 + 0.4 * noise(rng, height, width, 12, 4))


_DAY = ("noon", "noon", "overcast", "golden", "fog")

SCENES: tuple[Scene, ...] = (
    Scene(_sky, ("noon", "noon", "golden", "overcast", "dusk")),
    Scene(_bricks, ("noon", "overcast", "golden", "night"), shadow=0.5),
    Scene(_hills, (*_DAY, "dusk")),
    Scene(_leaves, ("noon", "overcast", "golden", "night"), shadow=0.25),
    Scene(_street, (*_DAY, "dusk")),
    Scene(_lights, ("dusk", "dusk", "night")),
    Scene(_plaster, ("noon", "overcast", "golden"), shadow=0.55),
    Scene(_forest, _DAY),
)
"""The kinds of background."""
