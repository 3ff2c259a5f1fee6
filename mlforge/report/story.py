"""What the figures mean, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlforge.evaluation.records import Evaluation, LearningCurve
from mlforge.report.data import ReportData
from mlforge.report.words import counted, joined, shown, times

__all__ = ["Story", "deep_command", "noun_of", "tell"]

_NOUNS: Mapping[str, str] = {"image": "photo", "audio": "recording", "text": "text"}
# Where every category is found more often than this, none is called weak.
_WEAK_RECALL = 0.9
_MAX_WEAK = 2


@dataclass(frozen=True)
class Story:
    """The headline, and what it rests on.

    Attributes
    ----------
    headline
        The figure in words: how often it is right, and between what.
    weak
        Which categories are weak, and what would help; empty where there is nothing to say.
    basis
        What was measured on what.
    """

    headline: str
    weak: str
    basis: str


def noun_of(data: ReportData) -> str:
    """Return what an example is called.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> noun_of(SimpleNamespace(modality="image"))
    'photo'
    """
    return _NOUNS.get(data.modality, "example")


def deep_command(data: ReportData) -> str:
    """Return the command that computes the costly diagnostics."""
    return f"mlforge evaluate --deep --model {data.version}"


def tell(data: ReportData, names: Mapping[str, str]) -> Story:
    """Tell how good a model is, what is weak and what to do about it."""
    scores, noun = data.evaluation, noun_of(data)
    if scores is None:
        return Story(
            "Not scored yet.",
            f"A score needs two categories with {noun}s of at least two groups each.",
            f"Add {noun}s, each taken on its own: mlforge categories add CODE FILES...",
        )
    curve = data.deep.curve if data.deep else None
    return Story(
        _headline(scores),
        _weak(scores, curve, names, noun),
        _not_estimable(scores, names, noun) + _basis(scores, noun),
    )


def _headline(scores: Evaluation) -> str:
    if scores.not_estimable:
        return "How good it is on other groups is not estimable."
    low, high = (round(100 * end) for end in scores.accuracy_interval)
    return f"Right {times(scores.accuracy)} times in 100, between {low} and {high}."


def _weak(
    scores: Evaluation, curve: LearningCurve | None, names: Mapping[str, str], noun: str
) -> str:
    found = sorted(
        (score.recall, code)
        for code, score in scores.per_category.items()
        if score.recall is not None
    )
    lowest = [code for recall, code in found if recall == found[0][0] and recall < _WEAK_RECALL]
    if not lowest:
        return "" if curve is None else _advice(curve, names, noun, ())
    weak = lowest[:_MAX_WEAK]
    said = joined([names[code] for code in weak])
    said += " is the weak one" if len(lowest) == 1 else " are the weak ones"
    if len(lowest) > _MAX_WEAK:
        said = f"{said}, with {counted(len(lowest) - _MAX_WEAK, 'other')}"
    advice = "" if curve is None else _advice(curve, names, noun, tuple(weak))
    return f"{said}: {advice}" if advice else f"{said}."


def _advice(
    curve: LearningCurve, names: Mapping[str, str], noun: str, weak: tuple[str, ...]
) -> str:
    if not curve.advice:
        return f"more {noun}s would not help measurably."
    first = curve.advice[0]
    of = "" if weak == (first.code,) else f" of {names.get(first.code, shown(first.code))}"
    return f"{first.n_more} more {noun}{'' if first.n_more == 1 else 's'}{of} would help most."


def _not_estimable(scores: Evaluation, names: Mapping[str, str], noun: str) -> str:
    if not scores.not_estimable:
        return ""
    named = joined([names[code] for code in scores.not_estimable])
    return (
        f"How {noun}s of other groups (another person, another place) of {named} would fare is "
        "not estimable from these groups: there are too few. On the groups that there are, "
        f"{times(scores.accuracy)} of 100 were right. "
    )


def _basis(scores: Evaluation, noun: str) -> str:
    independent = (
        "each taken on its own"
        if scores.n_groups == scores.n_seeds
        else f"in {counted(scores.n_groups, 'independent group')}"
    )
    return (
        f"Measured on {counted(scores.n_seeds, noun)} that the scored models had never seen, "
        f"{independent}, in {scores.n_folds} rounds. \N{LEFT DOUBLE QUOTATION MARK}Between"
        "\N{RIGHT DOUBLE QUOTATION MARK} is a 95\N{NO-BREAK SPACE}% interval: the figure for new "
        f"{noun}s of the same kind should lie in it 95 times in 100. The final model learned from "
        f"all {noun}s; that is allowed for."
    )
