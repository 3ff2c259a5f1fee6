"""Scores for a person and for a JSON document; shared by train, run and models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mlforge.cli.blocks import Block, Cell, Column, Line, Row, Style, Table, table
from mlforge.cli.render import count, duration, percent, plain_value

if TYPE_CHECKING:
    from mlforge.evaluation.gates import GateAnswer
    from mlforge.evaluation.records import Evaluation, SetSummary
    from mlforge.workflows.trained import TrainedModel

__all__ = [
    "choice_blocks",
    "evaluation_blocks",
    "figures_blocks",
    "gate_blocks",
    "leaderboard",
    "model_values",
    "not_estimable",
]

_FIGURES = (
    *("accuracy", "accuracy_interval", "held_out_accuracy", "leaky_accuracy", "leak_gap"),
    *("macro_f1", "macro_f1_interval", "per_category", "confusion", "calibration", "sets"),
    *("unknown", "unscored", "not_estimable", "generated_only"),
)
MAX_TRIED = 9
MAX_WEAK = 3
WEAK_RECALL = 0.9
MAX_CONFUSION = 12
_CELL = 6


def model_values(model: TrainedModel) -> dict[str, Any]:
    """Return the keys of `score_keys.MODEL_KEYS`."""
    return {
        "version": model.version,
        "model": model.model,
        "features": list(model.features),
        **{key: plain_value(getattr(model.evaluation, key, None)) for key in _FIGURES},
        "seconds": model.seconds,
        "tried": [plain_value(candidate) for candidate in model.tried],
    }


def leaderboard(models: Sequence[TrainedModel]) -> Table:
    """Return a row for each model: its figures with their intervals."""
    columns = [
        Column("version", folds=False),
        Column("accuracy", "right"),
        Column("95 % interval", "right"),
        Column("macro F1", "right", optional=True),
        Column("fit time", "right", optional=True),
    ]
    # Only where models learned from different ones does it tell them apart.
    differ = len({model.features for model in models}) > 1
    if differ:
        columns.append(Column("features"))
    rows: list[Row] = []
    for number, model in enumerate(models):
        scores = model.evaluation
        rows.append(
            [
                Cell(model.version, "strong" if number == 0 else ""),
                percent(scores.accuracy if scores else None),
                _interval(scores),
                f"{scores.macro_f1:.3f}" if scores else "-",
                duration(model.seconds),
                *([", ".join(model.features)] if differ else []),
            ]
        )
    return table(columns, rows)


def _interval(scores: Evaluation | None) -> str:
    if scores is None:
        return "-"
    if scores.not_estimable:
        return "not estimable"
    low, high = (100 * end for end in scores.accuracy_interval)
    return f"{low:.1f} to {high:.1f}"


def choice_blocks(model: TrainedModel) -> Iterator[Block]:
    """Say what a model was chosen from, by which features and which parameters."""
    if not model.tried:
        return
    yield Line()
    yield Line(f"{model.version} was chosen from:", "dim")
    shown = model.tried[:MAX_TRIED]
    parameters = [candidate.differing(model.tried) for candidate in shown]
    columns = [Column("  model", folds=False), Column("right", "right"), Column("features")]
    if any(parameters):
        columns.append(Column("parameters", optional=True))
    rows: list[Row] = [
        [
            f"  {candidate.model}",
            percent(candidate.accuracy),
            ", ".join(candidate.features),
            *([differing] if any(parameters) else []),
        ]
        for candidate, differing in zip(shown, parameters, strict=True)
    ]
    yield table(columns, rows)
    if len(model.tried) > MAX_TRIED:
        yield Line(f"and {len(model.tried) - MAX_TRIED:,} more (--json lists all)", "dim", 2)


def evaluation_blocks(model: TrainedModel, width: int | None) -> Iterator[Block]:
    """Say of one model in plain words how good it is, where it is weak, and what it confuses.

    Parameters
    ----------
    width
        Columns of the terminal; None where there is none, and then no matrix is drawn.
    """
    scores = model.evaluation
    if scores is None:
        yield Line(
            f"{model.version}: not scored: fewer than two categories have seeds of two groups.",
            "warning",
        )
        return
    yield from _headline(model.version, scores)
    yield from _caveats(scores)
    yield from figures_blocks(scores, width)


def _headline(version: str, scores: Evaluation) -> Iterator[Block]:
    """Say how good a model is on unseen examples, or that this cannot be told."""
    if scores.not_estimable:
        yield Line(f"{version}: how good it is {not_estimable(scores)}", "warning")
        yield Line(
            f"On the groups that there are, {100 * scores.accuracy:.0f} of 100 were right, "
            f"measured on {count(scores.n_seeds, 'seed')} that it had not seen. Add seeds of other "
            "groups to learn more."
        )
        return
    low, high = (round(100 * bound) for bound in scores.accuracy_interval)
    yield Line(
        f"{version}: right on {100 * scores.accuracy:.0f} of 100 unseen examples, "
        f"between {low} and {high} (95 % interval), "
        f"measured on {count(scores.n_seeds, 'seed')} that it had not seen.",
        "strong",
    )


def not_estimable(scores: Evaluation) -> str:
    """Return which categories have too few groups, as the end of a sentence."""
    told = ", ".join(
        f"{code} ({count(score.n_seeds, 'seed')} of {count(score.n_groups, 'group')})"
        for code in scores.not_estimable
        for score in [scores.per_category[code]]
    )
    return f"on other groups is not estimable from these groups: {told}."


def figures_blocks(scores: Evaluation, width: int | None) -> Iterator[Block]:
    """Say what single predictions are worth, and which categories are weak."""
    yield from _trust(scores)
    yield from _weak(scores)
    if width is not None and len(scores.codes) <= MAX_CONFUSION:
        yield from _confusion(scores, width)


def _caveats(scores: Evaluation) -> Iterator[Block]:
    """Say what the figure does not stand for, and what a careless one would have been."""
    if scores.unscored:
        yield Line(f"Not scored, one group only: {', '.join(scores.unscored)}.", "warning")
    if scores.generated_only:
        yield Line(
            f"Generated only, no evidence of real examples: {', '.join(scores.generated_only)}.",
            "warning",
        )
    if scores.leaky_accuracy is not None and scores.leak_gap is not None:
        yield Line(
            f"A random split of the samples would have claimed {percent(scores.leaky_accuracy)}; "
            f"the models that were measured got {percent(scores.held_out_accuracy)} "
            f"(leak gap {100 * scores.leak_gap:+.1f} points)."
        )


def _trust(scores: Evaluation) -> Iterator[Block]:
    """Say what a single prediction is worth."""
    sets, unknown = scores.sets, scores.unknown
    if scores.calibration is not None:
        yield Line(
            f"Confidences are off by {100 * scores.calibration.error:.1f} points on average "
            "(calibration error)."
        )
    if sets is not None and sets.mean_size is not None:
        yield Line(
            f"Prediction sets: {sets.mean_size:.1f} categories on average hold the right one "
            f"{_times_held(sets)}."
        )
    elif sets is not None and sets.threshold is None:
        yield Line(
            f"Prediction sets of {100 * sets.coverage:.0f} % need {sets.n_needed} groups of seeds; "
            f"there are {scores.n_groups}.",
            "warning",
        )
    if unknown is not None:
        yield Line(
            f"Taken for unknown: {percent(unknown.rejected)} of the seeds, wrongly; "
            "mlforge evaluate --deep says what it would let pass."
        )
    else:
        yield Line(
            "Too few groups of seeds to tell what is unknown: no prediction is called reliable.",
            "warning",
        )


def _times_held(sets: SetSummary) -> str:
    asked = f"{100 * sets.coverage:.0f}"
    if sets.held is None or sets.held_interval is None:
        return f"about {asked} times in 100"
    low, high = (round(100 * bound) for bound in sets.held_interval)
    return f"{100 * sets.held:.0f} times in 100, between {low} and {high} ({asked} asked for)"


def gate_blocks(answers: Sequence[GateAnswer]) -> list[Block]:
    """Return a line for each gate."""
    styles: dict[str, Style] = {"pass": "good", "fail": "bad", "inconclusive": "warning"}
    lines: list[Block] = [
        Line(f"Gate {answer.gate}: {answer.answer}; {answer.reason}", styles[answer.answer])
        for answer in answers
    ]
    return [Line(), *lines] if lines else []


def _weak(scores: Evaluation) -> Iterator[Block]:
    """Name the categories that are found least, and what they are taken for."""
    found = [(s.recall, code) for code, s in scores.per_category.items() if s.recall is not None]
    weak = [code for recall, code in sorted(found) if recall < WEAK_RECALL][:MAX_WEAK]
    if not weak:
        return
    yield Line()
    yield Line("Weakest categories:", "warning")
    rows: list[Row] = []
    for code in weak:
        number = scores.codes.index(code)
        row = scores.confusion[number]
        taken = sorted(
            ((n, scores.codes[i]) for i, n in enumerate(row) if i != number and n), key=_most
        )
        names = ", ".join(f"{other} ({n})" for n, other in taken[:MAX_WEAK])
        rows.append(
            [
                Cell(f"  {code}", "strong"),
                f"{row[number]} of {sum(row)} found",
                f"taken for {names}",
            ]
        )
    yield table(
        [Column("category"), Column("found", "right"), Column("taken for")], rows, headed=False
    )


def _most(pair: tuple[int, str]) -> tuple[int, str]:
    n, code = pair
    return -n, code


def _confusion(scores: Evaluation, width: int) -> Iterator[Block]:
    longest = max(len(code) for code in scores.codes)
    if longest + 4 + _CELL * len(scores.codes) > width:
        return
    yield Line()
    yield Line("True (rows) and predicted (columns):", "dim")
    columns = [Column("", "right"), Column("")]
    columns += [Column(str(number), "right") for number in range(1, len(scores.codes) + 1)]
    rows: list[Row] = []
    for number, (code, row) in enumerate(zip(scores.codes, scores.confusion, strict=True)):
        cells = [_count_cell(n, on_diagonal=i == number) for i, n in enumerate(row)]
        rows.append([Cell(str(number + 1), "dim"), Cell(code), *cells])
    yield table(columns, rows)


def _count_cell(n: int, *, on_diagonal: bool) -> Cell:
    if n == 0:
        return Cell("·", "dim")
    return Cell(str(n), "good" if on_diagonal else "bad")
