"""Registering a command: its place in the help, its examples and the common options."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mlforge.cli.output import ConsoleReporter, Output
from mlforge.cli.session import CommandSpec, Session

__all__ = ["COMMANDS", "Command", "add_to", "command"]


@dataclass(frozen=True)
class Command:
    """A registered command.

    Attributes
    ----------
    spec
        What the reference says of it.
    function
        What it does: takes a `Session` and its own parameters.
    takes_project
        Whether it has ``--project``.
    """

    spec: CommandSpec
    function: Callable[..., None]
    takes_project: bool


COMMANDS: dict[str, Command] = {}
"""The commands by path."""

ProjectOption = Annotated[
    Path | None,
    typer.Option(
        "--project",
        metavar="DIR",
        help="The project's folder; the nearest one from here upward where not given.",
        rich_help_panel="Common options",
        show_default=False,
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document.", rich_help_panel="Common options"),
]
QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet",
        help="No warnings, no bars, no colour; results and errors only.",
        rich_help_panel="Common options",
    ),
]
VerboseOption = Annotated[
    bool,
    typer.Option("--verbose", help="Log lines to stderr.", rich_help_panel="Common options"),
]
DebugOption = Annotated[
    bool,
    typer.Option(
        "--debug", help="Show where an error comes from.", rich_help_panel="Common options"
    ),
]
_COMMON = {
    "project": (ProjectOption, None),
    "json": (JsonOption, False),
    "quiet": (QuietOption, False),
    "verbose": (VerboseOption, False),
    "debug": (DebugOption, False),
}


def command(
    path: str,
    *,
    schema: str,
    keys: Mapping[str, str],
    examples: Sequence[str],
    exits: Sequence[int] = (),
    takes_project: bool = True,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register ``function(session, **its own parameters)`` as a command.

    Its docstring is the help; its parameters are Typer's.

    Parameters
    ----------
    path
        The words that call it, such as ``categories add``.
    schema, keys, examples, exits
        See `CommandSpec`.
    takes_project
        Whether it has ``--project``.
    """
    spec = CommandSpec(path, schema, keys, tuple(exits), tuple(examples))

    def register(function: Callable[..., None]) -> Callable[..., None]:
        COMMANDS[path] = Command(spec, function, takes_project)
        return function

    return register


def add_to(app: typer.Typer, registered: Command) -> None:
    """Add a command, with the common options, to its application or group."""
    function, spec = registered.function, registered.spec
    common = {k: v for k, v in _COMMON.items() if registered.takes_project or k != "project"}

    def run(**values: Any) -> None:
        given = {name: values.pop(name) for name in common}
        _run(spec, function, given, values)

    _describe(run, function, common)
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    lines = "\n".join(f"  {example}" for example in spec.examples)
    # The backspace keeps the lines as they are; Typer drops it.
    epilog = f"\b\nExamples:\n{lines}"
    app.command(spec.path.split()[-1], help=text, epilog=epilog)(run)


def _describe(
    run: Callable[..., None],
    function: Callable[..., None],
    common: Mapping[str, tuple[Any, Any]],
) -> None:
    """Give `run` the signature from which Typer makes the command's parameters."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in common.items()
    ]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + shared
    run.__name__ = function.__name__
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect


def _run(
    spec: CommandSpec,
    function: Callable[..., None],
    common: Mapping[str, Any],
    values: Mapping[str, Any],
) -> None:
    reporter = ConsoleReporter(quiet=common["quiet"], verbose=common["verbose"])
    output = Output(as_json=common["json"], quiet=common["quiet"])

    # What a library warns of is for its programmers: a log line, not a message.
    with warnings.catch_warnings(record=True) as noted:
        try:
            function(Session(spec, common.get("project"), output, reporter), **values)
        finally:
            for warning in noted:
                reporter.info(f"{warning.category.__name__}: {warning.message}")
