"""Features that are learned from the seeds, through all that a project does with them."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mlforge import Project
from mlforge.core.randomness import Streams
from mlforge.core.reporting import SilentReporter
from mlforge.engines.local import LocalEngine, available_processors
from mlforge.errors import ArtifactError, ConfigError
from mlforge.evaluation.leakage import random_split
from mlforge.extractors import Extractor, TrainingSet
from mlforge.extractors.learned import Learned
from mlforge.techniques.image.rotation import Rotation
from mlforge.workflows import fits
from mlforge.workflows.dataset import project_dataset
from mlforge.workflows.explanation_picture import PICTURE_SIDE
from mlforge.workflows.feature_source import Features, FeatureSource, feature_source
from mlforge.workflows.features import make_extractors, reduced_examples
from mlforge.workflows.fingerprint import fingerprint
from mlforge.workflows.generate import GenerateOptions
from mlforge.workflows.model_choice import plan_contests
from mlforge.workflows.pace import FEWEST_STEPS, MOST_STEPS, paced
from mlforge.workflows.splits import Purpose, Split, TrainingData
from mlforge.workflows.train import TrainOptions, TrainResult

pytest.importorskip("torch", reason="needs the extra neural: PyTorch is not installed")
pytestmark = pytest.mark.neural

NETWORK = "learned.network.onnx"


def train(project: Project, **options: Any) -> TrainResult:
    return project.train(TrainOptions(**{"features": ("learned",), **options}))


def manifest_of(project: Project, result: TrainResult) -> dict[str, Any]:
    return dict(project.artifacts.manifest(result.best.version))


def augment(project: Project, code: str, **values: Any) -> None:
    """Set what a category's config.json says of its techniques."""
    path = project.root / f"categories/{code}/config.json"
    config = json.loads(path.read_bytes())
    config.setdefault("augmentation_settings", {}).update(values)
    path.write_text(json.dumps(config))


def shorten(project: Project) -> None:
    """Train no longer than tells one network from another."""
    path = project.root / "mlforge.toml"
    path.write_text(path.read_text().replace("steps = 40", "steps = 10"))


def fingerprint_of(project: Project, features: str) -> str:
    workspace = project.workspace
    dataset = project_dataset(workspace, LocalEngine(1), SilentReporter())
    (contest,) = plan_contests(workspace.settings, ["random_forest"], [], None, [(features,)])
    return fingerprint(workspace, dataset, make_extractors(workspace, [features]), contest)


def source_of(project: Project) -> FeatureSource:
    workspace, reporter, engine = project.workspace, SilentReporter(), LocalEngine(1)
    extractors = make_extractors(workspace, ["learned"])
    dataset = project_dataset(workspace, engine, reporter)
    return feature_source(workspace, extractors, dataset, engine, reporter)


def test_a_model_is_trained_on_them_and_predicts_without_pytorch(
    generated: Project, draw: Callable[[str, int], bytes]
) -> None:
    result = train(generated)
    assert result.best.features == ("learned",)
    assert result.best.evaluation is not None
    assert result.best.evaluation.accuracy > 0.8
    (generated.root / "new.png").write_bytes(draw("square", 77))
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from mlforge.cli.main import run\n"
        "sys.exit(run(['predict', 'new.png', '--json']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=generated.root,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["prediction"] == "square"


@dataclass(frozen=True)
class Lessons:
    """What the features of a split were learned from.

    Attributes
    ----------
    train
        The rows that they were to be learned from.
    rows
        Those that they were learned from.
    """

    train: list[int]
    rows: set[int]


@pytest.fixture
def noted(
    generated: Project, monkeypatch: pytest.MonkeyPatch
) -> tuple[FeatureSource, list[tuple[Split, Lessons]]]:
    """Train; return each split that was fitted, with what its features were learned from."""
    shorten(generated)
    source = source_of(generated)
    row_of = {example.tobytes(): row for row, example in enumerate(source.reduced["learned"])}
    learned: list[set[int]] = []
    lessons: dict[int, Lessons] = {}
    made: list[Features] = []
    fitted: list[tuple[Split, Lessons]] = []
    fit_extractor, fit_features, fit_model = Learned.fit, FeatureSource.fit, fits._fit

    def extractor(self: Learned, training: TrainingSet, *rest: Any) -> Learned:
        learned.append({row_of[example.tobytes()] for example in training.examples})
        return fit_extractor(self, training, *rest)

    def features(self: FeatureSource, train: Any, *rest: Any) -> Features:
        given = fit_features(self, train, *rest)
        # Kept, so that no other has its place in memory.
        made.append(given)
        lessons[id(given)] = Lessons(train.tolist(), learned[-1])
        return given

    def model(data: TrainingData, fit: Any, given: Features) -> Any:
        fitted.append((fit.split, lessons[id(given)]))
        return fit_model(data, fit, given)

    monkeypatch.setattr(Learned, "fit", extractor)
    monkeypatch.setattr(FeatureSource, "fit", features)
    monkeypatch.setattr(fits, "_fit", model)
    train(generated, workers=1)
    return source, fitted


