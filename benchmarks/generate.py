"""`mlforge samples generate` against a bare albumentations loop, and against Augmentor.

256 px PNG pictures, five techniques, two workers. The bare loop runs in one thread, decodes each
seed once, applies the same changes in one `Compose` and encodes with OpenCV; it writes, scores and
notes nothing.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mlforge import Project

TECHNIQUES = ("rotation", "scaling", "translation", "brightness", "contrast")
N_SEEDS = 100
N_FEW, N_MANY = 2_000, 10_000
N_BARE, N_AUGMENTOR = 600, 200
WORKERS = 2

BARE = """
import os, sys, time

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
import albumentations
import cv2

cv2.setNumThreads(1)
folder, count = sys.argv[1], int(sys.argv[2])
edge, shift = {"border_mode": cv2.BORDER_REPLICATE, "p": 1}, (-0.08, 0.08)
still = {"brightness": (1, 1), "contrast": (1, 1), "saturation": (1, 1), "hue": (0, 0), "p": 1}
compose = albumentations.Compose([
    albumentations.Affine(rotate=(-15, 15), **edge),
    albumentations.Affine(scale=(0.85, 1.15), keep_ratio=True, **edge),
    albumentations.Affine(translate_percent={"x": shift, "y": shift}, **edge),
    albumentations.ColorJitter(**{**still, "brightness": (0.75, 1.25)}),
    albumentations.ColorJitter(**{**still, "contrast": (0.75, 1.25)}),
])
files = sorted(os.listdir(folder))


def make(files, copies):
    for file in files:
        picture = cv2.imread(os.path.join(folder, file))
        for _ in range(copies):
            cv2.imencode(".png", compose(image=picture)["image"])


make(files[:2], 5)
start = time.perf_counter()
make(files, count // len(files))
print(count / (time.perf_counter() - start))
"""

AUGMENTOR = """
import sys, time

import Augmentor

pipeline = Augmentor.Pipeline(sys.argv[1], sys.argv[2])
pipeline.rotate(probability=1, max_left_rotation=15, max_right_rotation=15)
pipeline.zoom(probability=1, min_factor=1.0, max_factor=1.15)
pipeline.random_brightness(probability=1, min_factor=0.75, max_factor=1.25)
pipeline.random_contrast(probability=1, min_factor=0.75, max_factor=1.25)
start = time.perf_counter()
pipeline.sample(int(sys.argv[3]))
print("\\n", int(sys.argv[3]) / (time.perf_counter() - start))
"""


def main() -> None:
    """Compare the rates, each run in turn with the others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = _project(folder / "project")
        seeds = project.root / "categories" / "photo" / "seeds"
        bare, few, many = [], [], []
        for _ in range(3):
            bare.append(_rate(BARE, seeds, str(N_BARE)))
            few.append(_seconds(project, N_FEW))
            bare.append(_rate(BARE, seeds, str(N_BARE)))
            many.append(_seconds(project, N_MANY))
        limit = WORKERS * statistics.median(bare)
        marginal = (N_MANY - N_FEW) / (statistics.median(many) - statistics.median(few))
        whole = N_FEW / statistics.median(few)
        _report(f"generate, {N_FEW:,} to {N_MANY:,} / {WORKERS} x bare", marginal, limit, 0.8)
        _report(f"generate, command of {N_FEW:,} / {WORKERS} x bare", whole, limit, 0.6)
        if importlib.util.find_spec("Augmentor") is None:
            print("generate / Augmentor: left out; python -m pip install Augmentor")
            return
        augmentor = _rate(AUGMENTOR, seeds, str(folder / "augmentor"), str(N_AUGMENTOR))
        _report("generate / Augmentor sample(), 4 steps", marginal, augmentor, 8.0)


def _project(root: Path) -> Project:
    """Make a project with one category of drawn pictures that have the detail of photographs."""
    project = Project.init(root)
    project.add_category("photo")
    config = root / "categories" / "photo" / "config.json"
    values = json.loads(config.read_text())
    values["augmentation_settings"]["techniques"] = TECHNIQUES
    config.write_text(json.dumps(values))
    for number in range(N_SEEDS):
        _, data = cv2.imencode(".png", photo(number))
        (root / "categories" / "photo" / "seeds" / f"{number}.png").write_bytes(data.tobytes())
    return project


def photo(number: int) -> npt.NDArray[np.uint8]:
    """Draw a 256 px picture with the detail of a photograph: clouds of four sizes, and discs."""
    rng = np.random.default_rng(number)
    picture = np.full((256, 256, 3), 128, np.float32)
    for side, strength in ((4, 50), (16, 25), (64, 30), (256, 5)):
        cloud = rng.standard_normal((side, side, 3)).astype(np.float32)
        picture += strength * cv2.resize(cloud, (256, 256), interpolation=cv2.INTER_CUBIC)
    drawn = np.clip(picture, 0, 255).astype(np.uint8)
    for _ in range(6):
        x, y, radius = (int(v) for v in rng.integers(20, 230, 3))
        color = tuple(int(v) for v in rng.integers(0, 255, 3))
        cv2.circle(drawn, (x, y), radius // 4, color, -1, cv2.LINE_AA)
    return drawn


def _seconds(project: Project, count: int) -> float:
    """Time one whole command that makes `count` samples from nothing."""
    project.clean_samples()
    command = [sys.executable, "-m", "mlforge", "samples", "generate", "--count", str(count)]
    command += ["--workers", str(WORKERS), "--quiet", "--project", str(project.root)]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def _rate(script: str, seeds: Path, *arguments: str) -> float:
    """Return how many samples a second a script says that it made."""
    command = [sys.executable, "-c", script, str(seeds), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def _report(name: str, ours: float, theirs: float, target: float) -> None:
    ratio = ours / theirs
    verdict = "met" if ratio >= target else "NOT met"
    print(
        f"{name:<44} {ours:8.0f}/s {theirs:8.0f}/s   ratio {ratio:5.2f}, "
        f"target at least {target:g}: {verdict}"
    )


if __name__ == "__main__":
    main()
