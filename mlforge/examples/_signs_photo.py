"""From a sign's face to a photograph of it: viewpoint, light, what is in the way, the camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mlforge.core.randomness import Streams
from mlforge.examples._paint import (
    Array,
    Colour,
    Line,
    Points,
    Polygon,
    blur,
    draw,
    mask_of,
    noise,
    over,
    ramp,
    reduce,
    tinted,
    warp,
)
from mlforge.examples._signs_faces import FACE_SIDE, FACES, UNIT
from mlforge.examples._signs_scenes import SCENES, Scene
from mlforge.examples._signs_wear import weathered

__all__ = ["photograph"]

_HALF_FACE = FACE_SIDE / 2 / UNIT


@dataclass(frozen=True)
class _Light:
    """A time of day.

    Attributes
    ----------
    tint
        What it multiplies red, green and blue with.
    exposure
        The range of brightness.
    on_sign
        How much brighter the sign is than its surroundings: headlights in the dark.
    sun
        How strong directed light is: shading, glare and the shadows of leaves.
    haze
        The range of how much the background fades into mist.
    """

    tint: Colour
    exposure: tuple[float, float]
    on_sign: float = 1.0
    sun: float = 0.5
    haze: tuple[float, float] = (0.0, 0.1)


_LIGHTS: dict[str, _Light] = {
    "noon": _Light((1.02, 1.0, 0.96), (1.0, 1.16), sun=1.0),
    "overcast": _Light((0.95, 0.99, 1.03), (0.82, 1.0), sun=0.15),
    "golden": _Light((1.15, 0.98, 0.76), (0.88, 1.06), sun=0.9),
    "dusk": _Light((0.95, 0.86, 0.98), (0.70, 0.90), sun=0.2),
    "night": _Light((0.66, 0.70, 0.92), (0.46, 0.60), on_sign=1.75, sun=0.3),
    "fog": _Light((0.97, 0.99, 1.0), (0.86, 1.0), sun=0.05, haze=(0.45, 0.75)),
}


@dataclass(frozen=True)
class _View:
    """Where the camera stands: maps points on and around the plate to pixels."""

    rotation: Points
    centre: Points
    scale: float
    distance: float

    def pixels(self, points: npt.ArrayLike) -> Points:
        """Return ``n x 2`` pixels of ``n x 3`` points (right, down, away; the plate is at 0)."""
        turned = np.asarray(points, dtype=np.float64) @ self.rotation.T
        nearness = self.distance / (self.distance + turned[:, 2:])
        projected: Points = self.centre + turned[:, :2] * nearness * self.scale
        return projected

    def square(self, half: float, depth: float) -> Points:
        """Return the pixels of a square's corners at a depth behind the plate."""
        corners = [(-half, -half), (half, -half), (half, half), (-half, half)]
        return self.pixels([(x, y, depth) for x, y in corners])


