"""``mlforge batch``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlforge.cli.predict import Version
from mlforge.cli.registrar import command
from mlforge.cli.samples import Workers
from mlforge.cli.session import DONE_WITH_FAILURES, Session

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block
    from mlforge.workflows.batch import BatchSummary

__all__ = ["Format", "batch"]


class Format(StrEnum):
    """The formats of the table."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"


@command(
    "batch",
    schema="mlforge.batch/1",
    keys={
        "model": "the version of the model",
        "table": "the table's file",
        "n_files": "how many files have a row",
        "n_failed": "how many of those rows hold an error",
        "n_unknown": "how many predictions are of examples that are like no category",
        "n_unreliable": "how many predictions are not reliable",
        "n_other_files": "how many files of other kinds there are",
        "per_category": "how many predictions each code has",
        "seconds": "how long it took; with --resume, all runs together",
        "files_per_second": "how many files a second",
    },
    examples=[
        "mlforge batch photos --output predictions",
        "mlforge batch photos --output predictions --format jsonl --workers 4",
        "mlforge batch photos --output predictions --resume",
    ],
    exits=(3, 4, 5, 6, 10),
)
def batch(
    session: Session,
    folder: Annotated[
        str | None,
        typer.Argument(
            metavar="FOLDER", help="Every file below it is predicted.", show_default=False
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            metavar="DIR",
            help="Where predictions.csv (or .jsonl, .parquet) and summary.json go.",
            show_default=False,
        ),
    ] = None,
    file_format: Annotated[
        Format, typer.Option("--format", help="The format of the table.")
    ] = Format.csv,
    model: Version = None,
    *,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on where an interrupted run with this --output ended."),
    ] = False,
    workers: Workers = None,
) -> None:
    """Predict every file below a folder and write a table.

    One row for each file, in order of the names; a file that cannot be predicted gets a row with
    its error, and the exit code is then 10.

    The table takes the place of an older one when it is whole. What an interrupted run has done
    is kept beside it, hidden, until --resume finishes it or a run without --resume drops it.
    """
    from mlforge.cli.answers import model_that_answered
    from mlforge.cli.render import plain_value
    from mlforge.workflows.batch import BatchOptions

    source = Path(session.ask(folder, "FOLDER"))
    target = Path(session.ask(output, "--output"))
    options = BatchOptions(
        version=model, file_format=file_format.value, workers=workers, resume=resume
    )
    summary = session.project.batch(source, target, options)
    name = model_that_answered(session, summary.model)
    session.show(plain_value(summary), _blocks(summary, name))
    if summary.n_failed:
        raise typer.Exit(DONE_WITH_FAILURES)


def _blocks(summary: BatchSummary, model: str) -> list[Block]:
    from mlforge.cli.blocks import Cell, Column, Line, Row, table
    from mlforge.cli.render import count, duration, share_bar

    n_predicted = summary.n_files - summary.n_failed
    rows: list[Row] = [
        [
            Cell(f"  {code}", "strong"),
            f"{n:,}",
            Cell(share_bar(n / n_predicted if n_predicted else 0), "dim"),
        ]
        for code, n in summary.per_category.items()
    ]
    blocks: list[Block] = [
        Line(
            f"Predicted {count(n_predicted, 'file')} with {model} in "
            f"{duration(summary.seconds)} ({summary.files_per_second:g} a second).",
            "good",
        ),
        table(
            [Column("category"), Column("n", "right"), Column("", terminal_only=True)],
            rows,
            headed=False,
        ),
    ]
    if summary.n_unknown:
        text = f"{count(summary.n_unknown, 'file')} like no category (known is false)."
        blocks.append(Line(text, "warning"))
    if summary.n_unreliable:
        blocks.append(Line(f"{count(summary.n_unreliable, 'prediction')} not reliable.", "warning"))
    if summary.n_failed:
        text = f"{count(summary.n_failed, 'file')} failed; see the column error of the table."
        blocks.append(Line(text, "bad"))
    if summary.n_other_files:
        blocks.append(
            Line(f"{count(summary.n_other_files, 'file')} of other kinds left out.", "dim")
        )
    return [*blocks, Line(f"Table: {summary.table}")]
