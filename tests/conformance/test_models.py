from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from annotated_types import Gt

from mlforge.core.component import ComponentConfig
from mlforge.models import MODELS, Model
from mlforge.models._graph import GraphBuilder
from mlforge.testing.models import (
    MODEL_CHECKS,
    check_agreement,
    check_agreement_on_many_rows,
    check_constant_features,
    check_descriptions,
    check_few_examples,
    check_global_state,
    check_graph,
    check_input_unchanged,
    check_learns,
    check_probabilities,
    check_refit,
    check_repeatable,
    check_unequal_categories,
    check_unknown_parameter,
    check_versions,
)

Check = Callable[[type[Model]], None]
Features = npt.NDArray[np.float32]
GOLDEN = [
    "ensemble",
    "extra_trees",
    "logistic_regression",
    "neural_network",
    "random_forest",
    "svm",
    "xgboost",
]
HEAVY = ["sklearn", "scipy", "xgboost", "onnx", "onnxruntime", "joblib", "pandas", "pydantic"]


def test_the_registered_models_are_exactly_the_golden_ones() -> None:
    ours = [model for model in MODELS.components() if MODELS.origin(model) == "mlforge"]
    assert [model.name for model in ours] == GOLDEN
    assert [item for item in MODELS.broken() if item.source == "mlforge"] == []


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: str(check.__name__))
def test_model_holds_the_contract(check: Check, name: str) -> None:
    check(MODELS.get(name))


