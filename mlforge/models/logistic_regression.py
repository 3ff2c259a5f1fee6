"""The model logistic_regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt

from mlforge.core.component import ComponentConfig
from mlforge.models import Model
from mlforge.models._graph import GraphBuilder
from mlforge.models._libraries import library_versions, one_thread
from mlforge.models._scaling import Scaling, fit_scaling

__all__ = ["LogisticRegression"]


@dataclass(frozen=True, kw_only=True)
class LogisticRegressionConfig(ComponentConfig):
    """The parameters of logistic_regression."""

    C: Annotated[float, Gt(0)] = 0.1
    """How closely to follow the training examples: less is smoother."""
    max_iter: Annotated[int, Ge(1)] = 2000
    """How many steps the solver may take."""
    class_weight: Literal["balanced"] | None = "balanced"
    """`balanced`: each category counts the same, however many examples it has."""


class LogisticRegression(Model):
    """Linear scores of the scaled features, turned into probabilities.

    Quick to fit and small to store.
    """

    name: ClassVar[str] = "logistic_regression"
    Config: ClassVar[type[ComponentConfig]] = LogisticRegressionConfig
    _scaling: Scaling
    _estimator: Any

    def fit(
        self,
        features: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> None:
        """Fit to the training examples; nothing is random."""
        from sklearn.linear_model import LogisticRegression as Estimator

        self._scaling = fit_scaling(features)
        estimator = Estimator(
            C=self.config.C,
            max_iter=self.config.max_iter,
            class_weight=self.config.class_weight,
        )
        with one_thread():
            self._estimator = estimator.fit(self._scaling.apply(features), labels)

    @classmethod
    def search_space(cls) -> Mapping[str, Sequence[Any]]:
        """Return the values that tuning tries, by parameter."""
        return {
            "C": (0.001, 0.01, 0.1, 1.0, 10.0),
        }

    def predict_proba(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return probabilities, ``n_examples x n_categories``, whose rows sum to 1."""
        scaled = self._scaling.apply(features)
        probabilities: npt.NDArray[np.float64] = self._estimator.predict_proba(scaled)
        return probabilities

    def to_onnx(self) -> bytes:
        """Return the fitted model as a serialized ONNX graph."""
        weights, bias = self._estimator.coef_, self._estimator.intercept_
        if len(weights) == 1:
            # With two categories there is one score, and the other is 0.
            weights = np.vstack([np.zeros_like(weights), weights])
            bias = np.concatenate([np.zeros_like(bias), bias])
        graph = GraphBuilder(weights.shape[1])
        products = graph.add(
            "MatMul", self._scaling.add_to(graph), graph.constant(np.ascontiguousarray(weights.T))
        )
        scores = graph.add("Add", products, graph.constant(bias))
        return graph.finish(graph.add("Softmax", scores, axis=1), len(weights))

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `fit` gives."""
        return super().versions() | library_versions("scikit-learn", "scipy")
