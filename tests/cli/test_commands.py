"""What each command does, tells a person, and prints as its document."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project
from mlforge.cli.plain import plain
from mlforge.cli.registrar import COMMANDS
from mlforge.cli.scores import evaluation_blocks
from mlforge.evaluation.records import DeepEvaluation, LearningCurve

Run = Callable[..., Any]
Draw = Callable[[str, int], bytes]


def _document(invoke: Run, *arguments: str | Path, cwd: Path, code: int = 0) -> dict[str, Any]:
    """Run with ``--json`` and hold the document against what the command's reference says."""
    result = invoke(*arguments, "--json", cwd=cwd)
    assert result.code == code, result.out + result.err
    document: dict[str, Any] = result.document
    words = [str(argument) for argument in arguments]
    spec = (COMMANDS.get(" ".join(words[:2])) or COMMANDS[words[0]]).spec
    assert document.pop("schema") == spec.schema
    assert set(document) == set(spec.keys)
    return document


def test_a_project_within_a_project_and_a_gitignore_that_is_kept_are_told(
    invoke: Run, tmp_path: Path
) -> None:
    assert invoke("init", tmp_path / "outer", cwd=tmp_path).err == ""
    inner = tmp_path / "outer" / "inner"
    inner.mkdir()
    (inner / ".gitignore").write_text("mine\n")
    done = invoke("init", inner)
    assert done.code == 0
    assert "lies in the project" in done.err
    assert ".gitignore was there and is left as it is" in done.err
    assert (inner / ".gitignore").read_text() == "mine\n"


def test_a_file_that_is_named_twice_is_explained_once(
    invoke: Run, trained: Project, draw: Callable[[str, int], bytes]
) -> None:
    for name in ("a.png", "b.png"):
        (trained.root / name).write_bytes(draw("circle", 9))
    done = invoke("predict", "a.png", "b.png", "a.png", "--explain", "why", cwd=trained.root)
    assert done.code == 0
    assert done.out.count("a-explained.png") == 2
    assert {path.name for path in (trained.root / "why").iterdir()} == {
        "a-explained.png",
        "b-explained.png",
    }


def test_a_damaged_model_that_an_alias_names_can_be_replaced(
    invoke: Run, trained: Project, draw: Callable[[str, int], bytes]
) -> None:
    (trained.root / "a.png").write_bytes(draw("circle", 9))
    trained.promote("random_forest-0001")
    (trained.artifacts.models / "random_forest-0001" / "model.onnx").unlink()
    done = invoke("predict", "a.png", cwd=trained.root)
    assert done.code == 5
    assert "or use another: mlforge models promote VERSION" in done.err


def test_init_makes_a_project_with_the_example(invoke: Run, tmp_path: Path) -> None:
    document = _document(invoke, "init", "digits", "--example", "digits", cwd=tmp_path)
    assert len(document["categories"]) == 10
    assert (tmp_path / "digits" / "mlforge.toml").is_file()
    again = invoke("init", "digits", cwd=tmp_path)
    assert again.code == 2
    assert "already" in again.err


def test_init_says_what_to_type_next(invoke: Run, tmp_path: Path) -> None:
    out = invoke("init", "empty", cwd=tmp_path).out
    assert "cd empty && mlforge categories import FOLDER" in out


def test_categories_are_imported_listed_shown_checked_and_removed(
    invoke: Run, tmp_path: Path, shapes: Path
) -> None:
    invoke("init", cwd=tmp_path)
    imported = _document(invoke, "categories", "import", shapes, cwd=tmp_path)["categories"]
    assert [(c["code"], c["n_added"]) for c in imported] == [
        ("circle", 4),
        ("square", 5),
        ("triangle", 6),
    ]
    listed = _document(invoke, "categories", "list", cwd=tmp_path)["categories"]
    assert [c["n_seeds"] for c in listed] == [4, 5, 6]
    config = _document(invoke, "categories", "show", "circle", cwd=tmp_path)["config"]
    plain = invoke("categories", "show", "circle").out
    assert json.loads(plain) == config
    findings = _document(invoke, "categories", "check", cwd=tmp_path)
    assert findings["n_errors"] == 0
    assert [f["kind"] for f in findings["findings"]] == ["few_seeds"]
    refused = invoke("categories", "remove", "circle", cwd=tmp_path)
    assert refused.code == 2
    assert "--yes" in refused.err
    removed = _document(invoke, "categories", "remove", "circle", "--yes", cwd=tmp_path)
    assert (Path(removed["kept"]) / "config.json").is_file()
    assert [c.code for c in Project(tmp_path).categories()] == ["square", "triangle"]


