"""Answering gates for trained models."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mlforge.core.names import PRODUCTION, printable, suggestion
from mlforge.errors import ConfigError
from mlforge.evaluation.gates import Gate, GateAnswer, judge, parse_gate
from mlforge.evaluation.records import Evaluation
from mlforge.workflows.trained import TrainedModel, stored_model
from mlforge.workflows.workspace import Workspace

__all__ = ["AskedGates", "asked_gates", "by_merit", "judged", "verdict"]


@dataclass(frozen=True)
class AskedGates:
    """Gates, and what they compare with.

    Attributes
    ----------
    gates
        The gates.
    references
        The evaluation of each model that a gate names; None where it could not be scored, or
        nothing is production yet.
    """

    gates: tuple[Gate, ...]
    references: Mapping[str, Evaluation | None]

    def answers(self, evaluation: Evaluation | None) -> tuple[GateAnswer, ...]:
        """Answer all of them for one model; its evaluation is None where nothing was scored."""
        return tuple(
            judge(gate, evaluation, self.references.get(gate.reference or ""))
            for gate in self.gates
        )


def asked_gates(workspace: Workspace, texts: Iterable[str]) -> AskedGates:
    """Read gates, each text once, and what they compare with.

    Raises
    ------
    ConfigError
        If a text is no gate, or names a model that there is not; ``production`` may be yet to come.
    ArtifactError
        If a model that one names is gone or damaged.
    """
    gates = tuple(parse_gate(text) for text in dict.fromkeys(texts))
    named = [gate for gate in gates if gate.reference is not None]
    return AskedGates(gates, {str(gate.reference): _reference(workspace, gate) for gate in named})


def judged(
    models: Sequence[TrainedModel], asked: AskedGates
) -> tuple[list[TrainedModel], Mapping[str, tuple[GateAnswer, ...]]]:
    """Return the models in the order of their merit, and the answers to the gates of each.

    A model that fails a gate comes after all that fail none; equals stay in the order in which
    they were asked for.
    """
    answers = {model.version: asked.answers(model.evaluation) for model in models}
    failing = [version for version, given in answers.items() if verdict(given) == "fail"]
    return by_merit(models, failing), answers


def by_merit(models: Sequence[TrainedModel], failing: Collection[str]) -> list[TrainedModel]:
    """Return models, the best first; the versions that are `failing` after all others."""

    def merit(model: TrainedModel) -> tuple[bool, float, float]:
        failed, evaluation = model.version in failing, model.evaluation
        if evaluation is None:
            return failed, 0.0, 0.0
        return failed, -evaluation.accuracy, -evaluation.macro_f1

    return sorted(models, key=merit)


def verdict(answers: Sequence[GateAnswer]) -> str:
    """Return the answer of several gates together: pass, fail or inconclusive."""
    given = {answer.answer for answer in answers}
    return next((word for word in ("fail", "inconclusive") if word in given), "pass")


def _reference(workspace: Workspace, gate: Gate) -> Evaluation | None:
    """Return the evaluation of the model that a gate names; None where there is none yet."""
    store, name = workspace.artifacts, str(gate.reference)
    known = {*store.versions(), *store.aliases.read()}
    if name in known:
        return stored_model(workspace, store.resolve(name)).evaluation
    if name == PRODUCTION:
        return None
    raise ConfigError(
        f"gate {printable(gate.text)!r}: there is no version or alias {printable(name)!r}",
        suggestion(name, {*known, PRODUCTION}),
    )