def _turn(yaw: float, pitch: float, roll: float) -> Points:
    cy, sy, cp, sp, cr, sr = (float(f(a)) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    about_y = np.asarray([(cy, 0, sy), (0, 1, 0), (-sy, 0, cy)])
    about_x = np.asarray([(1, 0, 0), (0, cp, -sp), (0, sp, cp)])
    about_z = np.asarray([(cr, -sr, 0), (sr, cr, 0), (0, 0, 1)])
    turned: Points = about_z @ about_x @ about_y
    return turned


def _view(rng: np.random.Generator, height: int, width: int) -> _View:
    yaw, pitch = rng.uniform(-0.60, 0.60), rng.uniform(-0.32, 0.22)
    roll = float(np.clip(rng.normal(0, 0.07), -0.20, 0.20))
    side = min(height, width)
    scale = side * rng.uniform(0.33, 0.45)
    free = np.maximum(np.asarray((width, height)) / 2 - scale * 0.95, 0)
    shift = rng.uniform(-1, 1, 2) * np.minimum(free, side * 0.07)
    centre = np.asarray((width, height)) / 2 + shift
    return _View(_turn(yaw, pitch, roll), centre, float(scale), float(rng.uniform(3.2, 7.0)))


def photograph(code: str, streams: Streams) -> npt.NDArray[np.uint8]:
    """Draw one picture of a sign: uint8, height x width x 3, RGB, 160 to 200 pixels a side.

    Parameters
    ----------
    code
        A key of `FACES`.
    streams
        Decides everything about the picture but what the sign says.
    """
    frame = streams.rng("frame")
    height, width = (int(side) for side in frame.integers(160, 201, 2))
    scene = SCENES[int(frame.integers(len(SCENES)))]
    light = _LIGHTS[scene.lights[int(frame.integers(len(scene.lights)))]]
    view = _view(streams.rng("view"), height, width)
    sign = _sign(code, streams, view, light, (height, width))
    picture = _background(streams.rng("scene"), scene, light, (height, width))
    picture = over(_shadowed(picture, sign, scene.shadow * light.sun, streams), sign)
    picture = _twigs(picture, streams.rng("twigs"))
    return _camera(picture, light, streams.rng("camera"))


def _background(
    rng: np.random.Generator, scene: Scene, light: _Light, size: tuple[int, int]
) -> Array:
    picture = scene.paint(rng, *size)
    picture = blur(picture, rng.uniform(0.0, 1.6))
    haze = rng.uniform(*light.haze)
    return picture * np.float32(1 - haze) + np.float32(haze * 0.82)


def _sign(code: str, streams: Streams, view: _View, light: _Light, size: tuple[int, int]) -> Array:
    """Return the plate on its pole as a layer of the picture's size."""
    face = weathered(FACES[code].layer(), streams.rng("wear"))
    face = _lit(face, streams.rng("shading"), light)
    plates = [
        warp(face[..., 3:], view.square(_HALF_FACE, depth), *size) for depth in (0.02, 0.04, 0.06)
    ]
    layer = _pole(view, streams.rng("pole"), size)
    layer = tinted(layer, np.maximum.reduce(plates)[..., 0], (0.30, 0.31, 0.32))
    small = over(layer, warp(face, view.square(_HALF_FACE, 0.0), *size))
    colour = np.minimum(small[..., :3] * np.float32(light.on_sign), small[..., 3:] * 3)
    return np.concatenate([colour, small[..., 3:]], axis=2)


def _pole(view: _View, rng: np.random.Generator, size: tuple[int, int]) -> Array:
    """Return a round metal pole that runs down from behind the plate."""
    across = np.linspace(-1, 1, 32, dtype=np.float32)
    round_shade = 0.35 + 0.65 * np.sqrt(1 - across**2) * (0.75 + 0.25 * np.cos(2 * across + 1))
    tone = rng.uniform(0.45, 0.7)
    texture = np.ones((64, 32, 4), np.float32)
    texture[..., :3] = (round_shade * tone)[None, :, None] * (0.98, 1.0, 1.02)
    texture[:, (0, -1)] = 0
    half, top = rng.uniform(0.055, 0.085), -0.80
    corners = view.pixels(
        [(-half, top, 0.10), (half, top, 0.10), (half, 5.5, 0.10), (-half, 5.5, 0.10)]
    )
    return warp(texture, corners, *size)


def _lit(face: Array, rng: np.random.Generator, light: _Light) -> Array:
    """Return the face with the light's fall-off, a bevelled rim, glare and leaf shadows."""
    angle = rng.uniform(-np.pi, 0)
    slope = ramp(FACE_SIDE, FACE_SIDE, angle) - 0.5
    shade = 1 + slope * (0.12 + 0.35 * light.sun * rng.random())
    soft = blur(face[..., 3], 4)
    dx, dy = round(4 * float(np.cos(angle))), round(4 * float(np.sin(angle)))
    bevel = np.roll(soft, (-dy, -dx), (0, 1)) - np.roll(soft, (dy, dx), (0, 1))
    shade = shade - 0.35 * bevel
    if rng.random() < 0.35 * light.sun:
        patches = np.clip((noise(rng, FACE_SIDE, FACE_SIDE, 0.62 * UNIT, 4) - 0.5) * 7, 0, 1)
        shade = shade * (1 - rng.uniform(0.3, 0.55) * blur(patches, 4))
    glare = np.zeros_like(soft)
    if rng.random() < 0.3 * light.sun:
        spot = np.exp(-((slope - rng.uniform(-0.2, 0.4)) ** 2) / rng.uniform(0.01, 0.03))
        glare = (rng.uniform(0.15, 0.5) * spot).astype(np.float32)
    plate = face[..., 3:]
    colour = np.clip(face[..., :3] * shade[..., None] + glare[..., None] * plate, 0, plate)
    return np.concatenate([colour, plate], axis=2).astype(np.float32)


def _shadowed(picture: Array, sign: Array, depth: float, streams: Streams) -> Array:
    """Return the background with the sign's soft shadow on it."""
    rng = streams.rng("shadow")
    dx, dy = (int(step) for step in rng.integers((-16, 4), (17, 18)))
    cast = np.zeros_like(sign[..., 3])
    height, width = cast.shape
    left, right = max(dx, 0), min(width + dx, width)
    cast[dy:, left:right] = sign[: height - dy, left - dx : right - dx, 3]
    dark = blur(cast, rng.uniform(2.0, 5.0)) * np.float32(depth)
    return picture * (1 - dark[..., None])


def _twigs(picture: Array, rng: np.random.Generator) -> Array:
    """Return the picture with, now and then, twigs of a near bush reaching into it."""
    if rng.random() > 0.35:
        return picture
    size = np.asarray(picture.shape[1::-1]) * 2
    tint = np.asarray((0.62, 0.36, 0.10) if rng.random() < 0.25 else (0.22, 0.40, 0.09))
    shapes: list[Polygon | Line] = []
    for _ in range(int(rng.integers(1, 4))):
        edge = rng.uniform(0, 2 * np.pi)
        start = (0.5 + 0.72 * np.asarray((np.cos(edge), np.sin(edge)))) * size
        headings = edge + np.pi + rng.normal(0, 0.45) + rng.normal(0, 0.5) * np.linspace(0, 1, 9)
        steps = np.stack([np.cos(headings), np.sin(headings)], axis=1) * rng.uniform(13, 21)
        path = start + steps.cumsum(axis=0)
        shapes.append(Line(path, rng.uniform(2, 4), (0.20, 0.14, 0.09)))
        for place, (base, heading) in enumerate(zip(path, headings, strict=True)):
            aim = heading + (-1) ** place * rng.uniform(0.4, 1.0)
            tone = tint * rng.uniform(0.6, 1.6) * (1 + rng.normal(0, 0.06, 3))
            shapes.append(Polygon(_leaf(base, aim, rng.uniform(24, 46)), tone))
    layer = draw(np.zeros((size[1], size[0], 4), np.float32), shapes)
    return over(picture, blur(reduce(layer, 2), rng.uniform(0.2, 1.3)))


def _leaf(base: Points, heading: float, length: float) -> Points:
    t = np.linspace(0, 1, 10)
    half = 0.26 * np.sin(np.pi * t) ** 0.8
    outline = np.concatenate([np.stack([t, half], 1), np.stack([t, -half], 1)[::-1]]) * length
    c, s = float(np.cos(heading)), float(np.sin(heading))
    turned: Points = base + outline @ np.asarray([(c, s), (-s, c)])
    return turned


def _camera(picture: Array, light: _Light, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return what the camera makes of it: exposure, colour, lens, shake and noise."""
    height, width = picture.shape[:2]
    gain = rng.uniform(*light.exposure) * (1 + rng.normal(0, 0.04, 3)) * np.asarray(light.tint)
    picture = picture * gain.astype(np.float32)
    y, x = np.mgrid[0:height, 0:width]
    out = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) * 2
    picture = picture * (1 - rng.uniform(0.1, 0.4) * out[..., None])
    picture = _soft_highlights(picture.astype(np.float32))
    picture = blur(picture, max(0.0, rng.normal(0.35, 0.45)))
    if rng.random() < 0.2:
        picture = _shaken(picture, rng)
    grain = rng.uniform(0.004, 0.016) / light.exposure[0]
    rough = rng.normal(0, 1, picture.shape) * 0.6 + rng.normal(0, 1, (height, width, 1)) * 0.8
    picture = picture + (grain * rough).astype(np.float32)
    return np.clip(np.round(picture * 255), 0, 255).astype(np.uint8)


def _soft_highlights(picture: Array) -> Array:
    """Return the picture with values above 0.8 bent towards 1 instead of cut off."""
    high = 1 - 0.2 * np.exp(-(np.maximum(picture, 0.8) - 0.8) / 0.2)
    return np.where(picture > 0.8, high, picture).astype(np.float32)


def _shaken(picture: Array, rng: np.random.Generator) -> Array:
    """Return the picture blurred along a short straight line."""
    angle, length = rng.uniform(0, np.pi), rng.uniform(2, 6)
    step = np.asarray((np.cos(angle), np.sin(angle))) * length / 2
    kernel = mask_of(9, 9, Line([4.5 - step, 4.5 + step], 1))
    kernel = kernel / kernel.sum()
    shaken = cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REFLECT)
    return np.asarray(shaken, dtype=np.float32)
