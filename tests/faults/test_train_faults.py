"""What a failing `train` leaves, and what the next run makes of it."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project
from mlforge.errors import StorageError
from mlforge.workflows.train import TrainOptions

OPTIONS = TrainOptions(workers=1)
CODES = [errno.ENOSPC, errno.EIO, errno.EROFS]


def failing(
    monkeypatch: pytest.MonkeyPatch, n: int, code: int, *, sticky: bool
) -> Callable[[], int]:
    """Let the n-th sync or replacement fail, or with `sticky` each from then on."""
    n_done = 0

    def wrap(function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **keywords: object) -> object:
            nonlocal n_done
            n_done += 1
            if n_done == n or (sticky and n_done > n):
                raise OSError(code, os.strerror(code))
            return function(*args, **keywords)

        return call

    monkeypatch.setattr(os, "fsync", wrap(os.fsync))
    monkeypatch.setattr(os, "replace", wrap(os.replace))
    return lambda: n_done


def evidence(project: Project, version: str) -> tuple[bytes, Any, dict[str, Any]]:
    artifact = project.artifacts.load(version)
    times = {"created", "digest", "files", "version"}
    manifest = {key: value for key, value in artifact.manifest.items() if key not in times}
    metrics = json.loads(artifact.files["metrics.json"])
    return artifact.files["model.onnx"], metrics["evaluation"], manifest


def refused(action: Callable[[], object]) -> StorageError | None:
    try:
        action()
    except StorageError as error:
        return error
    return None


def test_whichever_write_fails_no_half_version_is_there_and_the_next_run_succeeds(
    generated: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = Project(Path(shutil.copytree(generated.root, tmp_path / "whole")))
    with monkeypatch.context() as patch:
        n_writes = failing(patch, n=-1, code=0, sticky=False)
        expected = evidence(whole, whole.train(OPTIONS).best.version)
        total = n_writes()
    assert total > 10
    n_survived = 0
    artifacts = generated.root / "artifacts"
    pristine = Path(shutil.copytree(artifacts, tmp_path / "pristine"))
    # Every second write: a training a write takes its time, and the campaign tries more of them.
    for n in range(1, total + 1, 2):
        shutil.rmtree(artifacts)
        shutil.copytree(pristine, artifacts)
        code = CODES[n % len(CODES)]
        with monkeypatch.context() as patch:
            failing(patch, n=n, code=code, sticky=n % 4 == 1)
            error = refused(lambda: generated.train(OPTIONS))
        n_survived += error is None
        if error is not None:
            assert os.strerror(code) in error.message, n
            assert error.hint, n
        assert list(generated.root.rglob(".mlforge-tmp-*")) == [], n
        for version in generated.artifacts.versions():
            assert evidence(generated, version) == expected, n
        result = generated.train(OPTIONS)
        assert result.best.version == "random_forest-0001", n
        assert evidence(generated, result.best.version) == expected, n
        assert generated.predictor().version == result.best.version, n
    assert n_survived <= 3, "only what seeds look like can be worked out again instead of stored"


@pytest.mark.parametrize("code", CODES)
def test_a_failed_training_leaves_the_model_before_in_use(
    trained: Project, monkeypatch: pytest.MonkeyPatch, code: int, shapes: Path
) -> None:
    picture = next((shapes / "circle").iterdir())
    (before,) = trained.predict([picture])
    with monkeypatch.context() as patch:
        failing(patch, n=1, code=code, sticky=True)
        with pytest.raises(StorageError):
            trained.train(TrainOptions(force=True, workers=1))
    (after,) = trained.predict([picture])
    assert (after.model, after.all_probabilities) == (before.model, before.all_probabilities)
    assert trained.artifacts.versions() == ["random_forest-0001"]


def test_one_model_of_several_that_cannot_be_stored_keeps_those_before_it(
    generated: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = TrainOptions(models=("random_forest", "logistic_regression"), workers=1)
    save = type(generated.artifacts).save

    def refuse(self: Any, model: str, manifest: Any, files: Any) -> str:
        if model == "logistic_regression":
            raise StorageError("no space", "free some")
        return save(self, model, manifest, files)

    with monkeypatch.context() as patch:
        patch.setattr(type(generated.artifacts), "save", refuse)
        with pytest.raises(StorageError):
            generated.train(options)
    assert generated.artifacts.versions() == ["random_forest-0001"]
    result = generated.train(options)
    assert {model.version: model.up_to_date for model in result.models} == {
        "random_forest-0001": True,
        "logistic_regression-0001": False,
    }
