"""``mlforge models promote``, ``rollback``, ``verify``, ``remove`` and ``prune``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlforge.cli import completion
from mlforge.cli.registrar import command
from mlforge.cli.session import Session, YesOption
from mlforge.core.names import PRODUCTION
from mlforge.errors import ArtifactError

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block
    from mlforge.storage.aliases import Alias
    from mlforge.workflows.registry import Prune, VersionCheck

__all__ = ["VersionArgument", "promote", "prune", "remove", "rollback", "verify"]

VersionArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="VERSION",
        help="The model's version, or an alias; see: mlforge models list.",
        autocompletion=completion.versions,
        show_default=False,
    ),
]
AliasArgument = Annotated[
    str,
    typer.Argument(metavar="ALIAS", help="The alias.", autocompletion=completion.aliases),
]
_ALIAS_KEYS = {
    "alias": "the alias",
    "version": "the version that it names now",
    "previous": "the version that it named before, or null",
}


@command(
    "models promote",
    schema="mlforge.models.promote/1",
    keys=_ALIAS_KEYS,
    examples=[
        "mlforge models promote random_forest-0003",
        "mlforge models promote random_forest-0003 staging",
    ],
    exits=(3, 4, 5),
)
def promote(
    session: Session, version: VersionArgument = None, alias: AliasArgument = PRODUCTION
) -> None:
    """Let an alias name a version: production is what predict and batch use.

    The version is checked first as models verify does. The alias moves in one step: whoever
    predicts at that moment uses the version before or the new one, never a mixture.
    """
    made = session.project.promote(session.ask(version, "VERSION"), alias)
    if made.version in session.project.artifacts.notes.withheld():
        session.reporter.warn(f"{made.version} failed a gate when it was trained")
    _show_alias(session, made)


@command(
    "models rollback",
    schema="mlforge.models.rollback/1",
    keys=_ALIAS_KEYS,
    examples=["mlforge models rollback", "mlforge models rollback staging"],
    exits=(3, 5),
)
def rollback(session: Session, alias: AliasArgument = PRODUCTION) -> None:
    """Let an alias name the version that it named before; again, and it goes further back."""
    _show_alias(session, session.project.rollback(alias))


@command(
    "models verify",
    schema="mlforge.models.verify/1",
    keys={
        "models": "a list of objects with version, sound (true or false), reason and hint (empty "
        "where it is sound), n_golden (how many golden examples it has) and difference (the "
        "largest of a probability from what it was when it was made, or null)"
    },
    examples=["mlforge models verify", "mlforge models verify production --json"],
    exits=(3, 4, 5),
)
def verify(session: Session, version: VersionArgument = None) -> None:
    """Check one model, or all: sizes, digests, graphs, parameters, and what it predicts.

    Each artifact carries a few golden examples with what it said of them when it was made. Here
    they are predicted again: on another machine or with other libraries the answer must be the
    same. The exit code is 5 where a model is not sound.
    """
    checks = session.project.verify_models(version)
    document = [{"sound": not check.reason, **vars(check)} for check in checks]
    session.show({"models": document}, _check_blocks(checks))
    if any(check.reason for check in checks):
        raise typer.Exit(ArtifactError.exit_code)


@command(
    "models remove",
    schema="mlforge.models.remove/1",
    keys={"version": "the version", "aliases": "the aliases that named it and are gone with it"},
    examples=["mlforge models remove svm-0001", "mlforge models remove svm-0001 --yes"],
    exits=(3, 5),
)
def remove(
    session: Session,
    version: VersionArgument = None,
    *,
    yes: YesOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Do not ask, and remove it with its aliases.")
    ] = False,
) -> None:
    """Remove a trained model for good; its number is never given again.

    Asks before it removes; where nobody can be asked, --yes is needed. One that an alias names
    stays, unless --force is given, which says which aliases are gone and what answers now.
    """
    from mlforge.cli.blocks import Line
    from mlforge.workflows.answering import default_answering

    project = session.project
    chosen = project.artifacts.resolve(session.ask(version, "VERSION"))
    if not force:
        project.require_unnamed(chosen)
    without = f"mlforge models remove {chosen} --yes"
    if not (force or yes or session.confirm(f"Remove the model {chosen}?", without)):
        session.reporter.warn(f"{chosen} was not removed")
        return
    aliases = project.remove_model(chosen, force=force)
    if aliases:
        told = default_answering(project.artifacts)
        now = f"predict now uses {told.name}" if told.version else "predict now uses no model"
        session.reporter.warn(f"{', '.join(aliases)} named {chosen} and is gone with it; {now}")
    gone = f" and the alias {', '.join(aliases)}" if aliases else ""
    session.show({"version": chosen, "aliases": list(aliases)}, [Line(f"Removed {chosen}{gone}.")])


@command(
    "models prune",
    schema="mlforge.models.prune/1",
    keys={
        "removed": "the versions that were removed; with --dry-run those that would be",
        "kept": "the versions that stay",
        "bytes": "how many bytes the removed ones take",
        "dry_run": "whether nothing was removed",
    },
    examples=["mlforge models prune --dry-run", "mlforge models prune --keep 10"],
    exits=(3, 5),
)
def prune(
    session: Session,
    keep: Annotated[
        int, typer.Option("--keep", metavar="N", min=0, help="How many of the newest stay.")
    ] = 5,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")
    ] = False,
) -> None:
    """Remove the models that nothing needs.

    What stays: what an alias names or would name after a rollback, what the newest train answered
    with, and the newest.
    """
    project = session.project
    plan = project.plan_prune(keep) if dry_run else project.prune_models(keep)
    document = {
        "removed": list(plan.removed),
        "kept": list(plan.kept),
        "bytes": plan.n_bytes,
        "dry_run": dry_run,
    }
    session.show(document, _prune_blocks(plan, "Would remove" if dry_run else "Removed"))


def _show_alias(session: Session, alias: Alias) -> None:
    from mlforge.cli.blocks import Line
    from mlforge.cli.render import next_steps

    previous = alias.history[-1].previous
    document: dict[str, Any] = {
        "alias": alias.name,
        "version": alias.version,
        "previous": previous,
    }
    before = f", before {previous}" if previous else ""
    blocks: list[Block] = [Line(f"{alias.name} is {alias.version}{before}.", "good")]
    if alias.before:
        back = "mlforge models rollback"
        back = back if alias.name == PRODUCTION else f"{back} {alias.name}"
        blocks += next_steps([(back, f"go back to {alias.before}")])
    session.show(document, blocks)


def _check_blocks(checks: Sequence[VersionCheck]) -> list[Block]:
    from mlforge.cli.blocks import Cell, Column, Line, Row, table

    if not checks:
        return [Line("No model has been trained yet.")]
    rows: list[Row] = []
    for check in checks:
        if check.reason:
            # The hint says what to type: it matters more than a short line.
            told = f"{check.reason}; {check.hint}" if check.hint else check.reason
            state, colour = Cell("not sound", "bad"), ""
        else:
            told = "no golden examples"
            if check.difference is not None:
                told = f"{check.n_golden} golden examples, off by at most {check.difference:.1g}"
            state, colour = Cell("sound", "good"), "dim"
        rows.append([Cell(check.version, "strong"), state, Cell(told, "dim" if colour else "")])
    columns = [Column("version", folds=False), Column("state", folds=False), Column("what")]
    return [table(columns, rows)]


def _prune_blocks(plan: Prune, verb: str) -> list[Block]:
    from mlforge.cli.blocks import Line
    from mlforge.cli.render import count
    from mlforge.core.units import format_size

    if not plan.removed:
        return [Line(f"Nothing to remove: {count(len(plan.kept), 'model')} stay.")]
    size = format_size(plan.n_bytes)
    return [
        Line(f"{verb} {count(len(plan.removed), 'model')}, {size}: {', '.join(plan.removed)}."),
        Line(f"Kept: {', '.join(plan.kept) or 'none'}.", "dim"),
    ]
