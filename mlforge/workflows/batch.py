"""Predicting a whole folder tree as a stream: one row a file, whatever happens."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from mlforge.core.names import printable
from mlforge.core.records import Prediction
from mlforge.core.reporting import Reporter
from mlforge.core.strict_json import is_count, is_number
from mlforge.engines.local import LocalEngine, Outcome
from mlforge.errors import ArtifactError, ConfigError, DataError, MlforgeError
from mlforge.storage.artifacts import ArtifactStore
from mlforge.storage.files import make_folder, real_path, write_json
from mlforge.storage.layout import Layout
from mlforge.storage.tables import ANEW, TableWriter, read_journal, require_table_format
from mlforge.workflows.file_tree import FileTree, TreeCount
from mlforge.workflows.predict import Predictor

__all__ = ["BatchOptions", "BatchSummary", "batch"]

_CHUNK = 32
# So much work is lost at most when the process is killed.
_SECONDS_PER_NOTE = 1.0
_MOST_SECONDS = 1e9
_PROBABILITIES = "all_probabilities"


@dataclass(frozen=True)
class BatchOptions:
    """How `batch` runs.

    Attributes
    ----------
    version
        The model version; the best of the newest `train` where None.
    file_format
        The table's format.
    workers
        Processes side by side; one a processor where None.
    resume
        Go on where an interrupted run with the same output ended.
    """

    version: str | None = None
    file_format: Literal["csv", "jsonl", "parquet"] = "csv"
    workers: int | None = None
    resume: bool = False


@dataclass(frozen=True)
class BatchSummary:
    """What `batch` did.

    Attributes
    ----------
    model
        The version of the artifact.
    table
        The table's file.
    n_files
        Files of the modality's suffixes, each a row.
    n_failed
        Rows with an error.
    n_unknown
        Predictions of examples that are like no category.
    n_unreliable
        Predictions that are not reliable.
    n_other_files
        Files of other kinds, which have no row.
    per_category
        Predictions of each category.
    seconds, files_per_second
        How long it took, all resumed runs together.
    """

    model: str
    table: str
    n_files: int
    n_failed: int
    n_unknown: int
    n_unreliable: int
    n_other_files: int
    per_category: dict[str, int]
    seconds: float
    files_per_second: float


@dataclass(frozen=True)
class _Chunk:
    """Files for one worker; it carries paths, not pixels."""

    store: Path
    version: str
    stamp: str
    folder: Path
    files: tuple[str, ...]


class _Tally:
    """What is counted while rows go by; all of it is noted, so that a resumed run goes on."""

    def __init__(self, noted: Mapping[str, Any], started: float) -> None:
        self._started = started - float(noted.get("seconds", 0.0))
        self.last = str(noted.get("last", ""))
        self.counts = Counter[str](noted.get("counts", {}))
        self.per_category = Counter[str](noted.get("per_category", {}))

    @property
    def seconds(self) -> float:
        """How long it took up to now, the runs before included."""
        return time.perf_counter() - self._started

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one row."""
        self.last = row["file"]
        self.counts["files"] += 1
        if row["error"]:
            self.counts["failed"] += 1
            return
        self.per_category[row["prediction"]] += 1
        self.counts["unreliable"] += not row["reliable"]
        self.counts["unknown"] += not row.get("known", True)

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {
            "last": self.last,
            "seconds": self.seconds,
            "counts": dict(self.counts),
            "per_category": dict(self.per_category),
        }


@dataclass(frozen=True)
class _Job:
    """What is predicted, by which model, and where the rows go."""

    store: Path
    version: str
    stamp: str
    codes: tuple[str, ...]
    suffixes: tuple[str, ...]
    folder: Path
    output: Path
    file_format: str

    @property
    def table(self) -> Path:
        """The table's file."""
        return self.output / f"predictions.{self.file_format}"

    @cached_property
    def columns(self) -> dict[str, Any]:
        """The table's columns with their types: the fields of a prediction, flattened."""
        types = get_type_hints(Prediction)
        columns: dict[str, Any] = {}
        for field in fields(Prediction):
            if field.name == _PROBABILITIES:
                columns |= {f"probability_{code}": float for code in self.codes}
            else:
                columns[field.name] = _column_type(types[field.name])
        return {**columns, "error": str}

    @property
    def identity(self) -> dict[str, Any]:
        """What a resumed run must agree on."""
        return {
            "model": self.version,
            "folder": str(self.folder.resolve()),
            "format": self.file_format,
            "digest": self.stamp,
            "columns": list(self.columns),
        }

    def chunks(self, files: Iterator[str]) -> Iterator[_Chunk]:
        """Give the files in chunks, taken as they are asked for."""
        while chunk := tuple(islice(files, _CHUNK)):
            yield _Chunk(self.store, self.version, self.stamp, self.folder, chunk)


