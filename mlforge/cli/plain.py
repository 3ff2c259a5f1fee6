"""Blocks as plain aligned text: what pipes, logs and ``--quiet`` get."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from mlforge.cli.blocks import Block, Line, Table
from mlforge.core.names import printable

__all__ = ["plain", "text_width"]

_GAP = "  "


def plain(blocks: Sequence[Block]) -> Iterator[str]:
    """Return the lines of `blocks`, without control characters and trailing spaces.

    Examples
    --------
    >>> from mlforge.cli.blocks import Column, Row, table
    >>> for line in plain([table([Column("code"), Column("seeds", "right")], [["cup", "12"]])]):
    ...     print(line)
    code  seeds
    cup      12
    """
    for block in blocks:
        if isinstance(block, Line):
            yield (" " * block.indent + printable(block.text)).rstrip()
        else:
            yield from _table(block)


def text_width(text: str) -> int:
    """Return how many columns of a terminal `text` takes.

    Examples
    --------
    >>> text_width("cafe\u0301"), text_width("\u732b")
    (4, 2)
    """
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _table(block: Table) -> Iterator[str]:
    shown = [i for i, column in enumerate(block.columns) if not column.terminal_only]
    rows = [[printable(row[i].text) for i in shown] for row in block.rows]
    if block.headed:
        rows.insert(0, [block.columns[i].title for i in shown])
    widths = [max(map(text_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = []
        for number, text, width in zip(shown, row, widths, strict=True):
            padding = " " * (width - text_width(text))
            right = block.columns[number].align == "right"
            cells.append(padding + text if right else text + padding)
        yield _GAP.join(cells).rstrip()
