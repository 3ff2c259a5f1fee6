"""``mlforge samples``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlforge.cli import completion
from mlforge.cli.registrar import command
from mlforge.cli.session import DONE_WITH_FAILURES, Session

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block, Style
    from mlforge.workflows.generate import GenerateResult

__all__ = [
    "Codes",
    "Count",
    "Workers",
    "clean",
    "generate",
    "generate_blocks",
    "generate_document",
    "list_",
    "preview",
]

GENERATE_KEYS = {
    "categories": "a list of objects with code, n_seeds (or inputs), n_wanted, count_from (who "
    "asked for so many: option, lock, earlier, or default), n_samples, n_made, n_kept, "
    "n_removed, failures (a list of file and reason)",
    "up_to_date": "whether there was nothing to do",
    "dry_run": "whether nothing was written",
    "seconds": "how long it took",
}

Codes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CODE]...",
        help="The categories; all where none is given.",
        autocompletion=completion.category_codes,
        show_default=False,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="How many work side by side; one a processor where not given. "
        "Results do not depend on it.",
        show_default=False,
    ),
]
Count = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Samples for each category, those that are there included. Where not given: as "
        "many as an earlier run was asked for, else 20 for each seed.",
        show_default=False,
    ),
]


@command(
    "samples generate",
    schema="mlforge.samples.generate/1",
    keys=GENERATE_KEYS,
    examples=[
        "mlforge samples generate",
        "mlforge samples generate cup bowl --count 200",
        "mlforge samples generate --dry-run",
        "mlforge samples generate --locked",
    ],
    exits=(3, 4, 6, 10),
)
def generate(
    session: Session,
    codes: Codes = None,
    count: Count = None,
    *,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Make every sample again; the old ones stay until then. A service is asked again "
            "only where its answer could not be used.",
        ),
    ] = False,
    locked: Annotated[
        bool,
        typer.Option(
            "--locked",
            help="Make exactly what mlforge.lock says, or fail and change nothing.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    workers: Workers = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="HOST",
            help="A host that the method api may call; may be given again.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make the samples that are missing, and remove those that should not be.

    Which samples exist depends on seeds, configurations and the count alone. Samples that cannot
    be made are listed, and the exit code is then 10.

    With --locked, count, seeds and configurations must be those of mlforge.lock, and so must every
    sample; if not, the exit code is 3, and it says whether a seed, a configuration or a library's
    version is the reason.
    """
    from mlforge.workflows.generate import GenerateOptions

    options = GenerateOptions(
        tuple(codes or ()), count, force, dry_run, workers, locked, tuple(allow_host or ())
    )
    result = session.project.generate(options)
    session.show(generate_document(result), generate_blocks(result))
    if any(category.failures for category in result.categories):
        raise typer.Exit(DONE_WITH_FAILURES)


def generate_document(result: GenerateResult) -> dict[str, object]:
    """Return the keys of `GENERATE_KEYS`."""
    from mlforge.cli.render import plain_value

    return {
        "categories": plain_value(result.categories),
        "up_to_date": result.up_to_date,
        "dry_run": result.dry_run,
        "seconds": round(result.seconds, 3),
    }


def generate_blocks(result: GenerateResult) -> list[Block]:
    """Return what a person is told."""
    from mlforge.cli.blocks import Cell, Column, Line, Row, table
    from mlforge.cli.render import count, duration, failures

    n_samples = sum(category.n_samples for category in result.categories)
    n_made = sum(category.n_made for category in result.categories)
    n_removed = sum(category.n_removed for category in result.categories)
    columns = [
        Column("category"),
        Column("seeds", "right", optional=True),
        Column("to make" if result.dry_run else "made", "right"),
        Column("kept", "right", optional=True),
        Column("to remove" if result.dry_run else "removed", "right"),
        Column("samples", "right"),
        Column("failed", "right", optional=True),
    ]
    rows: list[Row] = [
        [
            Cell(c.code, "strong"),
            f"{c.n_seeds}",
            f"{c.n_made}",
            f"{c.n_kept}",
            f"{c.n_removed}",
            f"{c.n_samples}",
            Cell(f"{len(c.failures)}", "bad" if c.failures else ""),
        ]
        for c in result.categories
    ]
    if result.up_to_date:
        line = Line(f"Up to date: {count(n_samples, 'sample')}; nothing to do.", "good")
    elif result.dry_run:
        line = Line(f"Would make {count(n_made, 'sample')} and remove {n_removed:,}.", "warning")
    else:
        took = f" in {duration(result.seconds)}"
        line = Line(f"Made {count(n_made, 'sample')}{took}; there are {n_samples:,}.", "good")
    failed = [failure for category in result.categories for failure in category.failures]
    listed = [] if result.up_to_date else [table(columns, rows)]
    return [*listed, *failures(failed, "Not made"), line, *_earlier_counts(result)]


