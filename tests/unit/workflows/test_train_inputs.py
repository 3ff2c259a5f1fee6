from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mlforge import Project
from mlforge.core.reporting import SilentReporter
from mlforge.errors import ConfigError, DataError, StorageError
from mlforge.storage.manifest import read_manifest
from mlforge.workflows.generate import GenerateOptions
from mlforge.workflows.train import TrainOptions, TrainResult

Draw = Callable[[str, int], bytes]
Floats = npt.NDArray[np.float32]


def train(project: Project, **options: Any) -> TrainResult:
    return project.train(TrainOptions(**{"workers": 1, **options}))


def warnings_of(project: Project, **options: Any) -> list[str]:
    reporter = SilentReporter()
    train(Project(project.root, reporter), **options)
    return reporter.warnings


def configure(project: Project, code: str, section: str, **values: Any) -> None:
    path = project.root / "categories" / code / "config.json"
    config = json.loads(path.read_text())
    if section:
        config[section] |= values
    else:
        config |= values
    path.write_text(json.dumps(config))


def seeds_of(project: Project, code: str) -> Path:
    return project.root / "categories" / code / "seeds"


def keep_seeds(project: Project, **n_seeds: int) -> None:
    for code, n in n_seeds.items():
        for path in sorted(seeds_of(project, code).iterdir())[n:]:
            path.unlink()


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"models": ("random_forrest",)}, "did you mean 'random_forest'?"),
        ({"models": ("all", "random_forrest")}, "did you mean 'random_forest'?"),
        ({"features": ("colour",)}, "did you mean 'color'?"),
        ({"parameters": ("random_forest.n_estimator=3",)}, "did you mean 'n_estimators'?"),
        ({"parameters": ("xgboost.n_estimators=3",)}, "add --model xgboost"),
        ({"parameters": ("xgbost.n_estimators=3",)}, "did you mean 'xgboost'?"),
        ({"parameters": ("n_estimators=3",)}, "--param random_forest.n_estimators=500"),
        ({"parameters": ("random_forest.n_estimators",)}, "--param random_forest"),
    ],
)
def test_a_wrong_option_says_what_to_write(
    project: Project, options: dict[str, Any], hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        train(project, **options)
    assert hint in caught.value.hint
    assert project.artifacts.versions() == []


@pytest.mark.parametrize(
    "value", ["0", "many", "NaN", "[1, 2]", "null", "1e999", "9" * 5000, "[" * 100_000]
)
def test_a_parameter_out_of_range_or_of_another_type_is_refused(
    project: Project, value: str
) -> None:
    with pytest.raises(ConfigError, match="random_forest"):
        train(project, parameters=(f"random_forest.n_estimators={value}",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[train]\nmodels = ["random_forrest"]', "mlforge.toml: train.models: unknown model"),
        ('[features]\nuse = ["colour"]', "mlforge.toml: features.use: unknown extractor"),
        ("[features.colour]\nx = 1", "mlforge.toml: [features]: unknown extractor"),
        ("[models.forest]\nx = 1", "mlforge.toml: [models]: unknown model"),
        ("[models.random_forest]\ntrees = 1", "trees: unknown key"),
        ("[features.thumbnail]\nsde = 1", "sde: unknown key"),
        ("[models.svm]\nc = 1", "c: unknown key"),
        ("[features.hog]\nsise = 1", "sise: unknown key"),
        ("[trainn]\nfolds = 2", "trainn: unknown key"),
        ("[train]\nmodels = []", "train.models: give at least 1"),
        ("[train]\nfolds = 1", "train.folds"),
        ("[image]\nsize = 1", "size"),
        ('modality = "sound"', "unknown modality 'sound'"),
    ],
)
def test_wrong_settings_name_file_and_key(project: Project, text: str, message: str) -> None:
    (project.root / "mlforge.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        train(project)
    assert message in caught.value.message


def test_fewer_than_two_categories_cannot_be_trained(project: Project) -> None:
    for code in ("circle", "square"):
        project.remove_category(code)
    with pytest.raises(DataError, match="only one category, 'triangle'") as caught:
        train(project)
    assert "mlforge categories add" in caught.value.hint
    project.remove_category("triangle")
    with pytest.raises(DataError, match="no categories"):
        train(project)
    assert project.artifacts.versions() == []


def test_a_category_without_seeds_cannot_be_trained(project: Project) -> None:
    project.add_category("empty")
    with pytest.raises(DataError, match="'empty' has no seeds") as caught:
        train(project)
    assert caught.value.hint == (
        "mlforge categories add empty FILES... or: mlforge categories remove empty"
    )


def test_a_category_with_one_seed_is_trained_on_and_not_scored(project: Project) -> None:
    keep_seeds(project, circle=1)
    reporter = SilentReporter()
    (model,) = train(Project(project.root, reporter)).models
    assert any(warning.startswith("circle: one seed only") for warning in reporter.warnings)
    assert model.evaluation is not None
    assert model.evaluation.unscored == ("circle",)
    assert model.evaluation.per_category["circle"].recall is None
    assert model.evaluation.n_seeds == 11
    seed = next(iter(seeds_of(project, "circle").iterdir()))
    (prediction,) = project.predict([seed])
    assert prediction.all_probabilities.keys() == {"circle", "square", "triangle"}


def test_a_category_with_one_group_is_trained_on_and_not_scored(project: Project) -> None:
    configure(project, "square", "", group_pattern="{group}_*")
    reporter = SilentReporter()
    (model,) = train(Project(project.root, reporter)).models
    assert any("its 5 seeds are one group" in warning for warning in reporter.warnings)
    assert model.evaluation is not None
    assert model.evaluation.unscored == ("square",)


def test_two_seeds_in_all_can_be_trained_on_and_nothing_is_claimed(project: Project) -> None:
    project.remove_category("triangle")
    keep_seeds(project, circle=1, square=1)
    (model,) = train(project).models
    assert model.evaluation is None
    (listed,) = project.models()
    assert listed.evaluation is None
    seed = next(iter(seeds_of(project, "circle").iterdir()))
    assert [prediction.prediction for prediction in project.predict([seed])] == ["circle"]


def test_two_seeds_a_category_are_scored_by_leaving_one_out(project: Project) -> None:
    keep_seeds(project, circle=2, square=2, triangle=2)
    evaluation = train(project).best.evaluation
    assert evaluation is not None
    assert (evaluation.n_seeds, evaluation.n_folds) == (6, 6)


def test_training_on_seeds_alone_says_what_would_help(project: Project, generated: Project) -> None:
    assert any("mlforge samples generate" in warning for warning in warnings_of(project))
    assert warnings_of(generated) == []


def test_stale_samples_are_left_out_with_a_warning(generated: Project) -> None:
    configure(generated, "circle", "augmentation_settings", techniques=["rotation"])
    reporter = SilentReporter()
    result = train(Project(generated.root, reporter))
    assert result.n_samples == 16
    assert any("circle: its samples were made with another" in w for w in reporter.warnings)


def test_interrupted_samples_are_used_with_a_warning(generated: Project) -> None:
    manifest = generated.root / "categories" / "circle" / "samples" / "manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(lines[:6]) + lines[6][:40])
    reporter = SilentReporter()
    result = train(Project(generated.root, reporter))
    assert result.n_samples == 5 + 8 + 8
    assert any(
        "circle: making its samples was interrupted at 5 of 8" in w for w in reporter.warnings
    )


def test_samples_of_a_seed_that_was_removed_are_not_trained_on(generated: Project) -> None:
    (seeds_of(generated, "circle") / "circle_0.png").unlink()
    result = train(generated)
    assert (result.n_seeds, result.n_samples) == (14, 22)


def first_sample(project: Project) -> Path:
    folder = project.root / "categories" / "circle" / "samples"
    manifest = read_manifest(folder)
    assert manifest is not None
    return folder / manifest.records[0].file


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (lambda path: path.write_bytes(b"x"), "is not what it was", "samples generate --force"),
        (lambda path: path.unlink(), "the file is gone", "mlforge samples generate"),
    ],
)
def test_a_sample_that_changed_on_disk_is_refused_with_the_fix(
    generated: Project, change: Callable[[Path], object], message: str, hint: str
) -> None:
    path = first_sample(generated)
    change(path)
    with pytest.raises(DataError, match=f"circle/{path.name}: .*{message}") as caught:
        train(generated)
    assert hint in caught.value.hint
    assert generated.artifacts.versions() == []
    generated.generate(GenerateOptions(count=8, workers=1, force=True))
    train(generated)


