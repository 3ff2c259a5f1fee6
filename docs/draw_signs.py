"""Draw the pictures of the example's signs that the README and the tutorials show.

Run ``python docs/draw_signs.py``: it writes ``docs/pictures/signs.jpg``, a sheet of seeds, and
``docs/tutorials/unseen/``, pictures that are seeds of nothing.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mlforge.examples.signs import N_SEEDS, picture
from mlforge.modalities.image import Image
from mlforge.storage.files import make_folder, write_bytes

DOCS = Path(__file__).resolve().parent
SIDE, GAP, N_ROWS = 96, 4, 3
# `mlforge init --example signs` puts the first two that are no seeds into unseen/.
FIRST_UNUSED = N_SEEDS + 2
UNSEEN = ("crossing", "speed_50", "turn_left")
CODES = (
    "crossing", "priority", "speed_30", "speed_50", "stop", "turn_left", "turn_right", "yield",
)  # fmt: skip


def sheet() -> npt.NDArray[np.uint8]:
    """Return a column for each sign and a row for each of its first seeds."""
    image = Image()
    step = SIDE + GAP
    whole = np.full((N_ROWS * step - GAP, len(CODES) * step - GAP, 3), 255, np.uint8)
    for column, code in enumerate(CODES):
        for row in range(N_ROWS):
            top, left = row * step, column * step
            thumbnail = image.thumbnail(picture(code, row), SIDE)
            whole[top : top + SIDE, left : left + SIDE] = thumbnail
    return whole


def write(path: Path, pixels: npt.NDArray[np.uint8], quality: int) -> None:
    """Write RGB pixels as a JPEG."""
    _, data = cv2.imencode(
        path.suffix, np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    make_folder(path.parent)
    write_bytes(path, data.tobytes())
    print(path.relative_to(DOCS.parent))


if __name__ == "__main__":
    write(DOCS / "pictures" / "signs.jpg", sheet(), 80)
    for name in UNSEEN:
        write(DOCS / "tutorials" / "unseen" / f"{name}.jpg", picture(name, FIRST_UNUSED), 85)
