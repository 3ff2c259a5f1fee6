"""Models: trainable estimators that export to ONNX."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mlforge.core.component import Component
from mlforge.core.registry import Registry

__all__ = ["MODELS", "Model"]


class Model(Component):
    """A classifier.

    A fit uses one thread: folds and models run side by side instead, which on small data is faster
    and gives the same result on any number of workers. scikit-learn and XGBoost are imported where
    they are used, never at the top of a module.

    Attributes
    ----------
    tolerance
        The largest difference between a probability of the exported graph and of the model itself;
        1e-4 where ONNX Runtime computes in float32 only.
    same_as
        The model, by name, that gives the same from the same features and parameters: of the two,
        `mlforge train --model auto` then tries this one only.
    """

    tolerance: ClassVar[float] = 1e-5
    same_as: ClassVar[str | None] = None

    @property
    def features(self) -> tuple[str, ...]:
        """The extractors whose features it takes, whatever was asked for; here any will do."""
        return ()

    @abstractmethod
    def fit(
        self,
        features: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> None:
        """Fit to the training examples.

        Parameters
        ----------
        features
            ``n_examples x n_features``, finite; may be read-only and is never changed.
        labels
            ``n_examples``, from 0 to ``n_categories - 1``, each of which occurs.
        rng
            The only source of randomness.
        """

    @abstractmethod
    def predict_proba(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return probabilities, ``n_examples x n_categories``, whose rows sum to 1."""

    @abstractmethod
    def to_onnx(self) -> bytes:
        """Return the fitted model as a serialized ONNX graph.

        Its one input ``features`` (float32 or float64, ``n_examples x n_features``, the first
        dimension free) gives its one output ``probabilities`` (float32 or float64,
        ``n_examples x n_categories``). Operators are those of the domains ``""`` and
        ``ai.onnx.ml``.
        """

    @classmethod
    def search_space(cls) -> Mapping[str, Sequence[Any]]:
        """Return the values that `mlforge train --tune` tries, by parameter; none by default."""
        return {}

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `fit` gives."""
        return {"numpy": np.__version__}


MODELS: Registry[Model] = Registry("model", Model)