def test_adding_lists_what_is_refused_and_exits_10(invoke: Run, tmp_path: Path, draw: Draw) -> None:
    invoke("init", cwd=tmp_path)
    (tmp_path / "good.png").write_bytes(draw("circle", 1))
    (tmp_path / "bad [x]\n.png").write_bytes(b"no picture")
    result = invoke("categories", "add", "cup", "good.png", "bad [x]\n.png", "none.png")
    assert result.code == 10
    assert "bad [x]\\x0a.png" in result.out
    assert "none.png" in result.out
    document = _document(
        invoke, "categories", "add", "cup", "good.png", "bad [x]\n.png", cwd=tmp_path, code=10
    )["category"]
    assert not document["created"]
    assert [f["file"] for f in document["refused"]] == ["bad [x]\n.png"]
    assert len(document["duplicates"]) == 1


def test_a_long_list_of_failures_is_cut_for_a_person_only(
    invoke: Run, tmp_path: Path, draw: Draw
) -> None:
    invoke("init", cwd=tmp_path)
    (tmp_path / "good.png").write_bytes(draw("circle", 1))
    bad = [tmp_path / f"bad{number}.png" for number in range(30)]
    for path in bad:
        path.write_bytes(b"no picture")
    result = invoke("categories", "add", "cup", "good.png", *bad)
    assert result.out.count("not an image") == 20
    assert "and 10 more" in result.out
    document = _document(
        invoke, "categories", "add", "cup", "good.png", *bad, cwd=tmp_path, code=10
    )
    assert len(document["category"]["refused"]) == 30


