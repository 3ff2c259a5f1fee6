"""``mlforge doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mlforge.cli.registrar import command
from mlforge.cli.session import Session
from mlforge.errors import ConfigError

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block, Style

__all__ = ["doctor"]


@command(
    "doctor",
    schema="mlforge.doctor/1",
    keys={
        "checks": "a list of objects with name, status (ok, warning or error), detail, fix",
        "healthy": "whether none is an error",
    },
    examples=["mlforge doctor", "mlforge doctor --json"],
)
def doctor(session: Session) -> None:
    """Look at the environment, the extras, the plugins and the project's health.

    The exit code is 2 where something is broken.
    """
    from mlforge.cli.blocks import Cell, Column, Line, Row, table
    from mlforge.cli.render import plain_value
    from mlforge.workflows.doctor import diagnose

    project = session.project_or_none
    found = diagnose(project.root if project else None)
    styles: dict[str, Style] = {"ok": "good", "warning": "warning", "error": "bad"}
    rows: list[Row] = [[Cell(d.status, styles[d.status]), d.name, d.detail] for d in found]
    blocks: list[Block] = [
        table([Column("status"), Column("what"), Column("found")], rows, headed=False)
    ]
    blocks += [Line(f"{d.name}: {d.fix}", styles[d.status]) for d in found if d.fix]
    healthy = all(diagnosis.status != "error" for diagnosis in found)
    session.show({"checks": plain_value(found), "healthy": healthy}, blocks)
    if not healthy:
        raise typer.Exit(ConfigError.exit_code)
