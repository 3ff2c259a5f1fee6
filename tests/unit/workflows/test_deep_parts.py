from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, ClassVar
from unittest.mock import ANY

import numpy as np
import numpy.typing as npt

from mlforge.core.category import CategoryConfig
from mlforge.core.randomness import Streams
from mlforge.engines.local import LocalEngine
from mlforge.extractors import Extractor, LearningExtractor
from mlforge.extractors.image.color import Color
from mlforge.models import MODELS
from mlforge.workflows.dataset import Dataset
from mlforge.workflows.deep_parts import DeepInputs, blame, curve
from mlforge.workflows.feature_source import Features, FeatureSource
from mlforge.workflows.features import ExampleFile
from mlforge.workflows.model_choice import Candidate
from mlforge.workflows.model_fit import PartModel
from mlforge.workflows.splits import training_data

N_SEEDS, N_STRAY = 16, 6


class Recording(DeepInputs):
    """Diagnostics that note which rows each fit learned from."""

    learned: ClassVar[list[set[int]]] = []

    def fit(self, features: Features, rows: npt.NDArray[np.intp], *purpose: str | int) -> PartModel:
        self.learned.append(set(rows.tolist()))
        return super().fit(features, rows, *purpose)


def inputs_of(
    labels: npt.NDArray[np.int64],
    n_stray: int,
    extractor: Extractor,
    fixed: npt.NDArray[np.float32],
    evaluation: Any = ANY,
) -> Recording:
    """Return diagnostics of seeds with these labels, the last of them samples of no seed."""
    n_seeds = len(labels) - n_stray
    dataset = Dataset(
        categories=tuple(
            CategoryConfig(category_name=code, category_code=code) for code in ("cup", "mug")
        ),
        files=tuple(ExampleFile(Path(f"{row}.png"), f"{row}") for row in range(len(labels))),
        labels=labels,
        seed_index=np.array([*range(n_seeds), *[-1] * n_stray], np.int64),
        groups=tuple(f"{row}" for row in range(n_seeds)),
    )
    learns = isinstance(extractor, LearningExtractor)
    parts = {} if learns else {extractor.name: fixed}
    reduced = {extractor.name: fixed} if learns else {}
    source = FeatureSource((extractor,), parts, reduced, dataset, ((), ()))
    data = training_data(source, Streams(("test",)), n_folds=4, coverage=0.9)
    model = MODELS.get("logistic_regression")
    candidate = Candidate(model, model.configured({}, "test").config, (extractor.name,))
    return Recording(data, candidate, evaluation, LocalEngine())


def test_samples_that_come_from_no_seed_are_learned_from_whatever_the_share() -> None:
    labels = np.array([0, 1] * (N_SEEDS // 2) + [1] * N_STRAY, np.int64)
    fixed = np.random.default_rng(0).normal(size=(len(labels), 4)).astype(np.float32)
    Recording.learned.clear()
    curve(inputs_of(labels, N_STRAY, Color(), fixed), lambda n=1: None)
    stray = set(range(N_SEEDS, N_SEEDS + N_STRAY))
    n_seeds = sorted(len(rows - stray) for rows in Recording.learned)
    assert n_seeds == [4] * 4 + [6] * 4 + [8] * 4 + [12] * 4
    assert all(rows >= stray for rows in Recording.learned)


class Memorizing(LearningExtractor):
    """Features that hold what was learned by heart: the labels of the seeds it was fitted to."""

    name = "memorizing"
    _known: Mapping[bytes, int] = MappingProxyType({})

    def fit(self, training: Any, rng: Any, advance: Any) -> Memorizing:
        made = Memorizing()
        made._known = {
            example.tobytes(): label
            for example, label in zip(training.examples, training.labels, strict=True)
        }
        return made

    def extract(self, examples: Any) -> npt.NDArray[np.float32]:
        rows = [[e[0], *[self._label(e)] * 3] for e in examples]
        return np.array(rows, np.float32)

    def names(self) -> list[str]:
        return ["seen", "remembered", "again", "and again"]

    def reduced(self, example: Any) -> npt.NDArray[Any]:
        return np.asarray(example)

    def seconds_a_step(self, training: Any) -> float:
        return 1.0

    def device(self) -> str:
        return "cpu"

    def with_steps(self, n_steps: int) -> Memorizing:
        return self

    def _label(self, example: npt.NDArray[np.float32]) -> float:
        # What it never saw is what it looks like.
        return float(self._known.get(example.tobytes(), round(float(example[0]))))


def test_a_wrong_label_is_found_although_the_features_learned_it() -> None:
    looks = np.array([0.0, 1.0] * 10)
    labels = looks.astype(np.int64)
    labels[4] = 1
    noise = np.random.default_rng(0).normal(scale=0.05, size=20)
    seen = np.stack([looks + noise, np.arange(20)], axis=1).astype(np.float32)
    said = np.stack([1 - looks, looks], axis=1) * 0.9 + 0.05
    evaluation = SimpleNamespace(
        codes=("cup", "mug"),
        seeds=[
            SimpleNamespace(
                file=f"{row}.png",
                digest=f"{row}",
                code=("cup", "mug")[labels[row]],
                probabilities=tuple(said[row]),
            )
            for row in range(20)
        ],
        per_category={code: SimpleNamespace(n_groups=10) for code in ("cup", "mug")},
    )
    found = blame(inputs_of(labels, 0, Memorizing(), seen, evaluation), lambda n=1: None)
    assert [one.file for one in found if one.kind == "mislabelled"] == ["4.png"]