def test_check_exits_3_for_errors(invoke: Run, project: Project) -> None:
    seeds = project.root / "categories" / "circle" / "seeds"
    (seeds / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    document = _document(invoke, "categories", "check", cwd=project.root, code=3)
    assert document["n_errors"] == 1
    assert document["findings"][0]["files"] == ["torn.png"]
    assert "error circle: torn.png" in invoke("categories", "check").out


def test_samples_are_planned_made_listed_shown_and_removed(invoke: Run, project: Project) -> None:
    root = project.root
    make = ("samples", "generate", "--count", "4", "--workers", "1")
    planned = _document(invoke, *make, "--dry-run", cwd=root)
    assert [c["n_made"] for c in planned["categories"]] == [4, 4, 4]
    assert planned["dry_run"]
    assert not list(root.glob("categories/*/samples/*.png"))
    made = _document(invoke, *make, cwd=root)
    assert [c["n_samples"] for c in made["categories"]] == [4, 4, 4]
    assert invoke(*make).out == "Up to date: 12 samples; nothing to do.\n"
    listed = _document(invoke, "samples", "list", cwd=root)["categories"]
    assert {c["state"] for c in listed} == {"complete"}
    shown = _document(invoke, "samples", "preview", "circle", "--output", "s.png", cwd=root)
    assert shown["n_rows"] == 4
    assert (root / "s.png").stat().st_size > 1000
    cleaned = _document(invoke, "samples", "clean", "circle", cwd=root)["categories"]
    assert cleaned == [{"code": "circle", "n_samples": 4, "left": []}]


def test_generating_lists_the_seeds_that_cannot_be_used_and_exits_10(
    invoke: Run, project: Project
) -> None:
    seeds = project.root / "categories" / "circle" / "seeds"
    (seeds / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    result = invoke("samples", "generate", "--count", "5", "--workers", "1", cwd=project.root)
    assert result.code == 10
    assert "torn.png" in result.out
    assert "Made 14 samples" in result.out


def test_training_tells_figures_and_weak_categories_and_is_not_repeated(
    invoke: Run, trained: Project
) -> None:
    document = _document(invoke, "train", "--workers", "1", cwd=trained.root)
    assert document["best"] == "random_forest-0001"
    assert document["up_to_date"]
    (model,) = document["models"]
    low, high = model["accuracy_interval"]
    assert 0 <= low <= model["accuracy"] <= high <= 1
    assert set(model["per_category"]) == {"circle", "square", "triangle"}
    assert sum(map(sum, model["confusion"])) == 15
    out = invoke("train", "--workers", "1").out
    assert out.startswith("Up to date: random_forest-0001")
    assert f"right on {100 * model['accuracy']:.0f} of 100 unseen examples" in out
    assert f"between {100 * low:.0f} and {100 * high:.0f} (95 % interval)" in out
    assert "Report: artifacts/models/random_forest-0001/report.html" in out
    assert "mlforge predict FILE" in out
    assert "mlforge evaluate --deep  what to photograph next" in re.sub(r" {2,}", "  ", out)


def test_too_few_groups_are_said_to_tell_nothing_of_others(trained: Project) -> None:
    (model,) = trained.models()
    assert model.evaluation is not None
    scores = model.evaluation.per_category
    few = {"circle": dataclasses.replace(scores["circle"], n_groups=2)}
    evaluation = dataclasses.replace(model.evaluation, per_category={**scores, **few})
    for shown, told in ((evaluation, True), (model.evaluation, False)):
        blocks = evaluation_blocks(dataclasses.replace(model, evaluation=shown), None)
        text = "\n".join(plain(list(blocks)))
        assert ("not estimable from these groups: circle (4 seeds of 2 groups)." in text) is told


def test_why_unknown_things_could_not_be_measured_is_the_real_reason(
    invoke: Run, trained: Project
) -> None:
    """Three categories there are; it is groups that are too few."""
    path = trained.workspace.layout.deep_evaluation("random_forest-0001")
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = trained.artifacts.manifest("random_forest-0001")["digest"]
    curve = LearningCurve((), {}, ())
    deep = DeepEvaluation("random_forest-0001", curve, (), (), (), ())
    path.write_text(json.dumps({"artifact": digest, "deep": dataclasses.asdict(deep)}))
    out = invoke("evaluate", "--deep", cwd=trained.root).out
    assert "Unknown things: there are too few groups of seeds" in out
    assert "two categories" not in out


def test_a_leaderboard_has_the_best_first(invoke: Run, trained: Project) -> None:
    arguments = ("train", "--model", "random_forest", "--model", "logistic_regression")
    document = _document(invoke, *arguments, "--workers", "1", cwd=trained.root)
    accuracies = [model["accuracy"] for model in document["models"]]
    assert accuracies == sorted(accuracies, reverse=True)
    assert {m["model"]: m["up_to_date"] for m in document["models"]} == {
        "random_forest": True,
        "logistic_regression": False,
    }


def test_models_are_listed_and_shown(invoke: Run, trained: Project) -> None:
    listed = _document(invoke, "models", "list", cwd=trained.root)
    assert listed["default"] == "random_forest-0001"
    assert listed["models"][0]["features"] == ["thumbnail", "color"]
    shown = _document(invoke, "models", "show", "random_forest-0001", cwd=trained.root)["model"]
    assert shown["parameters"]["n_estimators"] == 10
    assert shown["n_seeds"] == 15
    assert "n_estimators=10" in invoke("models", "show", "random_forest-0001").out
    missing = invoke("models", "show", "random_forest-0009")
    assert missing.code == 5
    assert "random_forest-0001" in missing.err


def test_a_damaged_model_is_told_and_does_not_hide_the_others(
    invoke: Run, trained: Project
) -> None:
    invoke("train", "--workers", "1", "--force", cwd=trained.root)
    damaged = trained.root / "artifacts/models/random_forest-0001/metrics.json"
    damaged.write_text("{}")
    listed = invoke("models", "list")
    assert listed.code == 0
    assert "random_forest-0001" in listed.err
    assert "random_forest-0002" in listed.out
    shown = invoke("models", "show", "random_forest-0001")
    assert shown.code == 5
    assert "random_forest-0001/metrics.json" in shown.err


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("models", "available"), "random_forest"),
        (("features", "list"), "hog"),
        (("generators", "list"), "augmentation"),
        (("techniques", "list"), "rotation"),
    ],
)
def test_components_are_listed_without_a_project(
    command: tuple[str, ...], name: str, invoke: Run, tmp_path: Path
) -> None:
    document = _document(invoke, *command, cwd=tmp_path)
    (found,) = [c for c in document["components"] if c["name"] == name]
    assert found["summary"]
    assert found["available"]
    assert found["from"] == "mlforge"
    assert name in invoke(*command).out


