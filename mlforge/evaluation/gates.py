"""Gates: conditions on a figure, answered with pass, fail or inconclusive."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mlforge.core.names import printable, suggestion
from mlforge.errors import ConfigError
from mlforge.evaluation.comparison import compare
from mlforge.evaluation.intervals import (
    RECALL_VARIANCE,
    effective_groups,
    group_numbers,
    wilson_around,
    wilson_interval,
)
from mlforge.evaluation.records import FEWEST_GROUPS, Evaluation, Interval

__all__ = ["Gate", "GateAnswer", "check_gate_categories", "judge", "parse_gate", "why_unsettled"]

Answer = Literal["pass", "fail", "inconclusive"]

_FIGURES = ("accuracy", "macro_f1", "precision", "recall")
_OF_A_CATEGORY = ("precision", "recall")
_SHAPE = re.compile(
    r"\s*(?P<figure>[^\s\[\]<>=]+)\s*(?:\[\s*(?P<category>[^\[\]]*?)\s*\])?\s*"
    r"(?P<relation>>=|<=|>|<)\s*(?P<right>[^<>=]*?)\s*"
)
_SHARE = re.compile(r"[+-]?\s*(?:\d+\.?\d*|\.\d+)\s*%?")
# A margin has a point or a percent sign, so that `random_forest-0001` is a version.
_REFERENCE = re.compile(
    r"(?P<name>[A-Za-z][\w.-]*?)\s*(?P<margin>[+-]\s*(?:\d*\.\d+\s*%?|\d+\s*%))?"
)
_EXAMPLES = (
    'write it like "accuracy>=0.9", "recall[poodle]>=0.8" or "accuracy>=production-0.01"; '
    f"figures: {', '.join(_FIGURES)}"
)
_MOST_SEEDS = 1_000_000
_NOT_SCORED = "no category could be scored"
_NO_EVIDENCE = "all categories are generated only: no evidence of the real world"


@dataclass(frozen=True)
class Gate:
    """A condition that a model has to meet.

    Attributes
    ----------
    text
        As it was written.
    figure
        ``accuracy``, ``macro_f1``, ``recall`` or ``precision``.
    category
        The code of the category of recall and precision; None for the others.
    relation
        ``>=``, ``>``, ``<=`` or ``<``.
    bound
        A share; with a reference, what is added to the reference's figure.
    reference
        The alias or version to compare with on the same seeds; None where there is none.
    """

    text: str
    figure: str
    category: str | None
    relation: str
    bound: float
    reference: str | None


@dataclass(frozen=True)
class GateAnswer:
    """What is known of a gate.

    Attributes
    ----------
    gate
        The gate as it was written.
    answer
        ``pass`` where the whole interval meets it, ``fail`` where none of it does, else
        ``inconclusive``.
    value, interval
        The figure with its 95 % interval; with a reference the difference. None where there is
        none.
    reason
        Why, in a sentence.
    n_needed
        About how many seeds would settle it, of the category for recall; None where it is
        settled, or no number would do.
    """

    gate: str
    answer: Answer
    value: float | None
    interval: Interval | None
    reason: str
    n_needed: int | None


def parse_gate(text: str) -> Gate:
    """Read a gate.

    Raises
    ------
    ConfigError
        If it is none.

    Examples
    --------
    >>> gate = parse_gate("accuracy >= production - 1%")
    >>> gate.figure, gate.relation, gate.reference, gate.bound
    ('accuracy', '>=', 'production', -0.01)
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise ConfigError(f"gate {printable(text)!r} cannot be read", _EXAMPLES)
    figure, category = match["figure"], match["category"]
    if figure not in _FIGURES:
        raise ConfigError(
            f"gate {printable(text)!r}: no figure {printable(figure)!r}",
            suggestion(figure, _FIGURES),
        )
    if figure in _OF_A_CATEGORY and not category:
        raise ConfigError(
            f"gate {printable(text)!r}: {figure} is of one category", f"{figure}[CODE]>=0.8"
        )
    if figure not in _OF_A_CATEGORY and category is not None:
        raise ConfigError(
            f"gate {printable(text)!r}: {figure} is of all categories together",
            f"{figure}>=0.8, or recall[{printable(category) or 'CODE'}]>=0.8",
        )
    bound, reference = _right_side(text, match["right"])
    return Gate(text, figure, category, match["relation"], bound, reference)


