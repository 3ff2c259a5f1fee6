from __future__ import annotations

import csv
import errno
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mlforge.errors import ConfigError, DataError, MissingExtraError, StorageError
from mlforge.storage import tables
from mlforge.storage.tables import TableWriter, read_journal, require_table_format

ROWS: list[dict[str, Any]] = [
    {"file": "a.png", "n": 1, "share": 0.5, "good": True, "codes": ["cup", "mug"], "error": ""},
    {"file": "caf\udce9\n=1", "n": 2, "share": 1.0, "good": False, "codes": [], "error": ""},
    {"file": "bad.png", "error": "torn"},
]
COLUMNS = ("file", "n", "share", "good", "codes", "error")
TYPES = {"n": int, "share": float, "good": bool, "codes": list}


def written(
    path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ("file", "n")
) -> str:
    with TableWriter.open(path, columns) as table:
        for row in rows:
            table.write(row)
    return path.read_text(encoding="utf-8")


def test_csv_has_a_head_and_a_line_for_each_row(tmp_path: Path) -> None:
    rows: list[Mapping[str, Any]] = [
        {"file": "a, b.png", "n": 0.5},
        {"file": 'say "x"', "n": None},
        {"file": "é"},
    ]
    assert written(tmp_path / "t.csv", rows) == ('file,n\n"a, b.png",0.5\n"say ""x""",\né,\n')


def test_truth_values_are_written_as_in_json(tmp_path: Path) -> None:
    assert written(tmp_path / "t.csv", [{"file": True, "n": False}]) == "file,n\ntrue,false\n"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\\x09=1"),
        ("\r=1", "'\\x0d=1"),
        ("a=1", "a=1"),
        ("a\nb", "a\\x0ab"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u202egnp", "\\u202egnp"),
        ("caf\udce9", "caf\\udce9"),
        ("\x00", "\\x00"),
    ],
)
def test_no_text_is_a_formula_or_a_control_character_in_csv(
    tmp_path: Path, text: str, cell: str
) -> None:
    content = written(tmp_path / "t.csv", [{"file": text, "n": 1}])
    (row,) = list(csv.reader(content.splitlines()))[1:]
    assert row == [cell, "1"]


def test_numbers_below_zero_stay_numbers(tmp_path: Path) -> None:
    assert written(tmp_path / "t.csv", [{"file": -1, "n": -0.5}]) == "file,n\n-1,-0.5\n"


def test_json_lines_hold_every_text_as_it_is(tmp_path: Path) -> None:
    rows: list[Mapping[str, Any]] = [
        {"file": text, "n": {"a": [1, None]}} for text in ("=1", "a\nb\x1b", "caf\udce9", "é")
    ]
    content = written(tmp_path / "t.jsonl", rows)
    assert content.count("\n") == len(rows)
    assert [json.loads(line) for line in content.splitlines()] == rows


def test_a_table_appears_when_it_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")
    with TableWriter.open(path, ["file"]) as table:
        table.write({"file": "x" * 100_000})
        assert path.read_text() == "old"
    assert path.read_text().startswith("file\nxxx")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, FileNotFoundError])
def test_an_unfinished_table_does_not_appear(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")

    def interrupted() -> None:
        with TableWriter.open(path, ["file"]) as table:
            table.write({"file": "x" * 100_000})
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="xlsx"):
        written(tmp_path / "t.xlsx", [])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        written(tmp_path / "absent" / "t.csv", [])


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_disk_that_is_full_while_rows_are_written_is_a_storage_error(suffix: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    path = Path("/dev/full").with_suffix(suffix)
    with path.with_suffix("").open("wb") as full:
        table = TableWriter(full, path, ["file"], {})
        with pytest.raises(StorageError, match=os.strerror(errno.ENOSPC)):
            table.write({"file": "x" * 1_000_000})
        # What could not be written is still in the buffer, and closing would try again.
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), full.fileno())


def test_lists_are_words_in_csv_and_lists_in_json(tmp_path: Path) -> None:
    rows = [{"file": ("cup", "mug"), "n": []}]
    assert written(tmp_path / "t.csv", rows) == "file,n\ncup mug,\n"
    assert json.loads(written(tmp_path / "t.jsonl", rows)) == {"file": ["cup", "mug"], "n": []}


def test_parquet_holds_every_row_with_its_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(tables, "_ROWS_PER_GROUP", 2)
    with TableWriter.open(tmp_path / "t.parquet", COLUMNS, types=TYPES) as table:
        for row in ROWS:
            table.write(row)
    found = parquet.read_table(tmp_path / "t.parquet")
    assert [str(field.type) for field in found.schema] == [
        *("string", "int64", "double", "bool", "list<element: string>", "string")
    ]
    rows = found.to_pylist()
    assert rows[0] == ROWS[0]
    assert rows[1]["file"] == "caf\\udce9\n=1"
    assert rows[2] == {**dict.fromkeys(COLUMNS), "file": "bad.png", "error": "torn"}
    assert parquet.ParquetFile(tmp_path / "t.parquet").num_row_groups == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "t.parquet"]