def test_listing_models_imports_nothing_heavy() -> None:
    code = (
        "import sys; from mlforge.models import MODELS\n"
        "for model in MODELS.components(): model.summary(); model.versions()\n"
        f"print(sorted(set(sys.modules) & set({HEAVY})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


@dataclass(frozen=True, kw_only=True)
class NearestConfig(ComponentConfig):
    steepness: Annotated[float, Gt(0)] = 1.0
    """How fast a probability falls with the distance."""


class Nearest(Model):
    """Nearest mean of a category."""

    name = "nearest"
    Config: ClassVar[type[ComponentConfig]] = NearestConfig
    means: npt.NDArray[np.float64]

    def fit(
        self, features: Features, labels: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> None:
        categories = range(int(labels.max()) + 1)
        wide = features.astype(np.float64)
        self.means = np.array([wide[labels == category].mean(axis=0) for category in categories])

    def predict_proba(self, features: Features) -> npt.NDArray[np.float64]:
        scores = features.astype(np.float64) @ self.weights() + self.bias()
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
        return shares

    def to_onnx(self) -> bytes:
        return self.graph(self.weights(), self.bias())

    def weights(self) -> npt.NDArray[np.float64]:
        weights: npt.NDArray[np.float64] = 2 * self.config.steepness * self.means.T
        return np.ascontiguousarray(weights)

    def bias(self) -> npt.NDArray[np.float64]:
        bias: npt.NDArray[np.float64] = -self.config.steepness * (self.means**2).sum(axis=1)
        return bias

    def graph(self, weights: npt.NDArray[np.float64], bias: npt.NDArray[np.float64]) -> bytes:
        graph = GraphBuilder(len(weights))
        wide = graph.cast(graph.features, np.float64)
        products = graph.add("MatMul", wide, graph.constant(weights))
        scores = graph.add("Add", products, graph.constant(bias))
        return graph.finish(graph.add("Softmax", scores, axis=1), len(bias))


@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: str(check.__name__))
def test_a_sound_model_passes(check: Check) -> None:
    check(Nearest)


class Undescribed(Nearest):
    __doc__ = None


class Misnamed(Nearest):
    name = "Nearest-Mean"


@dataclass(frozen=True, kw_only=True)
class WordlessConfig(ComponentConfig):
    steepness: float = 1.0


class Wordless(Nearest):
    """Has a parameter without a description."""

    Config = WordlessConfig


class TakesAnything(Nearest):
    @classmethod
    def configured(cls, values: Any, where: str) -> Any:
        return cls()


class Unversioned(Nearest):
    @classmethod
    def versions(cls) -> dict[str, str]:
        return {}


class NotNormalized(Nearest):
    def predict_proba(self, features: Features) -> npt.NDArray[np.float64]:
        return super().predict_proba(features) * 2


class Narrow(Nearest):
    def predict_proba(self, features: Features) -> Any:
        return super().predict_proba(features).astype(np.float32)


class OneColumn(Nearest):
    def predict_proba(self, features: Features) -> npt.NDArray[np.float64]:
        return super().predict_proba(features)[:, :1]


class Uniform(Nearest):
    def predict_proba(self, features: Features) -> npt.NDArray[np.float64]:
        return np.full((len(features), len(self.means)), 1 / len(self.means))


class Counts(Nearest):
    made = 0

    def to_onnx(self) -> bytes:
        Counts.made += 1
        return self.graph(self.weights(), self.bias() + Counts.made * 1e-9)


class Remembers(Nearest):
    n_fits = 0

    def fit(self, features: Features, labels: Any, rng: np.random.Generator) -> None:
        super().fit(features, labels, rng)
        self.n_fits += 1
        self.means = self.means * self.n_fits


class DrawsGlobally(Nearest):
    def fit(self, features: Features, labels: Any, rng: np.random.Generator) -> None:
        super().fit(features, labels, rng)
        self.means = self.means + np.random.rand() * 1e-3  # noqa: NPY002 - what must be found


class Centres(Nearest):
    def fit(self, features: Features, labels: Any, rng: np.random.Generator) -> None:
        if features.flags.writeable:
            features -= features.mean(axis=0)
        super().fit(features, labels, rng)


class NamesAnotherOutput(Nearest):
    def to_onnx(self) -> bytes:
        return super().to_onnx().replace(b"probabilities", b"probabilitiez")


class FixesItsRows(Nearest):
    def to_onnx(self) -> bytes:
        import onnx

        model = onnx.load_model_from_string(super().to_onnx())
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 60
        data: bytes = model.SerializeToString()
        return data


class OtherDomain(Nearest):
    def to_onnx(self) -> bytes:
        import onnx

        model = onnx.load_model_from_string(super().to_onnx())
        model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
        data: bytes = model.SerializeToString()
        return data


class ExportsLess(Nearest):
    def to_onnx(self) -> bytes:
        return self.graph(self.weights() * 0.999, self.bias())


class ExportsAnotherLabel(Nearest):
    tolerance = 0.6

    def graph(self, weights: npt.NDArray[np.float64], bias: npt.NDArray[np.float64]) -> bytes:
        graph = GraphBuilder(len(weights))
        wide = graph.cast(graph.features, np.float64)
        scores = graph.add("MatMul", wide, graph.constant(weights))
        own = graph.add("Softmax", graph.add("Add", scores, graph.constant(bias)), axis=1)
        mostly_next = 0.45 * np.eye(len(bias)) + 0.55 * np.roll(np.eye(len(bias)), 1, axis=1)
        return graph.finish(graph.add("MatMul", own, graph.constant(mostly_next)), len(bias))


class DividesByTheSpread(Nearest):
    def weights(self) -> npt.NDArray[np.float64]:
        weights: npt.NDArray[np.float64] = super().weights() / self.means.std(axis=0)[:, None]
        return weights


class Warns(Nearest):
    def fit(self, features: Features, labels: Any, rng: np.random.Generator) -> None:
        if len(labels) < 10:
            warnings.warn("few examples", stacklevel=2)
        super().fit(features, labels, rng)


class ForgetsTheRare(Nearest):
    def fit(self, features: Features, labels: Any, rng: np.random.Generator) -> None:
        super().fit(features, labels, rng)
        counts = np.bincount(labels)
        self.means[counts < counts.max()] = 1e3


@pytest.mark.parametrize(
    ("check", "broken", "reason"),
    [
        (check_descriptions, Undescribed, "no docstring"),
        (check_descriptions, Misnamed, "its name is 'Nearest-Mean'"),
        (check_descriptions, Wordless, "parameter 'steepness' has no description"),
        (check_unknown_parameter, TakesAnything, "accepts 'no_such_parameter'"),
        (check_versions, Unversioned, "lacks what Model.versions"),
        (check_probabilities, NotNormalized, "off 1"),
        (check_probabilities, Narrow, "gives a float32 array"),
        (check_probabilities, OneColumn, r"not a float64 array of \(60, 3\)"),
        (check_learns, Uniform, "right of easy examples"),
        (check_repeatable, Counts, "other bytes"),
        (check_refit, Remembers, "an earlier fit changes a later one"),
        (check_global_state, DrawsGlobally, "moves NumPy's global random state"),
        (check_input_unchanged, Centres, "changes the arrays"),
        (check_graph, NamesAnotherOutput, "its graph's outputs are"),
        (check_graph, FixesItsRows, "rows free"),
        (check_graph, OtherDomain, "operators of 'com.microsoft'"),
        (check_agreement, ExportsLess, "off its probabilities"),
        (check_agreement_on_many_rows, ExportsAnotherLabel, "another label"),
        (check_few_examples, Warns, "its fit warns"),
        (check_constant_features, DividesByTheSpread, "not finite"),
        (check_unequal_categories, ForgetsTheRare, "rare category"),
    ],
)
def test_a_broken_model_is_found(check: Check, broken: type[Model], reason: str) -> None:
    with pytest.raises(AssertionError, match=reason), np.errstate(all="ignore"):
        check(broken)


def test_every_check_has_a_broken_model_that_it_finds() -> None:
    (marked,) = [
        mark for mark in getattr(test_a_broken_model_is_found, "pytestmark", []) if mark.args
    ]
    assert {case[0] for case in marked.args[1]} == set(MODEL_CHECKS)
