"""Draws what the generators `synthetic` and `simulation` make, for the page that describes them.

Usage: ``python docs/draw_generators.py``
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import numpy.typing as npt

from mlforge.core.category import AugmentationSettings, CategoryConfig
from mlforge.core.randomness import Streams
from mlforge.generators.image._templates import Style
from mlforge.generators.image.simulation import Simulation
from mlforge.generators.image.synthetic import Synthetic, SyntheticConfig
from mlforge.modalities import MODALITIES

Pixels = npt.NDArray[np.uint8]

PICTURES = Path(__file__).parent / "reference" / "generators"
SIDE = 160
GAP = 6
N_COLUMNS = 6
MAX_BYTES = 40_000
STREAMS = Streams(("documentation",))
CATEGORY = CategoryConfig(
    category_name="Documentation",
    category_code="documentation",
    augmentation_settings=AugmentationSettings(enable_augmentation=False),
)


def main() -> int:
    """Write both pictures; return the exit code."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / "synthetic.jpg").write_bytes(encoded([synthetic(s) for s in get_args(Style)]))
    (PICTURES / "simulation.jpg").write_bytes(encoded([simulation()]))
    return 0


def synthetic(style: Style) -> list[Pixels]:
    """Return samples of one style."""
    text = "star" if style == "shape" else "Fragile"
    modality = MODALITIES.get("image")()
    generator = Synthetic(CATEGORY, modality, SyntheticConfig(style=style, size=SIDE))
    copies = range(1, N_COLUMNS + 1)
    return [generator.generate([text], copy, STREAMS).example for copy in copies]


def simulation() -> list[Pixels]:
    """Return a seed and its samples."""
    generator = Simulation(CATEGORY, MODALITIES.get("image")())
    seed = mug()
    copies = range(1, N_COLUMNS)
    return [seed, *(generator.generate([seed], copy, STREAMS).example for copy in copies)]


def mug() -> Pixels:
    """Return a drawn mug before a wall: uint8, SIDE x SIDE x 3, RGB."""
    fine = SIDE * 4
    wall = np.linspace(215, 175, fine)[:, None, None] * np.array([1.0, 0.98, 0.94])
    image = np.ascontiguousarray(np.broadcast_to(wall, (fine, fine, 3)).astype(np.uint8))
    red, dark = (176, 44, 38), (120, 26, 24)
    cv2.ellipse(image, (410, 330), (80, 95), 0, 0, 360, red, 34, cv2.LINE_AA)
    cv2.rectangle(image, (170, 190), (400, 470), red, -1)
    cv2.ellipse(image, (285, 470), (115, 30), 0, 0, 360, red, -1, cv2.LINE_AA)
    cv2.ellipse(image, (285, 190), (115, 30), 0, 0, 360, dark, -1, cv2.LINE_AA)
    cv2.circle(image, (285, 340), 55, (240, 214, 120), -1, cv2.LINE_AA)
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def encoded(rows: list[list[Pixels]]) -> bytes:
    """Return rows of pictures as one JPEG."""
    column = np.full((SIDE, GAP, 3), 255, np.uint8)
    bands = [np.hstack([part for tile in row for part in (tile, column)][:-1]) for row in rows]
    line = np.full((GAP, bands[0].shape[1], 3), 255, np.uint8)
    whole = np.vstack([part for band in bands for part in (band, line)][:-1])
    bgr = cv2.cvtColor(whole, cv2.COLOR_RGB2BGR)
    for quality in range(85, 0, -5):
        data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(data) <= MAX_BYTES:
            return data
    raise RuntimeError(f"the picture stays above {MAX_BYTES} bytes")


if __name__ == "__main__":
    sys.exit(main())
