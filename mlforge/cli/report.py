"""``mlforge report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlforge.cli import completion
from mlforge.cli.registrar import command
from mlforge.cli.session import Session

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block

__all__ = ["report"]

# What each part of a deep evaluation is called in a sentence.
_PARTS = {
    "curve": "what to photograph next",
    "blame": "seeds to look at",
    "techniques": "whether techniques keep the label",
    "robustness": "robustness",
    "unknown": "how often the unknown is taken for known",
}


@command(
    "report",
    schema="mlforge.report/1",
    keys={
        "version": "the model that the report is about",
        "file": "the page",
        "n_bytes": "its size",
        "computed": "which of curve, blame, techniques, robustness and unknown it shows",
        "missing": "which of them were not computed yet; mlforge evaluate --deep does",
    },
    examples=["mlforge report", "mlforge report random_forest-0001 --open"],
    exits=(3, 5),
)
def report(
    session: Session,
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION]",
            help="A version or alias; where not given the model that predict uses, or the best of "
            "the newest train where a gate withholds it.",
            autocompletion=completion.versions,
            show_default=False,
        ),
    ] = None,
    *,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Write one self-contained page that shows what is known of a model.

    How good it is and between what, what it confuses, every photo that it got wrong, and whatever
    evaluate --deep has computed so far. The page needs no network.
    """
    from mlforge.cli.blocks import Line
    from mlforge.cli.render import next_steps, plain_value

    written = session.project.report(version)
    file = _from_here(written.file)
    blocks: list[Block] = [
        Line(f"Report of {written.version}: {file} ({written.n_bytes / 1e6:.1f} MB)")
    ]
    if written.missing:
        blocks.append(Line(f"Not computed yet: {'; '.join(_PARTS[p] for p in written.missing)}."))
        step = f"mlforge evaluate --deep --model {written.version}"
        blocks += next_steps([(step, "compute it")])
    session.show({**plain_value(written), "file": str(file)}, blocks)
    if open_:
        _open(session, written.file)


def _from_here(file: Path) -> Path:
    """Return a path as it would be typed here, where the file lies below."""
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file


def _open(session: Session, file: Path) -> None:
    import webbrowser

    if not webbrowser.open(file.resolve().as_uri()):
        session.reporter.warn(f"no browser could be opened; open this file yourself: {file}")
