from __future__ import annotations

import multiprocessing
from importlib import metadata
from pathlib import Path

import pytest

from mlforge import Project
from mlforge.core.registry import _Source
from mlforge.models import MODELS
from mlforge.models.random_forest import RandomForest
from mlforge.workflows import doctor
from mlforge.workflows.doctor import LIBRARIES, Diagnosis, diagnose


def named(name: str, root: Path | None = None) -> Diagnosis:
    (diagnosis,) = [diagnosis for diagnosis in diagnose(root) if diagnosis.name == name]
    return diagnosis


def pretend(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    version = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: versions.get(name, version(name)))


def test_a_sound_environment_has_no_errors() -> None:
    found = diagnose(None)
    assert {diagnosis.status for diagnosis in found} == {"ok"}
    assert set(LIBRARIES) <= {diagnosis.name for diagnosis in found}


def test_every_required_library_is_looked_at() -> None:
    import re

    required = {
        re.match(r"[\w.-]+", text)[0]  # type: ignore[index]  # each begins with a name
        for text in metadata.requires("mlforge") or []
        if "extra ==" not in text
    }
    assert required - {"xgboost", "xgboost-cpu", "annotated-types"} <= set(LIBRARIES)


def test_a_missing_library_is_an_error_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {"onnx": ""})
    diagnosis = named("onnx")
    assert (diagnosis.status, diagnosis.detail) == ("error", "not installed")
    assert diagnosis.fix == "python -m pip install 'onnx<2,>=1.17'"


@pytest.mark.parametrize(
    ("cpu", "plain", "status", "detail"),
    [
        ("3.1", "", "ok", "3.1 (xgboost-cpu)"),
        ("", "3.2", "ok", "3.2 (xgboost)"),
        ("3.1", "3.2", "error", "both installed"),
        ("", "", "error", "not installed"),
    ],
)
def test_there_is_to_be_one_booster(
    monkeypatch: pytest.MonkeyPatch, cpu: str, plain: str, status: str, detail: str
) -> None:
    pretend(monkeypatch, {"xgboost-cpu": cpu, "xgboost": plain})
    diagnosis = named("xgboost")
    assert diagnosis.status == status
    assert detail in diagnosis.detail
    assert bool(diagnosis.fix) == (status == "error")


def add(monkeypatch: pytest.MonkeyPatch, name: str, component: type) -> None:
    sources = [*MODELS._sources, _Source(name, "some-plugin", lambda: component)]
    monkeypatch.setitem(vars(MODELS), "_sources", sources)


def test_a_broken_plugin_is_an_error_that_names_its_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add(monkeypatch, "dream", int)
    diagnosis = named("model dream")
    assert diagnosis.status == "error"
    assert "some-plugin" in diagnosis.detail
    assert "some-plugin" in diagnosis.fix


def test_a_plugins_missing_extra_has_the_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Dream(RandomForest):
        name = "dream"
        extra = "sleep"
        requires = ("no_such_package.part",)
        distribution = "some-plugin"

    add(monkeypatch, "dream", Dream)
    diagnosis = named("extra sleep")
    assert diagnosis.status == "ok"
    assert (
        diagnosis.fix == "install the extra 'sleep' of some-plugin from where you have some-plugin"
    )
    assert "not installed" in diagnosis.detail


def test_every_extra_is_looked_at() -> None:
    names = {diagnosis.name for diagnosis in diagnose(None)}
    assert names >= {"extra embed", "extra heic", "extra neural", "extra parquet"}
    assert "extra dev" not in names


def test_a_daemonic_process_is_told_that_it_works_with_one_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert named("worker processes").status == "ok"
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)  # type: ignore[attr-defined]
    diagnosis = named("worker processes")
    assert diagnosis.status == "warning"
    assert "daemonic" in diagnosis.detail


@pytest.mark.parametrize(("version", "detail"), [("1.0", "installed"), ("", "huggingface-hub")])
def test_an_extra_is_installed_when_what_it_brings_is(
    monkeypatch: pytest.MonkeyPatch, version: str, detail: str
) -> None:
    pretend(monkeypatch, {"huggingface-hub": version})
    assert detail in named("extra embed").detail
    assert bool(named("extra embed").fix) == (not version)


def test_a_sound_project_is_said_to_be(trained: Project, draw: object) -> None:
    found = {diagnosis.name: diagnosis for diagnosis in diagnose(trained.root)}
    assert found["settings"].detail == "images, 3 categories"
    assert found["models"].detail == "1 stored"
    assert found["disk space"].detail.endswith("free")
    assert found["categories"].status == "warning", "circle has four seeds only"
    assert found["categories"].fix == "mlforge categories check"


def test_errors_of_categories_are_counted(trained: Project) -> None:
    (trained.root / "categories" / "circle" / "config.json").write_text("{")
    assert named("categories", trained.root).status == "error"


def test_wrong_settings_are_an_error_and_no_crash(trained: Project) -> None:
    (trained.root / "mlforge.toml").write_text("[trainn]\n")
    diagnosis = named("project", trained.root)
    assert diagnosis.status == "error"
    assert "trainn" in diagnosis.detail


def test_a_damaged_model_is_an_error_that_names_it(trained: Project) -> None:
    graph = trained.root / "artifacts" / "models" / "random_forest-0001" / "model.onnx"
    graph.write_bytes(b"x")
    diagnosis = named("model random_forest-0001", trained.root)
    assert diagnosis.status == "error"
    assert diagnosis.fix


def test_little_space_is_a_warning(trained: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_LITTLE_SPACE", 2**62)
    assert named("disk space", trained.root).status == "warning"