def batch(
    store: ArtifactStore, folder: Path, output: Path, options: BatchOptions, reporter: Reporter
) -> BatchSummary:
    """Predict every file of the modality below `folder`, and write a table and a summary.

    Raises
    ------
    ConfigError
        If `output` cannot be used, or holds an interrupted run of something else.
    DataError
        If `folder` is no folder, or holds no file of the modality, or what an interrupted run left
        is damaged.
    ArtifactError
        If there is no usable model.
    MissingExtraError
        If the format needs an extra that is not installed.
    EngineError
        If a worker process is killed; what was written until then is kept.
    """
    started = time.perf_counter()
    engine = LocalEngine(options.workers, reporter)
    require_table_format(options.file_format)
    job = _job(store, folder, output, options)
    noted = _noted(job, options, reporter)
    tally = _Tally(noted, started)
    tree = FileTree(folder, output, job.suffixes, reporter)
    count = tree.count(tally.last)
    _check_count(job, count, tally, reporter)
    make_folder(output)
    opened = TableWriter.resume if noted else TableWriter.open
    with opened(job.table, tuple(job.columns), types=job.columns, identity=job.identity) as writer:
        outcomes = engine.map(_predict_chunk, job.chunks(tree.files(tally.last)))
        with reporter.progress("predicting", count.n_files - count.n_before) as advance:
            try:
                for n_rows in _write_rows(outcomes, writer, tally):
                    advance(n_rows)
            except BaseException:
                _say_how_to_go_on(writer.noted, count.n_files, reporter)
                raise
        # Before the table takes its place: a run that is killed between the two is resumed.
        summary = _summary(job, tally, count.n_other_files)
        write_json(output / "summary.json", {"schema": "mlforge.batch/1", **asdict(summary)})
    return summary


def _write_rows(
    outcomes: Iterator[Outcome[list[dict[str, Any]]]], writer: TableWriter, tally: _Tally
) -> Iterator[int]:
    """Write the rows of each chunk, noting now and then what is done; give how many they were."""
    noted_at = 0.0
    for outcome in outcomes:
        rows = outcome.unwrap()
        for row in rows:
            writer.write(row)
            tally.add(row)
        yield len(rows)
        if time.perf_counter() - noted_at > _SECONDS_PER_NOTE:
            writer.note(tally.state())
            noted_at = time.perf_counter()
    writer.note(tally.state())


def _check_count(job: _Job, count: TreeCount, tally: _Tally, reporter: Reporter) -> None:
    if not count.n_files:
        raise DataError(
            f"{printable(str(job.folder))}: no file below it ends in {' '.join(job.suffixes)}",
            "give a folder that holds such files",
        )
    if count.n_before != tally.counts["files"]:
        reporter.warn(
            f"{tally.counts['files']:,} files had rows, and there are {count.n_before:,} by now; "
            "without --resume every file has one row again"
        )


def _job(store: ArtifactStore, folder: Path, output: Path, options: BatchOptions) -> _Job:
    version = store.resolve(options.version)
    stamp = str(store.manifest(version)["digest"])
    predictor = _predictor(store.folder, version, stamp)
    _check_folders(store, folder, output)
    return _Job(
        store=store.folder,
        version=version,
        stamp=stamp,
        codes=predictor.codes,
        suffixes=predictor.modality.suffixes,
        folder=folder,
        output=output,
        file_format=options.file_format,
    )


def _check_folders(store: ArtifactStore, folder: Path, output: Path) -> None:
    if not folder.is_dir():
        raise DataError(
            f"{printable(str(folder))}: not a folder", "mlforge predict FILE... predicts files"
        )
    where = f"--output {printable(str(output))}"
    if folder.resolve().is_relative_to(output.resolve()):
        raise ConfigError(f"{where}: holds the folder to predict", "choose another")
    Layout(store.folder.parent).require_outside_categories(output, where, "choose another")
    if output.exists() and not output.is_dir():
        raise ConfigError(f"{where}: not a folder", "name a folder; it is made where it is not")


