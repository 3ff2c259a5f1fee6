"""Example projects that `mlforge init --example` writes: no download, made or shipped offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mlforge.core.names import printable, suggestion
from mlforge.errors import ConfigError
from mlforge.examples._example import ExampleCategory, ExampleFile

__all__ = [
    "EXAMPLES",
    "Example",
    "ExampleCategory",
    "ExampleFile",
    "example_categories",
    "example_names",
]


@dataclass(frozen=True)
class Example:
    """An example project.

    Attributes
    ----------
    summary
        What it holds, in one line.
    n_categories
        How many categories it has.
    categories
        Yields its categories, each with so many pictures held out.
    """

    summary: str
    n_categories: int
    categories: Callable[[int], Iterator[ExampleCategory]]


def _signs(n_held_out: int) -> Iterator[ExampleCategory]:
    from mlforge.examples.signs import categories

    return categories(n_held_out)


def _digits(n_held_out: int) -> Iterator[ExampleCategory]:
    from mlforge.examples.digits import categories

    return categories(n_held_out)


EXAMPLES: dict[str, Example] = {
    "digits": Example("real handwritten digits, ten categories, from scikit-learn", 10, _digits),
    "signs": Example("drawn road signs in all weathers, eight categories", 8, _signs),
}
"""The examples by name."""


def example_names() -> tuple[str, ...]:
    """Return the names of all examples, sorted.

    Examples
    --------
    >>> example_names()
    ('digits', 'signs')
    """
    return tuple(sorted(EXAMPLES))


def example_categories(name: str, *, n_held_out: int = 2) -> Iterator[ExampleCategory]:
    """Return the categories of an example, each made when it is asked for.

    Parameters
    ----------
    name
        One of `example_names`.
    n_held_out
        How many pictures of each category to add that are no seeds. The seeds do not depend on it,
        and more of them begin with the same ones.

    Raises
    ------
    ConfigError
        If there is no such example, or not that many pictures in it.
    """
    if name not in EXAMPLES:
        raise ConfigError(f"no example {printable(name)!r}", suggestion(name, EXAMPLES))
    if n_held_out < 0:
        raise ConfigError(f"n_held_out is {n_held_out}", "ask for 0 or more pictures")
    return EXAMPLES[name].categories(n_held_out)
