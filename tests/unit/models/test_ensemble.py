from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from mlforge.core.onnx_graph import OnnxGraph
from mlforge.errors import ConfigError
from mlforge.models import MODELS, Model
from mlforge.models._graph import GraphBuilder

Ensemble = MODELS.get("ensemble")
RNG = np.random.default_rng(6)
LABELS = np.repeat(np.arange(3), 20)
FEATURES = (RNG.normal(size=(60, 5)) + 2 * LABELS[:, None]).astype(np.float32)


class Fixed(Model):
    """Gives what its class says, and keeps the draw that it was given."""

    shares: ClassVar[list[float]]
    draws: ClassVar[list[int]] = []

    def fit(
        self,
        features: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> None:
        self.n_features = features.shape[1]
        self.draws.append(int(rng.integers(1 << 40)))

    def predict_proba(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        return np.tile(np.array(self.shares), (len(features), 1))

    def to_onnx(self) -> bytes:
        graph = GraphBuilder(self.n_features)
        zeros = graph.constant(np.zeros((self.n_features, 3)))
        nothing = graph.add("MatMul", graph.cast(graph.features, np.float64), zeros)
        shares = graph.add("Add", nothing, graph.constant(np.array(self.shares)))
        return graph.finish(shares, 3)


class First(Fixed):
    """Is sure of category 0."""

    name = "first"
    shares: ClassVar[list[float]] = [1.0, 0.0, 0.0]


class Second(Fixed):
    """Leans to category 1."""

    name = "second"
    shares: ClassVar[list[float]] = [0.0, 0.75, 0.25]


@pytest.fixture
def two_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"first": First, "second": Second}
    monkeypatch.setattr(MODELS, "get", lambda name, where="": known[name])
    monkeypatch.setattr(Fixed, "draws", [])


@pytest.mark.usefixtures("two_fixed")
def test_probabilities_are_the_mean_of_the_members() -> None:
    model = Ensemble.configured({"members": ["first", "second"]}, "test")
    model.fit(FEATURES, LABELS, np.random.default_rng(0))
    expected = [[0.5, 0.375, 0.125]]
    assert model.predict_proba(FEATURES[:1]).tolist() == expected
    assert OnnxGraph(model.to_onnx(), "test").run(FEATURES[:1]).tolist() == expected


@pytest.mark.usefixtures("two_fixed")
def test_each_member_draws_for_itself() -> None:
    model = Ensemble.configured({"members": ["first", "second"]}, "test")
    model.fit(FEATURES, LABELS, np.random.default_rng(0))
    assert len(set(Fixed.draws)) == 2


def test_every_other_model_may_vote_in_one_graph() -> None:
    members = [name for name in MODELS.names() if name != "ensemble"]
    model = Ensemble.configured({"members": members}, "test")
    model.fit(FEATURES, LABELS, np.random.default_rng(0))
    exported = OnnxGraph(model.to_onnx(), "test").run(FEATURES)
    assert np.abs(exported - model.predict_proba(FEATURES)).max() < 1e-5


def test_the_default_members_agree_as_closely_as_single_models() -> None:
    model = Ensemble()
    model.fit(FEATURES, LABELS, np.random.default_rng(0))
    exported = OnnxGraph(model.to_onnx(), "test").run(FEATURES)
    assert np.abs(exported - model.predict_proba(FEATURES)).max() < Model.tolerance


def test_an_unknown_member_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="unknown model 'svn'") as caught:
        Ensemble.configured({"members": ["svn", "xgboost"]}, "test")
    assert "did you mean 'svm'?" in caught.value.hint


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (["svm", "ensemble"], "cannot be a member of an ensemble"),
        (["svm", "svm"], "only once"),
        (["svm"], "at least 2"),
        ([], "at least 2"),
    ],
)
def test_members_that_make_no_vote_are_refused(members: list[str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        Ensemble.configured({"members": members}, "test")


def test_versions_are_those_of_all_models() -> None:
    assert {"numpy", "scikit-learn", "scipy", "xgboost"} <= set(Ensemble.versions())
