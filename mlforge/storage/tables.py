"""Tables that grow row by row, survive a kill, and appear whole."""

from __future__ import annotations

import csv
import fcntl
import importlib.util
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from mlforge.core.digest import json_bytes
from mlforge.core.extras import install_command
from mlforge.core.names import printable
from mlforge.core.strict_json import is_count, parse_json
from mlforge.errors import ConfigError, DataError, MissingExtraError
from mlforge.storage.files import (
    TEMPORARY_PREFIX,
    file_errors,
    open_new,
    open_to_append,
    opened_to_lock,
    read_bytes,
    remove_file,
    sync_folder,
    write_json,
)

__all__ = ["ANEW", "TABLE_FORMATS", "TableWriter", "read_journal", "require_table_format"]

TABLE_FORMATS = ("csv", "jsonl", "parquet")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ROWS_PER_GROUP = 4096
ANEW = "run the same command without --resume"
"""What to do where an interrupted run cannot be resumed."""
_JOURNAL_SCHEMA = "mlforge.table-journal/1"

Encoder = Callable[[Mapping[str, Any]], str]


class TableWriter:
    """Writes rows as CSV, JSON lines or Parquet, by the file's suffix.

    Rows go to a hidden file beside the table, which takes the table's place when it is finished;
    until then an older table stays. `note` marks a point from which `resume` can go on, also after
    a kill. Parquet cannot be appended to: its hidden file holds JSON lines, which are turned into
    Parquet at the end.

    In CSV a text that a spreadsheet would take for a formula gets a ``'`` in front, and lists are
    joined by spaces.

    Attributes
    ----------
    noted
        What the last `note` said; empty where there was none.
    """

    def __init__(
        self, file: BinaryIO, path: Path, columns: Sequence[str], identity: Mapping[str, Any]
    ) -> None:
        self._file = file
        self._path = path
        self._columns = tuple(columns)
        self._identity = dict(identity)
        self._encode = _csv_encoder(columns) if path.suffix == ".csv" else _json_line
        self.noted: dict[str, Any] = {}

    @classmethod
    @contextmanager
    def open(
        cls,
        path: Path,
        columns: Sequence[str],
        *,
        types: Mapping[str, Any] | None = None,
        identity: Mapping[str, Any] | None = None,
    ) -> Iterator[TableWriter]:
        """Write the table `path`; it appears, or replaces an older one, when the block ends.

        Parameters
        ----------
        path
            The table.
        columns
            Its columns in order.
        types
            For Parquet, the type of each column that holds no text: `bool`, `int`, `float`, or
            `list` (of texts).
        identity
            What whoever resumes must agree on; JSON values.

        Raises
        ------
        ConfigError
            If the suffix is unknown, or another process writes the same table.
        MissingExtraError
            If Parquet's extra is not installed.
        StorageError
            If the disk refuses.
        """
        _require(path)
        with _part(path) as file:
            writer = cls(file, path, columns, identity or {})
            with writer._finished(types or {}):
                writer._begin()
                yield writer

    @classmethod
    @contextmanager
    def resume(
        cls,
        path: Path,
        columns: Sequence[str],
        *,
        types: Mapping[str, Any] | None = None,
        identity: Mapping[str, Any],
    ) -> Iterator[TableWriter]:
        """Go on with a table from its last `note`; rows after that, torn or whole, are dropped.

        Parameters are those of `open`. Call it only where `read_journal` found something.

        Raises
        ------
        DataError
            If what was written is no longer there.
        """
        _require(path)
        with _part(path) as file:
            journal = read_journal(path)
            size = os.fstat(file.fileno()).st_size
            if journal is None or journal["bytes"] > size or journal["identity"] != dict(identity):
                raise DataError(f"{printable(str(path))}: there is nothing to resume", ANEW)
            writer = cls(file, path, columns, identity)
            writer.noted = dict(journal["noted"])
            with file_errors(path, "write"):
                file.truncate(journal["bytes"])
            with writer._finished(types or {}):
                yield writer

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a row; columns that it does not have stay empty."""
        self._write(self._encode(row))

    def note(self, state: Mapping[str, Any]) -> None:
        """Sync what was written and remember `state` as what belongs to it."""
        with file_errors(self._path, "write"):
            self._file.flush()
            os.fsync(self._file.fileno())
            n_bytes = os.fstat(self._file.fileno()).st_size
        self.noted = dict(state)
        write_json(
            _journal(self._path),
            {
                "schema": _JOURNAL_SCHEMA,
                "identity": self._identity,
                "bytes": n_bytes,
                "noted": self.noted,
            },
        )

    def _begin(self) -> None:
        remove_file(_journal(self._path))
        with file_errors(self._path, "write"):
            self._file.truncate(0)
        if self._path.suffix == ".csv":
            self._write(_csv_line(self._columns))

    def _write(self, line: str) -> None:
        with file_errors(self._path, "write"):
            self._file.write(json_bytes(line))

    @contextmanager
    def _finished(self, types: Mapping[str, Any]) -> Iterator[None]:
        part = _hidden(self._path)
        try:
            yield
            with file_errors(self._path, "write"):
                self._file.flush()
                os.fsync(self._file.fileno())
            if self._path.suffix == ".parquet":
                _write_parquet(part, self._path, self._columns, types)
            else:
                with file_errors(self._path, "write"):
                    part.replace(self._path)
                    sync_folder(self._path.parent)
        except BaseException:
            # Without a note there is no way to go on with it.
            if not self.noted:
                with suppress(OSError):
                    part.unlink()
            raise
        # The journal goes last: it alone finds nothing to resume.
        remove_file(part)
        remove_file(_journal(self._path))


def read_journal(path: Path) -> dict[str, Any] | None:
    """Return what an interrupted writer of `path` left to resume from, or None.

    Returns
    -------
    dict
        ``identity``, as it was opened; ``noted``, as the last `TableWriter.note` said; ``bytes``,
        up to where the hidden file is whole.

    Raises
    ------
    DataError
        If the journal is damaged.
    """
    journal = _journal(path)
    if not journal.is_file():
        return None
    where = printable(str(journal))
    try:
        value = parse_json(read_bytes(journal), where)
    except ConfigError as error:
        raise DataError(error.message, ANEW) from None
    match value:
        case {"schema": schema, "identity": dict(), "bytes": n_bytes, "noted": dict()}:
            if schema == _JOURNAL_SCHEMA and is_count(n_bytes):
                return dict(value)
    raise DataError(f"{where}: not what an interrupted run leaves", ANEW)


def require_table_format(file_format: str) -> None:
    """Raise unless tables of that format can be written here.

    Raises
    ------
    ConfigError
        If the format is unknown.
    MissingExtraError
        If it needs an extra that is not installed.
    """
    if file_format not in TABLE_FORMATS:
        raise ConfigError(
            f"unknown table format {file_format!r}", "known: " + ", ".join(TABLE_FORMATS)
        )
    if file_format == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise MissingExtraError(
            "--format parquet needs pyarrow, which is not installed",
            install_command("mlforge", "parquet"),
        )


def _require(path: Path) -> None:
    require_table_format(path.suffix.removeprefix("."))


def _hidden(path: Path) -> Path:
    return path.with_name(f"{TEMPORARY_PREFIX}{path.name}")


def _journal(path: Path) -> Path:
    # One for all formats, so that resuming in another format is found out.
    return path.with_name(f"{TEMPORARY_PREFIX}{path.stem}.journal")


@contextmanager
def _part(path: Path) -> Iterator[BinaryIO]:
    """Open the hidden file, for this process alone; closing it never raises."""
    with _alone(path):
        file = open_to_append(_hidden(path))
        try:
            yield file
        finally:
            # After a failed write, closing tries once more to write what is left.
            with suppress(OSError):
                file.close()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from the tables of that name, and remove what killed ones left."""
    lock = path.with_name(f"{TEMPORARY_PREFIX}{path.stem}.lock")
    with opened_to_lock(lock) as descriptor:
        with file_errors(path, "write"):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # It may have been removed between opening and locking.
                alone = os.path.samestat(os.fstat(descriptor), lock.stat())
            except (BlockingIOError, FileNotFoundError):
                alone = False
        if not alone:
            raise ConfigError(
                f"{printable(str(path))}: another process is writing it",
                "wait for it, or choose another --output",
            )
        try:
            for left in path.parent.glob(f"{TEMPORARY_PREFIX}[0-9]*-*"):
                remove_file(left)
            yield
        finally:
            _unlock(lock)


