"""What both generators share: the parameters of scene, light and camera, and taking the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, get_args

import numpy as np
from annotated_types import Ge, Le, MinLen

from mlforge.generators import GeneratorConfig
from mlforge.generators.image._backgrounds import Background
from mlforge.generators.image._camera import add_sensor_noise, blurred, jpeg_compressed, lit
from mlforge.generators.image._canvas import Drawn, Pixels, drawn_from

__all__ = ["PhotoConfig", "Share", "photograph"]

Share = Annotated[float, Ge(0), Le(1)]
_Gain = Annotated[float, Ge(0.2), Le(2)]
_Quality = Annotated[int, Ge(10), Le(100)]


@dataclass(frozen=True, kw_only=True)
class PhotoConfig(GeneratorConfig):
    """The parameters of generators that take pictures of a scene."""

    backgrounds: Annotated[tuple[Background, ...], MinLen(1)] = get_args(Background)
    """The kinds of surfaces that are painted behind it, each equally often."""
    shadow: Share = 0.5
    """The share of light that the darkest shadow takes away."""
    light_fall: Share = 0.5
    """How much brighter, at most, the side to the light is than the side away from it."""
    light_warmth: Annotated[float, Ge(0), Le(0.5)] = 0.12
    """The largest share by which red is raised and blue lowered, or the other way round."""
    light_gain: tuple[_Gain, _Gain] = (0.75, 1.15)
    """The range of what all brightness is multiplied with."""
    blur: Annotated[float, Ge(0), Le(0.05)] = 0.004
    """The largest standard deviation of the lens's blur, as a share of the longest side."""
    shot_noise: Annotated[float, Ge(0), Le(0.5)] = 0.04
    """The largest noise of white, as a share of it; it grows with the root of the brightness."""
    read_noise: Annotated[float, Ge(0), Le(0.5)] = 0.02
    """The largest noise of black, as a share of white."""
    jpeg_quality: tuple[_Quality, _Quality] = (50, 95)
    """The range of the JPEG quality that the camera stores with; 100 leaves no trace."""

    def __post_init__(self) -> None:
        for key in ("light_gain", "jpeg_quality", *self.more_ranges()):
            low, high = getattr(self, key)
            if low > high:
                raise ValueError(f"{key} begins at {low}, above its end {high}")

    @staticmethod
    def more_ranges() -> tuple[str, ...]:
        """Return the names of other parameters that are ranges."""
        return ()


def photograph(
    scene: Pixels, angle: float, config: PhotoConfig, rng: np.random.Generator
) -> tuple[Pixels, list[Drawn]]:
    """Return a scene as a camera sees it, and the steps of the recipe.

    Parameters
    ----------
    scene
        uint8, height x width x 3, RGB.
    angle
        Where the light comes from, in degrees: 0 from the right, 90 from below.
    config
        The ranges to draw from.
    rng
        The only source of randomness.
    """
    fall = rng.uniform(0, config.light_fall)
    warmth = rng.uniform(-config.light_warmth, config.light_warmth)
    gain = rng.uniform(*config.light_gain)
    blur = rng.uniform(0, config.blur) * max(scene.shape)
    shot, read = rng.uniform(0, config.shot_noise), rng.uniform(0, config.read_noise)
    quality = int(rng.integers(config.jpeg_quality[0], config.jpeg_quality[1] + 1))
    seen = blurred(lit(scene, angle, fall, warmth, gain), blur)
    pixels = jpeg_compressed(add_sensor_noise(seen, rng, shot, read), quality)
    light: dict[str, Any] = {"angle": angle, "fall": fall, "warmth": warmth, "gain": gain}
    camera = {"blur": blur, "shot_noise": shot, "read_noise": read, "jpeg_quality": quality}
    return pixels, [
        {"step": "light", **drawn_from(light)},
        {"step": "camera", **drawn_from(camera)},
    ]