def test_no_group_that_a_split_is_scored_on_is_learned_from(
    noted: tuple[FeatureSource, list[tuple[Split, Lessons]]],
) -> None:
    source, fitted = noted
    groups = np.array(source.dataset.groups)
    seed_of = source.dataset.seed_index
    # Of a random split of all examples, it is what is to be shown.
    scored = [(s, learned) for s, learned in fitted if s.purpose in (Purpose.FOLD, Purpose.HALF)]
    for split, learned in scored:
        known = set(groups[seed_of[sorted(learned.rows)]])
        assert known
        assert known.isdisjoint(groups[seed_of[split.test]]), split.purpose
    for purpose in (Purpose.FOLD, Purpose.HALF):
        tested = [split.test for split, _ in scored if split.purpose is purpose]
        assert set(groups[np.concatenate(tested)]) == set(groups), "each is held out"


def test_a_split_is_scored_on_the_features_that_were_learned_for_it(
    noted: tuple[FeatureSource, list[tuple[Split, Lessons]]],
) -> None:
    source, fitted = noted
    n_seeds = source.dataset.n_seeds
    assert {split.purpose for split, _ in fitted} == set(Purpose) - {Purpose.INNER}
    for split, learned in fitted:
        assert learned.train == split.train.tolist(), split.purpose
        seeds = {row for row in learned.train if row < n_seeds}
        assert learned.rows == seeds, "samples by augmentation are made anew"


def test_a_technique_that_is_switched_off_is_not_applied(generated: Project) -> None:
    augment(generated, "circle", enable_augmentation=False)
    source = source_of(generated)
    training = source.training_set("learned", np.arange(source.dataset.n_seeds))
    rng = np.random.default_rng(0)
    for place, label in enumerate(training.labels):
        same = bool((training.vary(place, rng) == training.examples[place]).all())
        assert same == (source.dataset.codes[label] == "circle")


def test_the_share_of_varied_seeds_is_the_ratio_of_the_category(generated: Project) -> None:
    for code in ("circle", "square", "triangle"):
        augment(generated, code, augmentation_ratio=0.25)
    source = source_of(generated)
    training = source.training_set("learned", np.arange(source.dataset.n_seeds))
    rng = np.random.default_rng(0)
    varied = [(training.vary(0, rng) != training.examples[0]).any() for _ in range(400)]
    assert 0.18 < np.mean(varied) < 0.32


@pytest.mark.parametrize(
    "values",
    [
        {"enable_augmentation": False},
        {"augmentation_ratio": 0.5},
        {"techniques": ["rotation"]},
        {"techniques": ["brightness", "rotation"]},
        {"techniques": [{"name": "rotation", "limit": 5}]},
    ],
    ids=str,
)
def test_what_varies_the_seeds_counts_where_something_learns_from_them(
    project: Project, values: dict[str, Any]
) -> None:
    before = {names: fingerprint_of(project, names) for names in ("learned", "color")}
    augment(project, "circle", **values)
    assert fingerprint_of(project, "color") == before["color"]
    assert fingerprint_of(project, "learned") != before["learned"]


