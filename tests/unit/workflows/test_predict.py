from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project
from mlforge.errors import ArtifactError, ConfigError, DataError, SampleError
from mlforge.storage.artifact_manifest import sealed
from mlforge.workflows import predict
from mlforge.workflows.train import TrainOptions

Draw = Callable[[str, int], bytes]


@pytest.fixture
def picture(tmp_path: Path, draw: Draw) -> Path:
    path = tmp_path / "new circle.png"
    path.write_bytes(draw("circle", 200))
    return path


def version_folder(project: Project, version: str = "random_forest-0001") -> Path:
    return project.root / "artifacts" / "models" / version


def set_min_confidence(project: Project, value: float) -> None:
    for path in project.root.glob("categories/*/config.json"):
        config = json.loads(path.read_text())
        config["quality_thresholds"]["min_confidence"] = value
        path.write_text(json.dumps(config))


def test_a_prediction_says_what_with_which_confidence_and_by_which_model(
    trained: Project, picture: Path
) -> None:
    (prediction,) = trained.predict([picture])
    assert prediction.file == str(picture)
    assert prediction.model == "random_forest-0001"
    assert (prediction.prediction, prediction.category_name) == ("circle", "circle")
    assert prediction.confidence == prediction.all_probabilities["circle"]
    assert prediction.all_probabilities.keys() == {"circle", "square", "triangle"}
    assert sum(prediction.all_probabilities.values()) == pytest.approx(1.0, abs=3e-6)
    stamp = dt.datetime.strptime(prediction.timestamp, "%Y-%m-%dT%H:%M:%S%z")
    assert stamp.utcoffset() == dt.timedelta(0)


def test_the_probabilities_stand_highest_first(trained: Project, draw: Draw) -> None:
    predictor = trained.predictor()
    for number in range(5):
        prediction = predictor.predict_bytes(draw("square", 300 + number), "x")
        values = list(prediction.all_probabilities.values())
        assert values == sorted(values, reverse=True)
        assert next(iter(prediction.all_probabilities)) == prediction.prediction


def test_new_pictures_are_recognized(trained: Project, draw: Draw) -> None:
    predictor = trained.predictor()
    shapes = ["circle", "square", "triangle"] * 5
    found = [
        predictor.predict_bytes(draw(shape, 400 + n), "x").prediction
        for n, shape in enumerate(shapes)
    ]
    assert sum(a == b for a, b in zip(found, shapes, strict=True)) >= 13


def test_a_prediction_is_reliable_where_it_reaches_its_categorys_min_confidence(
    generated: Project, picture: Path
) -> None:
    confidence = 0.0
    for threshold, reliable in ((0.0, True), (1.0, False)):
        set_min_confidence(generated, threshold)
        generated.train(TrainOptions(workers=1))
        (prediction,) = generated.predict([picture])
        assert prediction.reliable is reliable
        confidence = prediction.confidence
    set_min_confidence(generated, confidence)
    generated.train(TrainOptions(workers=1))
    (prediction,) = generated.predict([picture])
    assert prediction.confidence == confidence
    assert prediction.reliable, "what is shown as reaching it does reach it"


def test_only_the_predicted_categorys_min_confidence_counts(
    generated: Project, picture: Path
) -> None:
    set_min_confidence(generated, 0.0)
    path = generated.root / "categories" / "square" / "config.json"
    path.write_text(path.read_text().replace('"min_confidence": 0.0', '"min_confidence": 1.0'))
    generated.train(TrainOptions(workers=1))
    (prediction,) = generated.predict([picture])
    assert (prediction.prediction, prediction.reliable) == ("circle", True)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("words.png", b"these are words", "words.png: "),
        ("torn.png", None, "torn.png: "),
        ("empty.png", b"", "empty.png: "),
        ("missing.png", ..., "missing.png: no such file"),
        ("esc\x1b[31m.png", b"x", "esc\\x1b[31m.png: "),
    ],
)
def test_a_file_that_cannot_be_decoded_is_named(
    trained: Project, tmp_path: Path, draw: Draw, name: str, data: object, message: str
) -> None:
    path = tmp_path / name
    if data is not ...:
        path.write_bytes(data if isinstance(data, bytes) else draw("circle", 1)[:-100])
    with pytest.raises(DataError) as caught:
        list(trained.predict([path]))
    assert message in caught.value.message
    assert caught.value.exit_code == 3


