"""The commands, put together."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer
from typer.core import TyperGroup

from mlforge.cli.registrar import COMMANDS, Command, add_to

__all__ = ["commands", "make_app"]

# One file for each command or group of commands; importing one registers what it holds.
MODULES = (
    "batch",
    "categories",
    "comparison",
    "components",
    "doctor",
    "evaluate",
    "exchange",
    "init",
    "models",
    "predict",
    "report",
    "run",
    "sample_verify",
    "samples",
    "train",
    "versions",
)
# The order of the work; Typer would put single commands before groups.
ORDER = (
    "init",
    "run",
    "categories",
    "samples",
    "train",
    "evaluate",
    "models",
    "report",
    "predict",
    "batch",
    "features",
    "generators",
    "techniques",
    "doctor",
)
GROUPS = {
    "categories": "Add, import, list, show, check and remove categories.",
    "samples": "Generate, list, look at, verify, explain and remove samples.",
    "models": "List, check, promote, compare, share and remove trained models.",
    "features": "List what turns an example into numbers.",
    "generators": "List the ways to make samples.",
    "techniques": "List the steps that vary a sample.",
}
EXAMPLES = """\b
Examples:
  mlforge init signs --example signs   make a project to try
  mlforge run --project signs          generate samples, train, report
  mlforge predict photo.jpg            use what was trained
  mlforge train --help                 more of one command"""


class _Ordered(TyperGroup):
    """Lists the commands in the order of the work."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # Typer's public name for its own
        return sorted(self.commands, key=ORDER.index)


def commands() -> list[Command]:
    """Return every command, in the order of the work."""
    for module in MODULES:
        importlib.import_module(f"mlforge.cli.{module}")
    return sorted(COMMANDS.values(), key=lambda command: ORDER.index(command.spec.path.split()[0]))


def make_app(*, rich_help: bool) -> typer.Typer:
    """Return the application.

    Parameters
    ----------
    rich_help
        Whether help is drawn with colour and boxes; plain text is quicker and suits a pipe.
    """
    app = typer.Typer(
        cls=_Ordered,
        help="Grow a classifier that you can trust from a handful of examples.",
        epilog=EXAMPLES,
        no_args_is_help=True,
        rich_markup_mode="rich" if rich_help else None,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback()(_root)
    groups: dict[str, typer.Typer] = {}
    for command in commands():
        first, _, second = command.spec.path.partition(" ")
        if second and first not in groups:
            groups[first] = typer.Typer(help=GROUPS[first], no_args_is_help=True)
            app.add_typer(groups[first], name=first)
        add_to(groups[first] if second else app, command)
    return app


def _print_version(*, wanted: bool) -> None:
    if wanted:
        from mlforge import __version__

        typer.echo(f"mlforge {__version__}")
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=lambda value: _print_version(wanted=value),
            help="Show the version.",
        ),
    ] = False,
) -> None:
    """Take the options before a command."""
