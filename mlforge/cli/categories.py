"""``mlforge categories``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlforge.cli import completion
from mlforge.cli.junit import JunitOption, check_junit, finding_verdicts, write_junit
from mlforge.cli.registrar import command
from mlforge.cli.session import DONE_WITH_FAILURES, Session, YesOption
from mlforge.errors import DataError

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block, Style
    from mlforge.workflows.categories import AddedCategory
    from mlforge.workflows.check import Finding

__all__ = ["add", "check", "import_", "list_", "remove", "show"]

_ADDED = (
    "code, created, n_added, n_seeds, duplicates and refused (each a list of file and reason), "
    "n_other and n_deeper (files of other kinds in the folders given, and files in folders below "
    "them: both are left), needs_seeds"
)
# So many messages of one kind are shown to a person.
_SHOWN = 6

Code = Annotated[
    str | None,
    typer.Argument(
        metavar="CODE",
        help="The category's code: a-z, 0-9, '_' and '-'.",
        autocompletion=completion.category_codes,
        show_default=False,
    ),
]
Method = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="How samples of a new category are made: augmentation if not given. "
        "See: mlforge generators list.",
        autocompletion=completion.generator_names,
        show_default=False,
    ),
]
Techniques = Annotated[
    list[str] | None,
    typer.Option(
        "--technique",
        metavar="NAME",
        help="A technique of a new category, in order; may be given again. "
        "See: mlforge techniques list.",
        autocompletion=completion.technique_names,
        show_default=False,
    ),
]


@command(
    "categories add",
    schema="mlforge.categories.add/1",
    keys={"category": f"an object with {_ADDED}"},
    examples=[
        "mlforge categories add cup photos/cup/*.jpg",
        "mlforge categories add cup photos/cup --name 'Coffee cup' --technique rotation",
        "mlforge categories add cup one-more.jpg",
    ],
    exits=(3, 10),
)
def add(
    session: Session,
    code: Code = None,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILES]...",
            help="Seeds: files, or folders of them. They are copied.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="The name for people; made of the code if not given.",
            show_default=False,
        ),
    ] = None,
    method: Method = None,
    technique: Techniques = None,
) -> None:
    """Make a category, or add seeds to one that exists.

    An existing category keeps its configuration; only seeds are added. The same content twice is
    one seed. Of a folder, the files in it are taken and those in folders below it are not. Files
    that cannot be seeds are listed, and the exit code is then 10.
    """
    from mlforge.cli.render import next_steps, plain_value
    from mlforge.workflows.categories import NewCategory

    new = NewCategory(name=name, method=method, techniques=tuple(technique or ()))
    added = session.project.add_category(session.ask(code, "CODE"), files or (), new)
    steps = next_steps(_steps_after([added]))
    session.show({"category": plain_value(added)}, [*_added_blocks([added]), *steps])
    if added.refused:
        raise typer.Exit(DONE_WITH_FAILURES)


@command(
    "categories import",
    schema="mlforge.categories.import/1",
    keys={"categories": f"a list of objects with {_ADDED}"},
    examples=["mlforge categories import photos"],
    exits=(3, 10),
)
def import_(
    session: Session,
    folder: Annotated[
        str | None,
        typer.Argument(
            metavar="FOLDER", help="It holds a folder for each category.", show_default=False
        ),
    ] = None,
    method: Method = None,
    technique: Techniques = None,
) -> None:
    """Make a category of each class folder.

    A folder's name becomes the code (Japanese Cherry: japanese_cherry) and stays the name for
    people. Importing again adds what is new.
    """
    from mlforge.cli.render import next_steps, plain_value
    from mlforge.workflows.categories import NewCategory

    new = NewCategory(method=method, techniques=tuple(technique or ()))
    added = session.project.import_categories(Path(session.ask(folder, "FOLDER")), new)
    steps = next_steps(_steps_after(added))
    session.show({"categories": plain_value(added)}, [*_added_blocks(added), *steps])
    if any(category.refused for category in added):
        raise typer.Exit(DONE_WITH_FAILURES)


@command(
    "categories list",
    schema="mlforge.categories/1",
    keys={"categories": "a list of objects with code, name, method, n_seeds, n_samples, tags"},
    examples=["mlforge categories list", "mlforge categories list --json"],
    exits=(3,),
)
def list_(session: Session) -> None:
    """List the categories with their seeds and samples."""
    from mlforge.cli.blocks import Cell, Column, Line, Row, table
    from mlforge.cli.render import next_steps, plain_value

    found = session.project.categories()
    blocks: list[Block] = [Line("No categories yet.")]
    if found:
        columns = [
            Column("code"),
            Column("name"),
            Column("method", optional=True),
            Column("seeds", "right"),
            Column("samples", "right"),
            Column("tags", optional=True),
        ]
        rows: list[Row] = [
            [
                Cell(c.code, "strong"),
                c.name,
                c.method,
                Cell(f"{c.n_seeds}", "" if c.n_seeds > 1 else "warning"),
                f"{c.n_samples}",
                ", ".join(c.tags),
            ]
            for c in found
        ]
        blocks = [table(columns, rows)]
    else:
        blocks.extend(
            next_steps(
                [
                    ("mlforge categories add CODE FILES...", "a category and its seeds"),
                    ("mlforge categories import FOLDER", "a folder of class folders"),
                ]
            )
        )
    session.show({"categories": plain_value(found)}, blocks)


@command(
    "categories show",
    schema="mlforge.categories.show/1",
    keys={"config": "the whole configuration, as in config.json"},
    examples=["mlforge categories show cup"],
    exits=(3,),
)
def show(session: Session, code: Code = None) -> None:
    """Print a category's configuration with every default filled in.

    What it prints is a valid config.json.
    """
    import json

    from mlforge.cli.blocks import Line

    config = session.project.category_config(session.ask(code, "CODE"))
    text = json.dumps(config, indent=2, ensure_ascii=False)
    session.show(
        {"config": config}, [Line(line.lstrip(), indent=_depth(line)) for line in text.splitlines()]
    )


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


@command(
    "categories check",
    schema="mlforge.categories.check/1",
    keys={
        "findings": "a list of objects with severity (error or warning), category, kind, "
        "message, files, fix; errors first",
        "n_errors": "how many are errors",
    },
    examples=["mlforge categories check", "mlforge categories check cup bowl"],
    exits=(3,),
)
def check(
    session: Session,
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CODE]...",
            help="The categories; all where none is given.",
            autocompletion=completion.category_codes,
            show_default=False,
        ),
    ] = None,
    junit: JunitOption = None,
) -> None:
    """Look through configurations and seeds for what is wrong or worth knowing.

    Finds files that cannot be read; pictures that come twice, also saved anew or scaled, within a
    category (a warning) and in two (an error); pictures that look almost alike, as where one is cut
    a little (a warning, in two categories too: they may be two shots of one scene); pictures that
    are blurred, dark, overexposed, low in contrast, of odd size or shape among the others of their
    category; categories with few seeds, many fewer than others, or one group only.

    Where categories are named, their pictures are compared with those of all the others.

    Errors make the exit code 3; warnings do not. No seed and no configuration is changed.
    """
    from mlforge.cli.blocks import Line
    from mlforge.cli.render import count, plain_value

    check_junit(session, junit)
    findings = session.project.check(codes or ())
    n_errors = sum(finding.severity == "error" for finding in findings)
    blocks: list[Block] = [Line("Nothing found: the categories are ready.", "good")]
    if findings:
        n_warnings = len(findings) - n_errors
        kinds: dict[tuple[str, str], list[Finding]] = {}
        for finding in findings:
            kinds.setdefault((finding.severity, finding.kind), []).append(finding)
        blocks = [block for alike in kinds.values() for block in _findings_blocks(alike)]
        summary = f"{count(n_errors, 'error')}, {count(n_warnings, 'warning')}"
        blocks += [Line(), Line(summary, "bad" if n_errors else "warning")]
    session.show({"findings": plain_value(findings), "n_errors": n_errors}, blocks)
    if junit is not None:
        write_junit(junit, "check", finding_verdicts(findings))
    if n_errors:
        raise typer.Exit(DataError.exit_code)


@command(
    "categories remove",
    schema="mlforge.categories.remove/1",
    keys={"code": "the category", "kept": "where its folder is now"},
    examples=["mlforge categories remove cup", "mlforge categories remove cup --yes"],
    exits=(3,),
)
def remove(
    session: Session,
    code: Code = None,
    *,
    yes: YesOption = False,
) -> None:
    """Take a category out of the project.

    Its folder is not deleted but moved to artifacts/removed/. Asks before it does so; where nobody
    can be asked, --yes is needed.
    """
    from mlforge.cli.blocks import Line
    from mlforge.cli.render import shown_path

    chosen = session.ask(code, "CODE")
    # Not read: a category whose configuration is broken can be removed too.
    session.project.workspace.require_category(chosen)
    without = f"mlforge categories remove {chosen} --yes"
    if not (yes or session.confirm(f"Remove the category {chosen}?", without)):
        session.reporter.warn(f"{chosen} was not removed")
        return
    kept = session.project.remove_category(chosen)
    session.show(
        {"code": chosen, "kept": str(kept)},
        [Line(f"Removed {chosen}; its folder is kept in {shown_path(kept)}.")],
    )


def _steps_after(added: list[AddedCategory]) -> list[tuple[str, str]]:
    steps = [("mlforge categories check", "look for problems"), ("mlforge run", "train a model")]
    if len(added) == 1 and not added[0].n_seeds:
        code = added[0].code
        if added[0].needs_seeds:
            return [(f"mlforge categories add {code} FILES...", "its seeds: files or folders")]
        return [(f"mlforge samples generate {code}", f"from categories/{code}/config.json")]
    return steps


def _added_blocks(added: list[AddedCategory]) -> list[Block]:
    from mlforge.cli.blocks import Cell, Column, Line, Row, table
    from mlforge.cli.render import count, failures

    columns = [
        Column("category"),
        Column("", optional=True),
        Column("added", "right"),
        Column("seeds", "right"),
        Column("known already", "right", optional=True),
        Column("refused", "right"),
    ]
    rows: list[Row] = [
        [
            Cell(a.code, "strong"),
            Cell("new" if a.created else "", "good"),
            f"{a.n_added}",
            f"{a.n_seeds}",
            f"{len(a.duplicates)}",
            Cell(f"{len(a.refused)}", "bad" if a.refused else ""),
        ]
        for a in added
    ]
    blocks: list[Block] = [table(columns, rows)]
    blocks.extend(failures([f for a in added for f in a.refused], "Refused"))
    n_other, n_deeper = sum(a.n_other for a in added), sum(a.n_deeper for a in added)
    if n_other:
        blocks.append(Line(f"Left, of other kinds: {count(n_other, 'file')}.", "dim"))
    if n_deeper:
        text = f"Left, in folders below: {count(n_deeper, 'file')}; name those folders to add them."
        blocks.append(Line(text, "warning"))
    return blocks


def _findings_blocks(findings: list[Finding]) -> list[Block]:
    """Show findings of one kind; each with what to do, or that once where it is the same."""
    from mlforge.cli.blocks import Line

    first = findings[0]
    style: Style = "bad" if first.severity == "error" else "warning"
    if len(findings) == 1:
        where = f" {first.category}" if first.category else ""
        blocks: list[Block] = [Line(f"{first.severity}{where}: {first.message}", style)]
        return [*blocks, Line(first.fix, "dim", 2)] if first.fix else blocks
    title = first.kind.replace("_", " ")
    blocks = [Line(f"{first.severity}: {title} ({len(findings):,}{_where(findings)})", style)]
    fixes = {finding.fix for finding in findings}
    for finding in findings[:_SHOWN]:
        where = f"{finding.category}: " if finding.category else ""
        blocks.append(Line(f"{where}{finding.message}", "", 2))
        if finding.fix and len(fixes) > 1:
            blocks.append(Line(finding.fix, "dim", 4))
    if len(findings) > _SHOWN:
        more = f"and {len(findings) - _SHOWN:,} more (--json lists all)"
        blocks.append(Line(more, "dim", 2))
    if first.fix and len(fixes) == 1:
        blocks.append(Line(first.fix, "dim", 2))
    return blocks


def _where(findings: list[Finding]) -> str:
    """Return how many findings each category has, where that is more than the list says."""
    from collections import Counter

    counts = Counter(finding.category for finding in findings if finding.category)
    if len(findings) <= _SHOWN or len(counts) in (0, len(findings)):
        return ""
    named = ", ".join(f"{code} {n}" for code, n in counts.most_common(_SHOWN))
    more = f", and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else ""
    return f": {named}{more}"
