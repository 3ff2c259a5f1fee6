"""Numbers and names as people say them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mlforge.core.names import printable
from mlforge.evaluation.records import Interval

__all__ = [
    "counted",
    "duration",
    "interval",
    "joined",
    "percent",
    "points",
    "shown",
    "times",
    "value_text",
]


_SPACE = "\N{NO-BREAK SPACE}"


def percent(share: float) -> str:
    r"""Return a share in whole percent; only what is all or nothing is 100 or 0.

    Examples
    --------
    >>> percent(0.857), percent(0.999), percent(0.001), percent(1.0)
    ('86\xa0%', '99\xa0%', '1\xa0%', '100\xa0%')
    """
    return f"{times(share)}{_SPACE}%"


def times(share: float) -> int:
    """Return how many times in 100; 100 and 0 only where it is always or never.

    Examples
    --------
    >>> times(0.86), times(0.997)
    (86, 99)
    """
    # Halves go up: `round` would take them to the even neighbour.
    whole = int(100 * share + 0.5)
    if whole >= 100 and share < 1:
        return 99
    if whole <= 0 and share > 0:
        return 1
    return whole


def interval(ends: Interval) -> str:
    r"""Return an interval of shares in percent.

    Examples
    --------
    >>> interval((0.814, 0.9))
    '81 to 90\xa0%'
    """
    low, high = (round(100 * end) for end in ends)
    return f"{low} to {high}{_SPACE}%"


def points(difference: float) -> str:
    """Return a difference of shares in percentage points, with its sign.

    Examples
    --------
    >>> points(0.123), points(-0.04), points(0.001)
    ('+12', '\N{MINUS SIGN}4', '0')
    """
    whole = round(100 * difference)
    if whole == 0:
        return "0"
    return f"+{whole}" if whole > 0 else f"\N{MINUS SIGN}{-whole}"


def counted(n: int, one: str, many: str = "") -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "photo"), counted(1200, "photo"), counted(2, "category", "categories")
    ('1 photo', '1,200 photos', '2 categories')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def joined(names: Sequence[str]) -> str:
    """Return names as a list in a sentence.

    Examples
    --------
    >>> joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def duration(seconds: float) -> str:
    """Return a duration as people say it.

    Examples
    --------
    >>> duration(0.21), duration(75)
    ('0.2 s', '1 min 15 s')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def shown(text: object) -> str:
    r"""Return a text that a project brought, with characters that nobody sees made visible.

    Among them are those that turn the direction of writing, with which a name could pretend to be
    another.

    Examples
    --------
    >>> shown("a\u202eb")
    'a\\u202eb'
    """
    return printable(str(text))


def value_text(value: Any) -> str:
    """Return a setting's value as it would stand in a file.

    Examples
    --------
    >>> value_text(["hog", "color"]), value_text("mean"), value_text(None)
    ('["hog", "color"]', 'mean', 'none')
    """
    if value is None:
        return "none"
    if isinstance(value, str):
        return shown(value)
    return shown(json.dumps(value, ensure_ascii=False, default=str))
