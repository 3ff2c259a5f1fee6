"""``mlforge predict``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlforge.cli import completion
from mlforge.cli.output import message, write_json
from mlforge.cli.registrar import command
from mlforge.cli.session import DONE_WITH_FAILURES, Session
from mlforge.errors import DataError

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block
    from mlforge.core.records import Prediction
    from mlforge.workflows.explain import Explanation
    from mlforge.workflows.predict import Predictor

__all__ = ["Version", "predict", "prediction_blocks", "predictions_table"]

STDIN = "-"

Version = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="VERSION",
        help="A version or an alias; else production, else the best of the newest train.",
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
        "reliable": "whether that reaches the category's min_confidence, and the file is known; "
        "never where the model has too few seeds to tell what is unknown",
        "known": "whether the file is like what the model was trained on",
        "prediction_set": "the codes that it may be, the most probable first",
        "all_probabilities": "the probability of each code, highest first; whatever --top says",
        "timestamp": "when: ISO 8601, UTC",
        "explanation": "null without --explain; with it `picture`, its file; `regions`, each with "
        "where it is (a picture's x and y in shares of it) and its `effect`, by how much "
        "hiding it lowers the confidence, the highest first; `baseline`, the mean "
        "probability of the predicted category over seeds; `features`, the `effect` of each "
        "`extractor`, which sum to the "
        "confidence less the baseline; `nearest_seeds`, each with `category`, `file` and "
        "`distance` (0: the same features, 1: as far as two seeds are on average); `activations`, "
        "for each `extractor` that has learned the `rows` of a map of the file, above 0 where it "
        "finds what speaks for the prediction; `notes`, what could not be said and why",
    },
    examples=[
        "mlforge predict photo.jpg",
        "mlforge predict *.jpg --json",
        "mlforge predict photo.jpg --explain why",
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
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain",
            metavar="DIR",
            help="Say why, and write a picture of the regions that mattered to DIR.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Say what is on a picture.

    Confidences are calibrated on seeds that the model had not seen. A prediction is reliable where
    its confidence reaches the min_confidence of its category and it is known; none is where the
    model was trained on too few seeds to tell.

    With --json each file gives one line, in order; a file that cannot be predicted gives an error
    document with its name. Such files do not stop the others: the exit code is then 10, or 3
    where none could be predicted.
    """
    from mlforge.cli.answers import answered_by

    names = files or [session.ask(None, "FILE")]
    done: list[Explained] = []
    for outcome in _outcomes(_answers(session, names, model, explain), names):
        if isinstance(outcome, _Failed):
            _show_failure(session, outcome)
        else:
            done.append(outcome)
            _stream(session, outcome)
    if done:
        model_line = answered_by(session, done[0].prediction.model)
        if not session.output.as_json:
            session.output.blocks([*_blocks(done, len(names), top), model_line])
    if not done:
        raise typer.Exit(DataError.exit_code)
    if len(done) < len(names):
        raise typer.Exit(DONE_WITH_FAILURES)


@dataclass(frozen=True)
class Explained:
    """A prediction, and why where that was asked for."""

    prediction: Prediction
    explanation: Explanation | None = None
    picture: Path | None = None


@dataclass(frozen=True)
class _Failed:
    """A file that could not be predicted."""

    file: str
    error: DataError


Answer = Callable[[str], Explained]


def _answers(
    session: Session, names: Sequence[str], model: str | None, explain: str | None
) -> Answer:
    """Return what answers for one file."""
    if explain is None:
        predictor = session.project.predictor(model)
        return lambda name: Explained(predictor.predict_example(_example(predictor, name), name))
    return _explaining(session, names, model, Path(explain))


def _explaining(session: Session, names: Sequence[str], model: str | None, folder: Path) -> Answer:
    from mlforge.workflows.explain import picture_paths

    explainer = session.project.explainer(model)
    different = list(dict.fromkeys(names))
    paths = dict(zip(different, picture_paths(different, folder), strict=True))

    def answer(name: str) -> Explained:
        example = _example(explainer.predictor, name)
        explanation = explainer.explain(example, name)
        if not explanation.regions:
            return Explained(explanation.prediction, explanation)
        explainer.save_picture(explanation, example, paths[name])
        return Explained(explanation.prediction, explanation, paths[name])

    return answer


