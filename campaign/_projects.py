"""Small projects to do it to, and what is in them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from campaign._trials import forked
from mlforge import Project
from mlforge.core.digest import digest_bytes, digest_json
from mlforge.storage.manifest import read_manifest
from mlforge.workflows.generate import GenerateOptions
from mlforge.workflows.train import TrainOptions

__all__ = [
    "GENERATE",
    "TRAIN",
    "Projects",
    "evidence",
    "picture",
    "temporaries",
    "torn",
]

GENERATE = GenerateOptions(count=6, workers=1)
TRAIN = TrainOptions(workers=1)
_SETTINGS = """\
[features]
use = ["thumbnail", "color"]

[train]
folds = 3
models = ["logistic_regression"]
"""
_CODES = ("cup", "mug", "jar")
_N_SEEDS = 3
# What a second training of the same has of its own.
_OF_THE_RUN = {"created", "digest", "files", "version", "environment"}


def picture(number: int, side: int = 32) -> bytes:
    """Return a PNG that no other number resembles."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
    whole = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".png", whole)[1].tobytes()


class Projects:
    """Projects in several states, made once and copied for each trial.

    Attributes
    ----------
    seeded, generated, trained
        With seeds; with samples too; with two versions too, of which the first is in production.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._n_copies = 0
        self.seeded, self.generated, self.trained = (
            folder / state for state in ("seeded", "generated", "trained")
        )
        # Libraries start threads that trials, forked from this process, would wait for in vain.
        made = forked(self._make)
        assert made.code == 0, made.output

    def _make(self) -> None:
        project = Project.init(self.seeded)
        (self.seeded / "mlforge.toml").write_text(_SETTINGS)
        for number, code in enumerate(_CODES):
            seeds = [self._folder / f"{code}{n}.png" for n in range(_N_SEEDS)]
            for n, path in enumerate(seeds):
                path.write_bytes(picture(10 * number + n))
            project.add_category(code, seeds)
        shutil.copytree(self.seeded, self.generated)
        Project(self.generated).generate(GENERATE)
        shutil.copytree(self.generated, self.trained)
        first = Project(self.trained).train(TRAIN).best.version
        Project(self.trained).train(TrainOptions(workers=1, force=True))
        Project(self.trained).promote(first)

    def copy(self, state: Path) -> Path:
        """Return a project of its own for a trial; the one before it is gone."""
        shutil.rmtree(self._folder / f"trial{self._n_copies}", ignore_errors=True)
        self._n_copies += 1
        return Path(shutil.copytree(state, self._folder / f"trial{self._n_copies}"))


def torn(root: Path) -> list[str]:
    """Return what of a project is there in part."""
    problems = []
    for folder in sorted(root.glob("categories/*/samples")):
        manifest = read_manifest(folder)
        for record in manifest.samples if manifest else ():
            path = folder / record.file
            if not path.is_file() or digest_bytes(path.read_bytes()) != record.digest:
                problems.append(f"{record.file} is not what its manifest says")
    problems += [f"{c.version}: {c.reason}" for c in Project(root).verify_models() if c.reason]
    return problems


def evidence(root: Path) -> str:
    """Return a digest of all that a project holds, but for times and durations."""
    project = Project(root)
    parts: dict[str, Any] = {
        str(path.relative_to(root)): digest_bytes(path.read_bytes())
        for path in [*root.glob("categories/*/samples/*"), *root.glob("mlforge.lock")]
    }
    for version in project.artifacts.versions():
        artifact = project.artifacts.load(version)
        manifest = {k: v for k, v in artifact.manifest.items() if k not in _OF_THE_RUN}
        graph = digest_bytes(artifact.files["model.onnx"])
        metrics = json.loads(artifact.files["metrics.json"])["evaluation"]
        parts[version] = [digest_json(manifest), graph, digest_json(metrics)]
    known = project.artifacts.aliases.read()
    parts["aliases"] = {name: alias.version for name, alias in known.items()}
    return digest_json(parts)


def temporaries(root: Path) -> list[str]:
    """Return what unfinished writes left."""
    return sorted(str(path.relative_to(root)) for path in root.rglob(".mlforge-tmp-*"))
