from __future__ import annotations

import numpy as np
import onnx
import pytest

from mlforge.models import MODELS

RNG = np.random.default_rng(3)
FEATURES = RNG.normal(size=(120, 6)).astype(np.float32)
LABELS = np.repeat(np.arange(12), 10)


def sizes(name: str, **parameters: object) -> dict[str, int]:
    model = MODELS.get(name).configured({"n_estimators": 5, **parameters}, "test")
    model.fit(FEATURES, LABELS, np.random.default_rng(0))
    proto = onnx.load_model_from_string(model.to_onnx())
    (trees,) = [node for node in proto.graph.node if node.op_type == "TreeEnsembleRegressor"]
    attributes = {a.name: helper_value(a) for a in trees.attribute}
    modes = attributes["nodes_modes"]
    return {
        "trees": len(set(attributes["nodes_treeids"])),
        "leaves": sum(mode == b"LEAF" for mode in modes),
        "scores": len(attributes["target_weights"]),
    }


def helper_value(attribute: onnx.AttributeProto) -> list[object]:
    value = onnx.helper.get_attribute_value(attribute)
    return list(value) if hasattr(value, "__iter__") else [value]


@pytest.mark.parametrize("name", ["random_forest", "extra_trees"])
def test_a_graph_holds_only_the_scores_that_are_not_zero(name: str) -> None:
    pure = sizes(name)
    assert pure["trees"] == 5
    assert pure["scores"] == pure["leaves"]


@pytest.mark.parametrize("name", ["random_forest", "extra_trees"])
def test_parameters_reach_the_trees(name: str) -> None:
    assert sizes(name, max_depth=2)["leaves"] <= 5 * 4
    assert sizes(name, min_samples_leaf=20)["leaves"] < sizes(name, min_samples_leaf=5)["leaves"]
    assert sizes(name, n_estimators=7)["trees"] == 7


@pytest.mark.parametrize("name", ["random_forest", "extra_trees"])
@pytest.mark.parametrize("share", ["log2", 1.0, 0.01])
def test_every_way_to_give_max_features_fits(name: str, share: object) -> None:
    assert sizes(name, max_features=share)["leaves"] > 0


def test_another_seed_gives_another_forest() -> None:
    graphs = []
    for seed in (0, 1):
        model = MODELS.get("random_forest").configured({"n_estimators": 3}, "test")
        model.fit(FEATURES, LABELS, np.random.default_rng(seed))
        graphs.append(model.to_onnx())
    assert graphs[0] != graphs[1]