def _noted(job: _Job, options: BatchOptions, reporter: Reporter) -> dict[str, Any]:
    """Return what the interrupted run noted; nothing where none is to be resumed."""
    if not options.resume:
        return {}
    journal = read_journal(job.table)
    if journal is None:
        where = printable(str(job.output))
        reporter.warn(f"{where}: no interrupted run to resume; starting with the first file")
        return {}
    for key, now in job.identity.items():
        then = journal["identity"].get(key)
        if then != now:
            raise _other_run(key, then, now)
    noted: dict[str, Any] = journal["noted"]
    if not _is_state(noted):
        where = printable(str(job.output))
        raise DataError(f"{where}: not what an interrupted run notes", ANEW)
    return noted


def _is_state(noted: Mapping[str, Any]) -> bool:
    """Return whether it is what `_Tally.state` gives."""
    match noted:
        case {"last": str(), "seconds": seconds, "counts": {"files": _}, "per_category": dict()}:
            counted = (*noted["counts"].values(), *noted["per_category"].values())
            return is_number(seconds, 0, _MOST_SECONDS) and all(map(is_count, counted))
    return False


def _other_run(key: str, then: Any, now: Any) -> ConfigError:
    hints = {"model": f"--model {then}", "format": f"--format {then}", "folder": f"batch {then}"}
    if key in hints:
        said = f"was of {key} {printable(str(then))}, this one is of {printable(str(now))}"
    else:
        said = "used another model of the same name" if key == "digest" else "had other columns"
    hint = f"{printable(hints[key])}, or {ANEW}" if key in hints else ANEW
    return ConfigError(f"--resume: the interrupted run {said}", hint)


def _say_how_to_go_on(noted: Mapping[str, Any], n_files: int, reporter: Reporter) -> None:
    if noted:
        reporter.warn(
            f"{noted['counts']['files']:,} of {n_files:,} files are done and kept; "
            "go on with the same command and --resume"
        )


def _summary(job: _Job, tally: _Tally, n_other_files: int) -> BatchSummary:
    seconds, counts = tally.seconds, tally.counts
    return BatchSummary(
        model=job.version,
        table=str(job.table),
        n_files=counts["files"],
        n_failed=counts["failed"],
        n_unknown=counts["unknown"],
        n_unreliable=counts["unreliable"],
        n_other_files=n_other_files,
        per_category={code: tally.per_category[code] for code in job.codes},
        seconds=round(seconds, 3),
        files_per_second=round(counts["files"] / seconds, 1),
    )


def _column_type(hint: Any) -> Any:
    """Return `bool`, `int`, `float` or `list` for a field's type, and `str` for any other."""
    for option in (hint, *get_args(hint)):
        if option in (bool, int, float):
            return option
        if get_origin(option) in (tuple, list):
            return list
    return str


@lru_cache(maxsize=1)
def _predictor(store: Path, version: str, stamp: str) -> Predictor:
    """Load the model once a worker; `stamp` tells it from one that had its name before."""
    artifact = ArtifactStore(store).load(version)
    if artifact.manifest["digest"] != stamp:
        raise ArtifactError(f"{version}: replaced while it was used", "run the same command again")
    return Predictor(artifact)


def _predict_chunk(chunk: _Chunk) -> list[dict[str, Any]]:
    """Predict the files of one chunk; run by a worker."""
    predictor = _predictor(chunk.store, chunk.version, chunk.stamp)
    boundary = real_path(chunk.folder)
    return [_row(predictor, chunk.folder, file, boundary) for file in chunk.files]


def _row(predictor: Predictor, folder: Path, file: str, boundary: Path) -> dict[str, Any]:
    """Return one file's row; whatever is wrong with the file is its row's error."""
    path = folder / file
    try:
        leads_out = path.is_symlink() and not real_path(path).is_relative_to(boundary)
        if not leads_out:
            return _flat(predictor.predict_file(path), file)
        message = "a link to a place outside of the folder"
    except DataError as error:
        message = error.message
    except MlforgeError:
        raise
    # One file in a million that meets a bug must not take the others with it.
    except Exception as error:  # noqa: BLE001 - see above
        message = f"a bug in mlforge: {type(error).__name__}: {error}"
    return {"file": file, "model": predictor.version, "error": message}


def _flat(prediction: Prediction, file: str) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for field in fields(prediction):
        value = getattr(prediction, field.name)
        if field.name == _PROBABILITIES:
            row |= {f"probability_{code}": share for code, share in value.items()}
        else:
            row[field.name] = value
    return {**row, "file": file, "error": ""}
