"""Make the artifact of one schema version that the tests keep.

Run with the mlforge that writes that version, once, and commit what it makes::

    python tests/golden/artifacts/make.py tests/golden/artifacts/v2

The folder then holds ``artifact/`` (a logistic regression that tells dark squares from light
ones), ``picture.png`` and ``expected.json``, the prediction of that picture. It is never made
again: whatever mlforge becomes, it reads this artifact and predicts the same.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from mlforge import Project
from mlforge.workflows.train import TrainOptions

_SETTINGS = """\
[features]
use = ["thumbnail"]

[features.thumbnail]
side = 3

[train]
models = ["logistic_regression"]
folds = 2
"""
_N_SEEDS = 4


def picture(number: int, *, above: bool) -> bytes:
    """Return a PNG of 12 x 12 pixels with a light square above or below the middle."""
    values = np.full((12, 12, 3), 40 + 5 * number, np.uint8)
    top = 1 if above else 7
    values[top : top + 4, 2 + number : 6 + number] = 200
    return cv2.imencode(".png", values)[1].tobytes()


def main(folder: Path) -> None:
    """Train in a temporary project and keep its artifact in `folder`."""
    with tempfile.TemporaryDirectory() as place:
        project = Project.init(Path(place) / "project")
        (project.root / "mlforge.toml").write_text(_SETTINGS)
        for code in ("above", "below"):
            seeds = project.root / "categories" / code / "seeds"
            seeds.mkdir(parents=True)
            config = {"category_name": code.title(), "category_code": code}
            (seeds.parent / "config.json").write_text(json.dumps(config))
            for number in range(_N_SEEDS):
                data = picture(number, above=code == "above")
                (seeds / f"{number}.png").write_bytes(data)
        version = project.train(TrainOptions(workers=1)).best.version
        folder.mkdir(parents=True)
        shutil.copytree(project.artifacts.models / version, folder / "artifact")
        (folder / "picture.png").write_bytes(picture(_N_SEEDS, above=False))
        (prediction,) = project.predict([folder / "picture.png"])
        expected = {"version": version, "all_probabilities": dict(prediction.all_probabilities)}
        (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
