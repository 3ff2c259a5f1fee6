"""What random_forest and extra_trees share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Le

from mlforge.core.component import ComponentConfig
from mlforge.models import Model
from mlforge.models._graph import GraphBuilder
from mlforge.models._libraries import library_versions, seed_from
from mlforge.models._trees import LEAF, Tree, add_trees, float32_below

__all__ = ["Forest", "ForestConfig"]


@dataclass(frozen=True, kw_only=True)
class ForestConfig(ComponentConfig):
    """The parameters of a forest."""

    n_estimators: Annotated[int, Ge(1), Le(5000)] = 200
    """How many trees."""
    max_depth: Annotated[int, Ge(1), Le(100)] | None = None
    """How many tests deep a tree may grow; without it, until its leaves are pure."""
    min_samples_leaf: Annotated[int, Ge(1)] = 1
    """How many examples a leaf holds at least."""
    max_features: Literal["sqrt", "log2"] | Annotated[float, Gt(0), Le(1)] = "sqrt"
    """How many features a test chooses from: `sqrt`, `log2`, or a share of them."""
    class_weight: Literal["balanced"] | None = "balanced"
    """`balanced`: each category counts the same, however many examples it has."""


class Forest(Model):
    """Decision trees whose probabilities are averaged."""

    Config: ClassVar[type[ComponentConfig]] = ForestConfig
    _estimator: Any

    @abstractmethod
    def _make(self, **parameters: Any) -> Any:
        """Return scikit-learn's estimator."""

    def fit(
        self,
        features: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> None:
        """Fit to the training examples."""
        self._estimator = self._make(
            n_estimators=self.config.n_estimators,
            max_depth=self.config.max_depth,
            min_samples_leaf=self.config.min_samples_leaf,
            max_features=self.config.max_features,
            class_weight=self.config.class_weight,
            random_state=seed_from(rng),
            n_jobs=1,
        ).fit(features, labels)

    @classmethod
    def search_space(cls) -> Mapping[str, Sequence[Any]]:
        """Return the values that tuning tries, by parameter."""
        return {
            "n_estimators": (200, 500),
            "max_depth": (None, 12),
            "min_samples_leaf": (1, 2, 4),
            "max_features": ("sqrt", "log2", 0.1, 0.3),
        }

    def predict_proba(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return probabilities, ``n_examples x n_categories``, whose rows sum to 1."""
        probabilities: npt.NDArray[np.float64] = self._estimator.predict_proba(features)
        return probabilities

    def to_onnx(self) -> bytes:
        """Return the fitted model as a serialized ONNX graph."""
        n_categories = len(self._estimator.classes_)
        graph = GraphBuilder(self._estimator.n_features_in_)
        trees = [_tree(member.tree_) for member in self._estimator.estimators_]
        scores = add_trees(
            graph, graph.features, trees, n_categories, test="BRANCH_LEQ", aggregate="AVERAGE"
        )
        return graph.finish(graph.cast(scores, np.float64), n_categories)

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `fit` gives."""
        return super().versions() | library_versions("scikit-learn")


def _tree(fitted: Any) -> Tree:
    leaves = np.flatnonzero(fitted.children_left == LEAF)
    shares = fitted.value[leaves, 0, :]
    rows, categories = np.nonzero(shares)
    return Tree(
        left=fitted.children_left,
        right=fitted.children_right,
        feature=fitted.feature,
        threshold=float32_below(fitted.threshold),
        leaf=leaves[rows],
        category=categories,
        score=shares[rows, categories].astype(np.float32),
    )