def test_a_seed_that_cannot_be_decoded_is_named(project: Project) -> None:
    (seeds_of(project, "circle") / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    with pytest.raises(DataError, match=r"circle/torn\.png"):
        train(project)


def test_files_that_are_no_seeds_are_left_out_with_a_warning(project: Project) -> None:
    (seeds_of(project, "circle") / "notes.txt").write_text("words")
    assert any("circle/notes.txt: left out" in warning for warning in warnings_of(project))


def test_a_folder_of_class_folders_is_trained_on_alone(
    generated: Project, tmp_path: Path, draw: Draw
) -> None:
    for shape in ("square", "circle"):
        folder = tmp_path / "data" / f"My {shape}"
        folder.mkdir(parents=True)
        for number in range(3):
            (folder / f"{number}.png").write_bytes(draw(shape, 100 + number))
    (tmp_path / "data" / "My circle" / "notes.txt").write_text("words")
    reporter = SilentReporter()
    result = train(Project(generated.root, reporter), data=tmp_path / "data")
    assert (result.codes, result.n_seeds, result.n_samples) == (("my_circle", "my_square"), 6, 0)
    assert [w for w in reporter.warnings if "notes.txt" in w]
    assert not [w for w in reporter.warnings if "samples generate" in w]
    (prediction,) = generated.predict([tmp_path / "data" / "My circle" / "0.png"])
    assert prediction.category_name in {"My circle", "My square"}


def test_a_file_that_cannot_be_decoded_is_named_by_its_class_folder(
    project: Project, shapes: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(shapes, data)
    (data / "circle" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    with pytest.raises(DataError, match=r"circle/torn\.png"):
        train(project, data=data)


@pytest.mark.parametrize("names", [(), ("oak",), ("Red Cup", "red_cup"), ("oak", "x" * 201)])
def test_a_folder_that_cannot_be_trained_on_says_why(
    project: Project, tmp_path: Path, draw: Draw, names: tuple[str, ...]
) -> None:
    for number, name in enumerate(names):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "1.png").write_bytes(draw("circle", number))
    with pytest.raises((DataError, ConfigError)) as caught:
        train(project, data=tmp_path / "data")
    assert caught.value.hint or "category_name" in caught.value.message


def test_an_unreadable_cache_is_a_storage_error(
    generated: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (generated.root / "artifacts" / "cache").write_text("in the way")
    with pytest.raises(StorageError, match="cache"):
        train(generated)


def test_a_file_in_two_categories_is_one_group_whatever_the_patterns_say(project: Project) -> None:
    from mlforge.engines.local import LocalEngine
    from mlforge.workflows.dataset import project_dataset

    first, second, *_ = project.workspace.layout.category_codes()
    seed = min(project.workspace.layout.seeds(first).iterdir())
    shutil.copy(seed, project.workspace.layout.seeds(second) / f"x_jackson_1{seed.suffix}")
    configure(project, second, "", group_pattern="*_{group}_*")

    dataset = project_dataset(project.workspace, LocalEngine(1), SilentReporter())

    digests = [file.digest for file in dataset.files]
    shared = next(digest for digest in digests if digests.count(digest) == 2)
    assert len({g for g, d in zip(dataset.groups, digests, strict=True) if d == shared}) == 1


def test_features_of_another_revision_are_refused_at_prediction(
    trained: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlforge.errors import ArtifactError
    from mlforge.extractors import EXTRACTORS

    name = trained.models()[0].features[0]
    extractor = EXTRACTORS.get(name, "image")
    monkeypatch.setattr(extractor, "revision", extractor.revision + 1)

    with pytest.raises(ArtifactError, match="revision"):
        trained.predictor()


def test_an_artifact_with_a_damaged_graph_is_not_up_to_date(trained: Project) -> None:
    version = trained.models()[0].version
    graph = trained.root / "artifacts" / "models" / version / "model.onnx"
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 1
    graph.write_bytes(bytes(data))

    result = train(trained)

    assert not result.best.up_to_date
    assert result.best.version != version
