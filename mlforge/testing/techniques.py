"""What every technique must hold.

A plugin's author runs the checks on a class::

    @pytest.mark.parametrize("check", TECHNIQUE_CHECKS, ids=lambda check: check.__name__)
    def test_vignette_holds_the_contract(check):
        check(TechniqueCase(Vignette, image_examples()))
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlforge.core.digest import canonical_json
from mlforge.core.validation import json_schema
from mlforge.errors import ConfigError
from mlforge.modalities import Example
from mlforge.techniques import Technique

__all__ = [
    "TECHNIQUE_CHECKS",
    "TechniqueCase",
    "check_descriptions",
    "check_drawn_values",
    "check_global_state",
    "check_input_unchanged",
    "check_output",
    "check_repeatable",
    "check_unknown_parameter",
    "check_varies",
    "image_examples",
]

_SIZES = ((1, 1), (1, 9), (9, 1), (2, 3), (5, 4), (32, 48), (256, 192), (300, 301))
_N_DRAWS = 16


@dataclass(frozen=True)
class TechniqueCase:
    """A technique and the examples to try it on."""

    technique: type[Technique]
    examples: Sequence[Example]


def image_examples() -> list[npt.NDArray[np.uint8]]:
    """Return images of many sizes, from a single pixel upwards: black, white, noise, gradients."""
    examples = []
    for index, (height, width) in enumerate(_SIZES):
        rng = np.random.default_rng(index)
        noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        rows = np.linspace(0, 255, height)[:, None, None]
        columns = np.linspace(0, 255, width)[None, :, None]
        gradient = ((rows + columns) / 2 * np.array([1.0, 0.6, 0.3])).astype(np.uint8)
        examples += [np.zeros_like(noise), np.full_like(noise, 255), noise, gradient]
    return examples


def check_descriptions(case: TechniqueCase) -> None:
    """Hold that listings can show it: a summary, and words for each parameter."""
    _hold(bool(case.technique.__doc__), case, "its class has no docstring")
    for name, values in json_schema(case.technique.Config).get("properties", {}).items():
        _hold("description" in values, case, f"parameter {name!r} has no description")
        _hold("default" in values, case, f"parameter {name!r} has no default")


def check_unknown_parameter(case: TechniqueCase) -> None:
    """Hold that its own defaults are accepted, and that an unknown parameter is refused."""
    defaults = case.technique().parameters()
    configured = case.technique.configured(defaults, "test").parameters()
    _hold(configured == defaults, case, "its defaults, given as parameters, become others")
    unknown = "no_such_parameter"
    try:
        case.technique.configured({unknown: 1}, "test")
    except ConfigError as error:
        _hold(unknown in error.message, case, f"the error does not name {unknown!r}")
    else:
        raise _broken(case, f"it accepts {unknown!r}")


def check_output(case: TechniqueCase) -> None:
    """Hold that the result is an example of the same kind; of an image, of the same size too."""
    component = case.technique()
    for example, rng in _pairs(case):
        result, _ = component.apply(example, rng)
        _hold(type(result) is type(example), case, f"it returns a {type(result).__name__}")
        if isinstance(example, np.ndarray):
            _hold(result.dtype == example.dtype, case, f"it returns {result.dtype}")
            _hold(result.flags.c_contiguous, case, "its result is not C-contiguous")
        if case.technique.modality == "image":
            shapes = f"{example.shape} became {result.shape}"
            _hold(result.shape == example.shape, case, shapes)


def check_input_unchanged(case: TechniqueCase) -> None:
    """Hold that the example that goes in stays what it was."""
    component = case.technique()
    for example, rng in _pairs(case):
        before = _identity(example)
        component.apply(example, rng)
        _hold(_identity(example) == before, case, "it changes its input")


def check_repeatable(case: TechniqueCase) -> None:
    """Hold that the same state of the generator gives the same result, in any order."""
    first, second = case.technique(), case.technique()
    forward = [_applied(first, example, rng) for example, rng in _pairs(case)]
    backward = [_applied(second, example, rng) for example, rng in reversed(_pairs(case))]
    again = [_applied(first, example, rng) for example, rng in _pairs(case)]
    _hold(forward == again, case, "a second run on the same instance gives another result")
    _hold(forward == backward[::-1], case, "another order gives another result")


def check_global_state(case: TechniqueCase) -> None:
    """Hold that it neither draws from nor changes the random state of the process."""
    component = case.technique()
    results = []
    before = random.getstate(), np.random.get_state()  # noqa: NPY002 - the state that must stay
    try:
        for seed in (1, 2):
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002 - the state that must have no effect
            states = _global_state()
            results.append([_applied(component, example, rng) for example, rng in _pairs(case)])
            _hold(_global_state() == states, case, "it draws from the global random state")
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002 - the caller's state
    _hold(results[0] == results[1], case, "its result depends on the global random state")


def check_drawn_values(case: TechniqueCase) -> None:
    """Hold that drawn values are a JSON object, without the key that a recipe adds."""
    component = case.technique()
    for example, rng in _pairs(case):
        _, drawn = component.apply(example, rng)
        _hold(isinstance(drawn, dict), case, "its drawn values are not a dict")
        _hold("technique" not in drawn, case, "its drawn values use the key 'technique'")
        canonical_json(drawn)


def check_varies(case: TechniqueCase) -> None:
    """Hold that one generator gives one result after another."""
    component, rng = case.technique(), np.random.default_rng(0)
    example = max(case.examples, key=_richness)
    results = {_applied(component, example, rng) for _ in range(_N_DRAWS)}
    _hold(len(results) > 1, case, f"{_N_DRAWS} draws give one and the same result")


TECHNIQUE_CHECKS: tuple[Callable[[TechniqueCase], None], ...] = (
    check_descriptions,
    check_unknown_parameter,
    check_output,
    check_input_unchanged,
    check_repeatable,
    check_global_state,
    check_drawn_values,
    check_varies,
)
"""All checks; each raises `AssertionError` where a technique does not hold it."""


def _pairs(case: TechniqueCase) -> list[tuple[Example, np.random.Generator]]:
    return [(e, np.random.default_rng([i, 7])) for i, e in enumerate(case.examples)]


def _applied(technique: Technique, example: Example, rng: np.random.Generator) -> tuple[Any, str]:
    result, drawn = technique.apply(example, rng)
    return _identity(result), canonical_json(drawn)


def _identity(example: Example) -> bytes:
    """Return bytes that differ where examples differ."""
    if isinstance(example, np.ndarray):
        return f"{example.dtype}{example.shape}".encode() + example.tobytes()
    return repr(example).encode()


def _richness(example: Example) -> tuple[int, int]:
    identity = _identity(example)
    return len(set(identity)), len(identity)


def _global_state() -> tuple[object, ...]:
    kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - the state that must stay
    return random.getstate(), kind, np.asarray(keys).tobytes(), *rest


def _hold(holds: object, case: TechniqueCase, otherwise: str) -> None:
    if not holds:
        raise _broken(case, otherwise)


def _broken(case: TechniqueCase, reason: str) -> AssertionError:
    return AssertionError(f"technique {case.technique.name!r}: {reason}")
