"""``mlforge features``, ``generators`` and ``techniques``: what the registries hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlforge.cli.registrar import command
from mlforge.cli.session import Session

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block
    from mlforge.core.component import Component
    from mlforge.core.registry import Registry

__all__ = ["COMPONENT_KEYS", "features", "generators", "show_components", "techniques"]

COMPONENT_KEYS = {
    "components": "a list of objects with name, summary, modality (null: any), available, "
    "install (the command, where not available), from (the package), parameters (an object with "
    "each one's default)",
    "broken": "a list of objects with name, source, reason: plugins that cannot be loaded",
}


@command(
    "features list",
    schema="mlforge.features/1",
    keys=COMPONENT_KEYS,
    examples=["mlforge features list", "mlforge features list --json"],
)
def features(session: Session) -> None:
    """List the extractors, those of plugins included."""
    from mlforge.extractors import EXTRACTORS

    show_components(session, EXTRACTORS)


@command(
    "generators list",
    schema="mlforge.generators/1",
    keys=COMPONENT_KEYS,
    examples=["mlforge generators list", "mlforge generators list --json"],
)
def generators(session: Session) -> None:
    """List the generators, those of plugins included."""
    from mlforge.generators import GENERATORS

    show_components(session, GENERATORS)


@command(
    "techniques list",
    schema="mlforge.techniques/1",
    keys=COMPONENT_KEYS,
    examples=["mlforge techniques list", "mlforge techniques list --json"],
)
def techniques(session: Session) -> None:
    """List the techniques, those of plugins included."""
    from mlforge.techniques import TECHNIQUES

    show_components(session, TECHNIQUES)


def show_components(session: Session, registry: Registry[Any]) -> None:
    """Show the components of one kind: of the project's modality, or all where there is none."""
    from mlforge.cli.blocks import Cell, Column, Line, Row, table
    from mlforge.cli.render import plain_value

    project = session.project_or_none
    modality = project.workspace.settings.modality if project else None
    found = [_describe(component, registry) for component in registry.components(modality)]
    columns = [Column("name", folds=False), Column("what it does")]
    with_origin = any(component["from"] != "mlforge" for component in found)
    if with_origin:
        columns.append(Column("from", optional=True))
    rows: list[Row] = [
        [
            Cell(f"{component['name']}", "strong" if component["available"] else "dim"),
            Cell(_summary(component), "" if component["available"] else "dim"),
            *([Cell(component["from"], "dim")] if with_origin else []),
        ]
        for component in found
    ]
    broken = registry.broken()
    blocks: list[Block] = [table(columns, rows)]
    for item in broken:
        text = f"{item.name} (from {item.source}) cannot be loaded: {item.reason}"
        blocks.append(Line(text, "bad"))
    session.show({"components": found, "broken": plain_value(broken)}, blocks)


def _describe(component: type[Component], registry: Registry[Any]) -> dict[str, Any]:
    import dataclasses

    available = component.available()
    parameters = {
        field.name: None if field.default is dataclasses.MISSING else field.default
        for field in dataclasses.fields(component.Config)
    }
    return {
        "name": component.name,
        "summary": component.summary(),
        "modality": component.modality,
        "available": available,
        "install": None if available else component.install_command(),
        "from": registry.origin(component),
        "parameters": parameters,
    }


def _summary(component: dict[str, Any]) -> str:
    summary = component["summary"]
    return summary if component["available"] else f"{summary} Needs: {component['install']}"
