"""The model `neural_network`."""

from __future__ import annotations

from typing import ClassVar

from mlforge.models.logistic_regression import LogisticRegression

__all__ = ["NeuralNetwork"]


class NeuralNetwork(LogisticRegression):
    """The network of `learned`, with its last layer refitted to its features.

    Its convolutions are the extractor `learned`. The last layer that they were trained with is not
    used; this one is fitted to what they make of seeds and samples, and gives what a
    logistic_regression on `learned` gives.

    References
    ----------
    P. Kirichenko, P. Izmailov, A. G. Wilson (2023), Last layer re-training is sufficient for
    robustness to spurious correlations, International Conference on Learning Representations.
    """

    name: ClassVar[str] = "neural_network"
    extra: ClassVar[str | None] = "neural"
    fits_with: ClassVar[tuple[str, ...]] = ("torch",)
    same_as: ClassVar[str | None] = LogisticRegression.name

    @property
    def features(self) -> tuple[str, ...]:
        """Those that its convolutions give."""
        return ("learned",)
