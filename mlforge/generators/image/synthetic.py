"""The generator `synthetic`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt
import PIL
from annotated_types import Ge, Le

from mlforge.core.category import CategoryConfig
from mlforge.core.randomness import Streams
from mlforge.errors import ConfigError
from mlforge.generators import Generated, Generator, GeneratorConfig
from mlforge.generators.image._backgrounds import background_colors, paint_background
from mlforge.generators.image._canvas import (
    Color,
    Floats,
    Pixels,
    blend,
    contrast,
    drawn_from,
    to_floats,
    to_pixels,
)
from mlforge.generators.image._content import Content, draw_content, parse_content
from mlforge.generators.image._photo import PhotoConfig, Share, photograph
from mlforge.generators.image._scene import cast_shadow
from mlforge.generators.image._templates import Sheet, Style, draw_sheet
from mlforge.generators.image._wear import faded, worn
from mlforge.modalities import Modality

__all__ = ["Synthetic", "SyntheticConfig"]

_Scale = Annotated[float, Ge(0.3), Le(1)]

# The smallest text in a sample, in pixels: smaller is guessed and not read.
_LEAST_TEXT = 9.0
# Between a bare shape and what lies behind it.
_LEAST_CONTRAST = 3.0
_LONGEST_SHADOW = 0.04


@dataclass(frozen=True, kw_only=True)
class SyntheticConfig(PhotoConfig):
    """The parameters of `synthetic`."""

    style: Style = "label"
    """What the inputs are drawn as: a document, a label, a sign, or a bare shape."""
    size: Annotated[int, Ge(32), Le(2048)] | None = None
    """The side of the samples in pixels; that of the modality where not given."""
    scale: tuple[_Scale, _Scale] = (0.75, 1.0)
    """The range of the sheet's size, as a share of the largest that fits."""
    rotation: Annotated[float, Ge(0), Le(45)] = 6.0
    """The largest angle, in degrees, by which the sheet is turned either way."""
    perspective: Annotated[float, Ge(0), Le(0.2)] = 0.05
    """How far, at most, each corner is moved by the camera's view, as a share of the side."""
    wear: Share = 0.6
    """How strong faded ink, stains, folds and scratches are at most."""

    @staticmethod
    def more_ranges() -> tuple[str, ...]:
        """Return the names of other parameters that are ranges."""
        return ("scale",)


