from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from mlforge import Project
from mlforge.core.onnx_graph import OnnxGraph
from mlforge.core.registry import _Source
from mlforge.core.reporting import SilentReporter
from mlforge.errors import ArtifactError
from mlforge.models import MODELS
from mlforge.models.random_forest import RandomForest
from mlforge.workflows import fits
from mlforge.workflows.model_fit import PartModel
from mlforge.workflows.splits import Purpose
from mlforge.workflows.train import TrainOptions, TrainResult

Draw = Callable[[str, int], bytes]
Floats = npt.NDArray[np.float32]


def train(project: Project, **options: Any) -> TrainResult:
    return project.train(TrainOptions(**{"workers": 1, **options}))


def configure(project: Project, code: str, section: str, **values: Any) -> None:
    path = project.root / "categories" / code / "config.json"
    config = json.loads(path.read_text())
    if section:
        config[section] |= values
    else:
        config |= values
    path.write_text(json.dumps(config))


def seeds_of(project: Project, code: str) -> Path:
    return project.root / "categories" / code / "seeds"


def keep_seeds(project: Project, **n_seeds: int) -> None:
    for code, n in n_seeds.items():
        for path in sorted(seeds_of(project, code).iterdir())[n:]:
            path.unlink()


def evidence(project: Project, version: str) -> tuple[bytes, dict[str, Any], dict[str, Any]]:
    """What a training gives: graph, evaluation and manifest, without times."""
    artifact = project.artifacts.load(version)
    metrics = json.loads(artifact.files["metrics.json"])
    times = {"created", "digest", "files", "version"}
    manifest = {key: value for key, value in artifact.manifest.items() if key not in times}
    return artifact.files["model.onnx"], metrics["evaluation"], manifest


@dataclass
class Fit:
    """What one fit was for, what it was given, and what its graph was scored on."""

    purpose: Purpose
    features: Floats
    scored: Floats