def test_predict_tells_label_confidence_and_probabilities(
    invoke: Run, trained: Project, draw: Draw
) -> None:
    (trained.root / "new.png").write_bytes(draw("square", 77))
    document = _document(invoke, "predict", "new.png", cwd=trained.root)
    assert document["prediction"] == "square"
    assert document["category_name"] == "square"
    probabilities = list(document["all_probabilities"].values())
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    out = invoke("predict", "new.png", "--top", "2").out.splitlines()
    assert out[0].startswith("square (square): ")
    assert out[0].endswith(", reliable" if document["reliable"] else ", not reliable")
    assert out[3:] == ["Model: random_forest-0001"]


def test_predict_of_several_files_gives_a_line_each_in_order(
    invoke: Run, trained: Project, draw: Draw
) -> None:
    root = trained.root
    (root / "a b.png").write_bytes(draw("square", 77))
    (root / "bad.png").write_bytes(b"no picture")
    (root / "é[x].png").write_bytes(draw("circle", 77))
    files = ("a b.png", "bad.png", "é[x].png")
    result = invoke("predict", *files, "--json", cwd=root)
    assert result.code == 10
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert [line["file"] for line in lines] == list(files)
    assert lines[1]["schema"] == "mlforge.error/1"
    assert lines[1]["exit"] == 3
    told = invoke("predict", *files)
    assert told.code == 10
    assert "bad.png" in told.err
    assert "bad.png" not in told.out
    assert "é[x].png" in told.out
    assert invoke("predict", "bad.png", "none.png").code == 3


def test_batch_writes_a_table_and_counts_what_failed(
    invoke: Run, trained: Project, shapes: Path
) -> None:
    root = trained.root
    shutil.copytree(shapes, root / "photos")
    arguments = ("batch", "photos", "--output", "out", "--workers", "1")
    document = _document(invoke, *arguments, cwd=root)
    assert document["n_files"] == sum(document["per_category"].values()) == 15
    (root / "photos" / "bad.png").write_bytes(b"no picture")
    (root / "photos" / "notes.txt").write_text("not a picture")
    result = invoke(*arguments, "--format", "jsonl")
    assert result.code == 10
    assert "1 file failed" in result.out
    assert "1 file of other kinds" in result.out
    rows = [json.loads(line) for line in (root / "out/predictions.jsonl").read_text().splitlines()]
    assert sum(bool(row.get("error")) for row in rows) == 1


def test_run_goes_the_whole_way_and_then_has_nothing_to_do(invoke: Run, project: Project) -> None:
    document = _document(invoke, "run", "--workers", "1", cwd=project.root)
    assert document["samples"]["categories"][0]["n_samples"] == 80
    assert document["train"]["best"] == "random_forest-0001"
    out = invoke("run", "--workers", "1").out
    assert "nothing to do" in out
    assert "nothing to train" in out


def test_doctor_looks_at_environment_and_project(
    invoke: Run, trained: Project, tmp_path: Path
) -> None:
    document = _document(invoke, "doctor", cwd=trained.root)
    checks = {check["name"]: check for check in document["checks"]}
    assert checks["python"]["status"] == "ok"
    assert checks["models"]["detail"] == "1 stored"
    assert document["healthy"]
    (trained.root / "artifacts/models/random_forest-0001/model.onnx").write_bytes(b"torn")
    broken = invoke("doctor")
    assert broken.code == 2
    assert "random_forest-0001" in broken.out
    (tmp_path / "elsewhere").mkdir()
    assert "models" not in invoke("doctor", cwd=tmp_path / "elsewhere").out.split()
