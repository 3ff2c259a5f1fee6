"""Artifacts whose digests are right and that somebody else wrote all the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlforge import Project
from mlforge.cli import main
from mlforge.core.arrays import array_to_bytes
from mlforge.core.digest import digest_bytes
from mlforge.errors import ArtifactError
from mlforge.storage.artifact_manifest import sealed
from mlforge.workflows.batch import BatchOptions
from mlforge.workflows.golden import replay
from mlforge.workflows.train import TrainOptions

VERSION = "random_forest-0001"
N_CATEGORIES = 3


def describe(project: Project, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest; its digest is right again."""
    path = project.artifacts.models / VERSION / "manifest.json"
    values = json.loads(path.read_bytes())
    del values["digest"]
    change(values)
    path.write_bytes(sealed(values))


def plant(project: Project, name: str, data: bytes) -> None:
    """Put another file into an artifact; its digests are right."""
    (project.artifacts.models / VERSION / name).write_bytes(data)
    described = {"sha256": digest_bytes(data), "bytes": len(data)}
    describe(project, lambda values: values["files"].update({name: described}))


def graph_that_gives(project: Project, row: npt.ArrayLike, cast: int = TensorProto.FLOAT) -> bytes:
    """Return a graph that takes the model's features and gives the same row for each example."""
    n_features = project.artifacts.manifest(VERSION)["n_features"]
    values = np.asarray(row, np.float32)
    weights = np.zeros((n_features, len(values)), np.float32)
    whole = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "weights"], ["zeros"]),
            helper.make_node("Add", ["zeros", "row"], ["sum"]),
            helper.make_node("Cast", ["sum"], ["probabilities"], to=cast),
        ],
        "g",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", n_features])],
        [helper.make_tensor_value_info("probabilities", cast, ["n", len(values)])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(values, "row")],
    )
    opsets = [helper.make_opsetid("", 18)]
    return bytes(helper.make_model(whole, opset_imports=opsets, ir_version=8).SerializeToString())


@pytest.fixture
def picture(tmp_path: Path, draw: Callable[[str, int], bytes]) -> Path:
    path = tmp_path / "pictures" / "circle.png"
    path.parent.mkdir()
    path.write_bytes(draw("circle", 200))
    return path


def test_a_graph_of_probabilities_is_used(trained: Project, picture: Path) -> None:
    plant(trained, "model.onnx", graph_that_gives(trained, [0.2, 0.5, 0.3]))
    (prediction,) = trained.predict([picture])
    assert prediction.prediction == "square"


@pytest.mark.parametrize(
    ("row", "cast"),
    [
        ([np.nan] * N_CATEGORIES, TensorProto.FLOAT),
        ([0.5, 0.5, np.nan], TensorProto.FLOAT),
        ([np.inf, 0, 0], TensorProto.FLOAT),
        ([0.5, 0.3, 0.1], TensorProto.FLOAT),
        ([1.5, -0.5, 0], TensorProto.FLOAT),
        ([0] * N_CATEGORIES, TensorProto.DOUBLE),
        ([1, 0, 0], TensorProto.INT64),
        ([1, 0, 0], TensorProto.BOOL),
        ([1, 0], TensorProto.FLOAT),
    ],
)
def test_a_graph_that_gives_no_probabilities_is_named(
    trained: Project, picture: Path, tmp_path: Path, row: list[float], cast: int
) -> None:
    plant(trained, "model.onnx", graph_that_gives(trained, row, cast))
    with pytest.raises(ArtifactError, match=rf"{VERSION}/model\.onnx: gives"):
        list(trained.predict([picture]))
    options = BatchOptions(file_format="jsonl", workers=1)
    with pytest.raises(ArtifactError, match=rf"{VERSION}/model\.onnx: gives"):
        trained.batch(picture.parent, tmp_path / "out", options)
    assert not (tmp_path / "out" / "predictions.jsonl").exists()
    assert "model.onnx" in trained.verify_models()[0].reason


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4',(",
        array_to_bytes(np.zeros(3, "datetime64[s]")),
        array_to_bytes(np.zeros(3, np.complex64)),
    ],
    ids=["empty", "head", "dates", "complex"],
)
@pytest.mark.parametrize("name", ["centre", "references"])
def test_an_array_that_cannot_be_read_is_named(
    trained: Project, picture: Path, name: str, data: bytes
) -> None:
    plant(trained, f"novelty.{name}", data)
    with pytest.raises(ArtifactError, match=rf"novelty\.{name}"):
        list(trained.predict([picture]))


