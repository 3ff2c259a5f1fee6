from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

import mlforge
from mlforge import Project
from mlforge.core.reporting import SilentReporter
from mlforge.errors import ConfigError, SampleError
from mlforge.workflows.batch import BatchOptions
from mlforge.workflows.generate import GenerateOptions
from mlforge.workflows.train import TrainOptions

Draw = Callable[[str, int], bytes]


def test_the_package_offers_the_project() -> None:
    assert mlforge.Project is Project
    assert "Project" in mlforge.__all__


def test_from_a_folder_of_photos_to_a_prediction(tmp_path: Path, shapes: Path, draw: Draw) -> None:
    project = Project.init(tmp_path / "shapes")
    imported = project.import_categories(shapes)
    assert sum(added.n_added for added in imported) == 15
    project.generate(GenerateOptions(count=6, workers=1))
    result = project.train(TrainOptions(parameters=("random_forest.n_estimators=20",), workers=1))
    picture = tmp_path / "new.png"
    picture.write_bytes(draw("triangle", 900))
    (prediction,) = project.predict([picture])
    assert prediction.prediction == "triangle"
    assert prediction.model == result.best.version == project.models()[0].version
    summary = project.batch(shapes, tmp_path / "out", BatchOptions(workers=1))
    assert (summary.n_files, summary.n_failed) == (15, 0)
    assert project.preview(tmp_path / "sheet.png").n_rows == 12
    assert [overview.n_samples for overview in project.samples()] == [6, 6, 6]
    assert [cleaned.n_samples for cleaned in project.clean_samples()] == [6, 6, 6]


def test_a_project_is_found_from_any_folder_inside(project: Project) -> None:
    for inside in ("", "categories", "categories/circle/seeds"):
        assert Project.open(project.root / inside).root == project.root.resolve()
    assert Project.open(str(project.root)).root == project.root.resolve()


def test_outside_of_any_project_the_hint_is_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no project here") as caught:
        Project.open(tmp_path)
    assert caught.value.hint == "mlforge init"


def test_warnings_go_to_the_reporter(project: Project) -> None:
    reporter = SilentReporter()
    opened = Project.open(project.root, reporter)
    opened.train(TrainOptions(workers=1))
    assert reporter.warnings
    assert all("mlforge samples generate" in warning for warning in reporter.warnings)


def test_without_a_reporter_nothing_is_printed(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    project.generate(GenerateOptions(count=4, workers=1))
    project.train(TrainOptions(workers=1))
    project.check()
    assert capfd.readouterr() == ("", "")


def test_settings_that_change_are_seen_by_an_open_project(project: Project) -> None:
    before = project.train(TrainOptions(workers=1)).best
    path = project.root / "mlforge.toml"
    path.write_text(path.read_text().replace('["thumbnail", "color"]', '["color"]'))
    after = project.train(TrainOptions(workers=1)).best
    assert before.features == ("thumbnail", "color")
    assert after.features == ("color",)


def test_predicting_goes_file_by_file_and_stops_at_a_bad_one(
    trained: Project, tmp_path: Path, draw: Draw
) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(draw("circle", 1))
    bad.write_bytes(b"words")
    predictions = trained.predict([good, bad, good])
    assert next(predictions).file == str(good)
    with pytest.raises(SampleError, match=r"bad\.png"):
        next(predictions)


def test_what_is_public_is_documented() -> None:
    members = {name: member for name, member in vars(Project).items() if not name.startswith("_")}
    assert len(members) > 15
    for name, member in members.items():
        assert inspect.getdoc(member), name
