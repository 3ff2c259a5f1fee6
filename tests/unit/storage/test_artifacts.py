from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlforge.core.digest import digest_bytes, digest_json
from mlforge.errors import ArtifactError, StorageError
from mlforge.storage.artifacts import ArtifactStore
from tests.described import DESCRIBED

GOLDEN = Path(__file__).parents[2] / "golden" / "artifacts"
GRAPH = (GOLDEN / "v1" / "artifact" / "model.onnx").read_bytes()
FILES = {"model.onnx": GRAPH, "metrics.json": b'{"accuracy": 0.9}'}
CREATED = "2026-11-23T10:00:00Z"


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def save(store: ArtifactStore, model: str = "random_forest", created: str = CREATED) -> str:
    return store.save(model, {**DESCRIBED, "created": created, "name": "Café"}, FILES)


def edit(store: ArtifactStore, version: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest as one would who knows how its digest is made."""
    path = store.models / version / "manifest.json"
    values = json.loads(path.read_bytes())
    del values["digest"]
    change(values)
    values["digest"] = digest_json(values)
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False))


def test_an_artifact_is_read_back_as_it_was_saved(store: ArtifactStore) -> None:
    loaded = store.load(save(store))
    assert loaded.version == "random_forest-0001"
    assert loaded.files == FILES
    assert loaded.manifest["name"] == "Café"
    assert loaded.manifest["version"] == "random_forest-0001"
    assert store.read_json(loaded.version, "metrics.json") == {"accuracy": 0.9}


def test_versions_are_numbered_by_model(store: ArtifactStore) -> None:
    made = [save(store, model) for model in ("svm", "random_forest", "svm")]
    assert made == ["svm-0001", "random_forest-0001", "svm-0002"]
    assert store.versions() == ["random_forest-0001", "svm-0001", "svm-0002"]


def test_numbers_go_on_after_the_highest_and_sort_as_numbers(store: ArtifactStore) -> None:
    save(store, "svm")
    (store.models / "svm-0001").rename(store.models / "svm-9999")
    assert save(store, "svm") == "svm-10000"
    assert store.versions() == ["svm-9999", "svm-10000"]


def test_a_version_that_lost_its_manifest_is_gone_and_blocks_nothing(store: ArtifactStore) -> None:
    (store.models / save(store) / "manifest.json").unlink()
    assert store.versions() == []
    assert save(store) == "random_forest-0002"
    assert store.versions() == ["random_forest-0002"]


def test_other_files_beside_the_versions_are_left_alone(store: ArtifactStore) -> None:
    save(store)
    for name in ("notes.txt", "My-Model", "x-1", ".hidden"):
        (store.models / name).mkdir()
        (store.models / name / "manifest.json").write_text("{}")
    assert store.versions() == ["random_forest-0001"]
    save(store)
    assert (store.models / "My-Model" / "manifest.json").is_file()


def test_nothing_is_there_before_the_first_train(store: ArtifactStore) -> None:
    assert store.versions() == []
    assert store.latest() == []
    with pytest.raises(ArtifactError, match="no model") as caught:
        store.resolve(None)
    assert caught.value.hint == "mlforge train"
    with pytest.raises(ArtifactError) as caught:
        store.resolve("svm-0001")
    assert caught.value.hint == "mlforge train"


def test_the_version_to_use_is_the_named_one_else_the_best_of_the_newest_train(
    store: ArtifactStore,
) -> None:
    for model in ("svm", "knn", "svm"):
        save(store, model)
    store.notes.note_latest(["svm-0001", "knn-0001"])
    assert store.latest() == ["svm-0001", "knn-0001"]
    assert store.resolve(None) == "svm-0001"
    assert store.resolve("svm-0002") == "svm-0002"
    with pytest.raises(ArtifactError) as caught:
        store.resolve("svm-0003")
    assert "did you mean 'svm-000" in caught.value.hint


def test_a_model_that_failed_a_gate_is_used_only_where_it_is_named(store: ArtifactStore) -> None:
    for model in ("svm", "knn"):
        save(store, model)
    store.notes.note_latest(["svm-0001"], ["knn-0001"])
    assert store.latest() == ["svm-0001", "knn-0001"]
    assert store.resolve(None) == "svm-0001"
    store.notes.note_latest([], ["knn-0001", "svm-0001"])
    with pytest.raises(ArtifactError, match="failed a gate") as caught:
        store.resolve(None)
    assert "--model knn-0001" in caught.value.hint
    assert "promote" not in caught.value.hint
    assert store.resolve("knn-0001") == "knn-0001"
    assert store.subject(None) == "knn-0001", "what is withheld can be looked into"


def test_a_model_that_failed_a_gate_does_not_answer_because_others_are_gone(
    store: ArtifactStore,
) -> None:
    for model in ("svm", "knn"):
        save(store, model)
    store.notes.note_latest([], ["svm-0001"])
    store.notes.note_latest(["knn-0001"])
    assert store.notes.withheld() == ["svm-0001"]
    store.remove("knn-0001")
    with pytest.raises(ArtifactError, match="svm-0001 failed a gate"):
        store.resolve(None)
    assert store.subject(None) == "svm-0001"


def test_a_note_of_an_earlier_version_withholds_what_failed_then(store: ArtifactStore) -> None:
    body = {"versions": [], "failed": ["svm-0001"]}
    store.folder.mkdir(exist_ok=True)
    note = json.dumps({**body, "digest": digest_json(body)})
    (store.folder / "latest.json").write_text(note)
    assert store.notes.withheld() == ["svm-0001"]


def test_noting_answers_changes_no_order(store: ArtifactStore) -> None:
    save(store)
    store.notes.note_latest(["svm-0001"], ["knn-0001"], {"knn-0001": [{"gate": "a"}]})
    store.notes.note_answers({"svm-0001": [{"gate": "b"}]})
    noted = store.notes.latest()
    assert (noted["versions"], noted["failed"]) == (["svm-0001"], ["knn-0001"])
    assert store.notes.latest_answers("svm-0001") == [{"gate": "b"}]
    assert store.notes.latest_answers("knn-0001") == [{"gate": "a"}]


def test_production_comes_before_the_newest_train_and_an_alias_stands_for_its_version(
    store: ArtifactStore,
) -> None:
    for model in ("svm", "knn"):
        save(store, model)
    store.notes.note_latest(["svm-0001"])
    store.aliases.promote("staging", "svm-0001", CREATED)
    store.aliases.promote("production", "knn-0001", CREATED)
    assert store.resolve(None) == "knn-0001"
    assert store.resolve("staging") == "svm-0001"
    with pytest.raises(ArtifactError) as caught:
        store.resolve("stagin")
    assert "did you mean 'staging'" in caught.value.hint


def test_an_alias_whose_version_is_gone_is_an_error_and_not_another_version(
    store: ArtifactStore,
) -> None:
    for model in ("svm", "knn"):
        save(store, model)
    store.aliases.promote("production", "knn-0001", CREATED)
    store.remove("knn-0001")
    with pytest.raises(ArtifactError, match="production names knn-0001, which is gone"):
        store.resolve(None)


def test_the_number_of_a_removed_version_is_never_given_again(store: ArtifactStore) -> None:
    save(store, "svm")
    store.remove(save(store, "svm"))
    assert store.versions() == ["svm-0001"]
    assert save(store, "svm") == "svm-0003"
    store.remove("svm-0001")
    assert save(store, "svm") == "svm-0004"
    assert sorted(path.name for path in store.models.iterdir()) == ["svm-0003", "svm-0004"]


@pytest.mark.parametrize("version", ["svm-0009", "..", "", "svm", "../svm-0001"])
def test_only_a_version_can_be_removed(store: ArtifactStore, version: str) -> None:
    save(store, "svm")
    with pytest.raises(ArtifactError):
        store.remove(version)
    assert store.versions() == ["svm-0001"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_in_place_of_a_file_or_a_version_is_not_followed(
    store: ArtifactStore, tmp_path: Path, kind: str
) -> None:
    version = save(store)
    path = store.models / version
    path = path if kind == "folder" else path / "model.onnx"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError):
        store.load(version)


def test_what_is_no_plain_file_is_refused_and_does_not_hang(store: ArtifactStore) -> None:
    version = save(store)
    for make in (os.mkfifo, os.mkdir):
        path = store.models / version / "metrics.json"
        path.rmdir() if path.is_dir() else path.unlink()
        make(path)
        with pytest.raises(ArtifactError):
            store.load(version)


def test_a_graph_that_reads_other_files_is_neither_stored_nor_loaded(store: ArtifactStore) -> None:
    from onnx import TensorProto, load_model_from_string

    model = load_model_from_string(GRAPH)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    hostile = model.SerializeToString()
    with pytest.raises(ArtifactError, match="another file"):
        store.save("svm", {}, {"model.onnx": hostile})
    version = save(store)
    (store.models / version / "model.onnx").write_bytes(hostile)
    described = {"sha256": digest_bytes(hostile), "bytes": len(hostile)}
    edit(store, version, lambda values: values["files"].update({"model.onnx": described}))
    with pytest.raises(ArtifactError, match="another file"):
        store.load(version)


def test_more_files_or_bytes_than_a_model_has_are_refused_before_they_are_read(
    store: ArtifactStore,
) -> None:
    version = save(store)
    edit(
        store,
        version,
        lambda v: v["files"].update({f"f{n}": {"sha256": "x", "bytes": 1} for n in range(300)}),
    )
    with pytest.raises(ArtifactError, match="more than 200 files"):
        store.load(version)
    other = save(store)
    huge = {"sha256": "x", "bytes": 2**40}
    edit(store, other, lambda values: values["files"].update({"model.onnx": huge}))
    with pytest.raises(ArtifactError, match="bytes"):
        store.load(other)


@pytest.mark.parametrize("name", ["a/b", "..", "", ".hidden", "a\x00b", "manifest.json", "é"])
def test_a_file_whose_name_could_lead_elsewhere_is_not_stored(
    store: ArtifactStore, name: str
) -> None:
    with pytest.raises(ArtifactError):
        store.save("svm", {}, {**FILES, name: b""})
    assert store.versions() == []


@pytest.mark.parametrize("schema", ["v1", "v2"])
def test_artifacts_of_every_schema_keep_loading(store: ArtifactStore, schema: str) -> None:
    store.models.mkdir(parents=True)
    version = "logistic_regression-0001"
    shutil.copytree(GOLDEN / schema / "artifact", store.models / version)
    assert store.load(version).manifest["schema"] == f"mlforge.artifact/{schema[1:]}"


def test_a_version_that_was_removed_is_no_longer_the_latest(store: ArtifactStore) -> None:
    for model in ("svm", "knn"):
        save(store, model)
    store.notes.note_latest(["gone-0001", "knn-0001"])
    assert store.latest() == ["knn-0001"]


@pytest.mark.parametrize(
    "note",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"versions": 3}',
        b'{"versions": [["x"], {}], "failed": []}',
        b'{"versions": ["svm-0001"], "failed": [], "digest": "0"}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_where_the_newest_train_is_not_known_the_newest_version_is_used(
    store: ArtifactStore, note: bytes | None
) -> None:
    save(store, "svm", "2026-01-02T00:00:00Z")
    save(store, "knn", "2026-01-03T00:00:00Z")
    save(store, "svm", "2026-01-01T00:00:00Z")
    if note is not None:
        (store.folder / "latest.json").write_bytes(note)
    assert store.latest() == ["knn-0001"]


def test_a_damaged_version_does_not_hide_the_others(store: ArtifactStore) -> None:
    save(store, "svm")
    (store.models / save(store, "knn") / "manifest.json").write_text("{")
    assert store.latest() == ["svm-0001"]


@pytest.mark.parametrize("name", ["manifest.json", *FILES])
def test_every_flipped_bit_is_found(store: ArtifactStore, name: str) -> None:
    version = save(store)
    path = store.models / version / name
    data = path.read_bytes()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << (place % 8)
        path.write_bytes(flipped)
        with pytest.raises(ArtifactError):
            store.load(version)
    path.write_bytes(data)
    assert store.load(version).files == FILES


@pytest.mark.parametrize("name", ["manifest.json", *FILES])
@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data + b" ", lambda _: b""]
)
def test_every_other_size_is_found(
    store: ArtifactStore, name: str, change: Callable[[bytes], bytes]
) -> None:
    version = save(store)
    path = store.models / version / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ArtifactError):
        store.load(version)


@pytest.mark.parametrize("name", ["manifest.json", *FILES])
def test_a_missing_file_is_an_artifact_error_that_says_what_to_do(
    store: ArtifactStore, name: str
) -> None:
    version = save(store)
    (store.models / version / name).unlink()
    with pytest.raises(ArtifactError, match="missing") as caught:
        store.load(version)
    assert "mlforge train --force" in caught.value.hint


def test_a_file_that_the_manifest_does_not_name_is_not_read(store: ArtifactStore) -> None:
    version = save(store)
    (store.models / version / "extra.json").write_text("{}")
    assert "extra.json" not in store.load(version).files
    with pytest.raises(ArtifactError):
        store.read_json(version, "extra.json")


def test_an_artifact_of_a_later_mlforge_is_refused_with_a_way_out(store: ArtifactStore) -> None:
    version = save(store)
    edit(store, version, lambda values: values.update(schema="mlforge.artifact/3"))
    with pytest.raises(ArtifactError, match=r"mlforge\.artifact/3") as caught:
        store.load(version)
    assert "the mlforge that made it" in caught.value.hint


@pytest.mark.parametrize("text", ["", "null", "[]", "3", '"x"', "{}", "[" * 100_000])
def test_a_manifest_of_another_shape_is_refused(store: ArtifactStore, text: str) -> None:
    version = save(store)
    (store.models / version / "manifest.json").write_text(text)
    with pytest.raises(ArtifactError):
        store.manifest(version)


WRONG: tuple[tuple[str, tuple[object, ...]], ...] = (
    ("created", (None, 3, ["x"])),
    ("model", (None, "svm", {"name": "svm"}, {"name": 3, "parameters": {}})),
    ("modality", (None, {"name": "image"}, {"name": ["image"], "parameters": {}})),
    ("extractors", (None, [], [3], [{"name": "hog", "parameters": {}, "state": {}}])),
    ("categories", (None, [], ["a"], [{"code": "a", "name": "a"}])),
    ("temperature", (None, True, "1", 0, -1, 1e-320, 1e300, 10**400)),
    ("set_threshold", ("x", "", False, [], -0.1, 1.1, 10**400)),
    ("unknown", ([], {}, {"threshold": 1}, {"threshold": 10**400, "state": {}})),
    ("unknown", ({"threshold": 1, "state": {"scale": ["x"]}},)),
    ("chosen_from", ([], {"candidates": [3]}, {"candidates": None})),
    ("n_features", (None, 1.5, True, -1, 10**400)),
    ("n_seeds", (None, "8")),
    ("n_samples", (None, [0])),
    ("data", ([], {}, {"digest": 3})),
    ("settings", ([], "x")),
    ("versions", (None, ["numpy"], {"numpy": 2})),
    ("environment", ([], "x")),
    ("origin", ("x", {"version": "svm-0001"})),
)
"""What the keys of a manifest cannot hold."""


@pytest.mark.parametrize(("key", "value"), [(key, v) for key, values in WRONG for v in values])
def test_a_manifest_that_describes_no_model_is_refused_and_what_is_wrong_named(
    store: ArtifactStore, key: str, value: object
) -> None:
    version = save(store)
    edit(store, version, lambda manifest: manifest.update({key: value}))
    for read in (store.manifest, store.load):
        with pytest.raises(ArtifactError, match=f"its {key} is missing or wrong"):
            read(version)


@pytest.mark.parametrize(
    "wrong",
    [{"code": ["above"]}, {"code": "below"}, {"name": 3}]
    + [{"min_confidence": value} for value in ("0.5", None, True, -0.1, 1.1, 10**400)],
)
def test_a_category_that_cannot_be_predicted_is_refused(
    store: ArtifactStore, wrong: dict[str, object]
) -> None:
    version = save(store)
    edit(store, version, lambda manifest: manifest["categories"][0].update(wrong))
    with pytest.raises(ArtifactError, match="its categories is missing or wrong"):
        store.manifest(version)


@pytest.mark.parametrize(
    "files",
    [
        None,
        [],
        {"model.onnx": None},
        {"model.onnx": {}},
        {"model.onnx": {"sha256": 3, "bytes": 1}},
        {"model.onnx": {"sha256": "x", "bytes": "1"}},
        {"model.onnx": {"sha256": "x", "bytes": None}},
    ],
)
def test_a_manifest_that_does_not_describe_its_files_is_refused(
    store: ArtifactStore, files: object
) -> None:
    version = save(store)
    edit(store, version, lambda values: values.update(files=files))
    with pytest.raises(ArtifactError):
        store.load(version)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..", ".", "", "a/b", "a\x00b"])
def test_a_manifest_cannot_reach_outside_its_folder(store: ArtifactStore, name: str) -> None:
    version = save(store)
    secret = store.models / "secret"
    secret.write_bytes(FILES["model.onnx"])
    edit(store, version, lambda v: v["files"].update({name: v["files"]["model.onnx"]}))
    with pytest.raises(ArtifactError):
        store.load(version)


@pytest.mark.parametrize(
    "version", ["..", "../x", "/etc", "", "svm", "svm-1", "svm-0001/..", "a\x00-0001"]
)
def test_a_version_cannot_reach_outside_the_folder_of_versions(
    store: ArtifactStore, version: str
) -> None:
    save(store)
    (store.folder / "manifest.json").write_text("{}")
    for use in (store.load, store.manifest, store.resolve):
        with pytest.raises(ArtifactError):
            use(version)


@pytest.mark.parametrize("name", ["fsync", "replace", "rename"])
def test_an_interrupted_save_leaves_no_version_and_no_rest(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    save(store)

    def fail(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        if name == "rename":
            patch.setattr(os, "replace", fail)
        with pytest.raises(KeyboardInterrupt):
            save(store)
    assert [path.name for path in store.models.iterdir()] == ["random_forest-0001"]
    assert save(store) == "random_forest-0002"


def test_what_a_killed_save_left_is_removed_by_the_next(store: ArtifactStore) -> None:
    rest = store.models / ".mlforge-tmp-999-svm-0001"
    rest.mkdir(parents=True)
    (rest / "model.onnx").write_bytes(b"half")
    assert store.versions() == []
    save(store, "svm")
    assert [path.name for path in store.models.iterdir()] == ["svm-0001"]


def test_the_first_error_of_a_save_is_the_one_that_is_told(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    def broken(*arguments: object, **options: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(os, "unlink", broken)
    monkeypatch.setattr(os, "rmdir", broken)
    with pytest.raises(StorageError, match=os.strerror(errno.ENOSPC)):
        save(store)


def test_after_the_last_number_there_is_none(store: ArtifactStore) -> None:
    (store.models / "svm-999999999").mkdir(parents=True)
    with pytest.raises(ArtifactError, match="no number above 999999999"):
        save(store, "svm")
