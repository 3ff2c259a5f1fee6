"""What a command shows a person: lines and tables, before they meet a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Block", "Cell", "Column", "Line", "Row", "Style", "Table", "table"]

Style = Literal["", "good", "bad", "warning", "dim", "strong", "command"]


@dataclass(frozen=True)
class Line:
    """A paragraph; an empty one is an empty line.

    Attributes
    ----------
    text
        What it says; shown as it is, never read as markup.
    style
        How it looks on a terminal.
    indent
        Spaces before it.
    """

    text: str = ""
    style: Style = ""
    indent: int = 0


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    title
        Its heading.
    align
        Numbers go right.
    optional
        Left out on a terminal that is too narrow for the whole table, the last one first.
    terminal_only
        A decoration, such as a bar, that plain output leaves out.
    folds
        Whether long text may go on in the next line.
    """

    title: str
    align: Literal["left", "right"] = "left"
    optional: bool = False
    terminal_only: bool = False
    folds: bool = True


@dataclass(frozen=True)
class Cell:
    """What stands in one cell, and how it looks on a terminal."""

    text: str
    style: Style = ""


@dataclass(frozen=True)
class Table:
    """Rows under columns.

    Attributes
    ----------
    columns
        The columns.
    rows
        One cell for each column.
    headed
        Whether the headings are shown.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    headed: bool = True


Block: TypeAlias = Line | Table
Row: TypeAlias = Sequence[str | Cell]


def table(columns: Sequence[Column], rows: Sequence[Row], *, headed: bool = True) -> Table:
    """Return a table whose cells may be given as text.

    Examples
    --------
    >>> table([Column("code")], [["cup"]]).rows
    ((Cell(text='cup', style=''),),)
    """
    cells = tuple(
        tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row) for row in rows
    )
    return Table(tuple(columns), cells, headed)
