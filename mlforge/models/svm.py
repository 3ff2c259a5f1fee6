"""The model svm."""

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
from mlforge.models._libraries import library_versions, one_thread, seed_from
from mlforge.models._scaling import Projection, fit_projection

__all__ = ["SVM"]

# How steeply a pair's probability rises with its decision: the best log loss, to within a few
# hundredths, on photos of hand signs and on digits, with 5 to 630 examples a category.
_STEEPNESS = 6.0
# Beyond this a probability is 0 anyway, and its exponential would overflow.
_FARTHEST = 100.0


@dataclass(frozen=True, kw_only=True)
class SVMConfig(ComponentConfig):
    """The parameters of svm."""

    C: Annotated[float, Gt(0)] = 10.0
    """How closely to follow the training examples: less is smoother."""
    gamma: Literal["scale"] | Annotated[float, Gt(0)] = "scale"
    """How near examples must be to count as alike: more is nearer. `scale`: one over the sum of
    the components' variances."""
    n_components: Annotated[int, Ge(1)] = 128
    """How many principal components of the features are used at most."""
    class_weight: Literal["balanced"] | None = "balanced"
    """`balanced`: each category counts the same, however many examples it has."""


class SVM(Model):
    r"""Support vector machines between every two categories, with an RBF kernel.

    Of the decisions :math:`d_{ij}` for category `i` against `j`, probabilities are made as

    .. math:: p_i \propto 1 / (1 + \sum_{j \ne i} \exp(-s d_{ij}))

    which is the rule of Price et al. for the pairwise probabilities ``1 / (1 + exp(-s d))``. It
    takes no further examples, nothing random, and for ``d_ij = f_i - f_j`` it is the softmax of
    ``s f``.

    References
    ----------
    D. Price, S. Knerr, L. Personnaz, G. Dreyfus, "Pairwise neural network classifiers with
    probabilistic outputs", NIPS 7 (1994) 1109-1116.
    """

    name: ClassVar[str] = "svm"
    Config: ClassVar[type[ComponentConfig]] = SVMConfig
    _projection: Projection
    _estimator: Any

    def fit(
        self,
        features: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> None:
        """Fit to the training examples."""
        from sklearn.svm import SVC

        with one_thread():
            self._projection = fit_projection(features, self.config.n_components, rng)
            components = self._projection.apply(features).astype(np.float64)
            total_variance = float(components.var(axis=0).sum())
            gamma = self.config.gamma
            if gamma == "scale":
                gamma = 1 / total_variance if total_variance > 0 else 1.0
            self._estimator = SVC(
                C=self.config.C,
                gamma=gamma,
                class_weight=self.config.class_weight,
                decision_function_shape="ovo",
                # It draws a seed that it does not use; without one, from NumPy's global state.
                random_state=seed_from(rng),
            ).fit(components, labels)

    @classmethod
    def search_space(cls) -> Mapping[str, Sequence[Any]]:
        """Return the values that tuning tries, by parameter."""
        return {
            "C": (1.0, 3.0, 10.0, 30.0, 100.0),
            "n_components": (64, 128, 256),
        }

    def predict_proba(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return probabilities, ``n_examples x n_categories``, whose rows sum to 1."""
        components = self._projection.apply(features).astype(np.float64)
        decisions = self._estimator.decision_function(components).reshape(len(features), -1)
        pairs = _Pairs(len(self._estimator.classes_))
        exponents = -_STEEPNESS * pairs.signs * decisions[:, pairs.numbers]
        powers = np.exp(np.clip(exponents, -_FARTHEST, _FARTHEST))
        odds = 1 / (1 + powers.reshape(len(features), pairs.n_categories, -1).sum(axis=2))
        probabilities: npt.NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
        return probabilities

    def to_onnx(self) -> bytes:
        """Return the fitted model as a serialized ONNX graph."""
        graph = GraphBuilder(len(self._projection.directions))
        components = graph.cast(self._projection.add_to(graph), np.float64)
        pairs = _Pairs(len(self._estimator.classes_))
        decisions = self._add_decisions(graph, self._add_kernel(graph, components), pairs)
        exponents = graph.add("Mul", decisions, graph.constant(-_STEEPNESS * pairs.signs))
        clipped = graph.add(
            "Clip", exponents, graph.constant(-_FARTHEST), graph.constant(_FARTHEST)
        )
        shape = graph.constant(np.array([-1, pairs.n_categories, pairs.n_categories - 1]))
        powers = graph.add("Reshape", graph.add("Exp", clipped), shape)
        sums = graph.add("ReduceSum", powers, graph.constant(np.array([2])), keepdims=0)
        one = graph.constant(1.0)
        odds = graph.add("Div", one, graph.add("Add", one, sums))
        total = graph.add("ReduceSum", odds, graph.constant(np.array([1])), keepdims=1)
        return graph.finish(graph.add("Div", odds, total), pairs.n_categories)

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `fit` gives."""
        return super().versions() | library_versions("scikit-learn", "scipy")

    def _add_kernel(self, graph: GraphBuilder, components: str) -> str:
        """Add ``exp(-gamma |x - v|**2)`` for every support vector `v`."""
        gamma = self._estimator.gamma
        # The components are float32 as well, so nothing is lost.
        vectors = self._estimator.support_vectors_.astype(np.float32)
        wide = vectors.astype(np.float64)
        products = graph.add(
            "MatMul",
            components,
            graph.cast(graph.constant(np.ascontiguousarray(vectors.T)), np.float64),
        )
        doubled = graph.add("Mul", products, graph.constant(2 * gamma))
        without_own = graph.add("Sub", doubled, graph.constant(gamma * (wide**2).sum(axis=1)))
        squares = graph.add(
            "ReduceSumSquare", components, graph.constant(np.array([1])), keepdims=1
        )
        own = graph.add("Mul", squares, graph.constant(gamma))
        return graph.add("Exp", graph.add("Sub", without_own, own))

    def _add_decisions(self, graph: GraphBuilder, kernel: str, pairs: _Pairs) -> str:
        """Add the decisions of every category against every other."""
        counts = self._estimator.n_support_
        parts = graph.add_many(
            "Split", kernel, graph.constant(counts.astype(np.int64)), n_outputs=len(counts), axis=1
        )
        weights = np.split(self._estimator.dual_coef_, np.cumsum(counts)[:-1], axis=1)
        from_own_side = graph.add(
            "Concat",
            *(
                graph.add("MatMul", part, graph.constant(np.ascontiguousarray(weight.T)))
                for part, weight in zip(parts, weights, strict=True)
            ),
            axis=1,
        )
        from_other_side = graph.add("Gather", from_own_side, graph.constant(pairs.mirror), axis=1)
        both = graph.add("Add", from_own_side, from_other_side)
        return graph.add("Add", both, graph.constant(self._estimator.intercept_[pairs.numbers]))


class _Pairs:
    """The order of a category against every other, row by row of ``n x (n - 1)``.

    Attributes
    ----------
    numbers
        Where scikit-learn has the decision between the two.
    signs
        1 where that decision, being above 0, is for the row's category, and -1 elsewhere.
    mirror
        Where the pair stands with the two exchanged.
    """

    def __init__(self, n_categories: int) -> None:
        self.n_categories = n_categories
        row, column = np.nonzero(~np.eye(n_categories, dtype=bool))
        upper = np.zeros((n_categories, n_categories), np.int64)
        upper[np.triu_indices(n_categories, 1)] = np.arange(n_categories * (n_categories - 1) // 2)
        self.numbers = (upper + upper.T)[row, column]
        # With two categories, scikit-learn's decision is for the second.
        direction = 1.0 if n_categories > 2 else -1.0
        self.signs = np.where(row < column, direction, -direction)
        self.mirror = column * (n_categories - 1) + row - (row > column)
