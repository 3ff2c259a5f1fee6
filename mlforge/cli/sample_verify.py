"""``mlforge samples verify`` and ``mlforge samples why``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlforge.cli.registrar import command
from mlforge.cli.samples import Codes, Workers
from mlforge.cli.session import Session
from mlforge.errors import DataError

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block, Cell, Style
    from mlforge.workflows.sample_verify import VerifiedCategory
    from mlforge.workflows.samples import ExplainedSample

__all__ = ["verify", "why"]


@command(
    "samples verify",
    schema="mlforge.samples.verify/1",
    keys={
        "categories": "a list of objects with code, n_samples, n_verified, missing, changed and "
        "unlisted (lists of file names), differs (a list of file and reason), problems (a list of "
        "sentences)",
        "ok": "whether everything is as it should be",
    },
    examples=["mlforge samples verify", "mlforge samples verify cup --json"],
    exits=(3,),
)
def verify(session: Session, codes: Codes = None, workers: Workers = None) -> None:
    """Make every sample again in memory, and compare it with its file, manifest and lock.

    It tells a file that was edited or damaged from a sample that is another one when made again,
    and says whether a library's version is the reason. Nothing is changed. Any difference makes
    the exit code 3.
    """
    from mlforge.cli.render import plain_value

    found = session.project.verify_samples(codes or (), workers)
    ok = all(category.ok for category in found)
    session.show({"categories": plain_value(found), "ok": ok}, _verify_blocks(found))
    if not ok:
        raise typer.Exit(DataError.exit_code)


def _verify_blocks(found: list[VerifiedCategory]) -> list[Block]:
    from mlforge.cli.blocks import Cell, Column, Line, Row, table
    from mlforge.cli.render import count, failures
    from mlforge.core.records import Failure

    columns = [
        Column("category"),
        Column("samples", "right"),
        Column("verified", "right"),
        Column("missing", "right", optional=True),
        Column("changed", "right", optional=True),
        Column("differ", "right", optional=True),
        Column("unlisted", "right", optional=True),
    ]
    rows: list[Row] = [
        [
            Cell(c.code, "strong"),
            f"{c.n_samples}",
            Cell(f"{c.n_verified}", "good" if c.ok else "warning"),
            *(_number(len(items)) for items in (c.missing, c.changed, c.differs, c.unlisted)),
        ]
        for c in found
    ]
    blocks: list[Block] = [table(columns, rows)]
    for category in found:
        blocks += [Line(f"{category.code}: {problem}", "bad") for problem in category.problems]
        listed = [Failure(f"{category.code}/{file}", "missing") for file in category.missing]
        listed += [
            Failure(f"{category.code}/{file}", "edited or damaged: not what was made")
            for file in category.changed
        ]
        listed += [Failure(f"{category.code}/{f.file}", f.reason) for f in category.differs]
        listed += [
            Failure(f"{category.code}/{file}", "in no manifest") for file in category.unlisted
        ]
        blocks += failures(listed, f"Not as it should be in {category.code}")
    n_samples = sum(category.n_verified for category in found)
    if all(category.ok for category in found):
        return [*blocks, Line(f"Verified {count(n_samples, 'sample')}, byte for byte.", "good")]
    are_wrong = any(c.changed or c.differs or c.problems for c in found)
    if are_wrong or any(c.missing for c in found):
        remake = f"mlforge samples generate{' --force' if are_wrong else ''}"
        blocks.append(Line(f"To make them as they should be: {remake}", "warning"))
    if any(c.unlisted for c in found):
        blocks.append(Line("What is in no manifest is not ours: move it away.", "warning"))
    return blocks


def _number(n: int) -> Cell:
    from mlforge.cli.blocks import Cell

    return Cell(f"{n}", "bad" if n else "")


@command(
    "samples why",
    schema="mlforge.samples.why/1",
    keys={
        "sample": "an object with file, code, source (the seed's file or the input, null where "
        "gone), source_digest, copy, recipe (a list of steps with the values that were drawn), "
        "quality, n_bytes, digest, state (as made, changed, missing), up_to_date"
    },
    examples=[
        "mlforge samples why categories/cup/samples/sample_1f3a90c2_0001.png",
        "mlforge samples why sample_1f3a90c2_0001.png --json",
    ],
    exits=(3,),
)
def why(
    session: Session,
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="A sample, or its name alone.", show_default=False),
    ] = None,
) -> None:
    """Say where a sample comes from: its seed, its recipe, its hashes."""
    from mlforge.cli.render import plain_value

    sample = session.project.explain_sample(Path(session.ask(file, "FILE")))
    session.show({"sample": plain_value(sample)}, _why_blocks(sample))


def _why_blocks(sample: ExplainedSample) -> list[Block]:
    from mlforge.cli.blocks import Cell, Column, Line, Row, table
    from mlforge.core.units import format_size

    style: Style = "good" if sample.state == "as made" else "bad"
    now = "" if sample.up_to_date else ", of an earlier configuration, library version or seed"
    facts: list[Row] = [
        ["category", Cell(sample.code, "strong")],
        ["made from", sample.source or "a seed or input that is gone"],
        ["its SHA-256", sample.source_digest],
        ["copy", f"{sample.copy}"],
        ["quality", f"{sample.quality:.2f}"],
        ["size", format_size(sample.n_bytes)],
        ["SHA-256", sample.digest],
        ["file", Cell(f"{sample.state}{now}", style)],
    ]
    steps: list[Row] = [
        [f"  {name}", ", ".join(f"{key} {value}" for key, value in drawn.items())]
        for name, drawn in (_step(step) for step in sample.recipe)
    ]
    blocks: list[Block] = [
        Line(sample.file, "strong"),
        table([Column("what"), Column("value")], facts, headed=False),
    ]
    if not steps:
        return [*blocks, Line("Untouched: no technique was applied.")]
    return [
        *blocks,
        Line("Made by:"),
        table([Column("step"), Column("drawn")], steps, headed=False),
    ]


def _step(step: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """Return a step's name, which is its first text, and the values that were drawn."""
    drawn = dict(step)
    key = next((key for key in ("technique", "step", "name") if key in drawn), "")
    return str(drawn.pop(key, "made")), drawn
