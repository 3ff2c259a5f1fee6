"""Which model answers is said, and how to change it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project

Run = Callable[..., Any]
FIRST, OTHER = "random_forest-0001", "logistic_regression-0001"
TRAIN_OTHER = ("train", "--model", "logistic_regression")


@pytest.fixture
def labelled(trained: Project, draw: Callable[[str, int], bytes]) -> Path:
    """Return class folders with a picture that the project has not seen."""
    folder = trained.root / "new"
    (folder / "circle").mkdir(parents=True)
    (folder / "circle" / "c.png").write_bytes(draw("circle", 99))
    return folder


def test_every_answer_names_its_model_and_the_alias(
    invoke: Run, trained: Project, labelled: Path
) -> None:
    words = (
        ("predict", labelled / "circle" / "c.png"),
        ("predict", labelled / "circle" / "c.png", labelled / "circle" / "c.png"),
        ("evaluate", labelled),
    )
    for command in words:
        assert f"Model: {FIRST}\n" in invoke(*command, cwd=trained.root).out
    batch = ("batch", labelled, "--output", trained.root / "table")
    assert f"Predicted 1 file with {FIRST} in" in invoke(*batch).out
    trained.promote(FIRST)
    trained.promote(FIRST, "best")
    for command in words:
        assert f"Model: {FIRST} (best, production)\n" in invoke(*command).out
    assert f"Predicted 1 file with {FIRST} (best, production) in" in invoke(*batch).out


def test_after_a_promotion_train_says_that_production_still_answers(
    invoke: Run, trained: Project
) -> None:
    first = invoke("train", cwd=trained.root)
    assert f"predict and batch answer with {FIRST}." in first.out
    assert "promote" not in first.out
    trained.promote(FIRST)
    done = invoke(*TRAIN_OTHER)
    assert f"still answer with {FIRST} (production), not with {OTHER}" in done.out
    assert f"mlforge predict FILE --model {OTHER}" in done.out
    assert f"mlforge models promote {OTHER}" in done.out
    assert invoke(*TRAIN_OTHER, "--json").document["default"] == FIRST
    promoted = invoke("run", "--count", "8", "--gate", "accuracy>=0.05", "--promote")
    assert f"predict and batch answer with {FIRST} (production)." in promoted.out


def test_what_fails_its_gate_is_not_recommended(invoke: Run, trained: Project) -> None:
    trained.promote(FIRST)
    done = invoke(*TRAIN_OTHER, "--gate", "accuracy<0.05", cwd=trained.root)
    assert done.code == 1
    assert f"still answer with {FIRST} (production)" in done.out
    assert "models promote" not in done.out


def test_after_a_failed_gate_train_says_that_nothing_answers(invoke: Run, trained: Project) -> None:
    trained.remove_model(FIRST)
    done = invoke(*TRAIN_OTHER, "--gate", "accuracy<0.05", "--json", cwd=trained.root)
    assert done.document["default"] is None
    told = invoke(*TRAIN_OTHER).out
    assert f"use no model unless it is named: {OTHER} failed a gate" in told
    assert "models promote" not in told


def test_a_model_of_a_category_that_no_longer_is_is_named(
    invoke: Run, trained: Project, labelled: Path
) -> None:
    trained.promote(FIRST)
    shutil.rmtree(trained.root / "categories" / "triangle")
    knows = f"{FIRST} (production) knows triangle, which is no category of this project"
    picture = labelled / "circle" / "c.png"
    for words in (("predict", picture), ("predict", picture, "--json"), ("evaluate", labelled)):
        done = invoke(*words, cwd=trained.root)
        assert (done.code, knows in done.err) == (0, True)
    assert knows in invoke(*TRAIN_OTHER).out


def test_a_model_of_other_data_altogether_misses_nothing(
    invoke: Run, trained: Project, labelled: Path
) -> None:
    shutil.rmtree(trained.root / "categories")
    done = invoke("predict", labelled / "circle" / "c.png", cwd=trained.root)
    assert (done.code, "no category" in done.err) == (0, False)


def test_run_trains_the_model_that_it_is_told_to(invoke: Run, trained: Project) -> None:
    words = ("run", "--count", "8", "--model", "logistic_regression", "--json")
    done = invoke(*words, cwd=trained.root)
    assert (done.code, done.document["train"]["best"]) == (0, OTHER)
    unknown = invoke("run", "--model", "logistic_regresion")
    assert (unknown.code, "did you mean" in unknown.err) == (2, True)
