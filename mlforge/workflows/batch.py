"""Predicting a whole folder tree: one row a file, whatever happens."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from mlforge.core.names import printable
from mlforge.core.records import Prediction
from mlforge.core.reporting import Reporter
from mlforge.engines.local import LocalEngine
from mlforge.errors import ArtifactError, ConfigError, DataError
from mlforge.storage.artifacts import ArtifactStore
from mlforge.storage.files import make_folder, write_json
from mlforge.storage.tables import TableWriter
from mlforge.workflows.predict import Predictor

__all__ = ["BatchOptions", "BatchSummary", "batch"]

_CHUNK = 32


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
    """

    version: str | None = None
    file_format: Literal["csv", "jsonl"] = "csv"
    workers: int | None = None


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
    n_unreliable
        Predictions below their category's `min_confidence`.
    n_other_files
        Files of other kinds, which have no row.
    per_category
        Predictions of each category.
    seconds, files_per_second
        How long it took.
    """

    model: str
    table: str
    n_files: int
    n_failed: int
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


def batch(
    store: ArtifactStore, folder: Path, output: Path, options: BatchOptions, reporter: Reporter
) -> BatchSummary:
    """Predict every file of the modality below `folder`, and write a table and a summary.

    Raises
    ------
    DataError
        If `folder` is no folder, or holds no file of the modality.
    ArtifactError
        If there is no usable model.
    """
    start = time.perf_counter()
    engine = LocalEngine(options.workers)
    version = store.resolve(options.version)
    predictor = Predictor.load(store, version)
    stamp = str(store.manifest(version)["digest"])
    _check_folders(folder, output)
    files, n_other = _list_files(folder, output, predictor.modality.suffixes, reporter)
    if not files:
        raise DataError(
            f"{folder}: no file below it ends in {' '.join(predictor.modality.suffixes)}",
            "give a folder that holds such files",
        )
    make_folder(output)
    columns = _columns(predictor.codes)
    table = output / f"predictions.{options.file_format}"
    counts: Counter[str] = Counter()
    n_failed = n_unreliable = 0
    chunks = [
        _Chunk(store.folder, version, stamp, folder, tuple(files[i : i + _CHUNK]))
        for i in range(0, len(files), _CHUNK)
    ]
    with (
        TableWriter.open(table, columns) as writer,
        reporter.progress("predicting", len(files)) as advance,
    ):
        for outcome in engine.map(_predict_chunk, chunks):
            rows = outcome.unwrap()
            for row in rows:
                if row.get("error"):
                    n_failed += 1
                else:
                    counts[row["prediction"]] += 1
                    n_unreliable += not row["reliable"]
                writer.write(row)
            advance(len(rows))
    seconds = time.perf_counter() - start
    summary = BatchSummary(
        version,
        str(table),
        len(files),
        n_failed,
        n_unreliable,
        n_other,
        {code: counts[code] for code in predictor.codes},
        round(seconds, 3),
        round(len(files) / seconds, 1),
    )
    write_json(output / "summary.json", {"schema": "mlforge.batch/1", **asdict(summary)})
    return summary


def _check_folders(folder: Path, output: Path) -> None:
    if not folder.is_dir():
        raise DataError(f"{folder}: not a folder", "mlforge predict FILE... predicts single files")
    if folder.resolve().is_relative_to(output.resolve()):
        raise ConfigError(f"--output {output}: holds the folder to predict", "choose another")


def _columns(codes: tuple[str, ...]) -> list[str]:
    single = ["file", "model", "prediction", "category_name", "confidence", "reliable"]
    return [*single, *(f"probability_{code}" for code in codes), "timestamp", "error"]


def _list_files(
    folder: Path, output: Path, suffixes: tuple[str, ...], reporter: Reporter
) -> tuple[list[str], int]:
    """Return the modality's files below `folder`, relative to it and sorted, and the others' count.

    The output folder is left out. Folders that are links or cannot be read are said.
    """
    files, n_other = [], 0
    left_out = output.resolve()

    def refused(error: OSError) -> None:
        reporter.warn(f"{printable(str(error.filename))}: left out: {error.strerror}")

    for parent, folders, names in os.walk(folder, onerror=refused):
        here = Path(parent)
        folders[:] = sorted(d for d in folders if (here / d).resolve() != left_out)
        for name in folders:
            if (here / name).is_symlink():
                reporter.warn(f"{printable(str(here / name))}: left out: a link to a folder")
        for name in names:
            if Path(name).suffix.lower() in suffixes:
                files.append(str((here / name).relative_to(folder)))
            else:
                n_other += 1
    return sorted(files), n_other


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
    return list(_rows(predictor, chunk))


def _rows(predictor: Predictor, chunk: _Chunk) -> Iterator[dict[str, Any]]:
    for file in chunk.files:
        try:
            prediction = predictor.predict_file(chunk.folder / file)
        except DataError as error:
            yield {"file": file, "model": chunk.version, "error": error.message}
        else:
            yield _row(prediction, file)


def _row(prediction: Prediction, file: str) -> dict[str, Any]:
    values = asdict(prediction)
    probabilities = values.pop("all_probabilities")
    flat = {f"probability_{code}": value for code, value in probabilities.items()}
    return {**values, **flat, "file": file, "error": ""}
