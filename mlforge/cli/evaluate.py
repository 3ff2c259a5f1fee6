"""``mlforge evaluate``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlforge.cli.predict import Version
from mlforge.cli.registrar import command
from mlforge.cli.session import DONE_WITH_FAILURES, Session
from mlforge.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mlforge.cli.blocks import Block
    from mlforge.evaluation.records import DeepEvaluation
    from mlforge.workflows.evaluate import FolderEvaluation

__all__ = ["evaluate"]

_MAX_SHOWN = 5
_WITHOUT_A_THIRD = 2


@command(
    "evaluate",
    schema="mlforge.evaluate/1",
    keys={
        "version": "the version of the model",
        "evaluation": "of FOLDER: accuracy, accuracy_interval, macro_f1, per_category, confusion, "
        "calibration, sets, unknown, seeds (what was said of each file); null without a folder, "
        "or where no file could be scored",
        "failures": "files of FOLDER that could not be read: a list of objects with file, reason",
        "left_out": "files of FOLDER that the model was trained on, or near-duplicates of them: no "
        "evidence, and in no figure: a list of objects with file, reason",
        "unknown_classes": "folders of FOLDER that are no category: a list of objects with name, "
        "n_files, n_accepted (taken for known)",
        "deep": "of --deep: curve (overall, per_category, advice), blame, techniques (a list of "
        "objects with technique, code, the category that is found more or less often, effect, "
        "interval, safe, users, the categories that use it, and to_change, those that should not), "
        "robustness, unknown; null without",
    },
    examples=[
        "mlforge evaluate photos",
        "mlforge evaluate --deep",
        "mlforge evaluate photos --model random_forest-0001 --json",
    ],
    exits=(3, 4, 5, 6, 10),
)
def evaluate(
    session: Session,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]",
            help="A folder of class folders with examples that the model never saw.",
            show_default=False,
        ),
    ] = None,
    model: Version = None,
    *,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Compute the costly diagnostics on the project's own seeds."),
    ] = False,
) -> None:
    """Score a trained model on labelled examples, or look into it in depth.

    With FOLDER: how good it is on examples that it never saw; what it was trained on is left out,
    and near-duplicates are one piece of evidence. With --deep: what more seeds would
    bring and of which category, seeds to look at, techniques that harm, how it stands blur, light,
    rotation, compression and noise, and what unknown things it would take for known. That takes
    many fits; what is done is kept, and an interrupted run goes on.
    """
    from mlforge.cli.answers import answered_by
    from mlforge.cli.render import plain_value

    if folder is None and not deep:
        raise ConfigError("nothing to evaluate", "give a FOLDER of class folders, or --deep")
    project = session.project
    on_folder = project.evaluate(folder, model) if folder is not None else None
    in_depth = project.evaluate_deep(model) if deep else None
    evaluated = on_folder or in_depth
    # One of the two was asked for.
    version = evaluated.version if evaluated else ""
    document: dict[str, Any] = {
        "version": version,
        "evaluation": plain_value(on_folder.evaluation) if on_folder else None,
        "failures": plain_value(on_folder.failures) if on_folder else [],
        "left_out": plain_value(on_folder.left_out) if on_folder else [],
        "unknown_classes": plain_value(on_folder.unknown_classes) if on_folder else [],
        "deep": plain_value(in_depth),
    }
    blocks: list[Block] = []
    if on_folder:
        blocks += _folder_blocks(on_folder, session.output.width)
    if in_depth:
        n_categories = len(project.artifacts.manifest(in_depth.version)["categories"])
        blocks += _deep_blocks(in_depth, n_categories)
    session.show(document, [*blocks, answered_by(session, version)])
    if on_folder and on_folder.failures:
        raise typer.Exit(DONE_WITH_FAILURES if on_folder.evaluation else DataError.exit_code)


def _folder_blocks(result: FolderEvaluation, width: int | None) -> Iterator[Block]:
    from mlforge.cli.blocks import Line
    from mlforge.cli.render import count, failures
    from mlforge.cli.scores import figures_blocks, not_estimable

    scores = result.evaluation
    if scores is not None:
        low, high = (100 * bound for bound in scores.accuracy_interval)
        others = (
            f"how good it is {not_estimable(scores)}"
            if scores.not_estimable
            else f"for others like them between {low:.1f} and {high:.1f} (95 % interval)."
        )
        yield Line(
            f"{result.version}: right on {100 * scores.accuracy:.1f} of 100 of these "
            f"{count(scores.n_seeds, 'file')}; {others}",
            "strong",
        )
        yield from figures_blocks(scores, width)
    for unknown in result.unknown_classes:
        yield Line(
            f"{unknown.name} is no category of the model: {unknown.n_accepted} of its "
            f"{count(unknown.n_files, 'file')} would be taken for known.",
            "warning" if unknown.n_accepted else "",
        )
    yield from failures(result.failures, "not read")


def _deep_blocks(deep: DeepEvaluation, n_categories: int) -> Iterator[Block]:
    """Say in a few lines what was found; the report shows the rest."""
    from mlforge.cli.blocks import Line

    yield Line(f"{deep.version} in depth:", "strong")
    yield from _advice(deep)
    yield from _seeds(deep)
    yield from _techniques(deep)
    yield from _robustness(deep)
    yield from _unknown(deep, n_categories)
    yield Line(f"Pictures and curves: mlforge report {deep.version}", "dim")


def _advice(deep: DeepEvaluation) -> Iterator[Block]:
    from mlforge.cli.blocks import Line

    advice = deep.curve.advice if deep.curve else ()
    if not advice:
        yield Line("More photos: none of the categories would gain measurably.")
    for item in advice[:_MAX_SHOWN]:
        low, high = (100 * bound for bound in item.interval)
        mixed = f"; most often taken for {item.confused_with}" if item.confused_with else ""
        yield Line(
            f"Photograph next: {item.n_more} more of {item.code} would find "
            f"{100 * item.gain:.1f} more of 100 ({low:.1f} to {high:.1f}){mixed}."
        )


def _seeds(deep: DeepEvaluation) -> Iterator[Block]:
    from mlforge.cli.blocks import Line
    from mlforge.cli.render import count

    said = {
        "mislabelled": "look mislabelled",
        "hurts": "make others worse",
        "redundant": "bring nothing new",
        "alone": "hold their category up alone",
    }
    for kind, what in said.items():
        found = [blame for blame in deep.blame or () if blame.kind == kind]
        if found:
            named = ", ".join(blame.file for blame in found[:_MAX_SHOWN])
            more = f" and {len(found) - _MAX_SHOWN} more" if len(found) > _MAX_SHOWN else ""
            text = f"{count(len(found), 'seed')} {what}: {named}{more}."
            yield Line(text, "warning" if kind == "mislabelled" else "")


def _techniques(deep: DeepEvaluation) -> Iterator[Block]:
    from mlforge.cli.blocks import Line

    unsafe = [effect for effect in deep.techniques or () if not effect.safe]
    for effect in unsafe:
        shown = effect.to_change[:_MAX_SHOWN]
        files = ", ".join(f"categories/{code}/config.json" for code in shown)
        n_more = len(effect.to_change) - len(shown)
        more = f" and {n_more} more" if n_more else ""
        yield Line(
            f"{effect.technique} harms {effect.code} ({100 * effect.effect:+.1f} points): take it "
            f'out of "techniques" in {files}{more}.',
            "warning",
        )
    if deep.techniques and not unsafe:
        yield Line("Techniques: none is seen to harm a category.")


def _robustness(deep: DeepEvaluation) -> Iterator[Block]:
    from mlforge.cli.blocks import Line

    for curve in deep.robustness or ():
        steps = ", ".join(f"{100 * p.accuracy:.0f} % at {p.level:g}" for p in curve.points)
        yield Line(f"{curve.condition} ({curve.unit}): {steps}.")


def _unknown(deep: DeepEvaluation, n_categories: int) -> Iterator[Block]:
    from mlforge.cli.blocks import Line

    if not deep.unknown:
        why = (
            "there are too few groups of seeds to tell what is usual without one category"
            if n_categories > _WITHOUT_A_THIRD
            else "with two categories there is no third to stand in for them"
        )
        yield Line(f"Unknown things: {why}.")
        return
    accepted = sum(check.false_accepted for check in deep.unknown) / len(deep.unknown)
    worst = max(deep.unknown, key=lambda check: check.false_accepted)
    yield Line(
        f"Unknown things: of a category that it never saw, {100 * accepted:.0f} of 100 would be "
        f"taken for known on average; of {worst.code}, {100 * worst.false_accepted:.0f}.",
        "warning" if accepted > 0.5 else "",
    )
