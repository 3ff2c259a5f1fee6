"""Blocks and bars on a terminal, drawn by Rich; imported only where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import rich.box
import rich.table
from rich.console import Console
from rich.text import Text

from mlforge.cli.blocks import Block, Column, Line, Style, Table
from mlforge.cli.plain import text_width
from mlforge.core.names import printable
from mlforge.core.reporting import Advance

__all__ = ["bar", "draw"]

_STYLES: dict[Style, str] = {
    "": "",
    "good": "green",
    "bad": "red",
    "warning": "yellow",
    "dim": "dim",
    "strong": "bold",
    "command": "cyan",
}
_PADDING = 2
# Text longer than this may be folded before a column is left out.
_FOLDED = 24


def draw(blocks: Sequence[Block], console: Console | None = None) -> None:
    """Print blocks to stdout. Their text is never read as markup."""
    console = console or Console(highlight=False, emoji=False, markup=False)
    for block in blocks:
        if isinstance(block, Line):
            text = Text(printable(block.text), _STYLES[block.style])
            text.pad_left(block.indent)
            console.print(text)
        else:
            console.print(_table(block, console.width))


def _table(block: Table, width: int) -> rich.table.Table:
    shown = _fitting(block, width)
    # Then every column is folded: nothing of a number or a version may be missing.
    is_cramped = _needed_width(block, shown) > width
    drawn = rich.table.Table(
        box=rich.box.SIMPLE_HEAD if block.headed else None,
        show_header=block.headed,
        show_edge=False,
        pad_edge=False,
        padding=(0, _PADDING, 0, 0),
        header_style="bold",
    )
    for number in shown:
        column = block.columns[number]
        drawn.add_column(
            Text(column.title),
            justify=column.align,
            overflow="fold",
            no_wrap=not _folds(column) and not is_cramped,
        )
    for row in block.rows:
        drawn.add_row(*(Text(printable(row[i].text), _STYLES[row[i].style]) for i in shown))
    return drawn


def _fitting(block: Table, width: int) -> list[int]:
    """Return the columns that fit, without the optional ones that do not."""
    shown = list(range(len(block.columns)))
    optional = [i for i in shown if block.columns[i].optional]
    while optional and _needed_width(block, shown) > width:
        shown.remove(optional.pop())
    return shown


def _needed_width(block: Table, numbers: Sequence[int]) -> int:
    return sum(_least_width(block, number) + _PADDING for number in numbers)


def _least_width(block: Table, number: int) -> int:
    """Return the terminal columns that a column needs; long text can be folded a little."""
    column = block.columns[number]
    widths = [text_width(printable(row[number].text)) for row in block.rows]
    natural = max([text_width(column.title), *widths])
    return min(natural, _FOLDED) if _folds(column) else natural


def _folds(column: Column) -> bool:
    return column.folds and column.align == "left" and not column.terminal_only


@contextmanager
def bar(description: str, total: int) -> Iterator[Advance]:
    """Show a bar with rate and time left on stderr while the block runs."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "", style="dim")

    console = Console(stderr=True, highlight=False, emoji=False, markup=False)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None if console.width < 80 else 40),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(printable(description), total=total)

        def advance(n_items: int = 1, /) -> None:
            progress.advance(task, n_items)

        yield advance