def test_arrays_of_another_number_of_features_are_refused(trained: Project, picture: Path) -> None:
    for name, shape in (("centre", (2,)), ("scale", (2,)), ("projection", (2, 1))):
        plant(trained, f"novelty.{name}", array_to_bytes(np.ones(shape, np.float32)))
    plant(trained, "novelty.references", array_to_bytes(np.ones((4, 1), np.float32)))
    with pytest.raises(ArtifactError, match="does not describe a model"):
        list(trained.predict([picture]))


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.update(temperature=10**400),
        lambda values: values.update(temperature=1e-320),
        lambda values: values.update(set_threshold="x"),
        lambda values: values["categories"][0].update(min_confidence=10**400),
        lambda values: values["categories"][0].update(code=["circle"]),
        lambda values: values["unknown"].update(threshold=10**400),
        lambda values: values.update(created=None),
    ],
)
def test_every_command_ends_with_5_where_a_manifest_describes_no_model(
    trained: Project,
    picture: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, Any]], object],
) -> None:
    describe(trained, change)
    for words in (
        ("predict", str(picture), "--model", VERSION),
        ("models", "show", VERSION),
        ("models", "verify", VERSION),
        ("models", "promote", VERSION),
        ("models", "reproduce", VERSION),
        ("report", VERSION),
    ):
        assert main.run([*words, "--project", str(trained.root)]) == 5, words
        assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        lambda metrics: metrics.pop("seconds"),
        lambda metrics: metrics.update(seconds="long"),
        lambda metrics: metrics.update(seconds=10**400),
        lambda metrics: metrics["evaluation"].update(accuracy=float("nan")),
        lambda metrics: metrics["evaluation"].update(accuracy=10**400),
        lambda metrics: metrics["evaluation"].update(codes=["a", "b", "c"]),
        lambda metrics: metrics["evaluation"].update(codes=["triangle", "square", "circle"]),
    ],
)
def test_a_model_whose_metrics_cannot_be_shown_is_not_sound(
    trained: Project, change: Callable[[dict[str, Any]], object]
) -> None:
    metrics = trained.artifacts.read_json(VERSION, "metrics.json")
    change(metrics)
    plant(trained, "metrics.json", json.dumps(metrics).encode())
    assert "metrics.json" in trained.verify_models()[0].reason
    assert trained.models() == []


@pytest.mark.parametrize("wrong", ["narrow", "doubles", "nan"])
def test_cached_features_of_another_form_are_made_again(trained: Project, wrong: str) -> None:
    for path in (trained.root / "artifacts" / "cache").glob("color-*/*.npz"):
        with np.load(path) as arrays:
            digests, values = arrays["digests"], arrays["values"]
        path.unlink()
        made = {
            "narrow": values[:, :-1],
            "doubles": values.astype(np.float64),
            "nan": values * np.float32("nan"),
        }
        np.savez(path, digests=digests, values=made[wrong])
        path.rename(path.with_stem(digest_bytes(path.read_bytes())))
    result = trained.train(TrainOptions(force=True, workers=1))
    graphs = [trained.artifacts.load(v).files["model.onnx"] for v in (VERSION, result.best.version)]
    assert graphs[0] == graphs[1]


@pytest.mark.parametrize("code", ["\ud800x\udcff", "a\nb", "../up", "", "CON", "con", "a" * 65])
def test_a_code_that_no_category_may_have_is_refused(trained: Project, code: str) -> None:
    describe(trained, lambda values: values["categories"][0].update(code=code))
    with pytest.raises(ArtifactError, match="its categories"):
        trained.artifacts.manifest(VERSION)


def test_a_name_that_cannot_be_written_is_refused(trained: Project) -> None:
    describe(trained, lambda values: values["categories"][0].update(name="\ud800"))
    with pytest.raises(ArtifactError, match="its categories"):
        trained.artifacts.manifest(VERSION)


def test_a_graph_without_golden_examples_is_run_all_the_same(trained: Project) -> None:
    plant(trained, "model.onnx", graph_that_gives(trained, [np.nan] * N_CATEGORIES))

    def without(values: dict[str, Any]) -> None:
        golden = [name for name in values["files"] if name.startswith("golden")]
        assert golden
        for name in golden:
            del values["files"][name]

    describe(trained, without)
    with pytest.raises(ArtifactError, match="gives"):
        replay(trained.artifacts.load(VERSION))
