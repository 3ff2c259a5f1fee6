"""Gates, promotion and comparison at the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlforge import Project
from mlforge.workflows.train import TrainOptions

Run = Callable[..., Any]
FIRST, SECOND = "random_forest-0001", "random_forest-0002"


@pytest.mark.parametrize(
    ("gate", "code", "answer"),
    [
        ("accuracy>=0.05", 0, "pass"),
        ("accuracy>=1.0", 1, "fail"),
        ("accuracy>=0.8", 9, "inconclusive"),
        ("recall[circle]>=0.6", 9, "inconclusive"),
    ],
)
def test_a_gate_has_three_answers(
    invoke: Run, trained: Project, gate: str, code: int, answer: str
) -> None:
    done = invoke("train", "--gate", gate, "--json", cwd=trained.root)
    (told,) = done.document["gates"]
    assert told["gate"] == gate
    if answer == "fail":
        # Nine in ten seeds right leave a perfect model possible.
        assert (done.code, told["answer"]) in {(1, "fail"), (9, "inconclusive")}
    else:
        assert (done.code, told["answer"]) == (code, answer)
    shown = invoke("train", "--gate", gate)
    assert gate in shown.out
    assert shown.code == done.code


def test_an_inconclusive_gate_says_how_many_seeds_would_settle_it(
    invoke: Run, trained: Project
) -> None:
    done = invoke("train", "--gate", "accuracy>=0.8", "--json", cwd=trained.root)
    (told,) = done.document["gates"]
    assert isinstance(told["n_needed"], int)
    assert told["n_needed"] > 15


@pytest.mark.parametrize(
    ("gate", "says"),
    [
        ("accuracy>>0.5", "accuracy>>0.5"),
        ("speed>=3", "speed"),
        ("recall[star]>=0.5", "star"),
        ("recall>=0.5", "recall"),
        ("", "gate"),
    ],
)
def test_a_gate_that_makes_no_sense_is_a_usage_error(
    invoke: Run, trained: Project, gate: str, says: str
) -> None:
    done = invoke("train", "--gate", gate, cwd=trained.root)
    assert done.code == 2
    assert says in done.err
    assert "hint:" in done.err


def test_run_promotes_where_every_gate_passes(invoke: Run, trained: Project) -> None:
    done = invoke("run", "--count", "8", "--gate", "accuracy>=0.05", "--promote", cwd=trained.root)
    assert done.code == 0
    assert f"production is {FIRST}" in done.out
    assert trained.artifacts.aliases.read()["production"].version == FIRST


def test_run_promotes_nothing_where_a_gate_does_not_pass(invoke: Run, trained: Project) -> None:
    words = ("run", "--count", "8", "--gate", "accuracy>=0.8", "--promote", "--json")
    done = invoke(*words, cwd=trained.root)
    assert done.code == 9
    assert done.document["promoted"] is None
    assert trained.artifacts.aliases.read() == {}


def test_equal_models_cannot_be_told_apart_and_the_table_is_markdown(
    invoke: Run, trained: Project
) -> None:
    trained.train(TrainOptions(force=True, workers=1))
    done = invoke("models", "compare", FIRST, SECOND, "--json", cwd=trained.root)
    assert done.code == 0
    assert done.document["verdict"] == "cant_tell"
    accuracy = done.document["figures"][0]
    assert (accuracy["figure"], accuracy["difference"]) == ("accuracy", 0)
    low, high = accuracy["interval"]
    assert low <= 0 <= high
    table = invoke("models", "compare", FIRST, SECOND, "--format", "markdown")
    assert table.code == 0
    assert any(set(line) <= set("|:- ") and "---" in line for line in table.out.splitlines()), (
        table.out
    )


def test_a_gate_may_ask_for_what_production_reaches(invoke: Run, trained: Project) -> None:
    trained.promote(FIRST)
    done = invoke("train", "--gate", "accuracy>=production-0.5", "--json", cwd=trained.root)
    assert (done.code, done.document["gates"][0]["answer"]) == (0, "pass")
