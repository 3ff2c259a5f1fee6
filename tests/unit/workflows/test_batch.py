from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project
from mlforge.core.records import Prediction
from mlforge.core.reporting import SilentReporter
from mlforge.errors import ArtifactError, ConfigError, DataError, StorageError
from mlforge.storage.tables import TableWriter
from mlforge.workflows import batch as batch_module
from mlforge.workflows.batch import BatchOptions, BatchSummary
from mlforge.workflows.file_tree import FileTree, TreeCount
from mlforge.workflows.predict import Predictor
from mlforge.workflows.train import TrainOptions

Draw = Callable[[str, int], bytes]
Row = dict[str, Any]

PICTURES = (
    "a.png",
    "deep/er/b.PNG",
    "deep/with space é [x].png",
    "deep/=cmd.png",
    "two\nlines.png",
)
BAD = ("empty.png", "words.jpg", "deep/torn.png")
OTHERS = ("notes.txt", "deep/README", ".hidden")


@pytest.fixture
def photos(tmp_path: Path, draw: Draw) -> Path:
    """Return a folder with five pictures, three bad files, two of other kinds and a hidden one."""
    folder = tmp_path / "photos"
    for number, name in enumerate(PICTURES + BAD + OTHERS):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw("circle", 500 + number) if name in PICTURES else b"words")
    (folder / "empty.png").write_bytes(b"")
    (folder / "deep/torn.png").write_bytes(draw("circle", 1)[:-50])
    return folder


def batch(project: Project, folder: Path, output: Path, **options: Any) -> BatchSummary:
    return project.batch(folder, output, BatchOptions(**{"workers": 1, **options}))