def _earlier_counts(result: GenerateResult) -> Iterator[Block]:
    """Say where a count comes from that nobody gave this time."""
    from mlforge.cli.blocks import Line

    earlier = {c.code: c.n_wanted for c in result.categories if c.count_from == "earlier"}
    if earlier:
        counts = " or ".join(f"{n:,}" for n in sorted(set(earlier.values())))
        of = f" of {', '.join(earlier)}" if len(earlier) < len(result.categories) else ""
        text = (
            f"The count{of} is that of an earlier run: {counts} a category; --count N changes it."
        )
        yield Line(text, "dim")


@command(
    "samples list",
    schema="mlforge.samples/1",
    keys={
        "categories": "a list of objects with code, n_samples, n_failed, n_bytes, and state: "
        "none, complete, interrupted, or stale where the configuration has changed"
    },
    examples=["mlforge samples list"],
    exits=(3,),
)
def list_(session: Session, codes: Codes = None) -> None:
    """List each category's samples and whether they are up to date."""
    from mlforge.cli.blocks import Cell, Column, Row, table
    from mlforge.cli.render import plain_value
    from mlforge.core.units import format_size

    found = session.project.samples(codes or ())
    styles: dict[str, Style] = {"complete": "good", "stale": "warning", "interrupted": "warning"}
    columns = [
        Column("category"),
        Column("samples", "right"),
        Column("failed", "right", optional=True),
        Column("size", "right", optional=True),
        Column("state"),
    ]
    rows: list[Row] = [
        [
            Cell(s.code, "strong"),
            f"{s.n_samples}",
            f"{s.n_failed}",
            format_size(s.n_bytes),
            Cell(s.state, styles.get(s.state, "dim")),
        ]
        for s in found
    ]
    session.show({"categories": plain_value(found)}, [table(columns, rows)])


@command(
    "samples preview",
    schema="mlforge.samples.preview/1",
    keys={
        "output": "the picture's file",
        "n_rows": "how many seeds, or inputs, it shows",
        "n_left_out": "how many more have samples",
        "categories_left_out": "the categories of which it shows none",
    },
    examples=[
        "mlforge samples preview --output sheet.png",
        "mlforge samples preview cup --output cup.png",
    ],
    exits=(3,),
)
def preview(
    session: Session,
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="[CODE]",
            help="The category; the first seeds of every one where not given.",
            autocompletion=completion.category_codes,
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Where to write it: .png, .jpg or .webp.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a contact sheet: each row a seed, or an input, and its samples.

    Below a sample stand the techniques that it passed through; a generator's own steps are one
    word, its name. It has 60 rows at most, 4 of each category where no category is named.
    """
    from mlforge.cli.blocks import Line
    from mlforge.cli.render import count, plain_value

    target = Path(session.ask(output, "--output"))
    sheet = session.project.preview(target, code)
    blocks: list[Block] = [Line(f"Wrote {target} with {count(sheet.n_rows, 'row')}.", "good")]
    if sheet.n_left_out:
        text = f"Not shown: {count(sheet.n_left_out, 'seed or input', 'seeds and inputs')}"
        if sheet.categories_left_out:
            n_categories = len(sheet.categories_left_out)
            text += f", among them all of {count(n_categories, 'category', 'categories')}"
        more = "" if code else "; mlforge samples preview CODE shows more of one category"
        blocks.append(Line(f"{text}{more}.", "dim"))
    session.show({"output": str(target), **plain_value(sheet)}, blocks)


@command(
    "samples clean",
    schema="mlforge.samples.clean/1",
    keys={
        "categories": "a list of objects with code, n_samples, how many were removed, and left, "
        "the files that mlforge did not make and left there"
    },
    examples=["mlforge samples clean", "mlforge samples clean cup"],
    exits=(3,),
)
def clean(session: Session, codes: Codes = None) -> None:
    """Remove samples; they can be made again, byte for byte.

    Files of other origin that lie among them stay.
    """
    from mlforge.cli.blocks import Line
    from mlforge.cli.render import count, failures, plain_value
    from mlforge.core.records import Failure

    cleaned = session.project.clean_samples(codes or ())
    n_removed = sum(category.n_samples for category in cleaned)
    left = [Failure(file, "not made by mlforge") for c in cleaned for file in c.left]
    where = count(len(cleaned), "category", "categories")
    session.show(
        {"categories": plain_value(cleaned)},
        [
            Line(f"Removed {count(n_removed, 'sample')} of {where}.", "good"),
            *failures(left, "Left", "warning"),
        ],
    )
