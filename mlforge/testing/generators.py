"""What every generator must hold.

A plugin's author runs the checks on a class, with a modality and decoded seeds. A generator that
takes inputs is given texts in their place, one that takes an endpoint the seeds as its answers::

    @pytest.mark.parametrize("check", GENERATOR_CHECKS, ids=lambda check: check.__name__)
    def test_collage_holds_the_contract(check):
        check(GeneratorCase(Collage, Image(), image_examples()))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlforge.core.category import CategoryConfig
from mlforge.core.digest import canonical_json, digest_bytes
from mlforge.core.randomness import Streams
from mlforge.generators import Generated, Generator, GeneratorConfig
from mlforge.modalities import Example, Modality

__all__ = [
    "GENERATOR_CHECKS",
    "GeneratorCase",
    "check_any_order",
    "check_copies_differ",
    "check_encodable",
    "check_parameters",
    "check_recipe",
    "check_seed_unchanged",
]

_CATEGORY = CategoryConfig(
    category_name="Test", category_code="test", sample_inputs=("one", "two", "three")
)
_STREAMS = Streams(("conformance",))
_N_COPIES = 6


@dataclass(frozen=True)
class GeneratorCase:
    """A generator, the modality of its samples, and decoded seeds."""

    generator: type[Generator]
    modality: Modality
    seeds: Sequence[Example]

    @property
    def sources(self) -> Sequence[Example]:
        """What samples are made from: seeds, or texts for a generator that draws them."""
        draws_texts = self.generator.takes_inputs and not self.generator.takes_endpoint
        return _CATEGORY.sample_inputs if draws_texts else self.seeds


def check_parameters(case: GeneratorCase) -> None:
    """Hold that its parameters include those of every generator, and that it has a summary."""
    _hold(bool(case.generator.__doc__), case, "its class has no docstring")
    accepted = issubclass(case.generator.Config, GeneratorConfig)
    _hold(accepted, case, "its Config does not derive from GeneratorConfig")
    limit = _made(case).limit_per_seed()
    _hold(limit is None or limit >= 1, case, f"limit_per_seed() gives {limit}")


def check_any_order(case: GeneratorCase) -> None:
    """Hold that a copy depends on source, copy number and streams alone."""
    first, second = _made(case), _made(case)
    for source in case.sources:
        copies = _copies(first)
        forward = {
            c: _identity(case.modality, first.generate([source], c, _STREAMS)) for c in copies
        }
        for copy in reversed(copies):
            again = _identity(case.modality, second.generate([source], copy, _STREAMS))
            _hold(again == forward[copy], case, "another order gives other samples")


def check_seed_unchanged(case: GeneratorCase) -> None:
    """Hold that seeds and inputs stay what they were."""
    made = _made(case)
    for source in case.sources:
        before = _content(case, source)
        for copy in _copies(made):
            made.generate([source], copy, _STREAMS)
        _hold(_content(case, source) == before, case, "it changes its seed")


def check_encodable(case: GeneratorCase) -> None:
    """Hold that every sample can be encoded and decoded again, in the first format."""
    made = _made(case)
    for source in case.sources:
        for copy in _copies(made):
            data = _bytes(case.modality, made.generate([source], copy, _STREAMS).example)
            decoded = case.modality.decode(data)
            _hold(_bytes(case.modality, decoded) == data, case, "decoding changes its sample")


def check_recipe(case: GeneratorCase) -> None:
    """Hold that a recipe is a tuple of JSON objects."""
    made = _made(case)
    for source in case.sources:
        for copy in _copies(made):
            recipe = made.generate([source], copy, _STREAMS).recipe
            _hold(isinstance(recipe, tuple), case, "its recipe is not a tuple")
            canonical_json(list(recipe))


def check_copies_differ(case: GeneratorCase) -> None:
    """Hold that the copies of a source differ from each other, and between streams."""
    made = _made(case)
    source = max(case.sources, key=lambda item: len(_content(case, item)))
    copies = _copies(made)
    different = {
        _identity(case.modality, made.generate([source], copy, _STREAMS)) for copy in copies
    }
    _hold(len(different) == len(copies), case, "two copies of a seed are equal")
    other = _identity(case.modality, made.generate([source], 1, Streams(("another",))))
    _hold(other not in different or len(copies) == 1, case, "streams make no difference")


GENERATOR_CHECKS: tuple[Callable[[GeneratorCase], None], ...] = (
    check_parameters,
    check_any_order,
    check_seed_unchanged,
    check_encodable,
    check_recipe,
    check_copies_differ,
)
"""All checks; each raises `AssertionError` where a generator does not hold it."""


def _made(case: GeneratorCase) -> Generator:
    return case.generator(_CATEGORY, case.modality)


def _copies(generator: Generator) -> list[int]:
    limit = generator.limit_per_seed()
    return list(range(1, (_N_COPIES if limit is None else min(limit, _N_COPIES)) + 1))


def _identity(modality: Modality, generated: Generated) -> tuple[str, str]:
    data = _bytes(modality, generated.example)
    return digest_bytes(data), canonical_json(list(generated.recipe))


def _content(case: GeneratorCase, source: Example) -> bytes:
    return source.encode() if isinstance(source, str) else _bytes(case.modality, source)


def _bytes(modality: Modality, example: Example) -> bytes:
    return modality.encode(example, modality.formats[0], "high")


def _hold(holds: object, case: GeneratorCase, otherwise: str) -> None:
    if not holds:
        raise AssertionError(f"generator {case.generator.name!r}: {otherwise}")