class Synthetic(Generator):
    """Draws texts and simple shapes as worn documents, labels and signs, and photographs them.

    Each of the category's `sample_inputs` is a text, or ``shape:`` and a shape's name, such as
    ``shape:triangle``. Line breaks are kept, and long lines are wrapped. The share
    `augmentation_ratio` of the samples then passes through the category's techniques.
    """

    name = "synthetic"
    modality = "image"
    Config = SyntheticConfig
    needs_seeds: ClassVar[bool] = False
    takes_inputs: ClassVar[bool] = True
    revision: ClassVar[int] = 2

    def __init__(
        self,
        category: CategoryConfig,
        modality: Modality,
        config: GeneratorConfig | None = None,
    ) -> None:
        super().__init__(category, modality, config)
        largest = modality.config.size
        where = f"categories/{category.category_code}/config.json"
        if self.config.size is not None and self.config.size > largest:
            raise ConfigError(
                f"{where}: generation_settings.parameters.size: {self.config.size} is above the "
                f"{largest} pixels that pictures are scaled down to",
                f"give at most {largest}, or raise modality.size in mlforge.toml",
            )
        self.side: int = self.config.size or largest
        for index, text in enumerate(category.sample_inputs):
            self._content(text, f"{where}: sample_inputs[{index}]")

    def generate(
        self, sources: Sequence[str], copy: int, streams: Streams, attempt: int = 0
    ) -> Generated:
        """Make one sample of the only text in `sources`: a square picture."""
        (text,) = sources
        content = self._content(text, "sample_inputs")
        sample, recipe = self._picture(content, streams.rng("drawing", copy, attempt))
        share = self.category.augmentation_settings.augmentation_ratio
        if streams.rng("varied", copy).random() >= share:
            return Generated(sample, recipe)
        varied = self.apply_techniques(sample, streams.rng("copy", copy, attempt))
        return Generated(varied.example, recipe + varied.recipe)

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `generate` gives."""
        return {"numpy": np.__version__, "opencv": cv2.__version__, "pillow": PIL.__version__}

    @property
    def _least_text(self) -> float:
        """The smallest size of text on a sheet, in pixels, before the sheet is scaled."""
        return _LEAST_TEXT / float(self.config.scale[0])

    def _content(self, text: str, where: str) -> Content:
        return parse_content(text, self.config.style, self.side, self._least_text, where)

    def _picture(
        self, content: Content, rng: np.random.Generator
    ) -> tuple[Pixels, tuple[Mapping[str, Any], ...]]:
        config = self.config
        sheet = draw_sheet(config.style, rng, self.side)
        ink, content_drawn = draw_content(content, sheet, self._least_text, rng)
        ink, fading_drawn = faded(ink, rng, config.wear)
        printed, marks = worn(blend(sheet.picture, sheet.ink, ink), rng, config.wear)
        alpha = ink if sheet.alpha is None else sheet.alpha
        matrix, view = self._view(rng)
        kind = config.backgrounds[int(rng.integers(len(config.backgrounds)))]
        colors = _behind(sheet, rng)
        background = paint_background(kind, rng, self.side, self.side, colors)
        angle, darkness = rng.uniform(0, 360), rng.uniform(0, config.shadow)
        length = rng.uniform(0.005, _LONGEST_SHADOW) * self.side
        pixels, taken = photograph(
            _laid(printed, alpha, background, matrix, (angle, length, darkness)), angle, config, rng
        )
        tones = {"paper": sheet.paper, "ink": sheet.ink}
        return pixels, (
            {"step": "sheet", "style": config.style, "layout": sheet.layout, **drawn_from(tones)},
            content_drawn,
            fading_drawn,
            *marks,
            {"step": "view", **drawn_from(view)},
            {"step": "background", "kind": kind, "colors": [list(shade) for shade in colors]},
            {"step": "shadow", **drawn_from({"darkness": darkness, "length": length})},
            *taken,
        )

    def _view(self, rng: np.random.Generator) -> tuple[npt.NDArray[np.float64], dict[str, Any]]:
        """Return how the sheet is seen: a matrix of a perspective that keeps all of it in view."""
        config, side = self.config, self.side
        scale, turn = rng.uniform(*config.scale), rng.uniform(-config.rotation, config.rotation)
        moved = rng.uniform(-config.perspective, config.perspective, (4, 2))
        place = rng.random(2)
        c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
        unit = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
        seen = (unit + moved) @ np.array([[c, s], [-s, c]])
        extent = np.ptp(seen, axis=0)
        scale = float(min(scale, 1.0 / extent.max()))
        seen = (seen - seen.min(axis=0)) * scale + place * (1 - extent * scale)
        matrix = cv2.getPerspectiveTransform(
            ((unit + 0.5) * side).astype(np.float32), (seen * side).astype(np.float32)
        )
        return np.asarray(matrix, np.float64), {"scale": scale, "angle": turn, "corners": seen}


def _laid(
    printed: Pixels,
    alpha: Floats,
    background: Pixels,
    matrix: npt.NDArray[np.float64],
    shadow: tuple[float, float, float],
) -> Pixels:
    """Return the scene: the sheet as it is seen, with its shadow, on the background."""
    side = alpha.shape[0]
    # The sheet ends inside the picture: what lies beyond is empty.
    layer = cv2.merge([printed, to_pixels(alpha)])
    seen = cv2.warpPerspective(layer, matrix, (side, side))
    colors = np.asarray(cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB), np.uint8)
    mask = to_floats(np.asarray(cv2.extractChannel(seen, 3), np.uint8))
    angle, length, darkness = shadow
    below = cast_shadow(background, mask, angle, length, darkness)
    return blend(below, colors, mask)


def _behind(sheet: Sheet, rng: np.random.Generator) -> tuple[Color, Color]:
    """Draw the colours of the background; behind a bare shape, such that it stands out."""
    base, other = background_colors(rng)
    if sheet.alpha is not None:
        return base, other
    mixed = [round(0.6 * p + 0.4 * o, 3) for p, o in zip(sheet.paper, other, strict=True)]
    related = mixed[0], mixed[1], mixed[2]
    clear = contrast(related, sheet.ink) >= _LEAST_CONTRAST
    return sheet.paper, related if clear else sheet.paper
