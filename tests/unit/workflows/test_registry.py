from __future__ import annotations

import getpass
import json
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project
from mlforge.core.digest import digest_bytes, digest_json
from mlforge.errors import ArtifactError, ConfigError
from mlforge.storage.locking import exclusive
from mlforge.storage.transport import read_transport, write_transport
from mlforge.workflows import proof
from mlforge.workflows.train import TrainOptions

FIRST, SECOND = "random_forest-0001", "logistic_regression-0001"


@pytest.fixture
def two(trained: Project) -> Project:
    """Return a project with a random forest and, trained later, a logistic regression."""
    trained.train(TrainOptions(models=("logistic_regression",), workers=1))
    return trained


@pytest.fixture
def other(tmp_path: Path) -> Project:
    """Return an empty project to import into."""
    return Project.init(tmp_path / "other")


def rewrite(path: Path, change: Callable[[dict[str, Any], dict[str, bytes]], object]) -> None:
    """Change an exported file as one would who knows how its digests are made."""
    files = read_transport(path)
    manifest = json.loads(files.pop("manifest.json"))
    del manifest["digest"]
    change(manifest, files)
    manifest["digest"] = digest_json(manifest)
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    write_transport(path, {"manifest.json": text.encode(), **files})


def put(manifest: dict[str, Any], files: dict[str, bytes], name: str, data: bytes) -> None:
    files[name] = data
    manifest["files"][name] = {"sha256": digest_bytes(data), "bytes": len(data)}


def test_what_production_names_is_what_predicts(two: Project, shapes: Path) -> None:
    picture = next((shapes / "circle").iterdir())
    assert next(two.predict([picture])).model == SECOND
    two.promote(FIRST)
    assert next(two.predict([picture])).model == FIRST
    two.promote(SECOND)
    two.rollback()
    assert next(two.predict([picture])).model == FIRST


def test_an_alias_can_be_promoted_to_another(two: Project) -> None:
    two.promote(FIRST, "staging")
    assert two.promote("staging").version == FIRST


def test_a_damaged_version_is_not_promoted(two: Project) -> None:
    two.promote(FIRST)
    path = two.artifacts.models / SECOND / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError):
        two.promote(SECOND)
    assert two.artifacts.resolve(None) == FIRST


def test_there_is_no_way_back_to_what_is_gone_or_damaged(two: Project) -> None:
    two.promote(FIRST)
    two.promote(SECOND)
    path = two.artifacts.models / FIRST / "model.onnx"
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(ArtifactError):
        two.rollback()
    path.write_bytes(data)
    two.remove_model(FIRST)
    with pytest.raises(ArtifactError, match="which is gone"):
        two.rollback()
    assert two.artifacts.resolve(None) == SECOND


def test_verifying_names_each_model_that_is_not_sound(two: Project) -> None:
    assert [(c.version, c.reason) for c in two.verify_models()] == [(SECOND, ""), (FIRST, "")]
    path = two.artifacts.models / FIRST / "metrics.json"
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))
    checks = {check.version: check for check in two.verify_models()}
    assert checks[SECOND].reason == ""
    assert checks[SECOND].n_golden == 3
    assert "metrics.json" in checks[FIRST].reason
    assert checks[FIRST].hint
    assert [check.version for check in two.verify_models(SECOND)] == [SECOND]


def test_a_damaged_model_does_not_hide_the_others_in_the_list(two: Project) -> None:
    (two.artifacts.models / FIRST / "manifest.json").write_text("{")
    assert [model.version for model in two.models()] == [SECOND]


def test_removing_a_model_takes_its_aliases_along(two: Project) -> None:
    two.promote(FIRST)
    two.remove_model(FIRST, force=True)
    assert two.artifacts.aliases.read() == {}
    assert two.artifacts.resolve(None) == SECOND
    with pytest.raises(ArtifactError):
        two.remove_model(FIRST)


def test_an_alias_is_not_removed_as_if_it_were_the_model(two: Project) -> None:
    two.promote(FIRST)
    with pytest.raises(ArtifactError, match="is an alias"):
        two.remove_model("production")


