"""``mlforge predict``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlforge.cli import completion
from mlforge.cli.output import message, write_json
from mlforge.cli.registrar import command
from mlforge.cli.session import DONE_WITH_FAILURES, Session
from mlforge.errors import DataError

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block
    from mlforge.core.records import Prediction
    from mlforge.workflows.predict import Predictor

__all__ = ["Version", "predict", "prediction_blocks", "predictions_table"]

STDIN = "-"

Version = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="VERSION",
        help="The model's version; the best of the newest train where not given.",
        autocompletion=completion.versions,
        show_default=False,
    ),
]


@command(
    "predict",
    schema="mlforge.predict/1",
    keys={
        "file": "the file, as it was named",
        "model": "the version of the model",
        "prediction": "the code of the most probable category",
        "category_name": "its name for people",
        "confidence": "its probability, 0 to 1",
        "reliable": "whether that reaches the category's min_confidence",
        "all_probabilities": "the probability of each code, highest first; whatever --top says",
        "timestamp": "when: ISO 8601, UTC",
    },
    examples=[
        "mlforge predict photo.jpg",
        "mlforge predict *.jpg --json",
        "curl -s https://example.org/photo.jpg | mlforge predict -",
    ],
    exits=(3, 4, 5, 10),
)
def predict(
    session: Session,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE...", help="Files, or - for bytes from stdin.", show_default=False
        ),
    ] = None,
    model: Version = None,
    top: Annotated[
        int,
        typer.Option(
            "--top", metavar="K", min=1, help="How many probabilities to show of one file."
        ),
    ] = 5,
) -> None:
    """Say what is on a picture.

    Confidences are calibrated on seeds that the model had not seen. A prediction is reliable where
    its confidence reaches the min_confidence of its category.

    With --json each file gives one line, in order; a file that cannot be predicted gives an error
    document with its name. Such files do not stop the others: the exit code is then 10, or 3
    where none could be predicted.
    """
    names = files or [session.ask(None, "FILE")]
    predictor = session.project.predictor(model)
    done: list[Prediction] = []
    for outcome in _predict(predictor, names):
        if isinstance(outcome, _Failed):
            _show_failure(session, outcome)
        else:
            done.append(outcome)
            _stream(session, outcome)
    if done and not session.output.as_json:
        blocks = predictions_table(done) if len(names) > 1 else prediction_blocks(done[0], top)
        session.output.blocks(blocks)
    if not done:
        raise typer.Exit(DataError.exit_code)
    if len(done) < len(names):
        raise typer.Exit(DONE_WITH_FAILURES)


class _Failed:
    """A file that could not be predicted."""

    def __init__(self, file: str, error: DataError) -> None:
        self.file = file
        self.error = error


def _predict(predictor: Predictor, names: Sequence[str]) -> Iterator[Prediction | _Failed]:
    for name in names:
        try:
            if name == STDIN:
                yield predictor.predict_bytes(sys.stdin.buffer.read(), STDIN)
            else:
                yield predictor.predict_file(Path(name))
        except DataError as error:
            yield _Failed(name, error)


def _stream(session: Session, prediction: Prediction) -> None:
    if session.output.as_json:
        values = {**vars(prediction), "all_probabilities": dict(prediction.all_probabilities)}
        write_json({"schema": session.spec.schema, **values}, indent=None)


def _show_failure(session: Session, failed: _Failed) -> None:
    error = failed.error
    if session.output.as_json:
        document = {
            "schema": "mlforge.error/1",
            "file": failed.file,
            "message": error.message,
            "hint": error.hint,
            "exit": error.exit_code,
        }
        write_json(document, indent=None)
        return
    message("error", error.message)
    if error.hint:
        message("hint", error.hint)


def prediction_blocks(prediction: Prediction, top: int) -> list[Block]:
    """Return one prediction with its highest probabilities."""
    from mlforge.cli.blocks import Cell, Column, Line, Row, table
    from mlforge.cli.render import percent, share_bar

    verdict = "reliable" if prediction.reliable else "not reliable"
    shown = list(prediction.all_probabilities.items())[:top]
    rows: list[Row] = [
        [
            Cell(f"  {code}", "strong" if number == 0 else ""),
            percent(probability),
            Cell(share_bar(probability), "good" if number == 0 else "dim"),
        ]
        for number, (code, probability) in enumerate(shown)
    ]
    columns = [Column("category"), Column("probability", "right"), Column("", terminal_only=True)]
    return [
        Line(
            f"{prediction.category_name} ({prediction.prediction}): "
            f"{percent(prediction.confidence)}, {verdict}",
            "good" if prediction.reliable else "warning",
        ),
        table(columns, rows, headed=False),
    ]


def predictions_table(predictions: Sequence[Prediction]) -> list[Block]:
    """Return a row for each prediction."""
    from mlforge.cli.blocks import Cell, Column, Row, table
    from mlforge.cli.render import percent

    columns = [
        Column("file"),
        Column("prediction"),
        Column("confidence", "right"),
        Column("reliable", optional=True),
    ]
    rows: list[Row] = [
        [
            p.file,
            Cell(p.prediction, "strong"),
            percent(p.confidence),
            Cell("yes" if p.reliable else "no", "good" if p.reliable else "warning"),
        ]
        for p in predictions
    ]
    return [table(columns, rows)]