def _example(predictor: Predictor, name: str) -> Any:
    from mlforge.workflows.predict import MAX_BYTES

    if name == STDIN:
        # One byte above the limit is enough to be told that it is too large.
        return predictor.decode(sys.stdin.buffer.read(MAX_BYTES + 1), STDIN)
    return predictor.decode_file(Path(name))


def _outcomes(answer: Answer, names: Sequence[str]) -> Iterator[Explained | _Failed]:
    for name in names:
        try:
            yield answer(name)
        except DataError as error:
            yield _Failed(name, error)


def _stream(session: Session, explained: Explained) -> None:
    if session.output.as_json:
        prediction = explained.prediction
        values = {**vars(prediction), "all_probabilities": dict(prediction.all_probabilities)}
        values["explanation"] = _document(explained.explanation, explained.picture)
        write_json({"schema": session.spec.schema, **values}, indent=None)


def _document(explanation: Explanation | None, picture: Path | None) -> dict[str, Any] | None:
    if explanation is None:
        return None
    return {
        "picture": None if picture is None else str(picture),
        "regions": [
            {**found.region.where, "effect": found.effect} for found in explanation.regions
        ],
        "baseline": explanation.baseline,
        "features": [dict(vars(effect)) for effect in explanation.features],
        "nearest_seeds": [dict(vars(seed)) for seed in explanation.nearest_seeds],
        "activations": [dict(vars(found)) for found in explanation.activations],
        "notes": list(explanation.notes),
    }


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


def _blocks(done: Sequence[Explained], n_files: int, top: int) -> list[Block]:
    from mlforge.cli.blocks import Line

    if n_files > 1:
        pictures = [Line(f"Why: {e.picture}") for e in done if e.picture is not None]
        return [*predictions_table([explained.prediction for explained in done]), *pictures]
    (explained,) = done
    blocks = prediction_blocks(explained.prediction, top)
    if explained.explanation is not None:
        blocks += explanation_blocks(explained.explanation)
    if explained.picture is not None:
        blocks.append(Line(f"Picture: {explained.picture}"))
    return blocks


def explanation_blocks(explanation: Explanation) -> list[Block]:
    """Return what spoke for a prediction, and the seeds that are like it."""
    from mlforge.cli.blocks import Cell, Column, Line, Row, table
    from mlforge.cli.render import percent, share_bar

    blocks: list[Block] = []
    if explanation.baseline is not None:
        blocks += [
            Line(),
            Line(f"Features, in points above the seeds' mean of {percent(explanation.baseline)}:"),
        ]
        rows: list[Row] = [
            [
                Cell(f"  {found.extractor}"),
                f"{100 * found.effect:+.1f}",
                Cell(share_bar(min(abs(found.effect), 1)), "good" if found.effect > 0 else "bad"),
            ]
            for found in explanation.features
        ]
        columns = [Column("features"), Column("points", "right"), Column("", terminal_only=True)]
        blocks.append(table(columns, rows, headed=False))
    if explanation.nearest_seeds:
        blocks += [
            Line(),
            Line("Nearest seeds (0 is the same, 1 as far as two seeds are on average):"),
        ]
        rows = [
            [Cell(f"  {seed.category}", "strong"), f"{seed.distance:.2f}", Cell(seed.file, "dim")]
            for seed in explanation.nearest_seeds
        ]
        columns = [Column("category"), Column("distance", "right"), Column("file")]
        blocks.append(table(columns, rows, headed=False))
    return [*blocks, *(Line(f"{note}.", "warning") for note in explanation.notes)]


def prediction_blocks(prediction: Prediction, top: int) -> list[Block]:
    """Return one prediction with its highest probabilities."""
    from mlforge.cli.blocks import Cell, Column, Line, Row, table
    from mlforge.cli.render import percent, share_bar

    verdict = "reliable" if prediction.reliable else "not reliable"
    if not prediction.known:
        verdict += ", like no category"
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
        Column("confidence", "right", optional=True),
        Column("reliable"),
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
