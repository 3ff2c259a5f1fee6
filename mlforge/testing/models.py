"""What every model must hold.

A plugin's author runs the checks on a class::

    @pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__)
    def test_gradient_holds_the_contract(check):
        check(Gradient)
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mlforge.core import onnx_check
from mlforge.core.onnx_graph import OnnxGraph
from mlforge.core.validation import json_schema
from mlforge.errors import ArtifactError, ConfigError
from mlforge.models import Model
from mlforge.testing._expect import expect

__all__ = [
    "MODEL_CHECKS",
    "check_agreement",
    "check_agreement_on_many_rows",
    "check_constant_features",
    "check_descriptions",
    "check_few_examples",
    "check_global_state",
    "check_graph",
    "check_input_unchanged",
    "check_learns",
    "check_probabilities",
    "check_refit",
    "check_repeatable",
    "check_unequal_categories",
    "check_unknown_parameter",
    "check_versions",
]

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]

# float32 results of a dozen operations; a row that is not normalized is off by far more.
_SUM_TOLERANCE = 1e-5


@dataclass(frozen=True)
class _Data:
    """Examples around one centre for each category, read-only."""

    n_categories: int = 3
    n_each: int = 20
    n_features: int = 12
    seed: int = 0

    @cached_property
    def features(self) -> Features:
        return self._drawn(0)

    @cached_property
    def unseen(self) -> Features:
        return self._drawn(1)

    @cached_property
    def labels(self) -> Labels:
        return _read_only(np.repeat(np.arange(self.n_categories), self.n_each))

    def _drawn(self, part: int) -> Features:
        centres = np.random.default_rng(self.seed).normal(
            0, 4, (self.n_categories, self.n_features)
        )
        rng = np.random.default_rng([self.seed, part])
        noise = rng.normal(size=(len(self.labels), self.n_features))
        return _read_only((centres[self.labels] + noise).astype(np.float32))


_DATA = _Data()
_MANY_CATEGORIES = _Data(n_categories=50, n_each=3, n_features=20)
_WIDE = _Data(n_each=10, n_features=400)
_VARIED = (_DATA, _Data(n_categories=2), _Data(n_features=1), _WIDE, _MANY_CATEGORIES)


def check_descriptions(model: type[Model]) -> None:
    """Hold that listings can show it: a name, a summary, and words for each parameter."""
    name = str(getattr(model, "name", ""))
    expect(
        re.fullmatch("[a-z][a-z0-9_]*", name) is not None,
        f"{model.__name__}: its name is {name!r}; write a-z, 0-9 and '_', beginning with a letter",
    )
    _hold(bool(model.__doc__), model, "its class has no docstring, whose first line listings show")
    for key, values in json_schema(model.Config).get("properties", {}).items():
        _hold("description" in values, model, f"parameter {key!r} has no description")
        _hold("default" in values, model, f"parameter {key!r} has no default")


def check_unknown_parameter(model: type[Model]) -> None:
    """Hold that its own defaults are accepted, and that an unknown parameter is refused."""
    defaults = model().parameters()
    accepted = model.configured(defaults, "check").parameters()
    _hold(accepted == defaults, model, f"its defaults {defaults} come back as {accepted}")
    refused = False
    try:
        model.configured({"no_such_parameter": 1}, "check")
    except ConfigError:
        refused = True
    _hold(refused, model, "it accepts 'no_such_parameter'")


def check_versions(model: type[Model]) -> None:
    """Hold that it names the versions of the libraries that decide its fit."""
    versions = model.versions()
    sound = all(isinstance(part, str) and part for pair in versions.items() for part in pair)
    _hold(sound, model, f"versions() gives {versions}, not names with versions")
    _hold("numpy" in versions, model, "versions() lacks what Model.versions() gives")


def check_probabilities(model: type[Model]) -> None:
    """Hold that probabilities have the right shape and type, and that rows sum to 1."""
    for data in _VARIED:
        fitted = _fitted(model, data)
        for rows in (data.features, data.unseen, data.unseen[:1], data.unseen * np.float32(100)):
            _check_rows(model, fitted.predict_proba(rows), len(rows), data.n_categories)


def check_learns(model: type[Model]) -> None:
    """Hold that it tells categories apart that lie far from each other."""
    for data in (_DATA, _Data(n_categories=2), _WIDE):
        predicted = _fitted(model, data).predict_proba(data.unseen).argmax(axis=1)
        share = float((predicted == data.labels).mean())
        what = f"it gets {share:.0%} right of easy examples from {data.n_categories} categories"
        _hold(share >= 0.9, model, what)


def check_repeatable(model: type[Model]) -> None:
    """Hold that equal examples and an equal `rng` give the same graph, byte for byte."""
    for data in (_DATA, _WIDE):
        first, second = _fitted(model, data), _fitted(model, data)
        equal = np.array_equal(first.predict_proba(data.unseen), second.predict_proba(data.unseen))
        _hold(equal, model, "a second fit with an equal rng gives other probabilities")
        same = first.to_onnx() == second.to_onnx() == first.to_onnx()
        _hold(same, model, "a second fit or export gives other bytes: is a time or an id in them?")


def check_refit(model: type[Model]) -> None:
    """Hold that nothing of an earlier fit is left."""
    fresh, used = _fitted(model, _DATA), _fitted(model, _MANY_CATEGORIES)
    used.fit(_DATA.features, _DATA.labels, np.random.default_rng(0))
    _hold(fresh.to_onnx() == used.to_onnx(), model, "an earlier fit changes a later one")


def check_global_state(model: type[Model]) -> None:
    """Hold that its fit neither reads nor moves NumPy's global random state."""
    graphs = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002 - the state that must not matter
        before = _global_state()
        graphs.append(_fitted(model, _DATA).to_onnx())
        _hold(_global_state() == before, model, "it moves NumPy's global random state")
    _hold(graphs[0] == graphs[1], model, "its fit depends on NumPy's global random state")


