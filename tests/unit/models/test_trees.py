from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from mlforge.core.onnx_graph import OnnxGraph
from mlforge.models._graph import GraphBuilder
from mlforge.models._trees import LEAF, Tree, add_trees, float32_below


def stump(scores: list[list[float]]) -> Tree:
    """Test whether feature 1 is at most 0.5; the leaves score as given, zeros left out."""
    table = np.array(scores)
    rows, categories = np.nonzero(table)
    return Tree(
        left=np.array([1, LEAF, LEAF]),
        right=np.array([2, LEAF, LEAF]),
        feature=np.array([1, -2, -2]),
        threshold=np.array([0.5, 0, 0], np.float32),
        leaf=rows + 1,
        category=categories,
        score=table[rows, categories].astype(np.float32),
    )


def run(
    trees: list[Tree],
    values: list[float],
    test: Literal["BRANCH_LEQ", "BRANCH_LT"],
    aggregate: Literal["AVERAGE", "SUM"],
) -> list[list[float]]:
    graph = GraphBuilder(2)
    scores = add_trees(graph, graph.features, trees, 2, test=test, aggregate=aggregate)
    data = graph.finish(graph.cast(scores, np.float64), 2)
    rows = np.array([[9, value] for value in values], np.float32)
    result: list[list[float]] = OnnxGraph(data, "test").run(rows).tolist()
    return result


def test_an_example_on_the_threshold_passes_only_where_equality_counts() -> None:
    pure = [stump([[1, 0], [0, 1]])]
    assert run(pure, [0.4, 0.5, 0.6], "BRANCH_LEQ", "SUM") == [[1, 0], [1, 0], [0, 1]]
    assert run(pure, [0.4, 0.5, 0.6], "BRANCH_LT", "SUM") == [[1, 0], [0, 1], [0, 1]]


def test_scores_of_all_trees_are_joined() -> None:
    trees = [stump([[1, 0], [0, 1]]), stump([[0.5, 0.5], [0.25, 0.75]])]
    assert run(trees, [0, 1], "BRANCH_LEQ", "SUM") == [[1.5, 0.5], [0.25, 1.75]]
    assert run(trees, [0, 1], "BRANCH_LEQ", "AVERAGE") == [[0.75, 0.25], [0.125, 0.875]]


def test_a_tree_may_be_a_single_leaf() -> None:
    leaf = Tree(
        left=np.array([LEAF]),
        right=np.array([LEAF]),
        feature=np.array([-2]),
        threshold=np.array([-2.0], np.float32),
        leaf=np.array([0]),
        category=np.array([1]),
        score=np.array([0.5], np.float32),
    )
    assert run([leaf], [0.0], "BRANCH_LEQ", "SUM") == [[0, 0.5]]
    trees = [leaf, stump([[1, 0], [0, 1]])]
    assert run(trees, [0.0, 1.0], "BRANCH_LEQ", "SUM") == [[1, 0.5], [0, 1.5]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, 0.5),
        (0.1, np.nextafter(np.float32(0.1), np.float32(0))),
        (-0.1, np.float32(-0.1)),
        (1 + 1e-12, 1.0),
        (1 - 1e-12, np.nextafter(np.float32(1), np.float32(0))),
    ],
)
def test_thresholds_become_the_float32_below(value: float, expected: float) -> None:
    assert float32_below(np.array([value]))[0] == np.float32(expected)
