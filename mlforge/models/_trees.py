"""Ensembles of decision trees as one ONNX node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mlforge.models._graph import ML_DOMAIN, GraphBuilder

__all__ = ["LEAF", "Tree", "add_trees", "float32_below"]

LEAF = -1
Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tree:
    """A decision tree; node 0 is its root.

    Attributes
    ----------
    left, right
        ``n_nodes``: the node for examples that pass the test, and for the others; `LEAF` at leaves.
    feature, threshold
        ``n_nodes``: what the test compares; anything at leaves.
    leaf, category, score
        One entry for each leaf and category to which the leaf adds something.
    """

    left: Integers
    right: Integers
    feature: Integers
    threshold: Floats
    leaf: Integers
    category: Integers
    score: Floats


def add_trees(
    graph: GraphBuilder,
    features: str,
    trees: Sequence[Tree],
    n_categories: int,
    *,
    test: Literal["BRANCH_LEQ", "BRANCH_LT"],
    aggregate: Literal["AVERAGE", "SUM"],
) -> str:
    """Add the trees to `graph` and return the name of their scores.

    Parameters
    ----------
    graph
        The graph to add them to.
    features
        The name of the float32 features, ``n_examples x n_features``.
    trees
        At least one tree.
    n_categories
        The number of categories.
    test
        Whether an example passes where it equals the threshold.
    aggregate
        How the trees' scores are joined.

    Returns
    -------
    str
        The name of the scores, float32, ``n_examples x n_categories``.
    """
    is_leaf = np.concatenate([tree.left for tree in trees]) == LEAF

    def inner(parts: Sequence[npt.NDArray[np.generic]]) -> npt.NDArray[np.generic]:
        return np.where(is_leaf, np.zeros(1, parts[0].dtype), np.concatenate(parts))

    def tree_numbers(parts: Sequence[Integers]) -> Integers:
        return np.repeat(np.arange(len(parts)), [len(part) for part in parts])

    # The classifier's operator treats two categories, and scores of one sign, in ways of its own.
    return graph.add(
        "TreeEnsembleRegressor",
        features,
        domain=ML_DOMAIN,
        n_targets=n_categories,
        aggregate_function=aggregate,
        nodes_treeids=tree_numbers([tree.left for tree in trees]),
        nodes_nodeids=np.concatenate([np.arange(len(tree.left)) for tree in trees]),
        nodes_modes=np.where(is_leaf, b"LEAF", test.encode()),
        nodes_featureids=inner([tree.feature for tree in trees]),
        nodes_values=inner([tree.threshold for tree in trees]),
        nodes_truenodeids=inner([tree.left for tree in trees]),
        nodes_falsenodeids=inner([tree.right for tree in trees]),
        target_treeids=tree_numbers([tree.leaf for tree in trees]),
        target_nodeids=np.concatenate([tree.leaf for tree in trees]),
        target_ids=np.concatenate([tree.category for tree in trees]),
        target_weights=np.concatenate([tree.score for tree in trees]),
    )


def float32_below(values: npt.NDArray[np.float64]) -> Floats:
    """Return the largest float32 not above each value.

    A float32 is at most `values` exactly where it is at most the result, so trees with such
    thresholds decide as trees with thresholds of 64 bits do.

    Examples
    --------
    >>> float(float32_below(np.array([0.1]))[0]) <= 0.1
    True
    """
    nearest = values.astype(np.float32)
    return np.where(nearest > values, np.nextafter(nearest, np.float32(-np.inf)), nearest)
