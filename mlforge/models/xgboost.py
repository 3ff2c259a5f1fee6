"""The model xgboost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Le

from mlforge.core.component import ComponentConfig
from mlforge.models import Model
from mlforge.models._graph import GraphBuilder
from mlforge.models._libraries import library_versions, one_thread, seed_from
from mlforge.models._scaling import Projection, fit_projection
from mlforge.models._trees import LEAF, Tree, add_trees

__all__ = ["XGBoost"]

# Components and examples are few: more bins cost time and bring nothing.
_MAX_BIN = 64
# How many steps of a component make up its standard deviation.
_N_STEPS = 1024


@dataclass(frozen=True, kw_only=True)
class XGBoostConfig(ComponentConfig):
    """The parameters of xgboost."""

    n_estimators: Annotated[int, Ge(1), Le(5000)] = 150
    """How many rounds; each adds one tree for each category."""
    learning_rate: Annotated[float, Gt(0), Le(1)] = 0.2
    """How much of each tree is added."""
    max_depth: Annotated[int, Ge(1), Le(20)] = 3
    """How many tests deep a tree may grow."""
    n_components: Annotated[int, Ge(1)] = 64
    """Where there are more features, they are reduced to this many principal components."""
    subsample: Annotated[float, Gt(0), Le(1)] = 0.8
    """The share of the examples that a tree sees."""
    colsample_bynode: Annotated[float, Gt(0), Le(1)] = 0.2
    """The share of the features or components that a test chooses from."""
    min_child_weight: Annotated[float, Ge(0)] = 0.1
    """How much a leaf weighs at least."""
    reg_lambda: Annotated[float, Ge(0)] = 0.3
    """How far the scores of leaves are drawn towards 0."""
    class_weight: Literal["balanced"] | None = "balanced"
    """`balanced`: each category counts the same, however many examples it has."""


class XGBoost(Model):
    """Decision trees that each mend the errors of those before, on principal components.

    References
    ----------
    T. Chen, C. Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016, 785-794.
    """

    name: ClassVar[str] = "xgboost"
    Config: ClassVar[type[ComponentConfig]] = XGBoostConfig
    _projection: Projection | None
    _booster: Any

    def fit(
        self,
        features: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> None:
        """Fit to the training examples."""
        import xgboost

        self._n_features = features.shape[1]
        self._n_categories = int(labels.max()) + 1
        with one_thread():
            self._projection = (
                _in_steps(fit_projection(features, self.config.n_components, rng), features)
                if self._n_features > self.config.n_components
                else None
            )
            data = xgboost.DMatrix(
                self._components(features), labels, weight=self._weights(labels), nthread=1
            )
            parameters = self._parameters(seed_from(rng))
            self._booster = xgboost.train(parameters, data, self.config.n_estimators)

    @classmethod
    def search_space(cls) -> Mapping[str, Sequence[Any]]:
        """Return the values that tuning tries, by parameter."""
        return {
            "n_estimators": (75, 150, 300),
            "learning_rate": (0.05, 0.1, 0.2, 0.3),
            "max_depth": (2, 3, 4, 6),
            "n_components": (32, 64, 128),
            "subsample": (0.6, 0.8, 1.0),
            "reg_lambda": (0.1, 0.3, 1.0, 3.0),
        }

    def predict_proba(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return probabilities, ``n_examples x n_categories``, whose rows sum to 1."""
        import xgboost

        data = xgboost.DMatrix(self._components(features), nthread=1)
        scores = self._booster.predict(data, output_margin=True).astype(np.float64)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
        return probabilities

    def to_onnx(self) -> bytes:
        """Return the fitted model as a serialized ONNX graph."""
        graph = GraphBuilder(self._n_features)
        components = graph.features
        if self._projection:
            components = graph.add("Round", self._projection.add_to(graph))
        # Every category starts from the same score, which therefore changes no probability.
        fitted = json.loads(self._booster.save_raw("json"))["learner"]["gradient_booster"]["model"]
        pairs = zip(fitted["trees"], fitted["tree_info"], strict=True)
        trees = [_tree(tree, category) for tree, category in pairs]
        scores = add_trees(
            graph, components, trees, self._n_categories, test="BRANCH_LT", aggregate="SUM"
        )
        probabilities = graph.add("Softmax", graph.cast(scores, np.float64), axis=1)
        return graph.finish(probabilities, self._n_categories)

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `fit` gives."""
        found = super().versions() | library_versions("scikit-learn", "scipy")
        return found | {"xgboost": _version()}

    def _parameters(self, seed: int) -> dict[str, Any]:
        return {
            "objective": "multi:softprob",
            "num_class": self._n_categories,
            "base_score": 0.5,
            "tree_method": "hist",
            "max_bin": _MAX_BIN,
            # Threads wait for each other longer than they work.
            "nthread": 1,
            "seed": seed,
            "learning_rate": self.config.learning_rate,
            "max_depth": self.config.max_depth,
            "subsample": self.config.subsample,
            "colsample_bynode": self.config.colsample_bynode,
            "min_child_weight": self.config.min_child_weight,
            "reg_lambda": self.config.reg_lambda,
        }

    def _components(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.rint(self._projection.apply(features)) if self._projection else features

    def _weights(self, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64] | None:
        if self.config.class_weight is None:
            return None
        weights: npt.NDArray[np.float64] = len(labels) / self._n_categories / np.bincount(labels)
        return weights[labels]


def _in_steps(projection: Projection, features: npt.NDArray[np.float32]) -> Projection:
    """Return `projection` in units so small that its results can be rounded to whole numbers.

    XGBoost's thresholds are values of training examples, so that the last bit of a product, which
    ONNX Runtime may round in another way, would decide. Whole numbers have no such bit.
    """
    deviation = projection.apply(features).std(axis=0)
    steps = np.where(deviation > 0, deviation, 1) / _N_STEPS
    return replace(projection, directions=(projection.directions / steps).astype(np.float32))


def _tree(fitted: dict[str, Any], category: int) -> Tree:
    left = np.array(fitted["left_children"], np.int64)
    # XGBoost keeps the scores of leaves where other nodes have their thresholds.
    values = np.array(fitted["split_conditions"], np.float32)
    leaves = np.flatnonzero(left == LEAF)
    return Tree(
        left=left,
        right=np.array(fitted["right_children"], np.int64),
        feature=np.array(fitted["split_indices"], np.int64),
        threshold=values,
        leaf=leaves,
        category=np.full(len(leaves), category),
        score=values[leaves],
    )


def _version() -> str:
    """Return the version of XGBoost, whose build without GPU support has a name of its own."""
    try:
        return metadata.version("xgboost-cpu")
    except metadata.PackageNotFoundError:
        return metadata.version("xgboost")