def check_gate_categories(gate: Gate, codes: Collection[str]) -> None:
    """Check that a gate's category is one.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if gate.category is not None and gate.category not in codes:
        raise ConfigError(
            f"gate {printable(gate.text)!r}: no category {printable(gate.category)!r}",
            suggestion(gate.category, codes),
        )


def judge(
    gate: Gate, evaluation: Evaluation | None, reference: Evaluation | None = None
) -> GateAnswer:
    """Answer a gate.

    Parameters
    ----------
    gate
        The gate.
    evaluation
        That of the model; None where nothing could be scored.
    reference
        That of the gate's reference; None where there is none.
    """
    if evaluation is None:
        return _unknown(gate, _NOT_SCORED)
    obstacle = _obstacle(gate, evaluation)
    # The model itself, or the same made again, would be as good with seeds of other groups too.
    if obstacle is None and reference != evaluation:
        obstacle = _too_few_groups(_resting_on(gate, evaluation))
    if obstacle is not None:
        return _unknown(gate, obstacle)
    if gate.reference is not None:
        return _judge_difference(gate, evaluation, reference)
    value, interval, n_seeds = _figure(gate, evaluation)
    if value is None or interval is None:
        return _unknown(gate, f"no seed was taken for {gate.category}")
    answer = _answer(gate, interval)
    n_needed = None
    if answer == "inconclusive":
        n_needed = _n_needed(gate, value, interval, n_seeds)
    return GateAnswer(
        gate.text,
        answer,
        value,
        interval,
        _reason(gate, answer, value, interval, n_needed),
        n_needed,
    )


def why_unsettled(evaluation: Evaluation | None) -> str:
    """Return why no figure over all categories holds for new examples; empty where one does."""
    if evaluation is None:
        return _NOT_SCORED
    if evaluation.evidence_codes.issubset(evaluation.generated_only):
        return _NO_EVIDENCE
    return _too_few_groups(evaluation.not_estimable) or ""


def _right_side(text: str, right: str) -> tuple[float, str | None]:
    if _SHARE.fullmatch(right):
        bound = _number(right)
        if not 0 <= bound <= 1:
            raise ConfigError(
                f"gate {printable(text)!r}: {right} is no share", "write 0.9 or 90%, from 0 to 1"
            )
        return bound, None
    match = _REFERENCE.fullmatch(right)
    if match is None:
        raise ConfigError(
            f"gate {printable(text)!r}: {printable(right)!r} is neither a share nor a model",
            _EXAMPLES,
        )
    margin = _number(match["margin"]) if match["margin"] else 0.0
    if not -1 <= margin <= 1:
        raise ConfigError(
            f"gate {printable(text)!r}: a margin of {margin:g} is no share", "write 0.01 or 1%"
        )
    return margin, match["name"]


def _number(text: str) -> float:
    number = float(re.sub(r"[\s%]", "", text))
    return number / 100 if text.rstrip().endswith("%") else number


def _obstacle(gate: Gate, evaluation: Evaluation) -> str | None:
    """Return why nothing can be said; None where something can."""
    scored = [code for code, score in evaluation.per_category.items() if score.n_seeds]
    if gate.category is None:
        if all(code in evaluation.generated_only for code in scored):
            return _NO_EVIDENCE
        return None
    if gate.category in evaluation.generated_only:
        return f"{gate.category} is generated only: no evidence of the real world"
    if gate.category not in evaluation.codes:
        return f"the model does not know {gate.category}"
    if gate.figure == "recall" and gate.category not in scored:
        return f"{gate.category} could not be scored: it has fewer than two groups"
    return None


def _resting_on(gate: Gate, evaluation: Evaluation) -> tuple[str, ...]:
    """Return the categories of too few groups that a gate's figure rests on."""
    if gate.figure == "recall":
        return tuple(code for code in evaluation.not_estimable if code == gate.category)
    # Seeds of any category may be given the name of the one whose precision is asked for.
    return evaluation.not_estimable


def _too_few_groups(codes: Sequence[str]) -> str | None:
    """Return why a figure that rests on these categories tells nothing; None without any."""
    if not codes:
        return None
    return (
        f"how other groups would fare is not estimable from these groups: {', '.join(codes)} "
        f"(fewer than {FEWEST_GROUPS} groups)"
    )


def _judge_difference(
    gate: Gate, evaluation: Evaluation, reference: Evaluation | None
) -> GateAnswer:
    if reference is None:
        return _unknown(gate, f"there is no evaluation of {gate.reference} to compare with")
    compared = compare(reference, evaluation, gate.figure, gate.category)
    value, interval = compared.difference, compared.interval
    if value is not None and reference == evaluation:
        # The model itself, or the same made again: with other seeds too it would be as good.
        interval = value, value
    if value is None or interval is None:
        return _unknown(gate, f"{gate.reference} was not scored on the same seeds")
    answer = _answer(gate, interval)
    n_needed = None
    if answer == "inconclusive" and value != gate.bound:
        wanted = (max(interval[1] - value, value - interval[0]) / (value - gate.bound)) ** 2
        n_needed = _limited(math.ceil(compared.n_common * max(wanted, 1.0)))
    reason = _reason(gate, answer, value, interval, n_needed)
    return GateAnswer(gate.text, answer, value, interval, reason, n_needed)