def test_a_technique_whose_code_gives_other_examples_is_trained_with_again_and_named(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(project)
    version = train(project).best.version
    monkeypatch.setattr(Rotation, "revision", Rotation.revision + 1)
    plain = Rotation.apply_run.__func__  # type: ignore[attr-defined]  # a class method has it

    def apply_run(cls: type[Rotation], run: Any, example: Any, rng: Any) -> Any:
        return plain(cls, run, example[:, ::-1], rng)

    monkeypatch.setattr(Rotation, "apply_run", classmethod(apply_run))
    reproduction = project.reproduce(version)
    assert reproduction.verdict == "differs"
    then, now = Rotation.revision - 1, Rotation.revision
    assert reproduction.reasons == (
        f"technique rotation: revision {then} then, revision {now} now",
    )
    assert not train(project).best.up_to_date


def test_auto_tries_them_alone_and_with_the_others_and_says_so(generated: Project) -> None:
    result = train(generated, features=("auto",), models=("random_forest",))
    tried = {candidate.features: candidate.accuracy for candidate in result.best.tried}
    fixed = ("thumbnail", "color")
    assert set(tried) == {fixed, ("learned",), (*fixed, "learned")}
    assert tried[result.best.features] == max(tried.values())
    entries = manifest_of(generated, result)["chosen_from"]["candidates"]
    assert {tuple(entry["features"]) for entry in entries} == set(tried)
    assert train(generated, features=("auto",), models=("random_forest",)).best.up_to_date


def test_the_network_and_its_vote_with_a_forest_learn_from_them(generated: Project) -> None:
    result = train(
        generated,
        models=("neural_network", "ensemble"),
        features=("color",),
        parameters=('ensemble.members=["random_forest", "neural_network"]',),
    )
    assert {model.model: model.features for model in result.models} == {
        "neural_network": ("learned",),
        "ensemble": ("learned",),
    }


def test_a_model_on_learned_features_is_reproduced(generated: Project) -> None:
    shorten(generated)
    version = train(generated).best.version
    assert generated.reproduce(version).verdict == "same"
    path = generated.artifacts.models / version / NETWORK
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=NETWORK.replace(".", r"\.")):
        generated.reproduce(version)


def test_what_was_chosen_is_reproduced(generated: Project) -> None:
    shorten(generated)
    version = train(generated, features=("auto",), models=("random_forest",)).best.version
    assert generated.reproduce(version).verdict == "same"


def set_up(
    project: Project,
    seconds: float | None,
    workers: int = 1,
    reporter: SilentReporter | None = None,
) -> Extractor:
    """Return the extractor as a budget sets it up."""
    workspace, engine = project.workspace, LocalEngine(workers)
    reporter = reporter or SilentReporter()
    dataset = project_dataset(workspace, engine, reporter)
    extractors = make_extractors(workspace, ["learned", "color"])
    learned, color = paced(workspace, extractors, dataset, seconds, engine, reporter)
    assert color.n_steps == 0
    return learned


def steps_of(project: Project, seconds: float | None, workers: int = 1) -> tuple[int, list[str]]:
    """Return the steps that a budget gives, and the warnings."""
    reporter = SilentReporter()
    return set_up(project, seconds, workers, reporter).n_steps, reporter.warnings


