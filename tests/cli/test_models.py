"""The registry of models at the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project
from mlforge.workflows.train import TrainOptions

FIRST, SECOND = "random_forest-0001", "random_forest-0002"

Run = Callable[..., Any]


@pytest.fixture
def two(trained: Project) -> Project:
    trained.train(TrainOptions(force=True, workers=1))
    return trained


def test_promoting_and_rolling_back_says_what_is_named_and_what_was(
    invoke: Run, two: Project
) -> None:
    done = invoke("models", "promote", FIRST, cwd=two.root)
    assert (done.code, done.out) == (0, f"production is {FIRST}.\n")
    done = invoke("models", "promote", SECOND)
    assert f"production is {SECOND}, before {FIRST}." in done.out
    assert "mlforge models rollback" in done.out
    assert invoke("models", "rollback", "--json").document == {
        "schema": "mlforge.models.rollback/1",
        "alias": "production",
        "version": FIRST,
        "previous": SECOND,
    }
    done = invoke("models", "rollback")
    assert done.code == 5
    assert "mlforge models promote" in done.err


def test_aliases_are_listed_shown_and_taken_wherever_a_version_is(
    invoke: Run, two: Project, shapes: Path
) -> None:
    two.promote(FIRST)
    two.promote(FIRST, "staging")
    listed = invoke("models", "list", "--json", cwd=two.root).document
    assert listed["aliases"] == {"production": FIRST, "staging": FIRST}
    assert listed["default"] == FIRST
    aliases = {model["version"]: model["aliases"] for model in listed["models"]}
    assert aliases == {SECOND: [], FIRST: ["production", "staging"]}
    assert f"production is {FIRST}, since 2" in invoke("models", "list").out
    shown = invoke("models", "show", "staging", "--json").document
    assert shown["model"]["version"] == FIRST
    assert shown["model"]["aliases"] == ["production", "staging"]
    assert [step["alias"] for step in shown["history"]] == ["production", "staging"]
    assert "promoted random_forest-0001" in invoke("models", "show", "staging").out
    picture = next((shapes / "circle").iterdir())
    done = invoke("predict", picture, "--model", "staging", "--json")
    assert done.document["model"] == FIRST


def test_verifying_ends_with_5_where_a_model_is_not_sound(invoke: Run, two: Project) -> None:
    done = invoke("models", "verify", cwd=two.root)
    assert done.code == 0
    assert done.out.count("3 golden examples") == 2
    (two.artifacts.models / FIRST / "model.onnx").write_bytes(b"torn")
    done = invoke("models", "verify", "--json")
    assert done.code == 5
    assert {m["version"]: m["sound"] for m in done.document["models"]} == {
        FIRST: False,
        SECOND: True,
    }
    done = invoke("models", "verify")
    assert "not sound" in done.out
    assert "mlforge train --force" in done.out
    assert invoke("models", "verify", SECOND).code == 0


def test_a_model_travels_as_one_file(invoke: Run, trained: Project, tmp_path: Path) -> None:
    file = tmp_path / "model.mlforge"
    done = invoke("models", "export", FIRST, "--output", file, cwd=trained.root)
    assert done.code == 0
    assert f"Wrote {FIRST}" in done.out
    assert "mlforge models import model.mlforge" in done.out
    other = Project.init(tmp_path / "other")
    done = invoke("models", "import", file, cwd=other.root)
    assert done.code == 0
    assert f"Imported {FIRST}." in done.out
    assert invoke("models", "import", file).out == f"It is here already: {FIRST}.\n"
    assert invoke("models", "import", file, "--json").document["is_new"] is False


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x89mlforge\r\n\x1a\n" + b"\xff" * 99])
def test_a_file_that_is_no_model_ends_with_5_and_a_way_out(
    invoke: Run, project: Project, tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "m\x1b[31m.mlforge").write_bytes(data)
    done = invoke("models", "import", tmp_path / "m\x1b[31m.mlforge", cwd=project.root)
    assert done.code == 5
    assert "\x1b" not in done.err
    assert "mlforge models export" in done.err


def test_exporting_needs_a_file_to_write(invoke: Run, trained: Project) -> None:
    done = invoke("models", "export", FIRST, cwd=trained.root)
    assert done.code == 2
    assert f"mlforge models export {FIRST} --output {FIRST}.mlforge" in done.err
    assert invoke("models", "export", FIRST, "--output", trained.root).code == 2
    assert invoke("models", "export", FIRST, "--output", trained.root / "no/file").code == 3


def test_removing_asks_and_spares_what_an_alias_names(invoke: Run, two: Project) -> None:
    two.promote(FIRST)
    done = invoke("models", "remove", FIRST, cwd=two.root)
    assert done.code == 2
    assert f"{FIRST} is production" in done.err
    done = invoke("models", "remove", SECOND)
    assert done.code == 2
    assert f"mlforge models remove {SECOND} --yes" in done.err
    assert len(two.artifacts.versions()) == 2
    assert invoke("models", "remove", SECOND, "--yes").out == f"Removed {SECOND}.\n"
    assert invoke("models", "remove", FIRST, "--yes").code == 2, "yes drops no alias"
    assert two.artifacts.aliases.read()["production"].version == FIRST
    done = invoke("models", "remove", "production", "--force", "--json")
    assert done.document == {
        "schema": "mlforge.models.remove/1",
        "version": FIRST,
        "aliases": ["production"],
    }
    assert f"production named {FIRST} and is gone with it" in done.err
    assert two.artifacts.versions() == []


def test_forcing_says_which_model_answers_after_an_alias_is_gone(invoke: Run, two: Project) -> None:
    two.promote(FIRST)
    done = invoke("models", "remove", FIRST, "--force", "-y", cwd=two.root)
    assert (done.code, f"predict now uses {SECOND}" in done.err) == (0, True)


def test_pruning_can_be_tried_first(invoke: Run, two: Project) -> None:
    dry = invoke("models", "prune", "--keep", "0", "--dry-run", "--json", cwd=two.root).document
    assert (dry["removed"], dry["kept"], dry["dry_run"]) == ([FIRST], [SECOND], True)
    assert len(two.artifacts.versions()) == 2
    done = invoke("models", "prune", "--keep", "0")
    assert done.out.startswith("Removed 1 model, ")
    assert two.artifacts.versions() == [SECOND]
    assert "Nothing to remove" in invoke("models", "prune").out
    assert invoke("models", "prune", "--keep", "-1").code == 2


def test_reproducing_says_the_same_or_why_not(
    invoke: Run, trained: Project, draw: Callable[[str, int], bytes]
) -> None:
    done = invoke("models", "reproduce", FIRST, "--workers", "1", cwd=trained.root)
    assert (done.code, done.out) == (0, f"{FIRST}: the same, byte for byte.\n")
    (trained.root / "categories/circle/seeds/new.png").write_bytes(draw("circle", 99))
    done = invoke("models", "reproduce", FIRST)
    assert done.code == 3
    assert "circle: other seeds (4 then, 5 now)" in done.out


def test_comparing_is_done_on_the_seeds_in_common(invoke: Run, two: Project) -> None:
    two.train(TrainOptions(models=("logistic_regression",), workers=1))
    two.promote(FIRST)
    arguments = ("models", "compare", "production", "logistic_regression-0001")
    document = invoke(*arguments, "--json", cwd=two.root).document
    assert document["first"] == FIRST
    assert document["second"] == "logistic_regression-0001"
    assert document["n_common"] == 15
    assert document["verdict"] in {"better", "worse", "cant_tell"}
    figures = {item["figure"] + item["code"]: item for item in document["figures"]}
    assert list(figures) == [
        "accuracy",
        "macro_f1",
        "recallcircle",
        "recallsquare",
        "recalltriangle",
    ]
    accuracy = figures["accuracy"]
    difference = accuracy["second"] - accuracy["first"]
    assert accuracy["difference"] == pytest.approx(difference)
    table = invoke(*arguments).out
    assert "held-out seeds in common" in table
    assert "recall of circle" in table
    text = invoke(*arguments, "--format", "markdown").out
    assert "| figure | random_forest-0001 | logistic_regression-0001 |" in text
    assert "|---|---:|" in text


def test_a_model_is_not_better_than_itself(invoke: Run, two: Project) -> None:
    document = invoke("models", "compare", FIRST, SECOND, "--json", cwd=two.root).document
    assert (document["verdict"], document["figures"][0]["difference"]) == ("cant_tell", 0.0)
    assert invoke("models", "compare", FIRST).code == 2
    assert invoke("models", "compare", FIRST, "svm-0001").code == 5


def test_damaged_aliases_stop_a_prediction_and_name_the_way_out(
    invoke: Run, two: Project, shapes: Path
) -> None:
    two.promote(FIRST)
    path = two.root / "artifacts" / "aliases.json"
    path.write_bytes(path.read_bytes().replace(b"-0001", b"-0002"))
    picture = next((shapes / "circle").iterdir())
    done = invoke("predict", picture, cwd=two.root)
    assert done.code == 5
    assert "aliases.json" in done.err
    assert "promote again" in done.err