def check_input_unchanged(model: type[Model]) -> None:
    """Hold that it takes read-only arrays, and changes none that it could."""
    _fitted(model, _DATA).predict_proba(_DATA.unseen)
    features, labels, unseen = _DATA.features.copy(), _DATA.labels.copy(), _DATA.unseen.copy()
    fitted = model()
    fitted.fit(features, labels, np.random.default_rng(0))
    fitted.predict_proba(unseen)
    pairs = ((features, _DATA.features), (labels, _DATA.labels), (unseen, _DATA.unseen))
    unchanged = all(np.array_equal(now, before) for now, before in pairs)
    _hold(unchanged, model, "it changes the arrays it is given")


def check_graph(model: type[Model]) -> None:
    """Hold that the graph has the named input and output, free rows, and may be stored."""
    import onnx

    data = _fitted(model, _DATA).to_onnx()
    proto = onnx.load_model_from_string(data)
    onnx.checker.check_model(proto, full_check=True)
    try:
        onnx_check.check_graph(data, "its graph")
    except ArtifactError as error:
        raise AssertionError(f"{model.name}: {error.message}") from error
    inputs = [_described(value) for value in proto.graph.input]
    _hold(
        inputs in ([("features", t, [None, _DATA.n_features])] for t in _float_types()),
        model,
        f"its graph's inputs are {inputs}; one is wanted: 'features', float, rows free",
    )
    outputs = [_described(value) for value in proto.graph.output]
    _hold(
        [(name, element) for name, element, _ in outputs]
        in ([("probabilities", t)] for t in _float_types()),
        model,
        f"its graph's outputs are {outputs}; one is wanted: 'probabilities', float, no ZipMap",
    )


def check_agreement(model: type[Model]) -> None:
    """Hold that the graph gives the model's own probabilities and labels, near and far away."""
    for data in _VARIED:
        far = np.vstack([data.unseen * np.float32(100), np.zeros_like(data.unseen[:1])])
        _check_same(model, _fitted(model, data), [data.features, data.unseen, data.unseen[:1], far])


def check_agreement_on_many_rows(model: type[Model]) -> None:
    """Hold the same on 10,000 rows at once, among them every border between categories.

    A quarter of them take each feature from another training example: trees split halfway between
    such values, linear models see combinations that they never met.
    """
    rng = np.random.default_rng(5)
    for data in (_DATA, _WIDE):
        ends = rng.integers(len(data.features), size=(2, 10_000))
        share = rng.random((10_000, 1), dtype=np.float32)
        rows = share * data.features[ends[0]] + (1 - share) * data.features[ends[1]]
        mixed = rng.integers(len(data.features), size=(2, 2_500, data.n_features))
        columns = np.arange(data.n_features)
        rows[:2_500] = (data.features[mixed[0], columns] + data.features[mixed[1], columns]) / 2
        _check_same(model, _fitted(model, data), [rows])


def check_few_examples(model: type[Model]) -> None:
    """Hold that two examples a category are enough to fit and export."""
    for n_categories, n_features in ((2, 1), (2, 300), (3, 5), (50, 5)):
        data = _Data(n_categories=n_categories, n_each=2, n_features=n_features)
        _check_same(model, _fitted(model, data), [data.features, data.unseen])


