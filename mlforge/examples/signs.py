"""Road signs of our own design, drawn as if photographed in all weathers.

Some are alike on purpose: two speed limits that differ in one digit, and two turns that are mirror
images of each other, so that a horizontal flip turns one into the other.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from mlforge.core.category import CategoryConfig
from mlforge.core.randomness import Streams
from mlforge.errors import ConfigError
from mlforge.examples._example import ExampleCategory, ExampleFile
from mlforge.examples._signs_faces import FACES

__all__ = ["N_SEEDS", "categories", "picture"]

N_SEEDS = 12
"""Seeds of each category."""

_JPEG_QUALITY = 85
# Flips are left out: they turn a left turn into a right one.
_TECHNIQUES = (
    "rotation",
    "scaling",
    "translation",
    "perspective",
    "brightness",
    "contrast",
    "shadow",
    "blur",
    "noise_addition",
)
_TEXTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "crossing": ("Pedestrian crossing", "a walker in a white triangle on a blue square", ("blue",)),
    "priority": ("Priority road", "a yellow diamond with a white border", ("yellow",)),
    "speed_30": ("Speed limit 30", "a red ring around the number 30", ("red", "number")),
    "speed_50": ("Speed limit 50", "a red ring around the number 50", ("red", "number")),
    "stop": ("Stop", "a red octagon with the word STOP", ("red", "word")),
    "turn_left": ("Turn left", "a blue disc with an arrow to the left", ("blue", "arrow")),
    "turn_right": ("Turn right", "a blue disc with an arrow to the right", ("blue", "arrow")),
    "yield": ("Yield", "a white triangle, point down, with a red border", ("red",)),
}


def categories(n_held_out: int) -> Iterator[ExampleCategory]:
    """Yield each sign's category with its seeds and `n_held_out` more pictures."""
    for code in FACES:
        files = tuple(_file(code, index) for index in range(N_SEEDS + n_held_out))
        yield ExampleCategory(_config(code), files[:N_SEEDS], files[N_SEEDS:])


def picture(code: str, index: int) -> npt.NDArray[np.uint8]:
    """Return a picture of a sign: uint8, height x width x 3, RGB.

    The first `N_SEEDS` are the seeds; there is no last one.

    Raises
    ------
    ConfigError
        If there is no such sign.
    """
    from mlforge.examples._signs_photo import photograph

    if code not in FACES:
        raise ConfigError(f"no sign {code!r}", f"known: {', '.join(FACES)}")
    return photograph(code, Streams(("signs", code, index)))


def _file(code: str, index: int) -> ExampleFile:
    import cv2

    blue_first = np.ascontiguousarray(picture(code, index)[..., ::-1])
    _, data = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return ExampleFile(f"{code}_{index + 1:02d}.jpg", data.tobytes())


def _config(code: str) -> CategoryConfig:
    name, shows, tags = _TEXTS[code]
    return CategoryConfig.model_validate(
        {
            "category_name": name,
            "category_code": code,
            "quality_thresholds": {"min_confidence": 0.6},
            "augmentation_settings": {"techniques": _TECHNIQUES},
            "metadata": {
                "description": f"A road sign: {shows}.",
                "source": "drawn by mlforge init --example signs",
                "created_date": "2026-11-23",
                "tags": ("road sign", *tags),
            },
        }
    )
