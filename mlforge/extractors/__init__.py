"""Extractors: what turns one decoded example into a fixed vector of named features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from mlforge.core.component import Component, ComponentConfig
from mlforge.core.registry import Registry
from mlforge.modalities import Modality

__all__ = ["EXTRACTORS", "Extractor", "LearningExtractor", "TrainingSet", "activation_maps"]


@dataclass(frozen=True)
class TrainingSet:
    """What an extractor that learns is fitted to.

    Attributes
    ----------
    examples
        Of the training part of a split, as the extractor's `reduced` gives them.
    labels
        Their categories by number, ``n_examples``.
    n_categories
        How many categories there are in all; some may have no example here.
    vary
        Returns an example, named by its place in `examples`, as its category's techniques vary it
        with a source of randomness; one that was varied before is returned as it is.
    """

    examples: Sequence[Any]
    labels: npt.NDArray[np.int64]
    n_categories: int
    vary: Callable[[int, np.random.Generator], Any]


class Extractor(Component):
    """Features of one kind.

    What it needs at prediction is NumPy, OpenCV and ONNX Runtime at most.

    Attributes
    ----------
    revision
        Raised whenever the code gives other numbers; part of the key of cached features.
    """

    revision: ClassVar[int] = 1

    @abstractmethod
    def names(self) -> list[str]:
        """Return the feature names, one for each column of `extract`, each used once."""

    @abstractmethod
    def extract(self, examples: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Return the features, float32, ``n_examples x n_features``, all finite.

        The row of an example depends on that example alone.
        """

    def bound_to(self, modality: Modality) -> Self:
        """Return it for examples of a modality. Here: itself, since it is made for one."""
        return self

    @property
    def n_steps(self) -> int:
        """How many steps fitting it reports; none where it is not fitted."""
        return 0

    def state(self) -> Mapping[str, bytes]:
        """Return the files, by name, that `restore` needs besides the parameters; usually none."""
        return {}

    @classmethod
    def restore(cls, config: ComponentConfig, state: Mapping[str, bytes]) -> Self:
        """Make the extractor again from parameters and `state`, as `mlforge predict` does."""
        return cls(config)

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `extract` gives."""
        return {"numpy": np.__version__}


class LearningExtractor(Extractor):
    """An extractor that must be fitted before it can extract.

    It is fitted anew for each split, to the training part alone.

    Attributes
    ----------
    needs_arrays
        Whether it works on any modality that offers its examples as arrays, and on no other.
    enough_steps
        Where a budget has time for fewer, a smaller size makes more of it.
    """

    needs_arrays: ClassVar[bool] = False
    enough_steps: ClassVar[int] = 0

    @abstractmethod
    def reduced(self, example: Any) -> npt.NDArray[Any]:
        """Return an example as small as the extractor needs it, an array of a fixed shape.

        `extract` gives the same of it.
        """

    @abstractmethod
    def fit(
        self, training: TrainingSet, rng: np.random.Generator, advance: Callable[[], None]
    ) -> Self:
        """Return it fitted to training examples.

        Parameters
        ----------
        training
            The examples.
        rng
            The only source of randomness.
        advance
            Called `n_steps` times; what it raises ends the fit.
        """

    def activation_map(self, example: Any, category: int) -> npt.NDArray[np.float32] | None:
        """Return where in an example what was learned speaks for a category.

        Parameters
        ----------
        example
            A decoded example.
        category
            Its number in the training set that it was fitted to.

        Returns
        -------
        numpy.ndarray or None
            Float32, ``height x width``, over the whole of the example as the modality's `thumbnail`
            shows it, the top row first: above 0 for what speaks for the category, below for what
            speaks against it, in units of its own. None where it cannot tell, as here.

        Raises
        ------
        ArtifactError
            If what was learned gives no such map; somebody else may have made it.
        """
        return None

    @abstractmethod
    def seconds_a_step(self, training: TrainingSet) -> float:
        """Return how long a step of `fit` takes on this machine, above 0."""

    @abstractmethod
    def device(self) -> str:
        """Return the name of what `fit` computes on."""

    @abstractmethod
    def with_steps(self, n_steps: int) -> Self:
        """Return it with another length of `fit`."""

    def smaller(self) -> Self | None:
        """Return it in the next smaller size, whose steps take less; None where there is none."""
        return None


def activation_maps(
    extractors: Sequence[Extractor], example: Any, category: int
) -> dict[str, npt.NDArray[np.float32]]:
    """Return the `activation_map` of each extractor that has learned and has one, by its name."""
    found = {
        extractor.name: extractor.activation_map(example, category)
        for extractor in extractors
        if isinstance(extractor, LearningExtractor)
    }
    return {name: each for name, each in found.items() if each is not None}


EXTRACTORS: Registry[Extractor] = Registry("extractor", Extractor)
