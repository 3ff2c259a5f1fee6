"""`mlforge batch` against a bare loop over the same files, and the memory that it takes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks._measure import compare, report
from mlforge import Project
from mlforge.workflows.train import TrainOptions

N_PHOTOS = 5_000
N_WORKERS = 2
# Of two times the bare loop's rate, so much is to be reached.
SHARE = 0.7
N_FEW, N_MANY = 1_000, 100_000

LOOP = """
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from mlforge.extractors import EXTRACTORS
from mlforge.modalities.image import Image

cv2.setNumThreads(1)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options)
(take,), give = session.get_inputs(), session.get_outputs()[0].name
image = Image()
extractors = [EXTRACTORS.get(name, "image")() for name in sys.argv[3].split(",")]
for path in sorted(Path(sys.argv[2]).iterdir()):
    picture = image.decode(path.read_bytes())
    features = np.hstack([extractor.extract([picture]) for extractor in extractors])
    if "double" in take.type:
        features = features.astype(np.float64)
    session.run([give], {take.name: features})
"""

PEAK = """
import resource
import sys
from pathlib import Path

from mlforge import Project
from mlforge.workflows.batch import BatchOptions

if __name__ == "__main__":
    root, photos, output = map(Path, sys.argv[1:])
    Project(root).batch(photos, output, BatchOptions(workers=2))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def main() -> None:
    """Compare the time for 5,000 photos, and the parent's memory for few and many files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _compare_time(folder)
        _compare_memory(folder)


def _compare_time(folder: Path) -> None:
    project = Project.init(folder / "signs", example="signs")
    version = project.train(TrainOptions()).best.version
    seeds = sorted(project.root.glob("categories/*/seeds/*"))
    photos = _photos(folder / "photos", seeds)
    script = folder / "loop.py"
    script.write_text(LOOP)
    graph = project.root / "artifacts" / "models" / version / "model.onnx"
    extractors = ",".join(extractor.name for extractor in project.predictor(version).extractors)
    ours = [sys.executable, "-m", "mlforge", "batch", str(photos), "--quiet"]
    ours += ["--output", str(folder / "out"), "--workers", str(N_WORKERS)]
    ours += ["--project", str(project.root)]
    theirs = [sys.executable, str(script), str(graph), str(photos), extractors]
    title = f"batch, {N_PHOTOS:,} photos, {N_WORKERS} workers / bare loop"
    report(compare(title, round(1 / (SHARE * N_WORKERS), 3), ours, theirs, n_pairs=3))


def _photos(folder: Path, seeds: list[Path]) -> Path:
    """Make JPEGs of a phone's proportions from seeds; each stands for many, as links."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    originals = []
    for number, seed in enumerate(seeds):
        picture = cv2.imdecode(np.frombuffer(seed.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        picture = cv2.resize(np.asarray(picture), (640, 480), interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(picture + rng.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
        originals.append(folder.parent / f"{number}.jpg")
        cv2.imwrite(str(originals[-1]), noisy)
    for number in range(N_PHOTOS):
        os.link(originals[number % len(originals)], folder / f"{number:06d}.jpg")
    return folder


def _compare_memory(folder: Path) -> None:
    project = Project.init(folder / "small", example="signs")
    (project.root / "mlforge.toml").write_text('[features]\nuse = ["color"]\n')
    project.train(TrainOptions())
    script, tiny = folder / "peak.py", folder / "tiny.png"
    script.write_text(PEAK)
    cv2.imwrite(str(tiny), np.full((8, 8, 3), 90, np.uint8))
    peaks = []
    for n_files in (N_FEW, N_MANY):
        photos = folder / f"{n_files} files"
        photos.mkdir()
        for number in range(n_files):
            # A file takes only so many links.
            if number % 10_000 == 0:
                original = photos / f"{number:06d}.png"
                original.write_bytes(tiny.read_bytes())
            else:
                os.link(original, photos / f"{number:06d}.png")
        command = [sys.executable, str(script), str(project.root), str(photos), str(folder / "o")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks.append(int(done.stdout) / 1024)
    title = f"batch, parent memory, {N_FEW:,} / {N_MANY:,} files"
    print(f"{title:<44} {peaks[0]:6.0f} MiB {peaks[1]:6.0f} MiB")


if __name__ == "__main__":
    main()
