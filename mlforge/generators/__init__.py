"""Generators: what makes samples, and the chain of techniques that each sample passes through."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le

from mlforge.core.category import CategoryConfig
from mlforge.core.component import Component, ComponentConfig
from mlforge.core.randomness import Streams
from mlforge.core.registry import Registry
from mlforge.modalities import Example, Modality
from mlforge.techniques import Technique, apply_in_turn, techniques_of

__all__ = ["GENERATORS", "Generated", "Generator", "GeneratorConfig"]


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(ComponentConfig):
    """The parameters of every generator: how its samples are encoded."""

    quality: Literal["low", "medium", "high"] | Annotated[int, Ge(1), Le(100)] = "high"
    """How well samples are encoded: low, medium, high, or 1 to 100; png is lossless."""
    format: str | None = None
    """The file format of samples; the modality's first where not given."""


@dataclass(frozen=True)
class Generated:
    """A new example and its recipe.

    Attributes
    ----------
    example
        The decoded example.
    recipe
        The steps that made it, in order, each with its name and the values that were drawn.
    """

    example: Example
    recipe: tuple[Mapping[str, Any], ...]


class Generator(Component):
    """A way to make samples of one category.

    Parameters
    ----------
    category
        The category's configuration; `generation_settings.parameters` were made into `config`.
    modality
        The kind of data that the samples are.
    config
        The generator's own parameters.

    Attributes
    ----------
    needs_seeds
        Whether it makes samples from seeds.
    takes_inputs
        Whether it starts from the category's `sample_inputs`.
    takes_endpoint
        Whether it calls the category's `api_endpoint` with each of them.
    not_shaping
        Its parameters that shape no sample, such as how long to wait for an answer: samples stay
        where they change.
    varies_only
        Whether a sample is nothing but its seed after the category's techniques.
    revision
        Raised whenever the code makes other samples from the same draws.
    """

    Config: ClassVar[type[ComponentConfig]] = GeneratorConfig
    needs_seeds: ClassVar[bool] = True
    takes_inputs: ClassVar[bool] = False
    takes_endpoint: ClassVar[bool] = False
    not_shaping: ClassVar[tuple[str, ...]] = ()
    varies_only: ClassVar[bool] = False
    revision: ClassVar[int] = 1

    def __init__(
        self,
        category: CategoryConfig,
        modality: Modality,
        config: GeneratorConfig | None = None,
    ) -> None:
        super().__init__(config)
        self.category = category
        self._modality = modality
        self.techniques: list[Technique] = techniques_of(category, modality.name)

    @property
    def file_format(self) -> str:
        """The file format of its samples."""
        return str(self.config.format or self._modality.formats[0])

    def shaping_parameters(self) -> dict[str, Any]:
        """Return the parameters as JSON-like values, those without a say as they are by default."""
        # The first format is lossless.
        is_lossless = self.file_format == self._modality.formats[0]
        unused = (*self.not_shaping, "quality") if is_lossless else self.not_shaping
        defaults = dataclasses.asdict(self.Config())
        values = self.parameters() | {"format": self.file_format}
        return values | {name: defaults[name] for name in unused}

    @abstractmethod
    def generate(
        self, sources: Sequence[Any], copy: int, streams: Streams, attempt: int = 0
    ) -> Generated:
        """Make one sample.

        Parameters
        ----------
        sources
            What the sample is made from, one element, never changed: the seed, decoded; for a
            generator that takes inputs, the input's text; for one that takes an endpoint, the
            decoded answer to this copy of the input.
        copy
            The number of the sample among those of its seed, from 1.
        streams
            The only source of randomness, the same for all copies of a seed: the same streams,
            copy and attempt give the same bytes, on any worker and in any order.
        attempt
            How often this sample has been drawn before and found too poor.
        """

    def decode(self, data: bytes) -> Any:
        """Turn the bytes of a seed, or of an answer, into what `generate` takes.

        Here: what the modality's `decode` gives. A generator that needs more of a file than an
        example holds overrides it; `generate` still takes examples too.

        Raises
        ------
        SampleError
            If the bytes are no example.
        """
        return self._modality.decode(data)

    def limit_per_seed(self) -> int | None:
        """Return how many samples one seed can give before they repeat; None for no limit."""
        return None

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `generate` gives."""
        return {}

    def apply_techniques(self, example: Example, rng: np.random.Generator) -> Generated:
        """Pass an example through the category's techniques in their order."""
        return Generated(*apply_in_turn(self.techniques, example, rng))


GENERATORS: Registry[Generator] = Registry("generator", Generator)