def test_what_is_larger_than_any_example_is_refused_before_it_is_decoded(
    trained: Project, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = trained.predictor()
    monkeypatch.setattr(predict, "MAX_BYTES", 10)
    with pytest.raises(SampleError, match="at most 10 B"):
        predictor.predict_file(picture)
    with pytest.raises(SampleError, match="at most 10 B"):
        predictor.predict_bytes(picture.read_bytes(), "-")


def test_a_folder_is_no_file(trained: Project, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        list(trained.predict([tmp_path]))


def test_before_a_training_the_hint_is_to_train(project: Project, picture: Path) -> None:
    with pytest.raises(ArtifactError, match="no model has been trained") as caught:
        list(project.predict([picture]))
    assert caught.value.hint == "mlforge train"
    assert caught.value.exit_code == 5


def test_an_unknown_version_suggests_the_nearest(trained: Project, picture: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        list(trained.predict([picture], "random_forest-001"))
    assert "did you mean 'random_forest-0001'?" in caught.value.hint


@pytest.mark.parametrize("version", ["../random_forest-0001", "", "/etc", "random_forest-0001/x"])
def test_a_version_is_a_name_and_no_path(trained: Project, picture: Path, version: str) -> None:
    with pytest.raises(ArtifactError):
        list(trained.predict([picture], version))


@pytest.mark.parametrize("name", ["model.onnx", "metrics.json", "manifest.json"])
@pytest.mark.parametrize("place", [0.0, 0.5, 0.999])
def test_a_flipped_byte_is_found_and_the_artifact_is_not_used(
    trained: Project, picture: Path, name: str, place: float
) -> None:
    path = version_folder(trained) / name
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError) as caught:
        list(trained.predict([picture]))
    assert "mlforge train --force" in caught.value.hint


@pytest.mark.parametrize("name", ["model.onnx", "metrics.json"])
@pytest.mark.parametrize("change", ["missing", "shorter", "longer"])
def test_a_file_that_is_gone_or_of_another_size_is_found(
    trained: Project, picture: Path, name: str, change: str
) -> None:
    path = version_folder(trained) / name
    data = path.read_bytes()
    path.unlink()
    if change != "missing":
        path.write_bytes(data[:-1] if change == "shorter" else data + b"\0")
    with pytest.raises(ArtifactError, match=name):
        list(trained.predict([picture]))


def test_the_best_of_the_newest_training_is_used(generated: Project, picture: Path) -> None:
    generated.train(TrainOptions(models=("logistic_regression",), workers=1))
    result = generated.train(TrainOptions(models=("random_forest", "extra_trees"), workers=1))
    (prediction,) = generated.predict([picture])
    assert prediction.model == result.best.version
    # An older model that answers again is the newest training's answer.
    generated.train(TrainOptions(models=("logistic_regression",), workers=1))
    (prediction,) = generated.predict([picture])
    assert prediction.model == "logistic_regression-0001"


def test_a_named_version_is_used(trained: Project, picture: Path) -> None:
    trained.train(TrainOptions(models=("logistic_regression",), workers=1))
    (prediction,) = trained.predict([picture], "random_forest-0001")
    assert prediction.model == "random_forest-0001"


@pytest.mark.parametrize("damage", [None, b"{", b"[]", b'{"versions": 3}', b'{"versions": ["x"]}'])
def test_without_the_note_of_the_newest_training_the_newest_model_is_used(
    trained: Project, picture: Path, damage: bytes | None
) -> None:
    trained.train(TrainOptions(models=("logistic_regression",), workers=1))
    note = trained.root / "artifacts" / "latest.json"
    note.unlink() if damage is None else note.write_bytes(damage)
    (prediction,) = trained.predict([picture])
    assert prediction.model == "logistic_regression-0001"


def test_a_model_predicts_the_same_wherever_its_project_lies(
    trained: Project, picture: Path, tmp_path: Path
) -> None:
    (before,) = trained.predict([picture])
    elsewhere = Project(Path(shutil.copytree(trained.root, tmp_path / "else where")))
    (after,) = elsewhere.predict([picture])
    assert after.all_probabilities == before.all_probabilities


def test_a_model_carries_its_own_settings(trained: Project, picture: Path) -> None:
    (before,) = trained.predict([picture])
    (trained.root / "mlforge.toml").write_text('[image]\nsize = 20\n[features]\nuse = ["lbp"]\n')
    for path in trained.root.glob("categories/*/config.json"):
        path.unlink()
    (after,) = trained.predict([picture])
    assert after.all_probabilities == before.all_probabilities


def test_a_model_of_a_component_that_is_gone_says_so(
    trained: Project, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlforge.extractors import EXTRACTORS

    left = [source for source in EXTRACTORS._sources if source.name != "color"]
    monkeypatch.setitem(vars(EXTRACTORS), "_sources", left)
    with pytest.raises(ConfigError, match="unknown extractor 'color'"):
        list(trained.predict([picture]))


def describe(project: Project, **changes: Any) -> None:
    """Change a manifest as a stranger could: its own digest is right again."""
    path = version_folder(project) / "manifest.json"
    body = {key: value for key, value in json.loads(path.read_text()).items() if key != "digest"}
    body = {key: value for key, value in {**body, **changes}.items() if value is not ...}
    path.write_bytes(sealed(body))


@pytest.mark.parametrize(
    "changes",
    [
        {"modality": ...},
        {"modality": {"name": "image", "parameters": {"sise": 3}}},
        {"modality": {"name": "image", "parameters": {"size": 2**40}}},
        {"extractors": [3]},
        {"extractors": [{"name": "color", "parameters": {"bins": "x"}, "state": {}}]},
        {"categories": None},
        {"categories": [{"code": "a"}]},
        {"categories": [{"code": "a", "name": "a", "min_confidence": "high"}]},
        {"categories": [{"code": "a", "name": "a", "min_confidence": 0.5}]},
        {"temperature": 0},
        {"temperature": "warm"},
        {"n_features": 3},
        {"files": {}},
    ],
)
def test_a_manifest_that_describes_no_model_is_an_artifact_error(
    trained: Project, picture: Path, changes: dict[str, Any]
) -> None:
    describe(trained, **changes)
    with pytest.raises(ArtifactError) as caught:
        list(trained.predict([picture]))
    assert "mlforge train --force" in caught.value.hint


@pytest.mark.parametrize(
    "changes", [{"model": 3}, {"extractors": ...}, {"files": {}}, {"fingerprint": [1]}]
)
def test_a_manifest_that_describes_no_training_does_not_stop_the_next(
    trained: Project, changes: dict[str, Any]
) -> None:
    describe(trained, **changes)
    assert trained.train(TrainOptions(workers=1)).best.version == "random_forest-0002"
    assert trained.models()[0].version == "random_forest-0002"
