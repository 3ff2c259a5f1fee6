from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mlforge import Project
from mlforge.core.digest import digest_bytes
from mlforge.core.reporting import SilentReporter
from mlforge.engines.local import LocalEngine
from mlforge.errors import ArtifactError
from mlforge.storage.artifacts import StoredArtifact
from mlforge.workflows.dataset import folder_dataset
from mlforge.workflows.golden import golden_difference, golden_files, replay

GOLDEN = Path(__file__).parents[2] / "golden" / "artifacts"
VERSION = "random_forest-0001"


def edited(artifact: StoredArtifact, change: Callable[[dict[str, Any]], object]) -> StoredArtifact:
    """Return the artifact with other golden examples, as one would make it who may."""
    golden = json.loads(artifact.files["golden.json"])
    change(golden)
    return replace(artifact, files={**artifact.files, "golden.json": json.dumps(golden).encode()})


@pytest.fixture
def artifact(trained: Project) -> StoredArtifact:
    return trained.artifacts.load(VERSION)


def test_an_artifact_says_of_its_golden_examples_what_it_said(artifact: StoredArtifact) -> None:
    result = replay(artifact)
    assert result.n_examples == 3
    assert result.difference == pytest.approx(0, abs=1e-9)


def test_there_is_one_example_of_each_category_as_the_seed_is_decoded(
    trained: Project, artifact: StoredArtifact
) -> None:
    modality = trained.workspace.modality
    for number, code in enumerate(("circle", "square", "triangle"), start=1):
        example = modality.decode(artifact.files[f"golden-{number}.png"])
        seeds = [path.read_bytes() for path in (trained.root / "categories" / code).glob("seeds/*")]
        assert any((modality.decode(seed) == example).all() for seed in seeds)


@pytest.mark.parametrize(("side", "n_examples"), [(16, 8), (256, 5)])
def test_at_most_eight_examples_and_a_mebibyte_travel_along(
    trained: Project, artifact: StoredArtifact, tmp_path: Path, side: int, n_examples: int
) -> None:
    rng = np.random.default_rng(0)
    for number in range(10):
        noise = rng.integers(256, size=(side, side, 3), dtype=np.uint8)
        (tmp_path / f"c{number}").mkdir()
        (tmp_path / f"c{number}" / "a.png").write_bytes(cv2.imencode(".png", noise)[1].tobytes())
    dataset = folder_dataset(trained.workspace, tmp_path, LocalEngine(1), SilentReporter())
    files = golden_files(dataset, trained.workspace.modality, artifact)
    names = {f"golden-{number}.png" for number in range(1, n_examples + 1)}
    assert set(files) == {"golden.json", *names}
    assert sum(len(files[name]) for name in names) <= 1024**2


@pytest.mark.parametrize("off", [2e-4, 0.5, float("nan")])
def test_another_prediction_is_found(artifact: StoredArtifact, off: float) -> None:
    def change(golden: dict[str, Any]) -> None:
        golden["examples"][0]["probabilities"][0] += off

    with pytest.raises(ArtifactError, match="its graph gives other results") as caught:
        replay(edited(artifact, change))
    assert "opencv" in caught.value.hint


def test_a_difference_of_rounding_is_none(artifact: StoredArtifact) -> None:
    def change(golden: dict[str, Any]) -> None:
        golden["examples"][0]["probabilities"][0] += 5e-5

    assert replay(edited(artifact, change)).difference == pytest.approx(5e-5, rel=1e-3)


def test_other_features_are_named_as_the_reason(artifact: StoredArtifact) -> None:
    def change(golden: dict[str, Any]) -> None:
        golden["examples"][0]["probabilities"][0] += 0.5
        golden["examples"][0]["features"] = digest_bytes(b"")

    with pytest.raises(ArtifactError, match="its features come out otherwise"):
        replay(edited(artifact, change))


@pytest.mark.parametrize(
    "change",
    [
        lambda golden: golden.clear(),
        lambda golden: golden.update(examples=3),
        lambda golden: golden.update(examples=[]),
        lambda golden: golden.update(examples=[3]),
        lambda golden: golden["examples"][0].update(file="missing.png"),
        lambda golden: golden["examples"][0].update(file="metrics.json"),
        lambda golden: golden["examples"][0].update(probabilities=[0.5]),
        lambda golden: golden["examples"][0].update(probabilities="x"),
        lambda golden: golden["examples"][0].update(probabilities=[10**400, 0, 0]),
        lambda golden: [entry.update(probabilities=[1]) for entry in golden["examples"]],
        lambda golden: golden["examples"].__setitem__(0, ["file"]),
        lambda golden: golden.update(tolerance="x"),
        lambda golden: golden.update(tolerance=10**400),
    ],
)
def test_golden_examples_of_another_shape_are_refused(
    artifact: StoredArtifact, change: Callable[[dict[str, Any]], object]
) -> None:
    for use in (replay, lambda broken: golden_difference(broken, artifact)):
        with pytest.raises(ArtifactError):
            use(edited(artifact, change))


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 100_000])
def test_golden_examples_that_cannot_be_read_are_refused(
    artifact: StoredArtifact, data: bytes
) -> None:
    broken = replace(artifact, files={**artifact.files, "golden.json": data})
    for use in (replay, lambda broken: golden_difference(broken, artifact)):
        with pytest.raises(ArtifactError, match=r"golden\.json"):
            use(broken)


def test_an_artifact_cannot_allow_itself_a_larger_difference(artifact: StoredArtifact) -> None:
    def change(golden: dict[str, Any]) -> None:
        golden["tolerance"] = 1.0
        golden["examples"][0]["probabilities"][0] += 0.5

    with pytest.raises(ArtifactError, match="does not predict here"):
        replay(edited(artifact, change))


def test_the_difference_of_two_models_is_measured_on_the_golden_examples_of_the_first(
    artifact: StoredArtifact,
) -> None:
    assert golden_difference(artifact, artifact) == 0.0
    flatter = replace(artifact, manifest={**artifact.manifest, "temperature": 5.0})
    difference = golden_difference(artifact, flatter)
    assert difference is not None
    assert difference > 0.05
    files = {name: data for name, data in artifact.files.items() if name != "golden.json"}
    assert golden_difference(replace(artifact, files=files), artifact) is None


@pytest.mark.parametrize("schema", ["v1", "v2"])
def test_artifacts_of_every_schema_predict_what_they_predicted(
    project: Project, schema: str
) -> None:
    expected = json.loads((GOLDEN / schema / "expected.json").read_bytes())
    project.artifacts.models.mkdir(parents=True)
    target = project.artifacts.models / expected["version"]
    shutil.copytree(GOLDEN / schema / "artifact", target)
    (prediction,) = project.predict([GOLDEN / schema / "picture.png"])
    assert prediction.model == expected["version"]
    assert prediction.all_probabilities == pytest.approx(expected["all_probabilities"], abs=1e-4)
    if schema == "v1":
        assert not prediction.reliable, "nothing in it tells what is unknown"
    (check,) = project.verify_models()
    assert check.reason == ""
    assert check.n_golden == {"v1": 0, "v2": 2}[schema]
    assert [model.version for model in project.models()] == [expected["version"]]
