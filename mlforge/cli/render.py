"""Results as blocks for a person and as values for a JSON document."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlforge.cli.blocks import Block, Cell, Column, Line, Row, Style, table

if TYPE_CHECKING:
    from mlforge.core.records import Failure

__all__ = [
    "count",
    "duration",
    "failures",
    "next_steps",
    "percent",
    "plain_value",
    "share_bar",
    "shown_path",
]

MAX_LISTED = 20
_BAR_WIDTH = 20


def plain_value(value: Any) -> Any:
    """Return a result as JSON-like values: data classes as objects, paths as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {f.name: plain_value(getattr(value, f.name)) for f in fields}
    if isinstance(value, dict):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def count(n: int, one: str, many: str = "") -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> count(1, "seed"), count(1200, "seed"), count(2, "category", "categories")
    ('1 seed', '1,200 seeds', '2 categories')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def percent(share: float | None) -> str:
    """Return a share as a percentage.

    Examples
    --------
    >>> percent(0.8571), percent(None)
    ('85.7 %', '-')
    """
    return "-" if share is None else f"{100 * share:.1f} %"


def duration(seconds: float) -> str:
    """Return a duration as people say it.

    Examples
    --------
    >>> duration(0.21), duration(75), duration(7300)
    ('0.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def shown_path(path: Path) -> str:
    """Return a path as a person at the prompt would write it: relative where it lies below."""
    full, here = path.resolve(), Path.cwd()
    return str(full.relative_to(here)) if here in full.parents else str(full)


def share_bar(share: float, width: int = _BAR_WIDTH) -> str:
    """Return a bar whose length is the share.

    Examples
    --------
    >>> share_bar(0.5, 4), share_bar(0.01, 4)
    ('━━', '╸')
    """
    halves = round(2 * width * share)
    bar = "━" * (halves // 2) + "╸" * (halves % 2)
    return bar or ("╸" if share > 0 else "")


def failures(items: Sequence[Failure], what: str, style: Style = "bad") -> Iterator[Block]:
    """List items that could not be used, the first ones only where there are many."""
    if not items:
        return
    yield Line(f"{what}:", style)
    rows: list[Row] = [[f"  {item.file}", item.reason] for item in items[:MAX_LISTED]]
    yield table([Column("file"), Column("reason")], rows, headed=False)
    if len(items) > MAX_LISTED:
        yield Line(f"and {len(items) - MAX_LISTED:,} more (--json lists all)", "dim", 2)


def next_steps(commands: Iterable[tuple[str, str]]) -> Iterator[Block]:
    """Say what to type next, each command with what it does."""
    rows: list[Row] = [
        [Cell(f"  {command}", "command"), Cell(does, "dim")] for command, does in commands
    ]
    if rows:
        yield Line()
        yield Line("Next:", "strong")
        columns = [Column("command", folds=False), Column("does", optional=True)]
        yield table(columns, rows, headed=False)