def read_csv(path: Path) -> list[Row]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def read_jsonl(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def without_times(rows: list[Row]) -> list[Row]:
    return [{key: value for key, value in row.items() if key != "timestamp"} for row in rows]


def test_every_file_has_one_row_whatever_happens(
    trained: Project, photos: Path, tmp_path: Path
) -> None:
    summary = batch(trained, photos, tmp_path / "out", file_format="jsonl")
    rows = read_jsonl(tmp_path / "out" / "predictions.jsonl")
    assert [row["file"] for row in rows] == sorted(PICTURES + BAD)
    by_file = {row["file"]: row for row in rows}
    for name in PICTURES:
        assert by_file[name]["error"] == ""
        assert by_file[name]["prediction"] in {"circle", "square", "triangle"}
    for name in BAD:
        assert by_file[name]["error"]
        assert "prediction" not in by_file[name]
    assert {row["model"] for row in rows} == {"random_forest-0001"}
    assert (summary.n_files, summary.n_failed, summary.n_other_files) == (8, 3, 2)


def test_the_rows_hold_what_predict_says(trained: Project, photos: Path, tmp_path: Path) -> None:
    batch(trained, photos, tmp_path / "out", file_format="jsonl")
    rows = {row["file"]: row for row in read_jsonl(tmp_path / "out" / "predictions.jsonl")}
    for name in PICTURES:
        (prediction,) = trained.predict([photos / name])
        row = rows[name]
        assert row["prediction"] == prediction.prediction
        assert row["category_name"] == prediction.category_name
        assert row["confidence"] == prediction.confidence
        assert row["reliable"] == prediction.reliable
        assert {
            key.removeprefix("probability_"): value
            for key, value in row.items()
            if key.startswith("probability_")
        } == prediction.all_probabilities


def test_csv_and_jsonl_hold_the_same(trained: Project, photos: Path, tmp_path: Path) -> None:
    batch(trained, photos, tmp_path / "out", file_format="csv")
    batch(trained, photos, tmp_path / "out", file_format="jsonl")
    flat = read_csv(tmp_path / "out" / "predictions.csv")
    lines = read_jsonl(tmp_path / "out" / "predictions.jsonl")
    assert len(flat) == len(lines) == 8
    for row, line in zip(flat, lines, strict=True):
        assert row["file"].lstrip("'") == line["file"].replace("\n", "\\x0a")
        for key in row.keys() - {"file", "timestamp"}:
            value = line.get(key, "")
            shown = " ".join(value) if isinstance(value, list) else str(value)
            shown = shown.lower() if isinstance(value, bool) else shown
            assert row[key] == shown.replace("\n", "\\x0a"), key


def test_no_cell_of_the_csv_is_a_formula(trained: Project, tmp_path: Path, draw: Draw) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, start in enumerate("=+-@\t\r"):
        (folder / f"{start}1+1.png").write_bytes(draw("circle", number) if number else b"")
    batch(trained, folder, tmp_path / "out")
    for row in read_csv(tmp_path / "out" / "predictions.csv"):
        assert not [v for v in row.values() if v.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_the_number_of_workers_changes_nothing_but_times(
    trained: Project, tmp_path: Path, draw: Draw
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(40):
        data = draw(("circle", "square")[number % 2], number) if number % 9 else b"words"
        (folder / f"{number}.png").write_bytes(data)
    tables = []
    for workers in (1, 2):
        batch(trained, folder, tmp_path / f"out{workers}", workers=workers)
        tables.append(without_times(read_csv(tmp_path / f"out{workers}" / "predictions.csv")))
    assert tables[0] == tables[1]
    assert len(tables[0]) == 40


def test_the_summary_counts(trained: Project, photos: Path, tmp_path: Path) -> None:
    summary = batch(trained, photos, tmp_path / "out", file_format="jsonl")
    rows = read_jsonl(tmp_path / "out" / "predictions.jsonl")
    good = [row for row in rows if not row["error"]]
    assert summary.n_unreliable == sum(not row["reliable"] for row in good)
    assert summary.per_category == {
        code: sum(row["prediction"] == code for row in good)
        for code in ("circle", "square", "triangle")
    }
    assert summary.table == str(tmp_path / "out" / "predictions.jsonl")
    written = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert written.pop("schema") == "mlforge.batch/1"
    assert written == vars(summary)


def test_the_output_folder_inside_the_folder_is_left_out(
    trained: Project, photos: Path, draw: Draw
) -> None:
    output = photos / "deep" / "out"
    output.mkdir()
    (output / "old.png").write_bytes(draw("circle", 1))
    (output / "old.txt").write_text("words")
    for _ in range(2):
        summary = batch(trained, photos, output)
        assert (summary.n_files, summary.n_other_files) == (8, 2)


@pytest.mark.parametrize("output", [".", "..", "../.."])
def test_an_output_that_holds_the_folder_is_refused(
    trained: Project, photos: Path, output: str
) -> None:
    with pytest.raises(ConfigError, match="holds the folder to predict"):
        batch(trained, photos / "deep", photos / "deep" / output)


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_pictures_is_refused_and_nothing_is_written(
    trained: Project, tmp_path: Path, there: bool
) -> None:
    folder = tmp_path / "photos"
    if there:
        folder.mkdir()
        (folder / "notes.txt").write_text("words")
    with pytest.raises(DataError):
        batch(trained, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_before_a_training_the_hint_is_to_train(
    project: Project, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError) as caught:
        batch(project, photos, tmp_path / "out")
    assert caught.value.hint == "mlforge train"
    assert not (tmp_path / "out").exists()


def test_what_is_no_regular_file_is_an_error_row(
    trained: Project, photos: Path, tmp_path: Path
) -> None:
    os.mkfifo(photos / "pipe.png")
    (photos / "dangling.png").symlink_to(photos / "nowhere")
    (photos / "folder.png").mkdir()
    summary = batch(trained, photos, tmp_path / "out", file_format="jsonl")
    rows = {r["file"]: r["error"] for r in read_jsonl(tmp_path / "out" / "predictions.jsonl")}
    assert rows["pipe.png"]
    assert rows["dangling.png"]
    assert "folder.png" not in rows
    assert summary.n_failed == 5


def test_folders_that_are_links_or_cannot_be_read_are_said(
    trained: Project, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "again").symlink_to(photos / "deep")
    (photos / "closed").mkdir()
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    reporter = SilentReporter()
    summary = batch(Project(trained.root, reporter), photos, tmp_path / "out")
    assert summary.n_files == 8
    assert [warning for warning in reporter.warnings if "again: left out: a link" in warning]
    assert [warning for warning in reporter.warnings if "closed: left out: Perm" in warning]


@pytest.mark.parametrize("error", [StorageError("no space"), KeyboardInterrupt()])
def test_an_interrupted_batch_leaves_the_old_table_and_is_resumed(
    trained: Project,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    output = tmp_path / "out"
    batch(trained, photos, output)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    whole = without_times(read_csv(output / "predictions.csv"))
    predicted = stop_at_chunk(monkeypatch, 3, error)
    reporter = SilentReporter()
    with pytest.raises(type(error)):
        batch(Project(trained.root, reporter), photos, output)
    kept = {path.name: path.read_bytes() for path in output.iterdir()}
    assert kept.items() >= before.items()
    assert reporter.warnings == [
        "4 of 8 files are done and kept; go on with the same command and --resume"
    ]
    predicted.clear()
    summary = batch(trained, photos, output, resume=True)
    assert len(predicted) == 4, "what was done is not done again"
    assert without_times(read_csv(output / "predictions.csv")) == whole
    assert (summary.n_files, summary.n_failed) == (8, 3)
    assert sum(summary.per_category.values()) == 5
    assert {path.name for path in output.iterdir()} == before.keys()


def stop_at_chunk(monkeypatch: pytest.MonkeyPatch, n: int, error: BaseException) -> list[str]:
    """Make the n-th chunk of two files fail, once; return the files that were predicted."""
    monkeypatch.setattr(batch_module, "_CHUNK", 2)
    monkeypatch.setattr(batch_module, "_SECONDS_PER_NOTE", 0)
    predict_chunk = batch_module._predict_chunk
    calls: list[Any] = []
    predicted: list[str] = []

    def fail(chunk: Any) -> Any:
        calls.append(chunk)
        if len(calls) == n:
            raise error
        predicted.extend(chunk.files)
        return predict_chunk(chunk)

    monkeypatch.setattr(batch_module, "_predict_chunk", fail)
    return predicted


def interrupted(
    project: Project, photos: Path, output: Path, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> None:
    with monkeypatch.context() as patch:
        stop_at_chunk(patch, 2, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            batch(project, photos, output, **options)


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_other_formats_are_resumed_too(
    trained: Project,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file_format: str,
) -> None:
    def rows(output: Path) -> list[Row]:
        if file_format == "jsonl":
            return without_times(read_jsonl(output / "predictions.jsonl"))
        parquet = pytest.importorskip("pyarrow.parquet")
        found = parquet.read_table(output / "predictions.parquet").to_pylist()
        return without_times(found)

    interrupted(trained, photos, tmp_path / "a", monkeypatch, file_format=file_format)
    batch(trained, photos, tmp_path / "a", file_format=file_format, resume=True)
    batch(trained, photos, tmp_path / "b", file_format=file_format)
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    assert len(rows(tmp_path / "a")) == 8


def test_a_run_is_resumed_with_its_model_folder_and_format_only(
    trained: Project, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    interrupted(trained, photos, output, monkeypatch)
    trained.train(TrainOptions(models=("logistic_regression",), workers=1))
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    options = {"version": "random_forest-0001", "resume": True}
    for folder, changed, hint in (
        (photos, {"version": None}, "--model random_forest-0001"),
        (photos / "deep", {}, f"batch {photos}"),
        (photos, {"file_format": "jsonl"}, "--format csv"),
    ):
        with pytest.raises(ConfigError) as caught:
            batch(trained, folder, output, **{**options, **changed})
        assert hint in caught.value.hint
        assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    assert batch(trained, photos, output, **options).n_files == 8


def test_a_model_that_was_made_again_does_not_resume_the_run_of_the_old_one(
    trained: Project, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(trained, photos, tmp_path / "out", monkeypatch)
    trained.artifacts.models.rename(tmp_path / "old")
    trained.train(TrainOptions(parameters=("random_forest.n_estimators=2",), workers=1))
    with pytest.raises(ConfigError, match="another model of the same name"):
        batch(trained, photos, tmp_path / "out", resume=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"last": 3},
        {"seconds": "long"},
        {"seconds": 10**400},
        {"seconds": -1},
        {"counts": ["files"]},
        {"counts": {}},
        {"counts": {"files": "two"}},
        {"per_category": {"circle": [1]}},
        {"per_category": None},
    ],
)
def test_a_run_whose_notes_are_damaged_is_not_resumed(
    trained: Project,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: dict[str, Any],
) -> None:
    interrupted(trained, photos, tmp_path / "out", monkeypatch)
    (journal,) = (tmp_path / "out").glob(".*.journal")
    noted = json.loads(journal.read_bytes())
    noted["noted"].update(wrong)
    journal.write_text(json.dumps(noted))
    with pytest.raises(DataError) as caught:
        batch(trained, photos, tmp_path / "out", resume=True)
    assert "without --resume" in caught.value.hint


def test_resuming_without_an_interrupted_run_starts_at_the_beginning_and_says_so(
    trained: Project, photos: Path, tmp_path: Path
) -> None:
    reporter = SilentReporter()
    summary = batch(Project(trained.root, reporter), photos, tmp_path / "out", resume=True)
    assert summary.n_files == 8
    assert [w for w in reporter.warnings if "no interrupted run to resume" in w]


def test_files_that_came_among_those_that_are_done_are_said(
    trained: Project, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw: Draw
) -> None:
    interrupted(trained, photos, tmp_path / "out", monkeypatch)
    (photos / "0.png").write_bytes(draw("circle", 1))
    reporter = SilentReporter()
    batch(Project(trained.root, reporter), photos, tmp_path / "out", resume=True)
    assert reporter.warnings == [
        "2 files had rows, and there are 3 by now; without --resume every file has one row again"
    ]


def test_files_are_listed_as_they_are_needed(
    trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number:03d}.png").touch()
    ahead: list[int] = []
    listed = 0
    files, write = FileTree.files, TableWriter.write

    def counted(tree: FileTree, after: str = "") -> Iterator[str]:
        nonlocal listed
        for file in files(tree, after):
            listed += 1
            yield file

    def watched(table: TableWriter, row: Row) -> None:
        ahead.append(listed - len(ahead))
        write(table, row)

    monkeypatch.setattr(FileTree, "files", counted)
    monkeypatch.setattr(TableWriter, "write", watched)
    monkeypatch.setattr(batch_module, "_CHUNK", 4)
    assert batch(trained, folder, tmp_path / "out").n_failed == 200
    assert len(ahead) == 200
    assert max(ahead) <= 4


def test_a_file_that_meets_a_bug_is_an_error_row(
    trained: Project, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode_file = Predictor.decode_file

    def fail(predictor: Predictor, path: Path) -> Any:
        if path.name == "a.png":
            raise ZeroDivisionError("by zero")
        return decode_file(predictor, path)

    monkeypatch.setattr(Predictor, "decode_file", fail)
    summary = batch(trained, photos, tmp_path / "out")
    rows = {row["file"]: row["error"] for row in read_csv(tmp_path / "out" / "predictions.csv")}
    assert rows["a.png"] == "a bug in mlforge: ZeroDivisionError: by zero"
    assert (summary.n_files, summary.n_failed) == (8, 4)


def test_links_out_of_the_folder_are_not_followed(
    trained: Project, photos: Path, tmp_path: Path, draw: Draw
) -> None:
    (tmp_path / "private.png").write_bytes(draw("circle", 1))
    (photos / "out.png").symlink_to(tmp_path / "private.png")
    (photos / "in.png").symlink_to(photos / "a.png")
    (photos / "loop.png").symlink_to(photos / "loop.png")
    batch(trained, photos, tmp_path / "out")
    rows = {row["file"]: row["error"] for row in read_csv(tmp_path / "out" / "predictions.csv")}
    assert "outside of the folder" in rows["out.png"]
    assert rows["in.png"] == ""
    assert rows["loop.png"]


def test_a_name_that_is_not_utf8_has_its_row(trained: Project, tmp_path: Path, draw: Draw) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(draw("circle", 1))
    assert batch(trained, folder, tmp_path / "out").n_failed == 0
    assert read_csv(tmp_path / "out" / "predictions.csv")[0]["file"] == "caf\\udce9.png"
    batch(trained, folder, tmp_path / "out", file_format="jsonl")
    assert read_jsonl(tmp_path / "out" / "predictions.jsonl")[0]["file"] == "caf\udce9.png"


def test_what_vanishes_or_becomes_a_folder_meanwhile_has_its_row(
    trained: Project, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = FileTree.count

    def counted(tree: FileTree, after: str = "") -> TreeCount:
        found = count(tree, after)
        monkeypatch.setattr(FileTree, "files", lambda tree, after: iter(sorted(PICTURES)))
        (photos / "a.png").unlink()
        (photos / "two\nlines.png").unlink()
        (photos / "two\nlines.png").mkdir()
        return found

    monkeypatch.setattr(FileTree, "count", counted)
    summary = batch(trained, photos, tmp_path / "out", file_format="jsonl")
    rows = {r["file"]: r["error"] for r in read_jsonl(tmp_path / "out" / "predictions.jsonl")}
    assert "no such file" in rows["a.png"]
    assert rows["two\nlines.png"].endswith("two\\x0alines.png: a folder")
    assert (summary.n_files, summary.n_failed) == (5, 2)


def test_an_output_that_is_a_file_is_refused(
    trained: Project, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ConfigError, match="not a folder"):
        batch(trained, photos, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_the_columns_follow_the_fields_of_a_prediction(
    trained: Project, photos: Path, tmp_path: Path
) -> None:
    batch(trained, photos, tmp_path / "out")
    rows = read_csv(tmp_path / "out" / "predictions.csv")
    expected = {field.name for field in fields(Prediction)} - {"all_probabilities"}
    expected |= {f"probability_{code}" for code in ("circle", "square", "triangle")}
    assert rows[0].keys() == expected | {"error"}


def test_a_model_that_took_the_name_of_an_older_one_is_the_one_that_predicts(
    trained: Project, photos: Path, tmp_path: Path
) -> None:
    batch(trained, photos, tmp_path / "out")
    before = without_times(read_csv(tmp_path / "out" / "predictions.csv"))
    trained.artifacts.models.rename(tmp_path / "old")
    trained.train(TrainOptions(parameters=("random_forest.n_estimators=2",), workers=1))
    assert trained.artifacts.versions() == ["random_forest-0001"]
    batch(trained, photos, tmp_path / "out")
    after = without_times(read_csv(tmp_path / "out" / "predictions.csv"))
    assert after != before
    (prediction,) = trained.predict([photos / "a.png"])
    row = next(row for row in after if row["file"] == "a.png")
    assert row["confidence"] == str(prediction.confidence)


def test_a_named_version_is_used(trained: Project, photos: Path, tmp_path: Path) -> None:
    trained.train(TrainOptions(models=("logistic_regression",), workers=1))
    assert batch(trained, photos, tmp_path / "a").model == "logistic_regression-0001"
    summary = batch(trained, photos, tmp_path / "b", version="random_forest-0001")
    assert summary.model == "random_forest-0001"


def test_no_table_is_written_among_the_categories(trained: Project, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"x")
    for output in (trained.root / "categories", trained.root / "categories/circle/seeds"):
        with pytest.raises(ConfigError, match="among the categories"):
            trained.batch(tmp_path / "photos", output)
        assert not list(output.glob("predictions*"))