def _figure(gate: Gate, evaluation: Evaluation) -> tuple[float | None, Interval | None, int]:
    """Return a figure, its interval, and the number of seeds that it is of."""
    if gate.figure == "accuracy":
        return evaluation.accuracy, evaluation.accuracy_interval, evaluation.n_seeds
    if gate.figure == "macro_f1":
        return evaluation.macro_f1, evaluation.macro_f1_interval, evaluation.n_seeds
    score = evaluation.per_category[str(gate.category)]
    if gate.figure == "recall":
        return score.recall, score.recall_interval, score.n_seeds
    if score.precision is None:
        return None, None, 0
    interval = _precision_interval(evaluation, str(gate.category), score.precision)
    return score.precision, interval, score.n_seeds


def _precision_interval(evaluation: Evaluation, code: str, precision: float) -> Interval:
    number = evaluation.codes.index(code)
    named = [s for s in evaluation.evidence if int(np.argmax(s.probabilities)) == number]
    n_named = sum(
        row[number]
        for other, row in zip(evaluation.codes, evaluation.confusion, strict=True)
        if other in evaluation.evidence_codes
    )
    n_effective = float(n_named)
    if len(named) == n_named:
        right = np.array([seed.code == code for seed in named])
        n_effective = effective_groups(right, group_numbers([seed.group for seed in named]))
    wrong, expected = 1 - evaluation.held_out_accuracy, 1 - evaluation.accuracy
    ratio = expected / wrong if wrong > 0 else 1.0
    return wilson_around(precision, ratio, n_effective / RECALL_VARIANCE)


def _answer(gate: Gate, interval: Interval) -> Answer:
    low, high = interval
    bound = gate.bound
    met, missed = {
        ">=": (low >= bound, high < bound),
        ">": (low > bound, high <= bound),
        "<=": (high <= bound, low > bound),
        "<": (high < bound, low >= bound),
    }[gate.relation]
    return "pass" if met else "fail" if missed else "inconclusive"


def _n_needed(gate: Gate, value: float, interval: Interval, n_seeds: int) -> int | None:
    """Return how many seeds would give this figure an interval without the bound."""
    if value == gate.bound:
        return None
    width = _width(interval)
    now = _least(lambda n: _width(wilson_interval(value, n)) <= width)
    then = _least(lambda n: not _holds(wilson_interval(value, n), gate.bound))
    if now is None or then is None:
        return None
    return _limited(math.ceil(n_seeds * max(then / now, 1.0)))


def _holds(interval: Interval, bound: float) -> bool:
    """Return whether a bound lies within; the ends of the scale always do."""
    return interval[0] < bound < interval[1] or bound in {0.0, 1.0}


def _width(interval: Interval) -> float:
    return interval[1] - interval[0]


def _limited(n_seeds: int) -> int | None:
    return n_seeds if n_seeds <= _MOST_SEEDS else None


def _least(meets: Callable[[float], bool]) -> float | None:
    """Return about the least number from which on a condition is met, by halving."""
    low, high = 0.01, 100.0 * _MOST_SEEDS
    if not meets(high):
        return None
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if meets(middle) else (middle, high)
    return high


def _unknown(gate: Gate, reason: str) -> GateAnswer:
    return GateAnswer(gate.text, "inconclusive", None, None, reason, None)


def _reason(
    gate: Gate, answer: Answer, value: float, interval: Interval, n_needed: int | None
) -> str:
    name = gate.figure if gate.category is None else f"{gate.figure} of {gate.category}"
    if gate.reference is not None:
        name = f"{name} minus that of {gate.reference}"
    low, high = interval
    figures = f"{name} is {value:.3f}, between {low:.3f} and {high:.3f}"
    if answer == "pass":
        return f"{figures}: all of it meets the gate"
    if answer == "fail":
        return f"{figures}: none of it meets the gate"
    if n_needed is None:
        return (
            f"{figures}: {gate.bound:g} lies within, and no reasonable number of seeds settles it"
        )
    kind = f"seeds of {gate.category}" if gate.category is not None else "seeds"
    return f"{figures}: {gate.bound:g} lies within; about {n_needed:,} {kind} would settle it"
