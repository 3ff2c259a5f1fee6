"""The model `nearest_centroid`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import Annotated

import numpy as np
import numpy.typing as npt
from annotated_types import Gt, Le

from mlforge.core.component import ComponentConfig
from mlforge.models import Model

__all__ = ["NearestCentroid"]


@dataclass(frozen=True, kw_only=True)
class NearestCentroidConfig(ComponentConfig):
    """The parameters of `nearest_centroid`."""

    sharpness: Annotated[float, Gt(0), Le(1000)] = 10.0
    """How fast a category's probability falls with the distance from its centroid."""


class NearestCentroid(Model):
    """Probabilities by the distance from each category's mean.

    With the centroid :math:`c_k` of category `k` and the mean squared distance :math:`s` of the
    training examples from their own centroids, :math:`p_k(x)` is proportional to
    :math:`exp(-sharpness |x - c_k|^2 / s)`. Of the square, :math:`|x|^2` is the same for all
    categories, so what is left is linear in `x`.

    References
    ----------
    T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical Learning", 2nd edition
    (2009), section 4.3: linear discriminants, here with one variance for all features.
    """

    name = "nearest_centroid"
    Config = NearestCentroidConfig

    _weights: npt.NDArray[np.float64]
    _bias: npt.NDArray[np.float64]

    def fit(
        self,
        features: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> None:
        """Fit to the training examples; nothing is random."""
        values = features.astype(np.float64)
        centroids = np.stack([values[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
        # Where all examples are on their centroids, any scale will do.
        scale = np.square(values - centroids[labels]).sum(axis=1).mean() or 1.0
        factor = self.config.sharpness / scale
        self._weights = 2 * factor * centroids.T
        self._bias = -factor * np.square(centroids).sum(axis=1)

    def predict_proba(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return probabilities, ``n_examples x n_categories``, whose rows sum to 1."""
        scores = features.astype(np.float64) @ self._weights + self._bias
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def to_onnx(self) -> bytes:
        """Return the fitted model as a serialized ONNX graph."""
        from onnx import TensorProto, helper, numpy_helper

        n_features, n_categories = self._weights.shape
        graph = helper.make_graph(
            [
                helper.make_node("Cast", ["features"], ["values"], to=TensorProto.DOUBLE),
                helper.make_node("MatMul", ["values", "weights"], ["products"]),
                helper.make_node("Add", ["products", "bias"], ["scores"]),
                helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
            ],
            self.name,
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", n_features])],
            [
                helper.make_tensor_value_info(
                    "probabilities", TensorProto.DOUBLE, ["n", n_categories]
                )
            ],
            [
                numpy_helper.from_array(self._weights, "weights"),
                numpy_helper.from_array(self._bias, "bias"),
            ],
        )
        # Fixed versions: the newest that `onnx` knows may be newer than what ONNX Runtime reads.
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
        return bytes(model.SerializeToString(deterministic=True))

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions that decide what `fit` gives: its own too, so a new one retrains."""
        own = "mlforge-nearest-centroid"
        return super().versions() | {own: metadata.version(own)}