def test_parquet_without_its_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as caught:
        require_table_format("parquet")
    assert caught.value.hint == "python -m pip install 'pyarrow<27,>=18'"
    require_table_format("csv")


class Stopped(Exception):  # noqa: N818 - a stop, not an error
    pass


def stop_after_a_note(path: Path) -> None:
    """Write a table as far as an interrupted run does: one row noted, one and a half not."""
    with TableWriter.open(path, COLUMNS, types=TYPES, identity={"of": "x"}) as table:
        table.write(ROWS[0])
        table.note({"last": "a.png"})
        table.write(ROWS[2])
        table._write("torn,")
        raise Stopped


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_resumed_table_is_that_of_a_run_that_was_not_interrupted(
    tmp_path: Path, suffix: str
) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    path, whole = tmp_path / f"t.{suffix}", tmp_path / f"whole.{suffix}"
    with pytest.raises(Stopped):
        stop_after_a_note(path)
    assert not path.exists()
    journal = read_journal(path)
    assert journal is not None
    assert (journal["identity"], journal["noted"]) == ({"of": "x"}, {"last": "a.png"})
    with TableWriter.resume(path, COLUMNS, types=TYPES, identity={"of": "x"}) as table:
        assert table.noted == {"last": "a.png"}
        for row in ROWS[1:]:
            table.write(row)
    with TableWriter.open(whole, COLUMNS, types=TYPES) as table:
        for row in ROWS:
            table.write(row)
    assert path.read_bytes() == whole.read_bytes()
    assert sorted(tmp_path.iterdir()) == [path, whole]
    assert read_journal(path) is None


def test_what_was_not_noted_is_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with pytest.raises(Stopped):
        stop_after_a_note(path)
    with TableWriter.open(path, ["file"]) as table:
        assert table.noted == {}
        assert read_journal(path) is None
    assert path.read_text() == "file\n"


@pytest.mark.parametrize("what", ["identity", "rows", "journal"])
def test_a_table_that_is_not_what_was_noted_is_not_resumed(tmp_path: Path, what: str) -> None:
    path = tmp_path / "t.csv"
    with pytest.raises(Stopped):
        stop_after_a_note(path)
    if what == "rows":
        tables._hidden(path).write_text("file\n")
    if what == "journal":
        tables._journal(path).write_text('{"schema": "mlforge.table-journal/1"}')
    identity = {"of": "y" if what == "identity" else "x"}
    with (
        pytest.raises(DataError) as caught,
        TableWriter.resume(path, COLUMNS, identity=identity),
    ):
        pass
    assert "without --resume" in caught.value.hint
    assert tables._journal(path).exists(), "nothing is thrown away"


@pytest.mark.parametrize(
    "journal",
    [
        b"{",
        b"\xff",
        b"[" * 100,
        b'{"bytes": 1e999}',
        b'{"schema": "mlforge.table-journal/1", "identity": {}, "noted": {}, "bytes": -1}',
        b'{"schema": "mlforge.table-journal/1", "identity": {}, "noted": {}, "bytes": true}',
        b'{"schema": ["mlforge.table-journal/1"], "identity": {}, "noted": {}, "bytes": 1}',
    ],
)
def test_a_damaged_journal_is_data_that_cannot_be_used(tmp_path: Path, journal: bytes) -> None:
    path = tmp_path / "t.csv"
    tables._journal(path).write_bytes(journal)
    with pytest.raises(DataError) as caught:
        read_journal(path)
    assert "without --resume" in caught.value.hint


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_json_lines_hold_no_number_that_json_does_not_know(tmp_path: Path, suffix: str) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match="JSON"):
        written(tmp_path / f"t.{suffix}", [{"file": "a", "n": float("nan")}])
    assert list(tmp_path.iterdir()) == []


def test_two_processes_do_not_write_one_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with TableWriter.open(path, ["file"]) as table:
        table.write({"file": "first"})
        with (
            pytest.raises(ConfigError, match="another process"),
            TableWriter.open(path, ["file"]),
        ):
            pass
    assert path.read_text() == "file\nfirst\n"


@pytest.mark.parametrize("hidden", [".mlforge-tmp-table.csv", ".mlforge-tmp-table.lock"])
def test_a_planted_link_is_not_written_through(tmp_path: Path, hidden: str) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / hidden).symlink_to(outside)
    with pytest.raises(StorageError, match="a link"):
        written(folder / "table.csv", [{"file": "a.png", "n": 1}])
    assert outside.read_text() == "precious"
