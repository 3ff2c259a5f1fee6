"""Reading an evaluation that was stored: its digest is right, and yet it may be anybody's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from mlforge.core.strict_json import is_count, is_number
from mlforge.evaluation.records import Evaluation

__all__ = ["from_json"]


def from_json(values: Mapping[str, Any]) -> Evaluation:
    """Return the evaluation that `dataclasses.asdict` made `values` of.

    Raises
    ------
    ValueError
        If they are not those of an evaluation.
    """
    from pydantic import TypeAdapter

    # Pydantic takes NaN for a number, and JSON, as which it is shown, does not.
    json.dumps(values, allow_nan=False)
    made = TypeAdapter(Evaluation).validate_python(values)
    are_sound = all(map(is_count, _counts(made))) and all(is_number(s, 0, 1) for s in _shares(made))
    if not (are_sound and _is_square(made) and _names_its_codes(made)):
        raise ValueError("the parts of the evaluation do not fit each other")
    return made


def _is_square(made: Evaluation) -> bool:
    """Return whether each row has a value for each category."""
    rows = (made.confusion, *made.confusion, *(seed.probabilities for seed in made.seeds))
    return all(len(row) == len(made.codes) > 0 for row in rows)


def _names_its_codes(made: Evaluation) -> bool:
    named = {*made.per_category, *made.unscored, *made.generated_only}
    return set(made.codes) >= named | {seed.code for seed in made.seeds}


def _shares(made: Evaluation) -> Iterator[float]:
    yield from (made.accuracy, made.held_out_accuracy, made.macro_f1)
    yield from chain.from_iterable(seed.probabilities for seed in made.seeds)


def _counts(made: Evaluation) -> Iterator[int]:
    yield from (made.n_seeds, made.n_groups, made.n_folds)
    yield from chain.from_iterable(made.confusion)
    for score in made.per_category.values():
        yield from (score.n_seeds, score.n_groups)
    yield from (part.n_seeds for part in (made.calibration.bins if made.calibration else ()))
    yield from (seed.fold for seed in made.seeds)
    if made.sets:
        yield made.sets.n_needed