@pytest.fixture
def step_times(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return what steps are said to take, in the order of the measurements."""
    times = [0.1 + 0.01 * number for number in range(400)]
    left = iter(times)
    monkeypatch.setattr(Learned, "seconds_a_step", lambda self, training: next(left))
    return times


def test_a_budget_is_measured_once_and_kept(generated: Project) -> None:
    assert steps_of(generated, None) == (40, [])
    steps, warnings = steps_of(generated, 100.0)
    assert steps > 100
    assert warnings == []
    assert steps_of(generated, 100.0)[0] == steps, "measured a second time, it would differ"


def test_the_steps_of_a_budget_do_not_depend_on_the_number_of_workers(
    project: Project, step_times: list[float]
) -> None:
    kept = project.root / "artifacts/cache/steps.json"
    measured = []
    for workers in (3 * available_processors(), 2, 1):
        steps_of(project, 60.0, workers)
        measured.append(kept.read_bytes())
    assert len(set(measured)) == 1, "measured once for any number"
    (seconds,) = json.loads(measured[0]).values()
    assert seconds == pytest.approx(np.median(step_times[: available_processors()]))


@pytest.mark.usefixtures("step_times")
def test_what_sets_the_time_of_a_step_is_measured_anew(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [steps_of(project, 60.0)[0]]
    augment(project, "circle", techniques=["rotation"])
    steps.append(steps_of(project, 60.0)[0])
    monkeypatch.setattr(Learned, "device", lambda self: "another")
    steps.append(steps_of(project, 60.0)[0])
    assert len(set(steps)) == 3


def test_a_budget_that_is_too_small_or_too_large_is_told_what_it_takes(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Learned, "seconds_a_step", lambda self, training: 0.1)
    for _ in range(2):
        assert steps_of(project, 1.0) == (
            FEWEST_STEPS,
            ["--budget 1s: learned takes at least 30 steps, here about 3.0 s a fit"],
        )
    assert steps_of(project, 7200.0) == (
        MOST_STEPS,
        ["--budget 7200s: learned takes at most 20,000 steps, here about 2000.0 s a fit"],
    )
    assert steps_of(project, 60.0) == (600, [])


@pytest.mark.parametrize(
    ("seconds", "side", "steps"), [(400.0, 64, 400), (149.0, 48, 298), (74.0, 32, 296)]
)
def test_a_budget_without_time_for_enough_steps_is_spent_on_smaller_pictures(
    project: Project, monkeypatch: pytest.MonkeyPatch, seconds: float, side: int, steps: int
) -> None:
    path = project.root / "mlforge.toml"
    path.write_text(path.read_text().replace("side = 32", "side = 64"))
    a_step = {64: 1.0, 48: 0.5, 32: 0.25}
    monkeypatch.setattr(Learned, "seconds_a_step", lambda self, _: a_step[self.config.side])
    extractor = set_up(project, seconds)
    assert (extractor.parameters()["side"], extractor.n_steps) == (side, steps)


def test_a_budget_without_anything_that_learns_is_refused(generated: Project) -> None:
    with pytest.raises(ConfigError, match="--budget 1s") as caught:
        train(generated, features=("color",), budget=1.0)
    assert caught.value.hint == "add --features learned"
    assert generated.artifacts.versions() == []


def test_a_budget_is_part_of_what_is_trained_and_reproduced(generated: Project) -> None:
    first = train(generated, budget=0.001)
    assert manifest_of(generated, first)["extractors"][0]["parameters"]["steps"] == FEWEST_STEPS
    assert train(generated, budget=0.001).best.up_to_date
    assert not train(generated).best.up_to_date
    assert manifest_of(generated, first)["environment"]["learned fitted on"] == Learned().device()
    assert generated.reproduce(first.best.version).verdict == "same"


@pytest.mark.parametrize("rest", [b"", b"{", b"[]", b'{"a": "b"}', b'{"a": 0}'])
def test_a_broken_memory_of_step_times_is_measured_again(
    project: Project, rest: bytes, step_times: list[float]
) -> None:
    cache = project.root / "artifacts/cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "steps.json").write_bytes(rest)
    steps_of(project, 60.0)
    (seconds,) = json.loads((cache / "steps.json").read_bytes()).values()
    assert seconds == pytest.approx(np.median(step_times[: available_processors()]))


def test_the_costly_diagnostics_learn_anew_too(generated: Project) -> None:
    shorten(generated)
    version = train(generated).best.version
    deep = generated.evaluate_deep(version)
    assert deep.curve is not None
    assert deep.unknown is not None
    assert deep.robustness is not None
    assert deep.techniques is not None


def test_an_explanation_finds_the_object(
    generated: Project, draw: Callable[[str, int], bytes], tmp_path: Path
) -> None:
    # A forest is so sure of these that nothing that is hidden changes its mind.
    train(generated, models=("logistic_regression",))
    explainer = generated.explainer()
    example = explainer.predictor.decode(draw("triangle", 78), "new.png")
    explanation = explainer.explain(example, "new.png")
    assert explanation.prediction.prediction == "triangle"
    assert [effect.extractor for effect in explanation.features] == ["learned"]
    assert explanation.nearest_seeds[0].category == "triangle"
    x, y = (sum(explanation.regions[0].region.where[axis]) / 2 for axis in "xy")
    assert 0.2 < x < 0.8
    assert 0.2 < y < 0.8, "the triangle is in the middle"
    assert explanation.regions[0].effect > 0
    (activation,) = explanation.activations
    found = np.array(activation.rows)
    assert (activation.extractor, found.shape) == ("learned", (8, 8))
    assert found.max() > 0
    assert (found == found.round(4)).all()
    explainer.save_picture(explanation, example, tmp_path / "why.png")
    picture = cv2.imread(str(tmp_path / "why.png"))
    assert picture is not None
    assert picture.shape[1] > 3 * PICTURE_SIDE


def test_the_page_shows_where_each_category_is_found(generated: Project) -> None:
    version = train(generated).best.version
    pages = [
        (generated.artifacts.models / version / "report.html").read_text("utf-8"),
        generated.report().file.read_text("utf-8"),
    ]
    for page in pages:
        # Of three categories the surest seed and the least sure one.
        assert page.count("and where its category is found in it") == 6
    graph = generated.artifacts.models / version / "model.onnx"
    graph.write_bytes(b"")
    assert "and where its category" not in generated.report(version).file.read_text("utf-8")
    assert isinstance(generated.reporter, SilentReporter)
    assert "where it looks is not shown" in "\n".join(generated.reporter.warnings)


def test_a_category_of_one_seed_and_another_of_many_train(
    project: Project, draw: Callable[[str, int], bytes]
) -> None:
    for path in sorted((project.root / "categories/circle/seeds").iterdir())[1:]:
        path.unlink()
    for number in range(100, 160):
        seed = project.root / f"categories/square/seeds/{number}.png"
        seed.write_bytes(draw("square", number))
    result = train(project)
    assert result.best.evaluation is not None
    assert result.best.evaluation.unscored == ("circle",)


def test_a_category_of_which_a_split_leaves_no_seed_is_learned_from_its_samples(
    generated: Project,
) -> None:
    source = source_of(generated)
    dataset = source.dataset
    circle = dataset.codes.index("circle")
    train = np.array(
        [
            row
            for row, label in enumerate(dataset.labels.tolist())
            if label != circle or row >= dataset.n_seeds
        ]
    )
    training = source.training_set("learned", train)
    places = np.flatnonzero(training.labels == circle)
    assert len(places) == np.sum(dataset.labels[train] == circle)
    assert len(training.labels) - len(places) == np.sum(dataset.labels[: dataset.n_seeds] != circle)
    rng = np.random.default_rng(0)
    for place in places.tolist():
        assert (training.vary(place, rng) == training.examples[place]).all(), "varied already"


def test_two_seeds_a_category_train_though_no_seed_of_either_is_left(
    project: Project,
) -> None:
    shorten(project)
    path = project.root / "mlforge.toml"
    # With this seed, the random split that a careless evaluation makes tests all four of them.
    path.write_text(path.read_text().replace("folds = 3", "folds = 3\nseed = 455"))
    project.remove_category("triangle")
    for code in ("circle", "square"):
        for seed in sorted((project.root / f"categories/{code}/seeds").iterdir())[2:]:
            seed.unlink()
    project.generate(GenerateOptions(count=20, workers=1))
    source = source_of(project)
    tested = random_split(source.dataset.labels, Streams(("train", 455)).rng("leak"))
    assert tested[: source.dataset.n_seeds].all()
    assert train(project).best.evaluation is not None


def test_examples_are_held_once_however_many_fits_learn_from_them(
    project: Project,
) -> None:
    workspace, reporter, engine = project.workspace, SilentReporter(), LocalEngine(1)
    (learned,) = make_extractors(workspace, ["learned"])
    assert isinstance(learned, Learned)
    files = project_dataset(workspace, engine, reporter).files * 100
    tracemalloc.start()
    try:
        reduced = reduced_examples(workspace, [learned], files, engine, reporter)["learned"]
        assert tracemalloc.get_traced_memory()[1] < 1.5 * reduced.nbytes
    finally:
        tracemalloc.stop()
    source = source_of(project)
    training = source.training_set("learned", np.arange(source.dataset.n_seeds))
    assert all(np.shares_memory(e, source.reduced["learned"]) for e in training.examples)


def test_features_are_extracted_in_parts(
    generated: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlforge.workflows.feature_source._CHUNK", 16)
    shorten(generated)
    source = source_of(generated)
    rows = np.arange(len(source.dataset.files))
    asked: list[int] = []
    extract = Learned.extract

    def noted(self: Learned, examples: Any) -> Any:
        asked.append(len(examples))
        return extract(self, examples)

    monkeypatch.setattr(Learned, "extract", noted)
    features = source.fit(rows, rows, Streams(("test",)), lambda: None)
    assert sum(asked) == len(rows)
    assert max(asked) == 16
    (fitted,) = features.extractors
    assert isinstance(fitted, Learned)
    whole = extract(fitted, list(source.reduced["learned"]))
    np.testing.assert_allclose(features.of(rows), whole, rtol=1e-5, atol=1e-6)
