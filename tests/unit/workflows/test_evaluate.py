"""A stored model scored on class folders that it never saw."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mlforge import Project
from mlforge.core.reporting import SilentReporter
from mlforge.errors import ArtifactError, DataError
from mlforge.workflows.train import TrainOptions

Draw = Callable[[str, int], bytes]


@pytest.fixture
def new(tmp_path: Path, draw: Draw) -> Path:
    folder = tmp_path / "new"
    for shape in ("circle", "square", "triangle"):
        (folder / shape.capitalize()).mkdir(parents=True)
        for number in range(100, 108):
            (folder / shape.capitalize() / f"{number}.png").write_bytes(draw(shape, number))
    return folder


def test_new_pictures_are_scored_as_they_are_predicted(trained: Project, new: Path) -> None:
    result = trained.evaluate(new)
    assert (result.version, result.failures, result.unknown_classes) == (
        "random_forest-0001",
        (),
        (),
    )
    scores = result.evaluation
    assert scores is not None
    files = sorted(new.rglob("*.png"))
    said = dict(zip(files, trained.predict(files), strict=True))
    right = [said[path].prediction == path.parent.name.lower() for path in files]
    assert scores.n_seeds == len(files) == 24
    assert scores.accuracy == pytest.approx(sum(right) / len(right))
    assert scores.accuracy_interval[0] < scores.accuracy <= scores.accuracy_interval[1]
    rejected = sum(not prediction.known for prediction in said.values()) / len(said)
    assert scores.unknown is not None
    assert scores.unknown.rejected == pytest.approx(rejected)


def test_a_folder_of_no_category_tells_how_much_unknown_passes(trained: Project, new: Path) -> None:
    (new / "circle_").mkdir()
    (new / "Circle").rename(new / "star")
    (new / "circle_").rmdir()
    result = trained.evaluate(new)
    (star,) = result.unknown_classes
    assert (star.name, star.n_files) == ("star", 8)
    known = sum(p.known for p in trained.predict(sorted((new / "star").iterdir())))
    assert star.n_accepted == known
    assert result.evaluation is not None
    assert result.evaluation.n_seeds == 16, "what is no category counts in no other figure"


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_scored(
    trained: Project, new: Path
) -> None:
    (new / "Square" / "bad.png").write_bytes(b"no picture")
    result = trained.evaluate(new)
    (failure,) = result.failures
    assert failure.file == "square/bad.png"
    assert result.evaluation is not None
    assert result.evaluation.n_seeds == 24


def test_the_same_picture_twice_is_one_piece_of_evidence(trained: Project, new: Path) -> None:
    before = trained.evaluate(new).evaluation
    for path in list(new.rglob("*.png")):
        path.with_name(f"again_{path.name}").write_bytes(path.read_bytes())
    after = trained.evaluate(new).evaluation
    assert before is not None
    assert after is not None
    assert after.n_seeds == 48
    assert after.accuracy_interval == pytest.approx(before.accuracy_interval, abs=0.02)


def test_a_folder_without_any_of_the_categories_is_refused_with_their_names(
    trained: Project, tmp_path: Path, draw: Draw
) -> None:
    (tmp_path / "data" / "star").mkdir(parents=True)
    (tmp_path / "data" / "star" / "a.png").write_bytes(draw("circle", 300))
    with pytest.raises(DataError, match="none of its folders is a category") as caught:
        trained.evaluate(tmp_path / "data")
    assert "circle, square, triangle" in caught.value.hint


def test_without_a_model_there_is_nothing_to_evaluate(generated: Project, new: Path) -> None:
    with pytest.raises(ArtifactError, match="no model"):
        generated.evaluate(new)


def copy_seeds(project: Project, new: Path, *codes: str) -> list[str]:
    """Put the seeds of categories among the new pictures; return what they are called there."""
    names = []
    for code in codes:
        for seed in sorted((project.root / "categories" / code / "seeds").iterdir()):
            (new / code.capitalize() / seed.name).write_bytes(seed.read_bytes())
            names.append(f"{code}/{seed.name}")
    return names


def pixels(path: Path) -> npt.NDArray[Any]:
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture


def test_what_the_model_was_trained_on_is_no_evidence(trained: Project, new: Path) -> None:
    before = trained.evaluate(new)
    assert before.left_out == ()
    names = copy_seeds(trained, new, "square")
    sample = next((trained.root / "categories" / "circle" / "samples").glob("*.png"))
    (new / "Circle" / sample.name).write_bytes(sample.read_bytes())
    reporter = SilentReporter()
    after = Project(trained.root, reporter).evaluate(new)
    assert after.evaluation == before.evaluation
    assert {file.file for file in after.left_out} == {*names, f"circle/{sample.name}"}
    assert {file.reason for file in after.left_out} == {"the model was trained on it"}
    (warning,) = reporter.warnings
    assert "6 files" in warning
    assert f"circle/{sample.name}" in warning


def test_a_seed_that_is_gone_from_the_project_is_still_known_to_be_no_evidence(
    trained: Project, new: Path
) -> None:
    names = copy_seeds(trained, new, "square", "circle")
    trained.remove_category("square")
    assert {file.file for file in trained.evaluate(new).left_out} == set(names)


def test_a_near_duplicate_of_what_the_model_was_trained_on_is_no_evidence(
    trained: Project, new: Path
) -> None:
    seed = next((trained.root / "categories" / "circle" / "seeds").iterdir())
    cv2.imwrite(str(new / "Circle" / "again.jpg"), pixels(seed))
    (file,) = trained.evaluate(new).left_out
    assert (file.file, file.reason) == (
        "circle/again.jpg",
        "a near-duplicate of what the model was trained on",
    )


def test_the_seed_of_a_category_that_could_not_be_scored_is_no_evidence(
    trained: Project, new: Path
) -> None:
    for seed in sorted((trained.root / "categories" / "circle" / "seeds").iterdir())[1:]:
        seed.unlink()
    best = trained.train(TrainOptions(workers=1)).best.evaluation
    assert best is not None
    assert best.unscored == ("circle",)
    names = copy_seeds(trained, new, "circle")
    assert [file.file for file in trained.evaluate(new).left_out] == names


def test_where_the_model_was_trained_on_everything_nothing_is_evaluated(
    trained: Project, new: Path
) -> None:
    for path in list(new.rglob("*.png")):
        path.unlink()
    copy_seeds(trained, new, "circle", "square", "triangle")
    with pytest.raises(DataError, match="nothing is left to evaluate") as caught:
        trained.evaluate(new)
    assert "15 files" in caught.value.message
    assert caught.value.exit_code == 3


def test_near_duplicates_are_one_piece_of_evidence(trained: Project, new: Path) -> None:
    scores = trained.evaluate(new).evaluation
    assert scores is not None
    for path in list(new.rglob("*.png")):
        bright = pixels(path).astype(np.float32) * 1.03
        cv2.imwrite(str(path.with_name(f"bright_{path.name}")), bright.clip(0, 255))
    again = trained.evaluate(new).evaluation
    assert again is not None
    assert (again.n_seeds, again.n_groups) == (48, scores.n_groups)


def test_files_of_one_group_are_one_piece_of_evidence(trained: Project, new: Path) -> None:
    config = trained.root / "categories" / "circle" / "config.json"
    values = json.loads(config.read_text()) | {"group_pattern": "{group}_*"}
    config.write_text(json.dumps(values))
    for number, path in enumerate(sorted((new / "Circle").iterdir())):
        path.rename(path.with_name(f"film{number // 4}_{number}.png"))
    scores = trained.evaluate(new).evaluation
    assert scores is not None
    assert scores.per_category["circle"].n_groups == 2
    assert scores.per_category["square"].n_groups == 8
