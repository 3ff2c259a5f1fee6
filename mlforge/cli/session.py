"""One run of a command: its project, where its result goes, and what the reference says of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlforge.cli.output import ConsoleReporter, Output
from mlforge.errors import ConfigError

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block
    from mlforge.project import Project

__all__ = ["DONE_WITH_FAILURES", "EXITS", "CommandSpec", "Session", "YesOption"]

DONE_WITH_FAILURES = 10
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

EXITS: Mapping[int, str] = {
    0: "done",
    1: "a gate failed",
    2: "usage or configuration is wrong",
    3: "the data cannot be used, or a file cannot be read or written",
    4: "an optional dependency is missing; the message holds the install command",
    5: "an artifact is missing, corrupt, incompatible or untrusted",
    6: "the engine failed",
    9: "a gate is inconclusive: too few seeds to tell",
    10: "finished, but some items failed; each is listed",
    70: "a bug in mlforge",
    130: "interrupted; everything finished so far is kept",
    141: "whoever read the output stopped reading",
    143: "terminated; everything finished so far is kept",
}
"""What each exit code means."""


@dataclass(frozen=True)
class CommandSpec:
    """What the reference says of a command beyond its help.

    Attributes
    ----------
    path
        The words that call it, such as ``categories add``.
    schema
        The schema of its ``--json`` document.
    keys
        What each key of that document holds.
    exits
        The exit codes that it gives besides 0, 2, 70, 130, 141 and 143.
    examples
        Command lines, without prompt.
    """

    path: str
    schema: str
    keys: Mapping[str, str]
    exits: tuple[int, ...]
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Session:
    """One run of a command.

    Attributes
    ----------
    spec
        The command.
    folder
        The project's folder where ``--project`` names it.
    output
        Takes the result.
    reporter
        Takes warnings and progress.
    """

    spec: CommandSpec
    folder: Path | None = None
    output: Output = field(default_factory=Output)
    reporter: ConsoleReporter = field(default_factory=ConsoleReporter)

    @cached_property
    def project(self) -> Project:
        """The project that the command works on.

        Raises
        ------
        ConfigError
            If there is none.
        """
        from mlforge.project import Project
        from mlforge.storage.layout import find_root

        if self.folder is None:
            return Project.open(".", self.reporter)
        if find_root(self.folder) != self.folder.resolve():
            raise ConfigError(
                f"--project {self.folder}: not a project (a project has mlforge.toml or "
                "categories/)",
                f"mlforge init {self.folder}",
            )
        return Project(self.folder, self.reporter)

    @property
    def project_or_none(self) -> Project | None:
        """The project, or None where there is none and none was asked for."""
        try:
            return self.project
        except ConfigError:
            if self.folder is not None:
                raise
            return None

    def show(self, document: Mapping[str, Any], blocks: Sequence[Block]) -> None:
        """Print the result; the document gets the command's schema."""
        self.output.show({"schema": self.spec.schema, **document}, blocks)

    def ask(self, value: str | None, name: str) -> str:
        """Return an argument, asking for it on a terminal where it was not given.

        Raises
        ------
        ConfigError
            If it was not given and nobody can be asked.
        """
        if value is not None:
            return value
        if self.can_ask:
            answer: str = typer.prompt(name, err=True)
            return answer
        raise ConfigError(f"missing argument {name}", f"mlforge {self.spec.path} --help")

    def confirm(self, question: str, command: str) -> bool:
        """Return whether somebody agrees to what is about to be removed.

        Parameters
        ----------
        question
            What is asked.
        command
            What does it without a question.

        Raises
        ------
        ConfigError
            If nobody can be asked.
        """
        if not self.can_ask:
            raise ConfigError(f"{question} Nobody can be asked for a confirmation here", command)
        return typer.confirm(question, err=True)

    @property
    def can_ask(self) -> bool:
        """Whether somebody is there to answer a question."""
        return sys.stdin.isatty() and sys.stderr.isatty() and not self.output.as_json
