"""``mlforge models``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from mlforge.cli import completion
from mlforge.cli.components import COMPONENT_KEYS, show_components
from mlforge.cli.registrar import command
from mlforge.cli.session import Session

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
        "macro_f1_interval, per_category, confusion, seconds; figures are null where nothing "
        "could be scored",
        "default": "the version that predict uses where none is named, or null",
    },
    examples=["mlforge models list", "mlforge models list --json"],
    exits=(3, 5),
)
def list_(session: Session) -> None:
    """List the trained models, those of the newest train first, best before all."""
    from mlforge.cli.blocks import Block, Line
    from mlforge.cli.render import next_steps
    from mlforge.cli.scores import leaderboard, model_values

    models = session.project.models()
    default = next(iter(session.project.artifacts.latest()), None)
    blocks: list[Block] = [
        Line("No model has been trained yet."),
        *next_steps([("mlforge train", "train one")]),
    ]
    if default:
        blocks = [leaderboard(models), Line(), Line(f"predict uses {default}.", "dim")]
    session.show({"models": [model_values(m) for m in models], "default": default}, blocks)


@command(
    "models show",
    schema="mlforge.models.show/1",
    keys={
        "model": "an object with the keys of models list, and created, parameters, "
        "extractors (name and parameters), categories (code, name, min_confidence), "
        "n_features, n_seeds, n_samples, versions (of the libraries)"
    },
    examples=["mlforge models show random_forest-0001"],
    exits=(3, 5),
)
def show(
    session: Session,
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="VERSION",
            help="The model's version; see: mlforge models list.",
            autocompletion=completion.versions,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what a model was made from and how good it is."""
    from mlforge.cli.blocks import Cell, Column, Line, Row, table
    from mlforge.cli.scores import evaluation_blocks, model_values
    from mlforge.workflows.train import stored_model

    project = session.project
    chosen = project.artifacts.resolve(session.ask(version, "VERSION"))
    model = stored_model(project.workspace, chosen)
    document = {**model_values(model), **_made_from(project.artifacts.manifest(chosen))}
    rows: list[Row] = [[Cell(key, "dim"), value] for key, value in _facts(document)]
    columns = [Column("key", folds=False), Column("value")]
    session.show(
        {"model": document},
        [
            *evaluation_blocks(model, session.output.width),
            Line(),
            table(columns, rows, headed=False),
        ],
    )


def _made_from(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what a manifest says of what a model was made from."""
    kept = ("created", "categories", "n_features", "n_seeds", "n_samples", "versions")
    return {
        **{key: manifest[key] for key in kept},
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
    yield "libraries", ", ".join(f"{k} {v}" for k, v in document["versions"].items())


def _with_parameters(name: str, parameters: dict[str, object]) -> str:
    listed = ", ".join(f"{key}={value}" for key, value in parameters.items())
    return f"{name} ({listed})" if listed else name
