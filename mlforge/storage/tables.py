"""Tables that are written row by row and appear whole."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from mlforge.core.names import printable
from mlforge.errors import ConfigError
from mlforge.storage.files import TEMPORARY_PREFIX, file_errors, sync_folder

__all__ = ["TableWriter"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class TableWriter:
    """Writes rows as CSV or JSON lines, by the file's suffix.

    In CSV a text that a spreadsheet would take for a formula gets a ``'`` in front.
    """

    def __init__(self, file: TextIO, path: Path, columns: Sequence[str]) -> None:
        self._file = file
        self._path = path
        if path.suffix == ".csv":
            self._csv = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            with file_errors(path, "write"):
                self._csv.writeheader()
            self.write = self._write_csv
        elif path.suffix == ".jsonl":
            self.write = self._write_jsonl
        else:
            raise ConfigError(f"unknown table format {path.suffix!r}", "known: csv, jsonl")

    @classmethod
    @contextmanager
    def open(cls, path: Path, columns: Sequence[str]) -> Iterator[TableWriter]:
        """Write the table `path`; it appears, or replaces an older one, when the block ends."""
        temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{path.name}")
        try:
            with file_errors(path, "write"):
                file = temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="")
            try:
                yield cls(file, path, columns)
                with file_errors(path, "write"):
                    file.flush()
                    os.fsync(file.fileno())
            finally:
                # After a failed write, closing tries once more to write what is left.
                with suppress(OSError):
                    file.close()
            with file_errors(path, "write"):
                temporary.replace(path)
                sync_folder(path.parent)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise

    def _write_csv(self, row: Mapping[str, Any]) -> None:
        with file_errors(self._path, "write"):
            self._csv.writerow({key: _csv_value(value) for key, value in row.items()})

    def _write_jsonl(self, row: Mapping[str, Any]) -> None:
        with file_errors(self._path, "write"):
            self._file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _csv_value(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = printable(value)
        return f"'{text}" if value.startswith(_FORMULA) else text
    return value