def test_pruning_keeps_what_is_named_newest_or_the_answer_of_the_newest_train(
    trained: Project,
) -> None:
    for _ in range(4):
        trained.train(TrainOptions(force=True, workers=1))
    name = "random_forest-000{}".format
    trained.promote(name(1))
    trained.promote(name(2))
    plan = trained.plan_prune(1)
    assert plan.removed == (name(4), name(3))
    assert plan.kept == (name(5), name(2), name(1))
    assert plan.n_bytes > 1_000
    assert len(trained.artifacts.versions()) == 5
    assert trained.prune_models(1) == plan
    assert trained.artifacts.versions() == [name(1), name(2), name(5)]
    assert trained.plan_prune(0).removed == ()


def test_a_model_goes_to_another_project_and_predicts_the_same(
    trained: Project, other: Project, tmp_path: Path, shapes: Path
) -> None:
    file = tmp_path / "model.mlforge"
    assert trained.export_model(FIRST, file) == FIRST
    made = other.import_model(file)
    assert (made.version, made.origin, made.is_new) == (FIRST, FIRST, True)
    picture = next((shapes / "circle").iterdir())
    (here,), (there,) = trained.predict([picture]), other.predict([picture])
    assert here.all_probabilities == there.all_probabilities
    assert other.artifacts.manifest(FIRST)["origin"] == {
        "version": FIRST,
        "digest": trained.artifacts.manifest(FIRST)["digest"],
    }


def test_importing_the_same_twice_says_where_it_is(
    trained: Project, other: Project, tmp_path: Path
) -> None:
    file, again = tmp_path / "model.mlforge", tmp_path / "again.mlforge"
    trained.export_model(FIRST, file)
    other.import_model(file)
    other.export_model(FIRST, again)
    for path in (file, again):
        for project in (other, trained):
            made = project.import_model(path)
            assert (made.version, made.is_new) == (FIRST, False)
            assert project.artifacts.versions() == [FIRST]


def test_a_damaged_model_is_not_taken_for_the_whole_one_that_is_imported(
    trained: Project, tmp_path: Path
) -> None:
    file = tmp_path / "model.mlforge"
    trained.export_model(FIRST, file)
    damaged = trained.artifacts.models / FIRST / "model.onnx"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    made = trained.import_model(file)
    assert (made.version, made.is_new) == ("random_forest-0002", True)
    assert trained.verify_models(made.version)[0].reason == ""


