"""Comparing two stored models on the held-out seeds that both were scored on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlforge.errors import DataError
from mlforge.evaluation.comparison import Comparison, compare, statistic
from mlforge.evaluation.records import Evaluation
from mlforge.evaluation.tallies import HITS, NAMED, TRUE
from mlforge.workflows.trained import TrainedModel, stored_model
from mlforge.workflows.workspace import Workspace

__all__ = ["ComparedFigure", "ModelComparison", "compare_models"]


@dataclass(frozen=True)
class ComparedFigure:
    """One figure of two models.

    Attributes
    ----------
    figure
        ``accuracy``, ``macro_f1`` or ``recall``.
    code
        The category of recall; empty for the others.
    first, second
        What each model got right of all held-out seeds that it was scored on.
    comparison
        What the seeds in common say.
    """

    figure: str
    code: str
    first: float | None
    second: float | None
    comparison: Comparison


@dataclass(frozen=True)
class ModelComparison:
    """How a model differs from another.

    Attributes
    ----------
    first, second
        The models.
    figures
        Accuracy, macro F1, and the recall of each category that both know.
    """

    first: TrainedModel
    second: TrainedModel
    figures: tuple[ComparedFigure, ...]

    @property
    def accuracy(self) -> Comparison:
        """What decides: accuracy on the seeds in common."""
        return self.figures[0].comparison


def compare_models(workspace: Workspace, first: str, second: str) -> ModelComparison:
    """Compare two versions, or what aliases name, seed by seed.

    Raises
    ------
    ArtifactError
        If there is no such version, or it is damaged.
    DataError
        If one of them was not scored.
    """
    models = [stored_model(workspace, workspace.artifacts.resolve(n)) for n in (first, second)]
    before, after = (_scored(model) for model in models)
    figures = [_figure(before, after, "accuracy"), _figure(before, after, "macro_f1")]
    figures += [_figure(before, after, "recall", c) for c in after.codes if c in before.codes]
    return ModelComparison(models[0], models[1], tuple(figures))


def _figure(
    before: Evaluation, after: Evaluation, figure: str, code: str | None = None
) -> ComparedFigure:
    return ComparedFigure(
        figure,
        code or "",
        _own(before, figure, code),
        _own(after, figure, code),
        compare(before, after, figure, code),
    )


def _own(evaluation: Evaluation, figure: str, code: str | None) -> float | None:
    """Return a figure of the held-out seeds of one evaluation."""
    counts = np.array(evaluation.confusion, np.int64)
    if code is None:
        counts[[code not in evaluation.evidence_codes for code in evaluation.codes]] = 0
    tallies = np.zeros((3, len(counts)), np.int64)
    tallies[HITS], tallies[NAMED], tallies[TRUE] = counts.diagonal(), counts.sum(0), counts.sum(1)
    return statistic(figure, None if code is None else evaluation.codes.index(code))(tallies)


def _scored(model: TrainedModel) -> Evaluation:
    if model.evaluation is None:
        raise DataError(
            f"{model.version} was not scored: fewer than two categories have seeds of two groups",
            "mlforge categories add CODE FILES...",
        )
    return model.evaluation
