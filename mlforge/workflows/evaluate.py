"""Evaluating a stored model on labelled examples that it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlforge.core.digest import digest_bytes
from mlforge.core.names import printable
from mlforge.core.randomness import Streams
from mlforge.core.records import Failure
from mlforge.core.reporting import Advance, Reporter
from mlforge.engines.local import LocalEngine
from mlforge.errors import DataError
from mlforge.evaluation.records import Evaluation
from mlforge.evaluation.scores import HeldOut, Thresholds, evaluate_fixed
from mlforge.storage.files import read_bytes
from mlforge.workflows.categories import class_folders
from mlforge.workflows.predict import Predictor
from mlforge.workflows.trained import stored_model
from mlforge.workflows.workspace import Workspace

__all__ = ["FolderEvaluation", "UnknownClass", "evaluate_folder"]


@dataclass(frozen=True)
class UnknownClass:
    """A class folder that is no category of the model: a test of what it takes for known.

    Attributes
    ----------
    name
        The folder's name as a code.
    n_files
        How many files it holds.
    n_accepted
        How many of them were taken for known.
    """

    name: str
    n_files: int
    n_accepted: int


@dataclass(frozen=True)
class FolderEvaluation:
    """What a stored model says of labelled examples that it never saw.

    Attributes
    ----------
    version
        The artifact.
    evaluation
        Its figures on the folder; None where no file could be scored.
    failures
        Files that could not be scored, and why.
    unknown_classes
        Folders that are none of its categories.
    """

    version: str
    evaluation: Evaluation | None
    failures: tuple[Failure, ...]
    unknown_classes: tuple[UnknownClass, ...]


@dataclass(frozen=True)
class _Scored:
    """What the model said of one file; `error` where it could not be read."""

    probabilities: npt.NDArray[np.float64]
    novelty: float
    error: str = ""


def evaluate_folder(
    workspace: Workspace, folder: Path, version: str | None, reporter: Reporter
) -> FolderEvaluation:
    """Score a stored model on class folders that it never saw.

    Raises
    ------
    DataError
        If no class folder is one of its categories.
    ArtifactError
        If there is no usable model.
    """
    predictor = Predictor.load(workspace.artifacts, version)
    classes = class_folders(folder, predictor.modality.suffixes)
    known = [code for code in classes if code in predictor.codes]
    if not known:
        raise DataError(
            f"{printable(str(folder))}: none of its folders is a category of {predictor.version}",
            f"its categories: {', '.join(predictor.codes)}",
        )
    files = [(code, path) for code in classes for path in _files(classes[code], predictor)]
    engine = LocalEngine()
    with reporter.progress("evaluating", len(files)) as advance:
        scored = list(engine.map_threads(lambda file: _score(predictor, file[1], advance), files))
    failures = tuple(
        Failure(f"{code}/{path.name}", result.error)
        for (code, path), result in zip(files, scored, strict=True)
        if result.error
    )
    read = [(*file, r) for file, r in zip(files, scored, strict=True) if not r.error]
    return FolderEvaluation(
        predictor.version,
        _folder_figures(workspace, predictor, [row for row in read if row[0] in known]),
        failures,
        _unknown_classes(predictor, [row for row in read if row[0] not in known]),
    )


def _files(folder: Path, predictor: Predictor) -> list[Path]:
    suffixes = predictor.modality.suffixes
    return sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in suffixes)


def _score(predictor: Predictor, path: Path, advance: Advance) -> _Scored:
    nothing = np.empty(0)
    try:
        features = predictor.features([predictor.decode_file(path)])
    except DataError as error:
        return _Scored(nothing, 0.0, error.message)
    finally:
        advance()
    return _Scored(predictor.from_features(features)[0], float(predictor.novelty(features)[0]))


def _folder_figures(
    workspace: Workspace,
    predictor: Predictor,
    rows: Sequence[tuple[str, Path, _Scored]],
) -> Evaluation | None:
    if not rows:
        return None
    digests = [digest_bytes(read_bytes(path)) for _, path, _ in rows]
    trained = stored_model(workspace, predictor.version).evaluation
    held_out = HeldOut(
        labels=np.array([predictor.codes.index(code) for code, *_ in rows], np.int64),
        probabilities=np.stack([scored.probabilities for *_, scored in rows]),
        # The same picture twice is one piece of evidence.
        groups=digests,
        fold=np.zeros(len(rows), np.int64),
        novelty=np.array([scored.novelty for *_, scored in rows]),
        files=[f"{code}/{path.name}" for code, path, _ in rows],
        digests=digests,
    )
    # The probabilities are calibrated already.
    sets, unknown = (trained.sets, trained.unknown) if trained else (None, None)
    thresholds = Thresholds(1.0, sets, unknown)
    rng = Streams(("evaluate", *digests)).rng("intervals")
    return evaluate_fixed(held_out, predictor.codes, rng, thresholds)


def _unknown_classes(
    predictor: Predictor, rows: Sequence[tuple[str, Path, _Scored]]
) -> tuple[UnknownClass, ...]:
    found = []
    for name in dict.fromkeys(name for name, *_ in rows):
        scores = [scored.novelty for other, _, scored in rows if other == name]
        accepted = sum(score <= predictor.unknown_threshold for score in scores)
        found.append(UnknownClass(name, len(scores), accepted))
    return tuple(found)
