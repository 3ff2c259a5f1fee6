from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mlforge import Project
from mlforge.core.reporting import SilentReporter
from mlforge.workflows.generate import GenerateOptions
from mlforge.workflows.train import TrainOptions, TrainResult

Draw = Callable[[str, int], bytes]
Floats = npt.NDArray[np.float32]


def train(project: Project, **options: Any) -> TrainResult:
    return project.train(TrainOptions(**{"workers": 1, **options}))


def configure(project: Project, code: str, section: str, **values: Any) -> None:
    path = project.root / "categories" / code / "config.json"
    config = json.loads(path.read_text())
    if section:
        config[section] |= values
    else:
        config |= values
    path.write_text(json.dumps(config))


def plain(path: Path, value: int, number: int = 0) -> None:
    """Write a picture of one grey level; `number` gives the same pixels other bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((32, 32, 3), value, np.uint8)
    data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, number % 10])[1].tobytes()
    chunk = b"tEXtn\0" + bytes([48 + number])
    crc = zlib.crc32(chunk).to_bytes(4, "big")
    length = (len(chunk) - 4).to_bytes(4, "big")
    path.write_bytes(data[:33] + length + chunk + crc + data[33:])


@pytest.fixture
def bare(project: Project) -> Project:
    for code in ("circle", "square", "triangle"):
        project.remove_category(code)
    return project


def test_pictures_that_are_all_equal_give_no_false_confidence(
    bare: Project, tmp_path: Path
) -> None:
    for number in range(10):
        plain(tmp_path / "data" / "ab"[number % 2] / f"{number}.png", 128, number)
    bare.import_categories(tmp_path / "data")
    bare.generate(GenerateOptions(count=5, workers=1))
    evaluation = train(bare).best.evaluation
    assert evaluation is not None
    assert evaluation.accuracy_interval[0] <= 0.5
    (prediction,) = bare.predict([tmp_path / "data" / "a" / "0.png"])
    assert not prediction.reliable
    assert prediction.confidence < 0.8


@pytest.mark.parametrize(("n_seeds", "scored"), [(1, False), (2, True)])
def test_a_model_of_which_next_to_nothing_was_measured_calls_nothing_reliable(
    bare: Project, tmp_path: Path, draw: Draw, n_seeds: int, scored: bool
) -> None:
    for shape in ("circle", "square"):
        folder = tmp_path / "data" / shape
        folder.mkdir(parents=True)
        for number in range(n_seeds):
            (folder / f"{number}.png").write_bytes(draw(shape, number))
    bare.import_categories(tmp_path / "data")
    for code in ("circle", "square"):
        configure(bare, code, "quality_thresholds", min_confidence=0.0)
    assert (train(bare).best.evaluation is not None) == scored
    (prediction,) = bare.predict([tmp_path / "data" / "circle" / "0.png"])
    assert prediction.known
    assert not prediction.reliable


def test_the_same_bytes_in_every_category_cannot_be_scored(bare: Project, tmp_path: Path) -> None:
    for code in ("a", "b"):
        plain(tmp_path / "data" / code / "1.png", 128)
    bare.import_categories(tmp_path / "data")
    reporter = SilentReporter()
    assert train(Project(bare.root, reporter)).best.evaluation is None
    assert any("the same file is in two categories" in warning for warning in reporter.warnings)


def test_black_pictures_give_no_samples_and_say_so(bare: Project, tmp_path: Path) -> None:
    for number in range(8):
        plain(tmp_path / "data" / "ab"[number % 2] / f"{number}.png", 0, number)
    bare.import_categories(tmp_path / "data")
    for code in ("a", "b"):
        configure(bare, code, "augmentation_settings", techniques=["rotation", "brightness"])
    result = bare.generate(GenerateOptions(count=4, workers=1))
    assert {category.n_samples for category in result.categories} == {0}
    assert all("below min_quality" in f.reason for c in result.categories for f in c.failures)
    evaluation = train(bare).best.evaluation
    assert evaluation is not None
    assert evaluation.accuracy_interval[0] <= 0.5


def test_two_categories_of_the_same_kind_score_like_chance(
    bare: Project, tmp_path: Path, draw: Draw
) -> None:
    for number in range(16):
        folder = tmp_path / "data" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(draw("circle", number))
    bare.import_categories(tmp_path / "data")
    bare.generate(GenerateOptions(count=16, workers=1))
    evaluation = train(bare).best.evaluation
    assert evaluation is not None
    low, high = evaluation.accuracy_interval
    assert low <= 0.5 <= high


def test_thirty_to_one_is_not_scored_by_the_common_category_alone(
    bare: Project, tmp_path: Path, draw: Draw
) -> None:
    for number in range(31):
        shape = "circle" if number else "square"
        (tmp_path / "data" / shape).mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / shape / f"{number}.png").write_bytes(draw(shape, number))
    bare.import_categories(tmp_path / "data")
    assert [f.category for f in bare.check() if f.kind == "imbalance"] == ["square"]
    (model,) = train(bare).models
    assert model.evaluation is None


def test_one_pixel_pictures_complete_or_are_refused_clearly(bare: Project, tmp_path: Path) -> None:
    for number in range(6):
        folder = tmp_path / "data" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixel = np.full((1, 1 + number // 2, 3), 40 * number, np.uint8)
        (folder / f"{number}.png").write_bytes(cv2.imencode(".png", pixel)[1].tobytes())
    bare.import_categories(tmp_path / "data")
    bare.generate(GenerateOptions(count=3, workers=1))
    assert train(bare).best.evaluation is not None