def check_constant_features(model: type[Model]) -> None:
    """Hold that features that never vary, some or all, do no harm."""
    mixed = np.concatenate([_DATA.features, np.full((len(_DATA.labels), 3), 0.1)], axis=1)
    wide = np.concatenate([_WIDE.features, np.zeros((len(_WIDE.labels), 300))], axis=1)
    constant = np.full_like(_DATA.features, 0.1)
    same_rows = np.repeat(_DATA.features[:1], len(_DATA.labels), axis=0)
    for features, labels in (
        (mixed, _DATA.labels),
        (wide, _WIDE.labels),
        (constant, _DATA.labels),
        (same_rows, _DATA.labels),
        (np.zeros((len(_DATA.labels), 300)), _DATA.labels),
    ):
        values = _read_only(features.astype(np.float32))
        _check_same(model, _fit(model, values, labels), [values, values + np.float32(1)])


def check_unequal_categories(model: type[Model]) -> None:
    """Hold that a category of two examples beside one of 200 is still found."""
    data = _Data(n_categories=2, n_each=200)
    kept = np.concatenate([np.arange(200), [200, 201]])
    fitted = _fit(model, _read_only(data.features[kept]), _read_only(data.labels[kept]))
    _check_same(model, fitted, [data.unseen])
    found = float(fitted.predict_proba(data.features[kept])[-2:, 1].min())
    _hold(
        found > 2 / 202,
        model,
        f"it gives a rare category's own training examples a probability of {found:.3f}",
    )


MODEL_CHECKS: tuple[Callable[[type[Model]], None], ...] = (
    check_descriptions,
    check_unknown_parameter,
    check_versions,
    check_probabilities,
    check_learns,
    check_repeatable,
    check_refit,
    check_global_state,
    check_input_unchanged,
    check_graph,
    check_agreement,
    check_agreement_on_many_rows,
    check_few_examples,
    check_constant_features,
    check_unequal_categories,
)
"""All checks; each raises `AssertionError` where a model does not hold it."""


def _fitted(model: type[Model], data: _Data) -> Model:
    return _fit(model, data.features, data.labels)


def _fit(model: type[Model], features: Features, labels: Labels) -> Model:
    fitted = model()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted.fit(features, labels, np.random.default_rng(0))
    messages = [f"{item.category.__name__}: {item.message}" for item in caught]
    _hold(not messages, model, f"its fit warns: {messages}")
    return fitted


def _check_rows(model: type[Model], given: Any, n_examples: int, n_categories: int) -> None:
    shape = (n_examples, n_categories)
    _hold(
        isinstance(given, np.ndarray) and given.dtype == np.float64 and given.shape == shape,
        model,
        f"predict_proba gives {_type_of(given)}, not a float64 array of {shape}",
    )
    _hold(
        bool(np.isfinite(given).all() and (given >= 0).all()),
        model,
        "predict_proba gives numbers below 0, or not finite",
    )
    furthest = float(np.abs(given.sum(axis=1) - 1).max())
    _hold(furthest <= _SUM_TOLERANCE, model, f"a row of probabilities is {furthest:.1e} off 1")


def _check_same(model: type[Model], fitted: Model, batches: list[Features]) -> None:
    """Hold that the graph and the model agree on each batch of rows."""
    graph = OnnxGraph(fitted.to_onnx(), fitted.name)
    for rows in batches:
        own = fitted.predict_proba(rows)
        exported = graph.run(rows).astype(np.float64)
        _check_rows(model, own, len(rows), own.shape[-1])
        same_shape = exported.shape == own.shape
        _hold(same_shape, model, f"its graph gives {exported.shape} where it gives {own.shape}")
        difference = float(np.abs(own - exported).max())
        _hold(
            difference <= fitted.tolerance,
            model,
            f"its graph is {difference:.1e} off its probabilities; "
            f"its tolerance is {fitted.tolerance:.0e}",
        )
        highest = np.sort(own, axis=1)
        clear = highest[:, -1] - highest[:, -2] > fitted.tolerance
        same = (own.argmax(axis=1) == exported.argmax(axis=1))[clear].all()
        _hold(bool(same), model, "its graph gives another label where the margin is clear")


def _global_state() -> tuple[bytes, int]:
    state = np.random.get_state(legacy=False)["state"]  # noqa: NPY002 - the state that must stay
    return state["key"].tobytes(), int(state["pos"])


def _described(value: Any) -> tuple[str, int, list[int | None]]:
    tensor = value.type.tensor_type
    sizes = [d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim]
    return value.name, tensor.elem_type, sizes


def _float_types() -> tuple[int, int]:
    from onnx import TensorProto

    return TensorProto.FLOAT, TensorProto.DOUBLE


def _type_of(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"a {value.dtype} array of {value.shape}"
    return type(value).__name__


def _read_only(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    values.setflags(write=False)
    return values


def _hold(condition: bool, model: type[Model], what: str) -> None:  # noqa: FBT001 - as in expect
    expect(condition, f"{model.name}: {what}")
