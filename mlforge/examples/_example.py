"""What an example project consists of."""

from __future__ import annotations

from dataclasses import dataclass

from mlforge.core.category import CategoryConfig

__all__ = ["ExampleCategory", "ExampleFile"]


@dataclass(frozen=True)
class ExampleFile:
    """One picture.

    Attributes
    ----------
    name
        Its file name, with suffix; begins with the category's code and is unique in the example.
    data
        Its bytes.
    """

    name: str
    data: bytes


@dataclass(frozen=True)
class ExampleCategory:
    """A category that an example project begins with.

    Attributes
    ----------
    config
        What its ``config.json`` holds.
    seeds
        The pictures for its ``seeds`` folder.
    held_out
        Pictures of the same kind that are no seeds: something to predict, or to score with.
    """

    config: CategoryConfig
    seeds: tuple[ExampleFile, ...]
    held_out: tuple[ExampleFile, ...]

    @property
    def code(self) -> str:
        """The name of its folder."""
        return self.config.category_code

    @property
    def name(self) -> str:
        """The name for people."""
        return self.config.category_name

    @property
    def description(self) -> str:
        """What it shows."""
        return self.config.metadata.description
