"""Saying which model answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlforge.cli.blocks import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlforge.cli.session import Session
    from mlforge.workflows.answering import Answering
    from mlforge.workflows.train import TrainResult

__all__ = ["answered_by", "changing_steps", "default_lines", "model_that_answered"]


def model_that_answered(session: Session, version: str) -> str:
    """Return a version with its aliases; warn where it knows what the project no longer has."""
    from mlforge.workflows.answering import answering

    told = answering(session.project.artifacts, version)
    if told.gone:
        session.reporter.warn(f"{told.name} knows {_gone(told)}")
    return told.name


def answered_by(session: Session, version: str) -> Line:
    """Return the line that says which model has answered; warn as `model_that_answered` does."""
    return Line(f"Model: {model_that_answered(session, version)}", "dim")


def default_lines(result: TrainResult, told: Answering) -> Iterator[Line]:
    """Say after a training which model answers where none is named, if it is not the best of it."""
    best = result.best.version
    if told.version is None:
        yield Line(f"predict and batch use no model unless it is named: {told.refusal}.", "warning")
    elif told.version != best:
        yield Line(f"predict and batch still answer with {told.name}, not with {best}.", "warning")
    else:
        yield Line(f"predict and batch answer with {told.name}.", "dim")
    if told.gone:
        yield Line(f"{told.name} knows {_gone(told)}.", "warning")


def changing_steps(result: TrainResult, told: Answering) -> Iterator[tuple[str, str]]:
    """Yield what to type for another model to answer than the one that does."""
    from mlforge.workflows.gates import verdict

    best = result.best.version
    if told.version == best:
        return
    yield f"mlforge predict FILE --model {best}", "what is on a picture, by the new model"
    # What fails is not recommended.
    if told.version is not None and verdict(result.gates) != "fail":
        yield f"mlforge models promote {best}", "let predict and batch answer with it"


def _gone(told: Answering) -> str:
    from mlforge.core.names import printable

    codes = printable(", ".join(told.gone))
    are = "is no category" if len(told.gone) == 1 else "are no categories"
    return f"{codes}, which {are} of this project"
