"""What is said of learned features where PyTorch is not installed, and of a time budget."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

from mlforge import Project

Run = Callable[..., Any]
INSTALL = "python -m pip install 'torch<3,>=2.6'"


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "torch" else found(name, *rest),
    )


@pytest.mark.usefixtures("without_torch")
def test_without_pytorch_training_is_as_before_and_says_what_it_would_bring(
    invoke: Run, trained: Project
) -> None:
    result = invoke("train", "--workers", "1", cwd=trained.root)
    assert result.code == 0
    (line,) = [line for line in result.out.splitlines() if "learned" in line]
    assert line.endswith(INSTALL)
    assert "without CUDA" in line


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize(
    "asked", [("--features", "learned"), ("--model", "neural_network")], ids=" ".join
)
def test_without_pytorch_what_needs_it_is_refused_with_the_command_that_installs_it(
    asked: tuple[str, str], invoke: Run, trained: Project
) -> None:
    result = invoke("train", *asked, cwd=trained.root)
    assert result.code == 4
    assert "needs torch, which is not installed" in result.err
    assert INSTALL in result.err
    assert trained.artifacts.versions() == ["random_forest-0001"]


@pytest.mark.usefixtures("without_torch")
def test_without_pytorch_auto_chooses_among_the_others(invoke: Run, trained: Project) -> None:
    result = invoke(
        *("train", "--features", "auto", "--model", "random_forest", "--workers", "1"),
        cwd=trained.root,
    )
    assert result.code == 0
    assert "learned is left out" in result.err
    assert INSTALL in result.err


@pytest.mark.usefixtures("without_torch")
def test_without_pytorch_all_models_are_those_that_do_not_need_it(
    invoke: Run, trained: Project
) -> None:
    result = invoke("train", "--model", "all", "--json", cwd=trained.root)
    assert result.code == 0
    names = {model["model"] for model in result.document["models"]}
    assert "neural_network" not in names
    assert {"random_forest", "xgboost"} <= names


@pytest.mark.usefixtures("without_torch")
def test_what_pytorch_is_missing_for_is_listed(invoke: Run, trained: Project) -> None:
    components = invoke("features", "list", "--json", cwd=trained.root).document["components"]
    (learned,) = [component for component in components if component["name"] == "learned"]
    assert not learned["available"]
    assert learned["install"] == INSTALL


@pytest.mark.parametrize("text", ["", "s", "0", "-1s", "1 day", "nan", "inf", "1e999", "1,5m"])
def test_a_budget_that_is_no_time_is_refused(text: str, invoke: Run, trained: Project) -> None:
    result = invoke("train", f"--budget={text}", cwd=trained.root)
    assert result.code == 2
    assert "--budget 60s" in result.err


def test_auto_features_stand_alone(invoke: Run, trained: Project) -> None:
    result = invoke("train", "--features", "auto", "--features", "hog", cwd=trained.root)
    assert result.code == 2
    assert "--features auto" in result.err
