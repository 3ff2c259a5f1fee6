"""Answering gates for trained models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlforge.errors import ArtifactError
from mlforge.evaluation.gates import Gate, GateAnswer, judge
from mlforge.evaluation.records import Evaluation
from mlforge.workflows.trained import TrainedModel, stored_model
from mlforge.workflows.workspace import Workspace

__all__ = ["has_failed", "judged", "verdict"]


def judged(
    workspace: Workspace, models: Sequence[TrainedModel], gates: Sequence[Gate]
) -> tuple[list[TrainedModel], Mapping[str, tuple[GateAnswer, ...]]]:
    """Return the models in the order of their merit, and the answers to the gates of each.

    A model that fails a gate comes after all that fail none; equals stay in the order in which
    they were asked for.

    Raises
    ------
    ConfigError
        If a gate names a version that there is not.
    """
    names = dict.fromkeys(gate.reference for gate in gates if gate.reference is not None)
    references = {name: _reference(workspace, name) for name in names}
    answers = {
        model.version: tuple(
            judge(gate, model.evaluation, references.get(gate.reference or "")) for gate in gates
        )
        for model in models
    }

    def merit(model: TrainedModel) -> tuple[bool, float, float]:
        failed, evaluation = has_failed(answers[model.version]), model.evaluation
        if evaluation is None:
            return failed, 0.0, 0.0
        return failed, -evaluation.accuracy, -evaluation.macro_f1

    return sorted(models, key=merit), answers


def has_failed(answers: Sequence[GateAnswer]) -> bool:
    """Return whether some gate was answered with a fail."""
    return verdict(answers) == "fail"


def verdict(answers: Sequence[GateAnswer]) -> str:
    """Return the answer of several gates together: pass, fail or inconclusive."""
    given = {answer.answer for answer in answers}
    return next((word for word in ("fail", "inconclusive") if word in given), "pass")


def _reference(workspace: Workspace, name: str) -> Evaluation | None:
    """Return what a version or alias is said to be; None where nothing bears that name yet."""
    try:
        return stored_model(workspace, workspace.artifacts.resolve(name)).evaluation
    except ArtifactError:
        return None
