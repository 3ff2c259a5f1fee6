from __future__ import annotations

import csv
import errno
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mlforge.errors import ConfigError, StorageError
from mlforge.storage.tables import TableWriter


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
    with pytest.raises(ConfigError, match=r"\.xlsx"):
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
    with path.with_suffix("").open("w", encoding="utf-8") as full:
        table = TableWriter(full, path, ["file"])
        with pytest.raises(StorageError, match=os.strerror(errno.ENOSPC)):
            table.write({"file": "x" * 1_000_000})
        # What could not be written is still in the buffer, and closing would try again.
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), full.fileno())
