from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mlforge import Project
from mlforge.modalities import Modality
from mlforge.workflows import features
from mlforge.workflows.features import ExampleFile
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


def settings(project: Project, *changes: tuple[str, str]) -> None:
    path = project.root / "mlforge.toml"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def seeds_of(project: Project, code: str) -> Path:
    return project.root / "categories" / code / "seeds"


def evidence(project: Project, version: str) -> tuple[bytes, dict[str, Any], dict[str, Any]]:
    """What a training gives: graph, evaluation and manifest, without times."""
    artifact = project.artifacts.load(version)
    metrics = json.loads(artifact.files["metrics.json"])
    times = {"created", "digest", "files", "version"}
    manifest = {key: value for key, value in artifact.manifest.items() if key not in times}
    return artifact.files["model.onnx"], metrics["evaluation"], manifest


def test_training_again_trains_nothing_and_names_the_version(trained: Project) -> None:
    before = sorted((trained.root / "artifacts" / "models").rglob("*"))
    result = train(trained)
    assert (result.best.version, result.best.up_to_date) == ("random_forest-0001", True)
    assert result.best.evaluation is not None
    assert sorted((trained.root / "artifacts" / "models").rglob("*")) == before


def test_force_trains_a_new_version_that_is_the_same(trained: Project) -> None:
    result = train(trained, force=True)
    assert (result.best.version, result.best.up_to_date) == ("random_forest-0002", False)
    assert evidence(trained, "random_forest-0002") == evidence(trained, "random_forest-0001")


def change_parameter(project: Project) -> None:
    settings(project, ("n_estimators = 10", "n_estimators = 11"))


def change_features(project: Project) -> None:
    settings(project, ('["thumbnail", "color"]', '["color"]'))


def change_feature_parameter(project: Project) -> None:
    settings(project, ("[train]", "[features.thumbnail]\nside = 6\n\n[train]"))


def change_seed(project: Project) -> None:
    settings(project, ("folds = 3", "folds = 3\nseed = 7"))


def change_folds(project: Project) -> None:
    settings(project, ("folds = 3", "folds = 4"))


def change_size(project: Project) -> None:
    settings(project, ("[train]", "[image]\nsize = 40\n\n[train]"))


def change_confidence(project: Project) -> None:
    configure(project, "circle", "quality_thresholds", min_confidence=0.1)


def change_name(project: Project) -> None:
    configure(project, "circle", "", category_name="Disc")


def change_groups(project: Project) -> None:
    configure(project, "circle", "", group_pattern="{group}_*")


def change_seeds(project: Project) -> None:
    (seeds_of(project, "circle") / "circle_0.png").unlink()


def change_samples(project: Project) -> None:
    project.generate(GenerateOptions(count=9, workers=1))


def change_categories(project: Project) -> None:
    project.remove_category("circle")


@pytest.mark.parametrize(
    "change",
    [
        change_parameter,
        change_features,
        change_feature_parameter,
        change_seed,
        change_folds,
        change_size,
        change_confidence,
        change_name,
        change_groups,
        change_seeds,
        change_samples,
        change_categories,
    ],
)
def test_whatever_decides_the_result_trains_anew(
    trained: Project, change: Callable[[Project], None]
) -> None:
    change(trained)
    result = train(trained)
    assert (result.best.version, result.best.up_to_date) == ("random_forest-0002", False)
    assert train(trained).best.up_to_date


def change_tags(project: Project) -> None:
    configure(project, "circle", "metadata", tags=["round"])


def change_file_name(project: Project) -> None:
    path = seeds_of(project, "circle") / "circle_0.png"
    path.rename(path.with_name("other.png"))


@pytest.mark.parametrize("change", [change_tags, change_file_name])
def test_what_decides_nothing_trains_nothing(
    trained: Project, change: Callable[[Project], None]
) -> None:
    change(trained)
    assert train(trained).best.up_to_date


def test_a_parameter_of_the_command_line_overrides_the_settings(trained: Project) -> None:
    result = train(trained, parameters=("random_forest.n_estimators=3",))
    assert not result.best.up_to_date
    manifest = trained.artifacts.manifest(result.best.version)
    assert manifest["model"]["parameters"]["n_estimators"] == 3


def test_a_backbone_that_changes_behind_its_name_trains_anew(
    project: Project, tmp_path: Path
) -> None:
    from onnx import TensorProto, helper

    def backbone(axes: list[int]) -> bytes:
        graph = helper.make_graph(
            [
                helper.make_node("Slice", ["x", "start", "stop", "axes"], ["y"]),
            ],
            "backbone",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 32, 32])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, 16, 32])],
            [
                helper.make_tensor("start", TensorProto.INT64, [1], axes),
                helper.make_tensor("stop", TensorProto.INT64, [1], [axes[0] + 16]),
                helper.make_tensor("axes", TensorProto.INT64, [1], [2]),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        return bytes(model.SerializeToString(deterministic=True))

    path = tmp_path / "backbone.onnx"
    path.write_bytes(backbone([0]))
    settings(
        project,
        ('["thumbnail", "color"]', '["embedding"]'),
        ("[train]", f'[features.embedding]\nsource = "{path}"\nsize = 32\n\n[train]'),
    )
    first = train(project)
    assert train(project).best.up_to_date
    path.write_bytes(backbone([16]))
    second = train(project)
    assert second.best.version == "random_forest-0002"
    assert evidence(project, first.best.version)[0] != evidence(project, second.best.version)[0]


def test_features_are_extracted_once(generated: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    train(generated)

    def fail(*_: object) -> None:
        pytest.fail("decoded although the features are cached")

    monkeypatch.setattr(features, "_decode", fail)
    assert not train(generated, force=True).best.up_to_date


def test_a_new_seed_is_all_that_is_extracted(
    generated: Project, monkeypatch: pytest.MonkeyPatch, draw: Draw
) -> None:
    train(generated)
    (seeds_of(generated, "circle") / "new.png").write_bytes(draw("circle", 70))
    plain_decode, decoded = features._decode, []

    def decode(modality: Modality, file: ExampleFile) -> Any:
        decoded.append(file.path.name)
        return plain_decode(modality, file)

    monkeypatch.setattr(features, "_decode", decode)
    train(generated)
    assert decoded == ["new.png"]


def test_a_damaged_artifact_is_trained_again(trained: Project) -> None:
    metrics = trained.root / "artifacts" / "models" / "random_forest-0001" / "metrics.json"
    metrics.write_bytes(metrics.read_bytes()[:-1] + b" ")
    result = train(trained)
    assert (result.best.version, result.best.up_to_date) == ("random_forest-0002", False)
    assert trained.predictor().version == "random_forest-0002"