class Spy(RandomForest):
    """A random_forest that notes what it is given."""

    name: ClassVar[str] = "spy"
    fitted: ClassVar[list[Fit]] = []
    purpose: ClassVar[Purpose]

    def fit(
        self, features: Floats, labels: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> None:
        super().fit(features, labels, rng)
        self.fitted.append(Fit(self.purpose, features.copy(), features[:0]))


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> type[Spy]:
    sources = [*MODELS._sources, _Source("spy", "tests", lambda: Spy)]
    monkeypatch.setitem(vars(MODELS), "_sources", sources)
    monkeypatch.setattr(Spy, "fitted", [])
    plain_fit, plain_probabilities = fits._fit, PartModel.probabilities

    def fit(data: Any, asked: Any, given: Any) -> Any:
        Spy.purpose = asked.split.purpose
        return plain_fit(data, asked, given)

    def probabilities(part: PartModel, features: Floats) -> npt.NDArray[np.float64]:
        Spy.fitted[-1].scored = features.copy()
        return plain_probabilities(part, features)

    monkeypatch.setattr(fits, "_fit", fit)
    monkeypatch.setattr(PartModel, "probabilities", probabilities)
    return Spy


class Rows:
    """Which example a row of features belongs to."""

    def __init__(self, project: Project) -> None:
        from mlforge.engines.local import LocalEngine
        from mlforge.workflows.dataset import project_dataset
        from mlforge.workflows.features import feature_matrix, make_extractors

        workspace, reporter = project.workspace, SilentReporter()
        self.dataset = project_dataset(workspace, LocalEngine(1), reporter)
        matrix = feature_matrix(
            workspace, make_extractors(workspace), self.dataset.files, LocalEngine(1), reporter
        )
        self._number = {row.tobytes(): number for number, row in enumerate(matrix)}
        assert len(self._number) == len(self.dataset.files), "each example has features of its own"

    def seeds(self, features: Floats) -> set[int]:
        numbers = [self._number[row.tobytes()] for row in features]
        return {int(self.dataset.seed_index[number]) for number in numbers}

    def all_are_seeds(self, features: Floats) -> bool:
        return all(self._number[row.tobytes()] < self.dataset.n_seeds for row in features)

    def groups(self, features: Floats) -> set[str]:
        return {self.dataset.groups[seed] for seed in self.seeds(features)}


def folds_of(spy: type[Spy]) -> list[tuple[Floats, Floats]]:
    """The fits of folds, whole and half: what each was trained on, and what it scored."""
    kinds = (Purpose.FOLD, Purpose.HALF)
    folds = [(fit.features, fit.scored) for fit in spy.fitted if fit.purpose in kinds]
    assert all(len(scored) for _, scored in folds)
    return folds


def whole_of(spy: type[Spy]) -> Floats:
    """What the model that ships was trained on."""
    (final,) = (fit for fit in spy.fitted if fit.purpose is Purpose.FINAL)
    return final.features


def test_training_reports_an_honest_estimate_with_its_interval(generated: Project) -> None:
    result = train(generated)
    (model,) = result.models
    assert (model.version, model.model, model.up_to_date) == (
        "random_forest-0001",
        "random_forest",
        False,
    )
    assert model.features == ("thumbnail", "color")
    assert (result.n_seeds, result.n_samples) == (15, 24)
    assert result.codes == ("circle", "square", "triangle")
    evaluation = model.evaluation
    assert evaluation is not None
    assert evaluation.n_seeds == 15, "seeds are scored, samples are not"
    low, high = evaluation.accuracy_interval
    assert 0.0 <= low < evaluation.accuracy <= high <= 1.0
    assert high - low > 0.1, "fifteen seeds leave much open"
    assert sum(map(sum, evaluation.confusion)) == 15
    assert {code: s.n_seeds for code, s in evaluation.per_category.items()} == {
        "circle": 4,
        "square": 5,
        "triangle": 6,
    }


def test_samples_of_a_tested_seed_are_never_trained_on(generated: Project, spy: type[Spy]) -> None:
    train(generated, models=("spy",))
    rows = Rows(generated)
    tested: list[int] = []
    for trained_on, scored in folds_of(spy):
        assert rows.all_are_seeds(scored)
        assert not rows.seeds(trained_on) & rows.seeds(scored)
        assert not rows.all_are_seeds(trained_on), "samples of other seeds are trained on"
        tested += rows.seeds(scored)
    twice = sorted([*range(15)] * 2)
    assert sorted(tested) == twice, "each seed is tested once, and once after half of the seeds"
    assert len(whole_of(spy)) == 15 + 24


def test_a_group_is_never_split(generated: Project, spy: type[Spy], draw: Draw) -> None:
    for code in ("circle", "square", "triangle"):
        for path in seeds_of(generated, code).iterdir():
            number = int(path.stem.rpartition("_")[2])
            path.rename(path.with_name(f"{code}_scene{number % 3}_{number}.png"))
        configure(generated, code, "", group_pattern="*_{group}_*")
    train(generated, models=("spy",))
    rows = Rows(generated)
    assert set(rows.dataset.groups) == {"scene0", "scene1", "scene2"}, "across categories too"
    for trained_on, scored in folds_of(spy):
        assert not rows.groups(trained_on) & rows.groups(scored)


def test_a_seed_that_is_never_tested_is_left_out_with_its_group(
    generated: Project, spy: type[Spy]
) -> None:
    for code in ("circle", "square", "triangle"):
        for path in seeds_of(generated, code).iterdir():
            number = int(path.stem.rpartition("_")[2])
            # Circles are one scene only, which the others have too: they cannot be scored.
            scene = 0 if code == "circle" else number % 2
            path.rename(path.with_name(f"{code}_scene{scene}_{number}.png"))
        configure(generated, code, "", group_pattern="*_{group}_*")
    (model,) = train(generated, models=("spy",)).models
    assert model.evaluation is not None
    assert model.evaluation.unscored == ("circle",)
    rows = Rows(generated)
    for trained_on, scored in folds_of(spy):
        assert not rows.groups(trained_on) & rows.groups(scored)


def test_the_same_file_in_two_categories_is_warned_of_and_never_split(
    project: Project, spy: type[Spy]
) -> None:
    picture = seeds_of(project, "circle") / "circle_1.png"
    (seeds_of(project, "square") / "wrong.png").write_bytes(picture.read_bytes())
    reporter = SilentReporter()
    train(Project(project.root, reporter), models=("spy",))
    assert any("circle/circle_1.png, square/wrong.png" in w for w in reporter.warnings)
    for features, scored in folds_of(spy):
        assert not {row.tobytes() for row in features} & {row.tobytes() for row in scored}


def test_training_does_not_depend_on_the_number_of_workers(generated: Project) -> None:
    expected = evidence(generated, train(generated).best.version)
    for workers in (2, 4):
        shutil.rmtree(generated.root / "artifacts" / "cache")
        version = train(generated, workers=workers, force=True).best.version
        assert evidence(generated, version) == expected


def test_several_models_are_ranked_by_their_evaluation(generated: Project) -> None:
    result = train(generated, models=("random_forest", "logistic_regression", "random_forest"))
    assert {model.model for model in result.models} == {"random_forest", "logistic_regression"}
    accuracies = [m.evaluation.accuracy for m in result.models if m.evaluation is not None]
    assert accuracies == sorted(accuracies, reverse=True)
    assert generated.predictor().version == result.best.version


def test_all_trains_every_available_model(generated: Project) -> None:
    keep_seeds(generated, circle=2, square=2, triangle=2)
    generated.clean_samples()
    result = train(
        generated,
        models=("all",),
        parameters=("xgboost.n_estimators=3", "extra_trees.n_estimators=3"),
    )
    available = {component.name for component in MODELS.components() if component.available()}
    # That one takes features that were not asked for.
    assert {model.model for model in result.models} == available - {"neural_network"}
    listed = [model.version for model in generated.models()]
    assert listed == [model.version for model in result.models]


def test_the_shipped_graph_gives_the_models_own_probabilities(
    generated: Project, spy: type[Spy], monkeypatch: pytest.MonkeyPatch
) -> None:
    models: list[Spy] = []

    def to_onnx(self: Spy) -> bytes:
        if Spy.purpose is Purpose.FINAL:
            models.append(self)
        return RandomForest.to_onnx(self)

    monkeypatch.setattr(Spy, "to_onnx", to_onnx)
    version = train(generated, models=("spy",)).best.version
    (model,) = models
    features = whole_of(spy)
    graph = OnnxGraph(generated.artifacts.load(version).files["model.onnx"], "graph")
    shipped = graph.run(features)
    np.testing.assert_allclose(shipped, RandomForest.predict_proba(model, features), atol=1e-5)
    np.testing.assert_allclose(shipped.sum(axis=1), 1.0, atol=1e-6)


def test_a_graph_that_differs_from_its_model_is_not_stored(
    generated: Project, spy: type[Spy], monkeypatch: pytest.MonkeyPatch
) -> None:
    def backwards(self: Spy, features: Floats) -> npt.NDArray[np.float64]:
        return RandomForest.predict_proba(self, features)[:, ::-1]

    monkeypatch.setattr(Spy, "predict_proba", backwards)
    with pytest.raises(ArtifactError, match="differs from the model"):
        train(generated, models=("spy",))
    assert generated.artifacts.versions() == []


def test_models_are_listed_the_newest_training_first(trained: Project) -> None:
    first = trained.models()[0]
    train(trained, models=("logistic_regression",))
    listed = trained.models()
    assert [model.version for model in listed] == [
        "logistic_regression-0001",
        "random_forest-0001",
    ]
    assert listed[1] == first
    assert first.evaluation is not None
    train(trained)
    assert trained.models()[0].version == "random_forest-0001"
