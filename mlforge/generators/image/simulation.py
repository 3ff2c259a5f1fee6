"""The generator `simulation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import cv2
import numpy as np
from annotated_types import Ge, Le

from mlforge.core.randomness import Streams
from mlforge.generators import Generated, Generator
from mlforge.generators.image._backgrounds import background_colors, paint_background
from mlforge.generators.image._canvas import Color, Pixels, blend, drawn_from
from mlforge.generators.image._cutout import Cutout, cut_out
from mlforge.generators.image._photo import PhotoConfig, Share, photograph
from mlforge.generators.image._scene import cast_shadow, draw_occluder, hide, place, placed

__all__ = ["Simulation", "SimulationConfig"]

_Scale = Annotated[float, Ge(0.1), Le(3)]

# How far the colour of a background is at least from the object's, in CIE Lab.
_LEAST_DIFFERENCE = 30.0
_N_TRIES = 8
# How often something is in front of the object.
_OCCLUDED = 0.5
_LONGEST_SHADOW = 0.08


@dataclass(frozen=True, kw_only=True)
class SimulationConfig(PhotoConfig):
    """The parameters of `simulation`."""

    scale: tuple[_Scale, _Scale] = (0.75, 1.1)
    """The range of the object's size, of that in its seed; what would not fit is made smaller."""
    position: Share = 0.6
    """How far the object moves: 0 stays where it is in the seed, 1 goes anywhere it fits."""
    rotation: Annotated[float, Ge(0), Le(180)] = 12.0
    """The largest angle, in degrees, by which the object is turned either way."""
    occlusion: Annotated[float, Ge(0), Le(0.5)] = 0.02
    """The largest share of the object that something in front of it hides, in half of samples."""

    @staticmethod
    def more_ranges() -> tuple[str, ...]:
        """Return the names of other parameters that are ranges."""
        return ("scale",)


class Simulation(Generator):
    """Composes cut-outs of seeds onto painted backgrounds, with light, shadow and camera noise.

    The object is what the seed's own transparency leaves; in a seed without any, what stands out
    from an even background. Where nothing does, the whole seed with a soft edge takes its place.
    The share `augmentation_ratio` of the samples then passes through the category's techniques.
    """

    name = "simulation"
    modality = "image"
    Config = SimulationConfig
    revision: ClassVar[int] = 2

    def decode(self, data: bytes) -> Pixels:
        """Turn a seed's bytes into RGB pixels, or RGB and alpha where it has transparency."""
        # A modality that stands in for ours may know nothing of layers.
        decode = getattr(self._modality, "decode_layer", self._modality.decode)
        return np.asarray(decode(data), np.uint8)

    def generate(
        self, sources: Sequence[Pixels], copy: int, streams: Streams, attempt: int = 0
    ) -> Generated:
        """Make one sample of the only seed in `sources`: as large as the seed."""
        (seed,) = sources
        rng = streams.rng("scene", copy, attempt)
        sample, recipe = self._scene(cut_out(seed), rng)
        if streams.rng("varied", copy).random() >= self._varied_share:
            return Generated(sample, recipe)
        varied = self.apply_techniques(sample, streams.rng("copy", copy, attempt))
        return Generated(varied.example, recipe + varied.recipe)

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `generate` gives."""
        return {"numpy": np.__version__, "opencv": cv2.__version__}

    @property
    def _varied_share(self) -> float:
        return self.category.augmentation_settings.augmentation_ratio

    def _scene(
        self, cutout: Cutout, rng: np.random.Generator
    ) -> tuple[Pixels, tuple[Mapping[str, Any], ...]]:
        config = self.config
        height, width = cutout.layer.shape[:2]
        placement = place(cutout, rng, config.scale, config.rotation, config.position)
        colors, alpha = placed(cutout, placement)
        kind = config.backgrounds[int(rng.integers(len(config.backgrounds)))]
        base, other = _apart_from(cutout.color, rng)
        background = paint_background(kind, rng, height, width, (base, other))
        angle = rng.uniform(0, 360)
        darkness = rng.uniform(0, config.shadow)
        length = rng.uniform(0.01, _LONGEST_SHADOW) * max(height, width)
        scene = blend(cast_shadow(background, alpha, angle, length, darkness), colors, alpha)
        recipe = [
            {"step": "object", "mask": cutout.source, **drawn_from(vars(placement))},
            {"step": "background", "kind": kind, "colors": [list(base), list(other)]},
            {"step": "shadow", **drawn_from({"darkness": darkness, "length": length})},
        ]
        # Of a whole seed the object is only a part.
        most_hidden = config.occlusion * (0.25 if cutout.source == "whole" else 1.0)
        occluder = None
        if rng.random() < _OCCLUDED:
            occluder = draw_occluder(rng, alpha, rng.uniform(0, most_hidden))
        if occluder is not None:
            scene = hide(scene, occluder)
            recipe.append({"step": "occlusion", **drawn_from(vars(occluder))})
        pixels, taken = photograph(scene, angle, config, rng)
        return pixels, (*recipe, *taken)


def _apart_from(shade: Color, rng: np.random.Generator) -> tuple[Color, Color]:
    """Draw the colours of a background, both well apart from another colour where that goes."""
    best, most = background_colors(rng), -1.0
    for _ in range(_N_TRIES):
        pair = background_colors(rng)
        lab = cv2.cvtColor(np.array([[shade, *pair]], np.float32), cv2.COLOR_RGB2Lab)[0]
        difference = float(np.linalg.norm(lab[1:] - lab[0], axis=1).min())
        if difference > most:
            best, most = pair, difference
        if difference >= _LEAST_DIFFERENCE:
            break
    return best
