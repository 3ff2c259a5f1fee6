"""Gates, promotion and comparison at the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
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
        ("accuracy<0.05", 1, "fail"),
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


def test_run_says_that_nothing_was_demanded_of_what_it_promotes(
    invoke: Run, trained: Project
) -> None:
    done = invoke("run", "--count", "8", "--promote", "--json", cwd=trained.root)
    assert (done.code, done.document["promoted"]) == (0, FIRST)
    assert "no gate demands anything" in done.err
    gated = invoke("run", "--count", "8", "--gate", "accuracy>=0.05", "--promote")
    assert "no gate" not in gated.err


def test_run_never_promotes_what_could_not_be_measured(invoke: Run, project: Project) -> None:
    project.remove_category("triangle")
    for folder in (project.root / "categories").glob("*/seeds"):
        for seed in sorted(folder.iterdir())[1:]:
            seed.unlink()
    done = invoke("run", "--count", "2", "--promote", "--json", cwd=project.root)
    assert (done.code, done.document["promoted"]) == (9, None)
    assert "is not promoted: no category could be scored" in done.err
    assert project.artifacts.aliases.read() == {}


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


def test_production_is_as_good_as_itself(invoke: Run, trained: Project) -> None:
    trained.promote(FIRST)
    done = invoke("train", "--gate", "accuracy>=production-0.01", "--json", cwd=trained.root)
    assert (done.code, done.document["gates"][0]["answer"]) == (0, "pass")
    told = invoke("models", "compare", FIRST, "production")
    assert f"{FIRST} is compared with itself: the same model." in told.out


def test_before_anything_is_production_its_gate_is_inconclusive(
    invoke: Run, trained: Project
) -> None:
    done = invoke("train", "--gate", "accuracy>=production-0.01", "--json", cwd=trained.root)
    assert (done.code, done.document["gates"][0]["answer"]) == (9, "inconclusive")


@pytest.mark.parametrize(
    ("gate", "nearest"),
    [
        ("accuracy>=prodution-0.01", "production"),
        ("accuracy>=random_forest-0007", FIRST),
        ("accuracy>=stagin", "staging"),
    ],
)
def test_a_gate_on_a_model_that_there_is_not_is_a_usage_error_before_anything_is_trained(
    invoke: Run, trained: Project, gate: str, nearest: str
) -> None:
    trained.promote(FIRST, "staging")
    done = invoke("train", "--force", "--gate", gate, cwd=trained.root)
    assert done.code == 2
    assert f"did you mean '{nearest}'?" in done.err
    assert trained.artifacts.versions() == [FIRST]


def test_a_gate_on_a_damaged_model_is_an_artifact_error(invoke: Run, trained: Project) -> None:
    trained.promote(FIRST)
    (trained.root / "artifacts" / "models" / FIRST / "metrics.json").write_text("{}")
    done = invoke("train", "--gate", "accuracy>=production-0.01", cwd=trained.root)
    assert done.code == 5
    assert "metrics.json" in done.err


def test_the_gates_of_a_training_stand_on_its_page_and_in_later_reports(
    invoke: Run, trained: Project
) -> None:
    invoke("train", "--force", "--gate", "accuracy<0.05", cwd=trained.root)
    page = trained.artifacts.load(SECOND).files["report.html"].decode()
    assert "accuracy&lt;0.05" in page
    assert "accuracy&lt;0.05" in trained.report(SECOND).file.read_text()
    assert "accuracy&lt;0.05" not in trained.report(FIRST).file.read_text()
    invoke("train", "--gate", "accuracy>=0.07", cwd=trained.root)
    later = trained.report(SECOND).file.read_text()
    assert "accuracy&gt;=0.07" in later, "also where nothing had to be trained again"


def test_a_report_keeps_what_was_answered_when_production_was_another(
    invoke: Run, trained: Project
) -> None:
    trained.promote(FIRST)
    gate = "accuracy>=production-0.5"
    done = invoke("train", "--force", "--gate", gate, "--json", cwd=trained.root)
    reason = done.document["gates"][0]["reason"]
    trained.promote(SECOND)
    trained.remove_model(FIRST)
    assert reason in trained.report(SECOND).file.read_text()


@pytest.fixture
def picture(trained: Project, draw: Callable[[str, int], bytes]) -> Path:
    """Return a picture that the project has not seen."""
    path = trained.root / "new.png"
    path.write_bytes(draw("circle", 99))
    return path


def test_a_gate_asked_of_an_unchanged_model_changes_nothing_that_follows(
    invoke: Run, trained: Project, picture: Path
) -> None:
    assert invoke("train", "--gate", "accuracy<0.05", cwd=trained.root).code == 1
    report = invoke("report")
    assert (report.code, FIRST in report.out) == (0, True)
    assert invoke("predict", picture, "--json").document["model"] == FIRST
    assert invoke("batch", "categories/circle/seeds", "--output", "table").code == 0
    assert invoke("models", "list", "--json").document["default"] == FIRST


def test_a_gate_asked_of_another_unchanged_model_does_not_let_that_one_answer(
    invoke: Run, trained: Project, picture: Path
) -> None:
    invoke("train", "--model", "logistic_regression", cwd=trained.root)
    assert invoke("train", "--gate", "accuracy>=0.05").code == 0
    assert invoke("predict", picture, "--json").document["model"] == "logistic_regression-0001"
    invoke("train")
    assert invoke("predict", picture, "--json").document["model"] == FIRST


def test_what_failed_when_it_was_trained_is_withheld_whatever_is_asked_later(
    invoke: Run, trained: Project, picture: Path
) -> None:
    words = ("train", "--model", "logistic_regression")
    assert invoke(*words, "--gate", "accuracy<0.05", cwd=trained.root).code == 1
    for later in (words, (*words, "--gate", "accuracy>=0.05")):
        assert invoke(*later).code == 0
        refused = invoke("predict", picture)
        assert refused.code == 5
        assert "--model logistic_regression-0001" in refused.err
        assert "promote" not in refused.err
    assert invoke("predict", picture, "--model", "logistic_regression-0001").code == 0
    assert invoke("report").code == 0
    assert invoke("evaluate", "categories").code == 3, "all of it was trained on, and no refusal"
    listed = invoke("models", "list")
    assert "failed a gate" in listed.out
    assert "promote" not in listed.out
    promoted = invoke("models", "promote", "logistic_regression-0001")
    assert (promoted.code, "failed a gate" in promoted.err) == (0, True)
    assert invoke("predict", picture).code == 0


def test_a_gate_of_the_settings_is_a_question_too_once_a_model_is_there(
    invoke: Run, trained: Project, picture: Path
) -> None:
    toml = trained.root / "mlforge.toml"
    toml.write_text(toml.read_text().replace("folds = 3", 'folds = 3\ngates = ["accuracy<0.05"]'))
    assert invoke("train", cwd=trained.root).code == 1
    assert invoke("predict", picture).code == 0


@pytest.mark.parametrize("words", [("train",), ("run", "--count", "8", "--promote")])
def test_a_script_may_allow_what_is_inconclusive_and_nothing_is_promoted(
    invoke: Run, trained: Project, words: tuple[str, ...]
) -> None:
    allowed = (*words, "--allow-inconclusive", "--gate", "accuracy>=0.8")
    assert invoke(*allowed, cwd=trained.root).code == 0
    assert invoke(*allowed, "--gate", "accuracy<0.05").code == 1
    assert trained.artifacts.aliases.read() == {}


@pytest.fixture
def few_groups(project: Project) -> Project:
    """Return a project whose circles are of two groups."""
    seeds = project.root / "categories" / "circle" / "seeds"
    for number, seed in enumerate(sorted(seeds.iterdir())):
        seed.rename(seeds / f"x_{number % 2}_{number}.png")
    config = project.root / "categories" / "circle" / "config.json"
    values = json.loads(config.read_text())
    config.write_text(json.dumps({**values, "group_pattern": "x_{group}_*"}))
    return project


def test_a_figure_of_too_few_groups_is_no_headline_passes_no_gate_and_promotes_nothing(
    invoke: Run, few_groups: Project
) -> None:
    words = ("run", "--count", "2", "--promote")
    done = invoke(*words, "--gate", "accuracy>=0.01", cwd=few_groups.root)
    assert done.code == 9
    assert f"{FIRST}: how good it is on other groups is not estimable" in done.out
    assert "unseen examples" not in done.out
    assert "circle (4 seeds of 2 groups)" in done.out
    assert "inconclusive" in done.out
    ungated = invoke(*words, "--json")
    assert (ungated.code, ungated.document["promoted"]) == (9, None)
    assert "is not promoted: how other groups would fare is not estimable" in ungated.err
    (model,) = ungated.document["train"]["models"]
    assert model["not_estimable"] == ["circle"]
    assert invoke(*words, "--allow-inconclusive").code == 0
    assert few_groups.artifacts.aliases.read() == {}
    page = few_groups.report(FIRST).file.read_text()
    assert "<h1>How good it is on other groups is not estimable.</h1>" in page
    assert "not estimable" in invoke("models", "list").out
