"""``mlforge models export``, ``import`` and ``reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlforge.cli.registrar import command
from mlforge.cli.samples import Workers
from mlforge.cli.session import Session
from mlforge.cli.versions import VersionArgument
from mlforge.errors import ArtifactError, ConfigError, DataError

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block
    from mlforge.workflows.reproduce import Reproduction

__all__ = ["export", "import_", "reproduce"]


@command(
    "models export",
    schema="mlforge.models.export/1",
    keys={"version": "the version", "output": "the file", "bytes": "its size"},
    examples=["mlforge models export production --output model.mlforge"],
    exits=(3, 5),
)
def export(
    session: Session,
    version: VersionArgument = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="The file to write.", show_default=False),
    ] = None,
) -> None:
    """Write a model as one file, to send it to somebody or to another machine.

    The file holds what prediction needs, how good the model is, what it was made from as digests,
    and a few golden examples: one picture of each category, eight at most.
    """
    from mlforge.cli.blocks import Line
    from mlforge.cli.render import next_steps
    from mlforge.core.units import format_size

    chosen = session.ask(version, "VERSION")
    if output is None:
        raise ConfigError(
            "missing option --output FILE",
            f"mlforge models export {chosen} --output {chosen}.mlforge",
        )
    made = session.project.export_model(chosen, output)
    size = output.stat().st_size
    session.show(
        {"version": made, "output": str(output), "bytes": size},
        [
            Line(f"Wrote {made} to {output}, {format_size(size)}.", "good"),
            *next_steps([(f"mlforge models import {output.name}", "in another project")]),
        ],
    )


@command(
    "models import",
    schema="mlforge.models.import/1",
    keys={
        "version": "the version in this project",
        "origin": "the version that it had where it came from",
        "is_new": "whether it was not here already",
    },
    examples=["mlforge models import model.mlforge"],
    exits=(3, 4, 5),
)
def import_(
    session: Session,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE",
            help="A file that mlforge models export wrote.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Take a model in that somebody else exported, as the next version of its kind.

    No code comes with it. Before anything is stored, sizes, digests and graphs are checked, and
    its golden examples are predicted: what it said there it must say here.
    """
    from mlforge.cli.blocks import Line
    from mlforge.cli.render import next_steps

    made = session.project.import_model(Path(session.ask(file, "FILE")))
    document = {"version": made.version, "origin": made.origin, "is_new": made.is_new}
    if not made.is_new:
        session.show(document, [Line(f"It is here already: {made.version}.")])
        return
    steps = [
        (f"mlforge models show {made.version}", "what it was made from"),
        (f"mlforge models promote {made.version}", "use it from now on"),
    ]
    was = f" ({made.origin} where it came from)" if made.origin != made.version else ""
    session.show(document, [Line(f"Imported {made.version}{was}.", "good"), *next_steps(steps)])


@command(
    "models reproduce",
    schema="mlforge.models.reproduce/1",
    keys={
        "version": "the version",
        "verdict": "same, differs, or data changed",
        "reasons": "what is not as it was, a list of sentences",
        "difference": "the largest difference of a probability on the golden examples, or null",
    },
    examples=[
        "mlforge models reproduce random_forest-0001",
        "mlforge models reproduce random_forest-0001 --data photos",
    ],
    exits=(3, 4, 5, 6),
)
def reproduce(
    session: Session,
    version: VersionArgument = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FOLDER",
            help="The folder of class folders that it was trained on, where it was one.",
            show_default=False,
        ),
    ] = None,
    workers: Workers = None,
) -> None:
    """Train a model again from what its artifact says, and say whether it is the same.

    Nothing is stored. The same means: its graph byte for byte. Where it is not, the exit code is 5
    and the reasons are named; where the seeds or samples are others, nothing is trained and the
    exit code is 3.
    """
    result = session.project.reproduce(session.ask(version, "VERSION"), data=data, workers=workers)
    session.show(
        {
            "version": result.version,
            "verdict": result.verdict,
            "reasons": list(result.reasons),
            "difference": result.difference,
        },
        _reproduction_blocks(result),
    )
    if result.verdict != "same":
        changed = result.verdict == "data changed"
        raise typer.Exit(DataError.exit_code if changed else ArtifactError.exit_code)


def _reproduction_blocks(result: Reproduction) -> list[Block]:
    from mlforge.cli.blocks import Line

    if result.verdict == "same":
        return [Line(f"{result.version}: the same, byte for byte.", "good")]
    told = {
        "data changed": "not trained again: its seeds or samples are not what they were",
        "differs": "trained again, and it is not the same",
    }[result.verdict]
    if result.difference is not None:
        told += f"; probabilities are off by up to {result.difference:.2g}"
    reasons = [Line(reason, indent=2) for reason in result.reasons]
    return [Line(f"{result.version}: {told}.", "warning"), *reasons]
