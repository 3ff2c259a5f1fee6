from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlforge.core.digest import digest_json
from mlforge.errors import ArtifactError, StorageError
from mlforge.storage.artifacts import ArtifactStore

FILES = {"model.onnx": bytes(range(256)), "metrics.json": b'{"accuracy": 0.9}'}
CREATED = "2026-11-23T10:00:00Z"


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def save(store: ArtifactStore, model: str = "random_forest", created: str = CREATED) -> str:
    return store.save(model, {"created": created, "name": "Café"}, FILES)


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
    store.note_latest(["svm-0001", "knn-0001"])
    assert store.latest() == ["svm-0001", "knn-0001"]
    assert store.resolve(None) == "svm-0001"
    assert store.resolve("svm-0002") == "svm-0002"
    with pytest.raises(ArtifactError) as caught:
        store.resolve("svm-0003")
    assert "did you mean 'svm-000" in caught.value.hint


def test_a_version_that_was_removed_is_no_longer_the_latest(store: ArtifactStore) -> None:
    for model in ("svm", "knn"):
        save(store, model)
    store.note_latest(["gone-0001", "knn-0001"])
    assert store.latest() == ["knn-0001"]


@pytest.mark.parametrize(
    "note",
    [None, b"", b"{", b"[]", b"{}", b'{"versions": 3}', b'{"versions": [["x"], {}]}', b"\xff"],
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
    edit(store, version, lambda values: values.update(schema="mlforge.artifact/2"))
    with pytest.raises(ArtifactError, match=r"mlforge\.artifact/2") as caught:
        store.load(version)
    assert "the mlforge that made it" in caught.value.hint


@pytest.mark.parametrize("text", ["", "null", "[]", "3", '"x"', "{}", "[" * 100_000])
def test_a_manifest_of_another_shape_is_refused(store: ArtifactStore, text: str) -> None:
    version = save(store)
    (store.models / version / "manifest.json").write_text(text)
    with pytest.raises(ArtifactError):
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
