"""``mlforge models``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mlforge.cli.components import COMPONENT_KEYS, show_components
from mlforge.cli.registrar import command
from mlforge.cli.session import Session
from mlforge.cli.versions import VersionArgument
from mlforge.errors import ArtifactError

if TYPE_CHECKING:
    from mlforge.storage.aliases import Alias

__all__ = ["available", "list_", "show"]


@command(
    "models available",
    schema="mlforge.models.available/1",
    keys=COMPONENT_KEYS,
    examples=["mlforge models available"],
)
def available(session: Session) -> None:
    """List the models that can be trained, those of plugins included."""
    from mlforge.models import MODELS

    show_components(session, MODELS)


@command(
    "models list",
    schema="mlforge.models/1",
    keys={
        "models": "a list of objects, those of the newest train first and the best of them "
        "before all, with version, model, features, accuracy, accuracy_interval, macro_f1, "
        "macro_f1_interval, per_category, confusion, seconds, aliases; figures are null where "
        "nothing could be scored",
        "default": "the version that predict uses where none is named, or null",
        "aliases": "what each alias names, an object",
    },
    examples=["mlforge models list", "mlforge models list --json"],
    exits=(3, 5),
)
def list_(session: Session) -> None:
    """List the trained models, those of the newest train first, best before all."""
    from mlforge.cli.blocks import Block, Line
    from mlforge.cli.render import next_steps
    from mlforge.cli.scores import leaderboard, model_values

    project = session.project
    models = project.models()
    default, why_none = _default(session)
    aliases = project.artifacts.aliases.read()
    blocks: list[Block] = [
        Line("No model has been trained yet."),
        *next_steps([("mlforge train", "train one")]),
    ]
    if models:
        blocks = [leaderboard(models), Line()]
        blocks += [Line(f"{a.name} is {a.version}, since {_since(a)}.") for a in aliases.values()]
        blocks.append(Line(f"predict uses {default}." if default else why_none, "dim"))
    session.show(
        {
            "models": [
                {**model_values(model), "aliases": _names_of(model.version, aliases)}
                for model in models
            ],
            "default": default,
            "aliases": {alias.name: alias.version for alias in aliases.values()},
        },
        blocks,
    )


@command(
    "models show",
    schema="mlforge.models.show/1",
    keys={
        "model": "an object with the keys of models list, and created, parameters, "
        "extractors (name and parameters), categories (code, name, min_confidence), "
        "n_features, n_seeds, n_samples, versions (of the libraries), data (digests of the "
        "seeds and samples by category), environment (the kind of machine), origin (the version "
        "and digest of one that was imported); null where an older mlforge made it",
        "history": "the moves of the aliases that name it: alias, action, version, previous, time",
    },
    examples=["mlforge models show random_forest-0001"],
    exits=(3, 5),
)
def show(
    session: Session,
    version: VersionArgument = None,
) -> None:
    """Show what a model was made from and how good it is."""
    from mlforge.cli.blocks import Cell, Column, Line, Row, table
    from mlforge.cli.scores import choice_blocks, evaluation_blocks, model_values
    from mlforge.workflows.trained import stored_model

    project = session.project
    chosen = project.artifacts.resolve(session.ask(version, "VERSION"))
    manifest = project.artifacts.manifest(chosen)
    model = stored_model(project.workspace, chosen)
    aliases = project.artifacts.aliases.read()
    document = {
        **model_values(model),
        "aliases": _names_of(chosen, aliases),
        **_made_from(manifest),
    }
    history = [
        {"alias": alias.name, **vars(change)}
        for alias in aliases.values()
        if alias.version == chosen
        for change in alias.history
    ]
    rows: list[Row] = [[Cell(key, "dim"), value] for key, value in _facts(document)]
    rows += [[Cell(step["alias"], "dim"), _told(step)] for step in history]
    columns = [Column("key", folds=False), Column("value")]
    session.show(
        {"model": document, "history": history},
        [
            *evaluation_blocks(model, session.output.width),
            *choice_blocks(model),
            Line(),
            table(columns, rows, headed=False),
        ],
    )


def _default(session: Session) -> tuple[str | None, str]:
    """Return the version that predict uses where none is named; None, and why, if it uses none."""
    try:
        return session.project.artifacts.resolve(None), ""
    except ArtifactError as error:
        return None, f"predict uses none of them unless it is named: {error.message}."


def _names_of(version: str, aliases: Mapping[str, Alias]) -> list[str]:
    return [alias.name for alias in aliases.values() if alias.version == version]


def _since(alias: Alias) -> str:
    return alias.history[-1].time


def _told(step: Mapping[str, Any]) -> str:
    before = f", before {step['previous']}" if step["previous"] else ""
    verb = "promoted" if step["action"] == "promote" else "rolled back to"
    return f"{step['time']}: {verb} {step['version']}{before}"


def _made_from(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what a manifest says of what a model was made from."""
    kept = ("created", "categories", "n_features", "n_seeds", "n_samples", "versions")
    return {
        **{key: manifest[key] for key in kept},
        **{key: manifest.get(key) for key in ("data", "environment", "origin")},
        "parameters": manifest["model"]["parameters"],
        "extractors": [
            {"name": extractor["name"], "parameters": extractor["parameters"]}
            for extractor in manifest["extractors"]
        ],
    }


def _facts(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    from mlforge.cli.render import count

    yield "created", document["created"]
    yield "model", _with_parameters(document["model"], document["parameters"])
    for extractor in document["extractors"]:
        yield "features", _with_parameters(extractor["name"], extractor["parameters"])
    yield "in all", count(document["n_features"], "feature")
    yield "categories", ", ".join(category["code"] for category in document["categories"])
    trained_on = (count(document["n_seeds"], "seed"), count(document["n_samples"], "sample"))
    yield "trained on", ", ".join(trained_on)
    if document["data"]:
        yield "data", document["data"]["digest"][:16]
    if document["origin"]:
        yield "imported", f"{document['origin']['version']} where it came from"
    if document["aliases"]:
        yield "aliases", ", ".join(document["aliases"])
    yield "libraries", ", ".join(f"{k} {v}" for k, v in document["versions"].items())


def _with_parameters(name: str, parameters: dict[str, object]) -> str:
    listed = ", ".join(f"{key}={value}" for key, value in parameters.items())
    return f"{name} ({listed})" if listed else name
