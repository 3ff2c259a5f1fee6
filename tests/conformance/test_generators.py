from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from mlforge.core.component import ComponentConfig
from mlforge.core.randomness import Streams
from mlforge.generators import GENERATORS, Generated, Generator
from mlforge.generators.augmentation import Augmentation
from mlforge.generators.image.synthetic import Synthetic
from mlforge.modalities import MODALITIES, Example
from mlforge.testing.generators import (
    GENERATOR_CHECKS,
    GeneratorCase,
    check_any_order,
    check_copies_differ,
    check_encodable,
    check_parameters,
    check_recipe,
    check_seed_unchanged,
)
from mlforge.testing.techniques import image_examples

GOLDEN = ["api", "augmentation", "simulation", "synthetic"]


def image_case(generator: type[Generator]) -> GeneratorCase:
    # The modality scales decoded images down to 256 pixels; larger seeds never reach a generator.
    seeds = [example for example in image_examples() if max(example.shape) <= 256]
    return GeneratorCase(generator, MODALITIES.get("image")(), seeds)


def test_the_registered_generators_are_exactly_the_golden_ones() -> None:
    own = [g.name for g in GENERATORS.components() if GENERATORS.origin(g) == "mlforge"]
    assert own == GOLDEN
    assert [item for item in GENERATORS.broken() if item.source == "mlforge"] == []


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("check", GENERATOR_CHECKS, ids=lambda check: str(check.__name__))
def test_generator_holds_the_contract(check: Callable[[GeneratorCase], None], name: str) -> None:
    check(image_case(GENERATORS.get(name, "image")))


class ForeignConfig(Augmentation):
    """Has parameters of its own only."""

    Config = ComponentConfig


class Remembers(Augmentation):
    count = 0

    def generate(
        self, sources: Sequence[Example], copy: int, streams: Streams, attempt: int = 0
    ) -> Generated:
        self.count += 1
        return super().generate(sources, self.count, streams, attempt)


class WritesIntoItsSeed(Augmentation):
    def generate(
        self, sources: Sequence[Example], copy: int, streams: Streams, attempt: int = 0
    ) -> Generated:
        sources[0][:] ^= np.uint8(copy)
        return Generated(sources[0], ())


class TooLarge(Augmentation):
    def generate(
        self, sources: Sequence[Example], copy: int, streams: Streams, attempt: int = 0
    ) -> Generated:
        return Generated(np.full((400, 400, 3), copy, np.uint8), ())


class RecipeOfArrays(Augmentation):
    def generate(
        self, sources: Sequence[Example], copy: int, streams: Streams, attempt: int = 0
    ) -> Generated:
        return Generated(sources[0], ({"corners": np.zeros(2)},))


class SameForEveryCopy(Synthetic):
    def generate(
        self, sources: Sequence[str], copy: int, streams: Streams, attempt: int = 0
    ) -> Generated:
        return super().generate(sources, 1, streams, attempt)


class RemembersInputs(Synthetic):
    count = 0

    def generate(
        self, sources: Sequence[str], copy: int, streams: Streams, attempt: int = 0
    ) -> Generated:
        self.count += 1
        return super().generate(sources, self.count, streams, attempt)


class Copies(Augmentation):
    def generate(
        self, sources: Sequence[Example], copy: int, streams: Streams, attempt: int = 0
    ) -> Generated:
        return Generated(sources[0], ())


@pytest.mark.parametrize(
    ("check", "broken", "error", "reason"),
    [
        (check_parameters, ForeignConfig, AssertionError, "GeneratorConfig"),
        (check_any_order, Remembers, AssertionError, "another order"),
        (check_seed_unchanged, WritesIntoItsSeed, AssertionError, "changes its seed"),
        (check_encodable, TooLarge, AssertionError, "decoding changes"),
        (check_recipe, RecipeOfArrays, TypeError, "JSON serializable"),
        (check_copies_differ, Copies, AssertionError, "two copies"),
        (check_copies_differ, SameForEveryCopy, AssertionError, "two copies"),
        (check_any_order, RemembersInputs, AssertionError, "another order"),
    ],
)
def test_a_broken_generator_is_found(
    check: Callable[[GeneratorCase], None],
    broken: type[Generator],
    error: type[Exception],
    reason: str,
) -> None:
    with pytest.raises(error, match=reason):
        check(image_case(broken))
