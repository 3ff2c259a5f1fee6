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
from mlforge.core.records import Failure, Seed
from mlforge.core.reporting import Advance, Reporter
from mlforge.engines.local import LocalEngine
from mlforge.errors import DataError
from mlforge.evaluation.records import Evaluation
from mlforge.evaluation.scores import HeldOut, Thresholds, evaluate_fixed
from mlforge.modalities import Modality
from mlforge.workflows.categories import class_folders
from mlforge.workflows.near_duplicates import Looks, find_near_duplicates, look_at, tied_groups
from mlforge.workflows.predict import Predictor
from mlforge.workflows.seed_files import examples_in
from mlforge.workflows.trained import stored_model
from mlforge.workflows.trained_on import TrainingExamples, training_examples
from mlforge.workflows.workspace import Workspace, group_of

__all__ = ["FolderEvaluation", "UnknownClass", "evaluate_folder"]

_MAX_NAMED = 5


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
    left_out
        Files that say nothing, since it was trained on them or on near-duplicates of them.
    """

    version: str
    evaluation: Evaluation | None
    failures: tuple[Failure, ...]
    unknown_classes: tuple[UnknownClass, ...]
    left_out: tuple[Failure, ...]


@dataclass(frozen=True)
class _Scored:
    """What the model said of one file."""

    code: str
    seed: Seed
    probabilities: npt.NDArray[np.float64]
    novelty: float

    @property
    def name(self) -> str:
        return f"{self.code}/{self.seed.path.name}"


def evaluate_folder(
    workspace: Workspace, folder: Path, version: str | None, reporter: Reporter
) -> FolderEvaluation:
    """Score a stored model on class folders that it never saw.

    What it was trained on is left out, and so are near-duplicates of those of its seeds that the
    project still has. The rest is grouped as for a training.

    Raises
    ------
    DataError
        If no class folder is one of its categories, or the model was trained on all of the files.
    ConfigError
        If the configuration of one of its categories is wrong.
    ArtifactError
        If there is no usable model.
    """
    store = workspace.artifacts
    predictor = Predictor.load(store, store.subject(version))
    suffixes = predictor.modality.suffixes
    classes = class_folders(folder, suffixes)
    if not set(classes) & set(predictor.codes):
        raise DataError(
            f"{printable(str(folder))}: none of its folders is a category of {predictor.version}",
            f"its categories: {', '.join(predictor.codes)}",
        )
    patterns = {code: _group_pattern(workspace, code) for code in classes}
    files = [(code, path) for code in classes for path in examples_in(classes[code], suffixes)]

    def score(file: tuple[str, Path]) -> _Scored | Failure:
        return _score(predictor, *file, patterns[file[0]], advance)

    with reporter.progress("evaluating", len(files)) as advance:
        outcomes = list(LocalEngine().map_threads(score, files))
    scored = [outcome for outcome in outcomes if isinstance(outcome, _Scored)]
    trained = stored_model(workspace, predictor.version).evaluation
    news = _news(
        workspace, training_examples(workspace, predictor.codes, trained), scored, reporter
    )
    known = [row for row in news.rows if row.code in predictor.codes]
    if news.left_out and not known:
        raise DataError(
            f"{printable(str(folder))}: nothing is left to evaluate; {_told(news.left_out)}",
            "give examples that the model never saw",
        )
    if news.left_out:
        reporter.warn(f"left out as no evidence, {_told(news.left_out)}")
    return FolderEvaluation(
        predictor.version,
        _folder_figures(workspace.modality, predictor.codes, trained, known, news.looks),
        tuple(outcome for outcome in outcomes if isinstance(outcome, Failure)),
        _unknown_classes(predictor, [row for row in news.rows if row.code not in predictor.codes]),
        news.left_out,
    )


@dataclass(frozen=True)
class _News:
    """What is evidence, what is not and why, and what all of it looks like."""

    rows: Sequence[_Scored]
    left_out: tuple[Failure, ...]
    looks: Looks


def _news(
    workspace: Workspace, examples: TrainingExamples, scored: Sequence[_Scored], reporter: Reporter
) -> _News:
    """Tell what the model was trained on from what is new to it."""
    seeds = [row.seed for row in scored]
    looks = look_at(workspace, [*examples.seeds, *seeds], LocalEngine(reporter=reporter), reporter)
    reasons = examples.why_seen(workspace.modality, seeds, looks)
    judged = list(zip(scored, reasons, strict=True))
    return _News(
        [row for row, why in judged if not why],
        tuple(Failure(row.name, why) for row, why in judged if why),
        looks,
    )


def _told(left_out: Sequence[Failure]) -> str:
    named = ", ".join(printable(file.file) for file in left_out[:_MAX_NAMED])
    n_more = len(left_out) - _MAX_NAMED
    more = f" and {n_more:,} more" if n_more > 0 else ""
    return f"trained on, or near-duplicates of that: {len(left_out):,} files ({named}{more})"


def _group_pattern(workspace: Workspace, code: str) -> str | None:
    """Return how the project finds a category's groups; None where it has no such category."""
    if code not in workspace.layout.category_codes():
        return None
    return workspace.category(code).config.group_pattern


def _score(
    predictor: Predictor, code: str, path: Path, pattern: str | None, advance: Advance
) -> _Scored | Failure:
    try:
        data = predictor.read(path)
        features = predictor.features([predictor.decode(data, str(path))])
    except DataError as error:
        return Failure(f"{code}/{path.name}", error.message)
    finally:
        advance()
    digest = digest_bytes(data)
    return _Scored(
        code,
        Seed(path, digest, group_of(path.name, pattern) or digest),
        predictor.from_features(features)[0],
        float(predictor.novelty(features)[0]),
    )


def _folder_figures(
    modality: Modality,
    codes: Sequence[str],
    trained: Evaluation | None,
    rows: Sequence[_Scored],
    looks: Looks,
) -> Evaluation | None:
    if not rows:
        return None
    seeds = [row.seed for row in rows]
    digests = [seed.digest for seed in seeds]
    held_out = HeldOut(
        labels=np.array([codes.index(row.code) for row in rows], np.int64),
        probabilities=np.stack([row.probabilities for row in rows]),
        groups=tied_groups(seeds, find_near_duplicates(modality, seeds, looks)),
        fold=np.zeros(len(rows), np.int64),
        novelty=np.array([row.novelty for row in rows]),
        files=[row.name for row in rows],
        digests=digests,
    )
    # The probabilities are calibrated already.
    sets, unknown = (trained.sets, trained.unknown) if trained else (None, None)
    thresholds = Thresholds(1.0, sets, unknown)
    rng = Streams(("evaluate", *digests)).rng("intervals")
    return evaluate_fixed(held_out, codes, rng, thresholds)


def _unknown_classes(predictor: Predictor, rows: Sequence[_Scored]) -> tuple[UnknownClass, ...]:
    found = []
    for name in dict.fromkeys(row.code for row in rows):
        scores = [row.novelty for row in rows if row.code == name]
        accepted = sum(score <= predictor.unknown_threshold for score in scores)
        found.append(UnknownClass(name, len(scores), accepted))
    return tuple(found)
