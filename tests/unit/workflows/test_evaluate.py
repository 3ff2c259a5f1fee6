"""A stored model scored on class folders that it never saw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlforge import Project
from mlforge.errors import ArtifactError, DataError

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
