from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlforge.core.component import ComponentConfig
from mlforge.techniques import TECHNIQUES, Drawn, Technique
from mlforge.testing.techniques import (
    TECHNIQUE_CHECKS,
    TechniqueCase,
    check_descriptions,
    check_drawn_values,
    check_global_state,
    check_input_unchanged,
    check_output,
    check_repeatable,
    check_unknown_parameter,
    check_varies,
    image_examples,
)

GOLDEN = {
    "blur": True,
    "brightness": True,
    "color": True,
    "compression": True,
    "contrast": True,
    "crop": True,
    "grayscale": False,
    "horizontal_flip": False,
    "noise_addition": True,
    "occlusion": True,
    "perspective": True,
    "rotation": True,
    "scaling": True,
    "shadow": True,
    "sharpen": True,
    "shear": True,
    "translation": True,
    "vertical_flip": False,
}


def own_techniques() -> list[type[Technique]]:
    components = TECHNIQUES.components("image")
    return [c for c in components if TECHNIQUES.origin(c) == "mlforge"]


def test_the_registered_techniques_are_exactly_the_golden_ones() -> None:
    assert {t.name: t.keeps_labels for t in own_techniques()} == GOLDEN
    assert [item for item in TECHNIQUES.broken() if item.source == "mlforge"] == []


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("check", TECHNIQUE_CHECKS, ids=lambda check: str(check.__name__))
def test_technique_holds_the_contract(check: Callable[[TechniqueCase], None], name: str) -> None:
    check(TechniqueCase(TECHNIQUES.get(name, "image"), image_examples()))


class Sound(Technique):
    """Adds a drawn number."""

    name = "sound"
    modality = "image"

    def apply(self, example: Any, rng: np.random.Generator) -> tuple[Any, Drawn]:
        shift = int(rng.integers(1, 200))
        return example + np.uint8(shift), {"shift": shift}


class Undescribed(Sound):
    __doc__ = None


class TakesAnything(Sound):
    @classmethod
    def configured(cls, values: Any, where: str) -> Any:
        return cls(ComponentConfig())


class GivesFloats(Sound):
    def apply(self, example: Any, rng: np.random.Generator) -> tuple[Any, Drawn]:
        return example + 0.5, {}


class Halves(Sound):
    def apply(self, example: Any, rng: np.random.Generator) -> tuple[Any, Drawn]:
        return np.ascontiguousarray(example[: len(example) // 2 + 1]), {}


class WritesIntoItsInput(Sound):
    def apply(self, example: Any, rng: np.random.Generator) -> tuple[Any, Drawn]:
        example += np.uint8(1)
        return example, {}


class Remembers(Sound):
    count = 0

    def apply(self, example: Any, rng: np.random.Generator) -> tuple[Any, Drawn]:
        self.count += 1
        return example + np.uint8(self.count % 256), {}


class DrawsGlobally(Sound):
    def apply(self, example: Any, rng: np.random.Generator) -> tuple[Any, Drawn]:
        return example, {"value": random.random()}  # noqa: S311 - what must be found


class DrawsNan(Sound):
    def apply(self, example: Any, rng: np.random.Generator) -> tuple[Any, Drawn]:
        return example, {"value": float("nan")}


class DoesNothing(Sound):
    def apply(self, example: Any, rng: np.random.Generator) -> tuple[Any, Drawn]:
        return example, {}


@pytest.mark.parametrize("check", TECHNIQUE_CHECKS, ids=lambda check: str(check.__name__))
def test_a_sound_technique_passes(check: Callable[[TechniqueCase], None]) -> None:
    check(TechniqueCase(Sound, image_examples()))


@pytest.mark.parametrize(
    ("check", "broken", "reason"),
    [
        (check_descriptions, Undescribed, "no docstring"),
        (check_unknown_parameter, TakesAnything, "accepts 'no_such_parameter'"),
        (check_output, GivesFloats, "returns float64"),
        (check_output, Halves, "became"),
        (check_input_unchanged, WritesIntoItsInput, "changes its input"),
        (check_repeatable, Remembers, "second run"),
        (check_global_state, DrawsGlobally, "global random state"),
        (check_varies, DoesNothing, "one and the same"),
    ],
)
def test_a_broken_technique_is_found(
    check: Callable[[TechniqueCase], None], broken: type[Technique], reason: str
) -> None:
    with pytest.raises(AssertionError, match=reason):
        check(TechniqueCase(broken, image_examples()))


def test_drawn_values_that_are_not_json_are_found() -> None:
    with pytest.raises(ValueError, match="JSON"):
        check_drawn_values(TechniqueCase(DrawsNan, image_examples()))