def _unlock(lock: Path) -> None:
    # Tried twice and then left: it is free with its process, whether or not it is still there.
    for _ in range(2):
        with suppress(OSError):
            lock.unlink()
            return


def _csv_encoder(columns: Sequence[str]) -> Encoder:
    def encode(row: Mapping[str, Any]) -> str:
        return _csv_line([_csv_value(row.get(column, "")) for column in columns])

    return encode


def _csv_line(cells: Sequence[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _csv_value(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    if isinstance(value, str):
        text = value if value.isprintable() else printable(value)
        return f"'{text}" if value.startswith(_FORMULA) else text
    return value


def _json_line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def _write_parquet(
    lines: Path, path: Path, columns: Sequence[str], types: Mapping[str, Any]
) -> None:
    """Turn a file of JSON lines into Parquet, some thousand rows in memory at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), list: pa.list_(pa.string())}
    schema = pa.schema([(name, arrow.get(types.get(name, str), pa.string())) for name in columns])
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{path.name}")
    try:
        with file_errors(path, "write"):
            with open_new(temporary) as file:
                with lines.open("rb") as source, pq.ParquetWriter(file, schema) as writer:
                    for rows in _groups(source):
                        writer.write_table(pa.Table.from_pylist(rows, schema))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _groups(source: BinaryIO) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for line in source:
        rows.append({key: _parquet_value(value) for key, value in json.loads(line).items()})
        if len(rows) == _ROWS_PER_GROUP:
            yield rows
            rows = []
    if rows:
        yield rows


def _parquet_value(value: Any) -> Any:
    # Parquet's texts are UTF-8: the name of a file that is not is shown as in CSV.
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return value