def test_a_model_that_computes_without_end_is_not_imported(
    trained: Project,
    other: Project,
    tmp_path: Path,
    endless_graph: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "model.mlforge"
    trained.export_model(FIRST, file)
    rewrite(file, lambda manifest, files: put(manifest, files, "model.onnx", endless_graph))
    monkeypatch.setattr(proof, "_MAX_SECONDS", 2)
    with pytest.raises(ArtifactError, match="more than 2 seconds"):
        other.import_model(file)
    assert other.artifacts.versions() == []


def test_what_proves_a_model_ends_by_itself_where_nobody_waits(
    trained: Project, tmp_path: Path, endless_graph: bytes
) -> None:
    file = tmp_path / "model.mlforge"
    trained.export_model(FIRST, file)
    rewrite(file, lambda manifest, files: put(manifest, files, "model.onnx", endless_graph))
    proving = [sys.executable, "-m", proof.__name__, FIRST, "", "2"]
    with file.open("rb") as exported:
        ended = subprocess.run(proving, stdin=exported, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (-signal.SIGXCPU, b"")


def test_what_proves_a_model_keeps_a_limit_that_is_lower(trained: Project, tmp_path: Path) -> None:
    file = tmp_path / "model.mlforge"
    trained.export_model(FIRST, file)
    proving = f'ulimit -t 60; exec "{sys.executable}" -m {proof.__name__} {FIRST} "" 100'
    with file.open("rb") as exported:
        ended = subprocess.run(
            ["bash", "-c", proving], stdin=exported, capture_output=True, timeout=60, check=True
        )
    assert json.loads(ended.stdout)["n_examples"] == 3


def test_what_proving_fails_by_is_told(trained: Project) -> None:
    stored = trained.artifacts.load(FIRST)
    with pytest.raises(ArtifactError, match="not used: ZeroDivisionError came of trying"):
        proof._answer(stored, b'{"error": "ZeroDivisionError"}')


def test_models_are_removed_only_when_no_training_counts_on_them(two: Project) -> None:
    with ThreadPoolExecutor(2) as pool:
        with exclusive(two.artifacts.folder):
            removing = pool.submit(two.remove_model, FIRST)
            pruning = pool.submit(two.prune_models, 0)
            time.sleep(0.5)
            assert [removing.done(), pruning.done()] == [False, False]
            assert two.artifacts.versions() == [SECOND, FIRST]
        # Whichever comes second finds it gone.
        assert pruning.result(60).kept == (SECOND,)
        late = removing.exception(60)
    assert late is None or "no model version" in str(late)
    assert two.artifacts.versions() == [SECOND]


def test_a_model_that_an_alias_names_is_removed_by_force_alone(two: Project) -> None:
    two.promote(FIRST)
    with pytest.raises(ConfigError, match="is production"):
        two.remove_model(FIRST)
    assert two.remove_model(FIRST, force=True) == ("production",)


def test_an_imported_model_takes_the_next_free_number(
    trained: Project, generated: Project, tmp_path: Path
) -> None:
    file = tmp_path / "model.mlforge"
    generated.train(TrainOptions(parameters=("random_forest.n_estimators=5",), workers=1))
    generated.export_model(FIRST, file)
    made = trained.import_model(file)
    assert (made.version, made.origin) == ("random_forest-0002", FIRST)


@pytest.mark.parametrize("schema", ["v1", "v2"])
def test_models_of_every_schema_travel(other: Project, tmp_path: Path, schema: str) -> None:
    source = Project.init(tmp_path / "source")
    golden = Path(__file__).parents[2] / "golden" / "artifacts" / schema / "artifact"
    shutil.copytree(golden, source.artifacts.models / SECOND)
    source.export_model(SECOND, tmp_path / "model.mlforge")
    made = other.import_model(tmp_path / "model.mlforge")
    manifest = other.artifacts.load(made.version).manifest
    assert manifest["schema"] == f"mlforge.artifact/{schema[1:]}"


def _bad_parameter(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    manifest["extractors"][0]["parameters"]["side"] = 10**9


def _bad_extractor(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    manifest["extractors"][0]["name"] = "os.system"


def _other_prediction(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    manifest["temperature"] = 7.0


def _other_graph(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    put(manifest, files, "model.onnx", b"no graph")


@pytest.mark.parametrize(
    "change",
    [
        _bad_parameter,
        _bad_extractor,
        _other_prediction,
        _other_graph,
        lambda manifest, files: put(manifest, files, "golden.json", b"[" * 100_000),
        lambda manifest, files: put(manifest, files, "../escape", b"x"),
        lambda manifest, files: put(manifest, files, "/escape", b"x"),
        lambda manifest, files: put(manifest, files, "METRICS.json", b"x"),
        lambda manifest, files: files.update(extra=b"x"),
        lambda manifest, files: files.pop("metrics.json"),
        lambda manifest, files: files.update({"metrics.json": b"{}"}),
        lambda manifest, files: manifest.update(version="../../x"),
        lambda manifest, files: manifest.update(version=3),
        lambda manifest, files: manifest.pop("version"),
        lambda manifest, files: manifest.update(schema="mlforge.artifact/3"),
        lambda manifest, files: manifest.update(schema=["mlforge.artifact/2"]),
        lambda manifest, files: manifest.pop("extractors"),
        lambda manifest, files: manifest.update(modality=3),
        lambda manifest, files: manifest.update(categories=[]),
        lambda manifest, files: manifest.update(n_features=3),
        lambda manifest, files: manifest.update(created=None),
        lambda manifest, files: manifest.update(set_threshold="x"),
        lambda manifest, files: put(manifest, files, "metrics.json", b"{}"),
        lambda manifest, files: put(manifest, files, "metrics.json", b"{"),
        lambda manifest, files: put(manifest, files, "golden.json", b"{}"),
        lambda manifest, files: put(manifest, files, "golden-1.png", b"words"),
    ],
)
def test_a_hostile_file_leaves_nothing_behind(
    trained: Project,
    other: Project,
    tmp_path: Path,
    change: Callable[[dict[str, Any], dict[str, bytes]], object],
) -> None:
    file = tmp_path / "model.mlforge"
    trained.export_model(FIRST, file)
    rewrite(file, change)
    with pytest.raises((ArtifactError, ConfigError)) as caught:
        other.import_model(file)
    assert "mlforge train" not in caught.value.hint, "it is not theirs to train"
    left = [path for path in (other.root / "artifacts").rglob("*") if path.name != ".lock"]
    assert [path for path in left if path.is_file()] == []
    assert not (tmp_path / "escape").exists()


def test_who_cannot_use_an_imported_model_is_not_told_to_train_it_again(
    trained: Project, other: Project, tmp_path: Path, shapes: Path
) -> None:
    trained.export_model(FIRST, tmp_path / "model.mlforge")
    other.import_model(tmp_path / "model.mlforge")
    path = other.artifacts.models / FIRST / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError) as caught:
        next(other.predict([next((shapes / "circle").iterdir())]))
    assert caught.value.hint == "get the file again, or ask who made it"
    (check,) = other.verify_models()
    assert check.hint == caught.value.hint


def test_an_artifact_says_what_it_was_made_from_and_nothing_of_who_made_it_where(
    trained: Project,
) -> None:
    manifest = trained.artifacts.manifest(FIRST)
    assert {code: entry["n_seeds"] for code, entry in manifest["data"]["categories"].items()} == {
        "circle": 4,
        "square": 5,
        "triangle": 6,
    }
    assert set(manifest["data"]["configs"]) == {"circle", "square", "triangle"}
    assert manifest["settings"]["train"]["folds"] == 3
    assert manifest["environment"]["python"] == platform.python_version()
    for path in (trained.artifacts.models / FIRST).iterdir():
        text = path.read_bytes().decode("utf-8", "replace")
        # A short name may stand within pictures and words by chance.
        words = re.sub(r"base64,[\w+/=]+", "", text)
        for told in (str(trained.root), str(Path.home()) + "/", platform.node()):
            assert not re.search(rf"(?<!\w){re.escape(told)}(?!\w)", words), path.name
    manifest.pop("environment")
    assert f'"{getpass.getuser()}"' not in json.dumps(manifest)


def test_the_data_have_another_digest_when_a_seed_is_added(
    trained: Project, draw: Callable[[str, int], bytes]
) -> None:
    before = trained.artifacts.manifest(FIRST)["data"]
    (trained.root / "categories/circle/seeds/new.png").write_bytes(draw("circle", 99))
    trained.train(TrainOptions(workers=1))
    after = trained.artifacts.manifest("random_forest-0002")["data"]
    assert before["digest"] != after["digest"]
    changed = {c for c in before["categories"] if before["categories"][c] != after["categories"][c]}
    assert "circle" in changed
    assert before["configs"] == after["configs"]


def test_exporting_replaces_nothing_but_an_export(trained: Project, tmp_path: Path) -> None:
    photo, export = tmp_path / "photo.jpg", tmp_path / "model.mlforge"
    photo.write_bytes(b"\xff\xd8 precious")
    with pytest.raises(ConfigError, match="no exported model"):
        trained.export_model(FIRST, photo)
    assert photo.read_bytes() == b"\xff\xd8 precious"
    trained.export_model(FIRST, export)
    before = export.read_bytes()
    trained.export_model(FIRST, export)
    assert export.read_bytes() == before
