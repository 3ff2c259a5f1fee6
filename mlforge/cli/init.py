"""``mlforge init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlforge.cli import completion
from mlforge.cli.registrar import command
from mlforge.cli.session import Session

__all__ = ["init"]

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="The folder; made where it is missing.")
]
Modality = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="The kind of data.", autocompletion=completion.modality_names
    ),
]
Example = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Write the categories of an example: signs (drawn) or digits (real).",
        autocompletion=completion.examples,
        show_default=False,
    ),
]


@command(
    "init",
    schema="mlforge.init/1",
    keys={
        "project": "the project's folder",
        "modality": "the kind of data",
        "example": "the example that was written, or null",
        "categories": "the codes of its categories",
    },
    examples=[
        "mlforge init",
        "mlforge init signs --example signs",
        "mlforge init digits --example digits --json",
    ],
    exits=(3,),
    takes_project=False,
)
def init(
    session: Session,
    folder: Folder = Path(),
    modality: Modality = "image",
    example: Example = None,
) -> None:
    """Make a project.

    Writes mlforge.toml with every setting as a comment, and categories/, where each category gets
    a folder with a config.json and its seeds. With an example there are categories to train on at
    once, and pictures that no model has seen under unseen/.
    """
    from mlforge.cli.blocks import Line
    from mlforge.cli.render import count, next_steps, shown_path
    from mlforge.project import Project

    project = Project.init(folder, modality=modality, example=example, reporter=session.reporter)
    codes = [category.code for category in project.categories()]
    document = {
        "project": str(folder),
        "modality": modality,
        "example": example,
        "categories": codes,
    }
    there = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    steps = (
        [(f"{there}mlforge run", "generate, train, and say how good it is")]
        if codes
        else [
            (f"{there}mlforge categories add CODE FILES...", "a category and its seeds"),
            (f"{there}mlforge categories import FOLDER", "or a folder of class folders"),
        ]
    )
    made = f"Made the project {shown_path(folder)}"
    with_codes = f" with {count(len(codes), 'category', 'categories')}" if codes else ""
    session.show(document, [Line(f"{made}{with_codes}.", "good"), *next_steps(steps)])
