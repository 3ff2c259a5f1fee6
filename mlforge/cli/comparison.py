"""``mlforge models compare``."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlforge.cli.registrar import command
from mlforge.cli.session import Session
from mlforge.cli.versions import VersionArgument

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block
    from mlforge.workflows.compare import ComparedFigure, ModelComparison

__all__ = ["Format", "compare"]

_VERDICTS = {"better": "better", "worse": "worse", "cant_tell": "can't tell"}


class Format(StrEnum):
    """How a comparison is printed."""

    TABLE = "table"
    MARKDOWN = "markdown"


@command(
    "models compare",
    schema="mlforge.models.compare/1",
    keys={
        "first": "the version that is compared with",
        "second": "the version that is compared",
        "verdict": "of the second's accuracy: better, worse or cant_tell",
        "n_common": "how many held-out seeds both were scored on",
        "n_groups": "how many groups these are",
        "figures": "a list of objects with figure (accuracy, macro_f1 or recall), code (of the "
        "category, empty for the others), first and second (of each model's held-out seeds, "
        "as they were counted), difference and interval (second minus first on the seeds in "
        "common, or null) and verdict",
    },
    examples=[
        "mlforge models compare production random_forest-0004",
        "mlforge models compare random_forest-0003 random_forest-0004 --format markdown",
    ],
    exits=(3, 5),
)
def compare(
    session: Session,
    first: VersionArgument = None,
    second: VersionArgument = None,
    output: Annotated[
        Format,
        typer.Option("--format", help="A table, or Markdown for a pull request."),
    ] = Format.TABLE,
) -> None:
    """Say whether the second model is better than the first, on the seeds that both left out.

    Both are asked of the same held-out seeds, so what is hard for both tells nothing. Where the
    interval of the difference holds 0, more seeds are needed to tell.
    """
    chosen = [session.ask(first, "FIRST"), session.ask(second, "SECOND")]
    result = session.project.compare_models(*chosen)
    if output is Format.MARKDOWN and not session.output.as_json:
        sys.stdout.write(_markdown(result))
        return
    session.show(_document(result), _blocks(result))


def _document(result: ModelComparison) -> dict[str, Any]:
    accuracy = result.accuracy
    return {
        "first": result.first.version,
        "second": result.second.version,
        "verdict": accuracy.verdict,
        "n_common": accuracy.n_common,
        "n_groups": accuracy.n_groups,
        "figures": [
            {
                "figure": item.figure,
                "code": item.code,
                "first": item.first,
                "second": item.second,
                "difference": item.comparison.difference,
                "interval": item.comparison.interval and list(item.comparison.interval),
                "verdict": item.comparison.verdict,
            }
            for item in result.figures
        ],
    }


def _sentence(result: ModelComparison) -> str:
    from mlforge.cli.render import count

    accuracy = result.accuracy
    if result.first.version == result.second.version:
        return f"{result.first.version} is compared with itself: the same model."
    versions = result.second.version, result.first.version
    if accuracy.difference is None or accuracy.interval is None:
        return "{} and {} have no held-out seed in common: train both on the same seeds.".format(
            *versions
        )
    told = {
        "better": "{} is better than {}",
        "worse": "{} is worse than {}",
        "cant_tell": "Can't tell whether {} is better than {}",
    }[accuracy.verdict].format(*versions)
    return (
        f"{told}: accuracy {_points(accuracy.difference)} points "
        f"({_points(accuracy.interval[0])} to {_points(accuracy.interval[1])}, 95 % interval) on "
        f"{count(accuracy.n_common, 'held-out seed')} in common."
    )


def _points(share: float) -> str:
    """Return a difference of shares in percentage points.

    Examples
    --------
    >>> _points(0.0512), _points(-0.2), _points(0.0)
    ('+5.1', '-20.0', '0.0')
    """
    text = f"{100 * share:+.1f}"
    return "0.0" if text in {"+0.0", "-0.0"} else text


def _row(item: ComparedFigure) -> list[str]:
    from mlforge.cli.render import percent

    interval = item.comparison.interval
    between = f"{_points(interval[0])} to {_points(interval[1])}" if interval else "-"
    difference = item.comparison.difference
    return [
        f"recall of {item.code}" if item.code else item.figure.replace("_f1", " F1"),
        percent(item.first),
        percent(item.second),
        "-" if difference is None else _points(difference),
        between,
        _VERDICTS[item.comparison.verdict],
    ]


def _blocks(result: ModelComparison) -> list[Block]:
    from mlforge.cli.blocks import Cell, Column, Line, Row, Style, table

    styles: dict[str, Style] = {"better": "good", "worse": "bad", "cant_tell": "dim"}
    columns = [
        Column("figure"),
        Column(result.first.version, "right", optional=True),
        Column(result.second.version, "right", optional=True),
        Column("difference", "right"),
        Column("95 % interval", "right", optional=True),
        Column("verdict", folds=False),
    ]
    rows: list[Row] = []
    for item in result.figures:
        *cells, verdict = _row(item)
        rows.append([*cells, Cell(verdict, styles[item.comparison.verdict])])
    return [Line(_sentence(result), "strong"), Line(), table(columns, rows)]


def _markdown(result: ModelComparison) -> str:
    heads = ["figure", result.first.version, result.second.version]
    heads += ["difference", "95 % interval", "verdict"]
    rows = [_row(item) for item in result.figures]
    lines = [f"**{_sentence(result)}**", "", _line(heads), "|---|---:|---:|---:|---:|---|"]
    return "".join(f"{line}\n" for line in (*lines, *map(_line, rows)))


def _line(cells: list[str]) -> str:
    from mlforge.core.names import printable

    # A category's code may come from a stranger's model.
    safe = [printable(cell).replace("\\", "\\\\").replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(cell.replace('<', '&lt;').replace('`', '') for cell in safe)} |"
