"""The costly diagnostics of a stored model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from mlforge import Project
from mlforge.cli import main
from mlforge.core.reporting import Advance, SilentReporter
from mlforge.errors import DataError
from mlforge.evaluation.records import DeepEvaluation, LearningCurve
from mlforge.workflows import deep
from mlforge.workflows.deep import stored_deep
from mlforge.workflows.train import TrainOptions

Draw = Callable[[str, int], bytes]
PARTS = ("blame", "curve", "unknown", "robustness", "techniques")


class Counting(SilentReporter):
    """Counts the steps that each part announced, and those that it made."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: dict[str, list[int]] = {}

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Advance]:
        made = self.steps.setdefault(title, [total, 0])

        def advance(n: int = 1) -> None:
            made[1] += n

        yield advance


@pytest.fixture(scope="module")
def computed(
    tmp_path_factory: pytest.TempPathFactory, _trained: Path
) -> tuple[Project, DeepEvaluation, Counting]:
    import shutil

    root = Path(shutil.copytree(_trained, tmp_path_factory.mktemp("deep") / "project"))
    reporter = Counting()
    return Project(root), Project(root, reporter).evaluate_deep(), reporter


def test_everything_is_computed_and_kept(
    computed: tuple[Project, DeepEvaluation, Counting],
) -> None:
    project, result, _ = computed
    assert result.version == "random_forest-0001"
    assert all(getattr(result, part) is not None for part in PARTS)
    assert stored_deep(project.workspace, result.version) == result
    assert result.curve is not None
    seeds = [point.n_seeds for point in result.curve.overall]
    assert seeds == sorted(seeds)
    assert {check.code for check in result.unknown or ()} == {"circle", "square", "triangle"}
    for check in result.unknown or ():
        assert check.interval[0] <= check.false_accepted <= check.interval[1]
    techniques = {effect.technique for effect in result.techniques or ()}
    assert techniques <= {"rotation", "scaling", "translation", "brightness", "contrast"} | {
        "noise_addition"
    }
    for curve in result.robustness or ():
        assert min(point.accuracy for point in curve.points) >= 0


def test_each_step_that_is_announced_is_made(
    computed: tuple[Project, DeepEvaluation, Counting],
) -> None:
    *_, reporter = computed
    parts = {title: steps for title, steps in reporter.steps.items() if title in TITLES}
    assert len(parts) == len(PARTS)
    assert all(total == made > 0 for total, made in parts.values()), parts


TITLES = set(deep._TITLES.values())


def test_an_interrupted_run_goes_on_where_it_was(
    trained: Project,
    computed: tuple[Project, DeepEvaluation, Counting],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(deep, "check_unknown", interrupt)
        with pytest.raises(KeyboardInterrupt):
            trained.evaluate_deep()
    half = stored_deep(trained.workspace, "random_forest-0001")
    assert half is not None
    assert (half.curve is not None, half.unknown) == (True, None)
    monkeypatch.setattr(deep, "curve", lambda *_: pytest.fail("it is there already"))
    whole = trained.evaluate_deep()
    assert dataclasses.asdict(whole) == dataclasses.asdict(computed[1])


def test_what_was_computed_of_another_artifact_of_that_name_does_not_count(
    computed: tuple[Project, DeepEvaluation, Counting], tmp_path: Path
) -> None:
    project, result, _ = computed
    path = project.workspace.layout.deep_evaluation(result.version)
    before = path.read_bytes()
    for damage in ({"artifact": "0" * 64}, {"deep": {"version": 3}}):
        path.write_text(json.dumps(json.loads(before) | damage))
        assert stored_deep(project.workspace, result.version) is None
    path.write_bytes(b"{")
    assert stored_deep(project.workspace, result.version) is None
    path.write_bytes(before)


@pytest.fixture
def mirrored(project: Project, tmp_path: Path) -> Project:
    """Return a project with two categories, one the other's mirror image; one flips its samples."""
    for code in ("circle", "square", "triangle"):
        project.remove_category(code)
    rng = np.random.default_rng(5)
    for number in range(10):
        picture = rng.integers(90, 160, (48, 48, 3), dtype=np.uint8)
        x, y = (int(v) for v in rng.integers(8, 16, 2))
        cv2.rectangle(picture, (x - 7, y - 5), (x + 7, y + 25), (30, 40, 220), -1)
        for code, pixels in (("turn_left", picture), ("turn_right", picture[:, ::-1])):
            folder = tmp_path / "mirrored" / code
            folder.mkdir(parents=True, exist_ok=True)
            # Other noise: a picture and its mirror image are of one group neither.
            noise = rng.integers(0, 30, pixels.shape, dtype=np.uint8)
            cv2.imwrite(str(folder / f"{number}.png"), cv2.add(pixels, noise))
    project.import_categories(tmp_path / "mirrored")
    for code, techniques in (("turn_left", ["horizontal_flip"]), ("turn_right", [])):
        path = project.root / "categories" / code / "config.json"
        config = json.loads(path.read_text())
        config["augmentation_settings"]["techniques"] = techniques
        path.write_text(json.dumps(config))
    project.train(TrainOptions(workers=1))
    return project


def test_a_technique_that_harms_a_category_through_anothers_samples_is_found(
    mirrored: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deep, "blame", lambda *_: ())
    monkeypatch.setattr(deep, "curve", lambda *_: LearningCurve((), {}, ()))
    monkeypatch.setattr(deep, "robustness", lambda *_: ())
    effects = {effect.code: effect for effect in mirrored.evaluate_deep().techniques or ()}
    assert set(effects) == {"turn_left", "turn_right"}
    victim = effects["turn_right"]
    assert not victim.safe
    assert victim.users == victim.to_change == ("turn_left",)
    monkeypatch.chdir(mirrored.root)
    assert main.run(["evaluate", "--deep"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "horizontal_flip harms turn_right" in told
    assert "in categories/turn_left/config.json." in told
    page = mirrored.report().file.read_text()
    assert "categories/turn_left/config.json" in page
    assert "categories/turn_right/config.json" not in page


def _remove_a_seed(project: Project, draw: Draw) -> None:
    next((project.root / "categories" / "circle" / "seeds").iterdir()).unlink()


def _add_a_seed(project: Project, draw: Draw) -> None:
    seeds = project.root / "categories" / "circle" / "seeds"
    (seeds / "new.png").write_bytes(draw("circle", 50))


def _remove_the_samples(project: Project, draw: Draw) -> None:
    project.clean_samples(["square"])


def _configure_a_category(project: Project, draw: Draw) -> None:
    config = project.root / "categories" / "triangle" / "config.json"
    config.write_text(config.read_text().replace('"min_confidence": 0.8', '"min_confidence": 0.7'))


def _change_a_setting(project: Project, draw: Draw) -> None:
    settings = project.root / "mlforge.toml"
    settings.write_text(settings.read_text().replace("folds = 3", "folds = 4"))


def _scale_pictures_otherwise(project: Project, draw: Draw) -> None:
    settings = project.root / "mlforge.toml"
    settings.write_text(f"{settings.read_text()}\n[image]\nsize = 32\n")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_remove_a_seed, "circle: other seeds (4 then, 3 now)"),
        (_add_a_seed, "circle: other seeds (4 then, 5 now)"),
        (_remove_the_samples, "square: other samples (8 then, 0 now)"),
        (_configure_a_category, "triangle: another config.json"),
        (_change_a_setting, "train.folds: 3 then, 4 now"),
        (_scale_pictures_otherwise, "image: other parameters"),
    ],
)
def test_another_project_than_that_of_the_training_is_refused_and_said_to_be(
    trained: Project, draw: Draw, change: Callable[[Project, Draw], None], says: str
) -> None:
    change(trained, draw)
    with pytest.raises(DataError, match="not what it was trained on") as caught:
        trained.evaluate_deep()
    assert says in caught.value.message
    assert caught.value.hint.startswith("mlforge train")
    assert stored_deep(trained.workspace, "random_forest-0001") is None


def test_a_demand_or_another_model_in_the_settings_changes_no_diagnostic(
    trained: Project,
    computed: tuple[Project, DeepEvaluation, Counting],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = trained.root / "mlforge.toml"
    more = '[train]\ngates = ["accuracy>=0.1"]\nmodels = ["svm"]\n'
    settings.write_text(settings.read_text().replace("[train]\n", more))
    for part in PARTS:
        name = {"unknown": "check_unknown", "techniques": "technique_effects"}.get(part, part)
        value = getattr(computed[1], part)
        monkeypatch.setattr(deep, name, lambda *_, value=value: value)
    assert trained.evaluate_deep() == computed[1]


def test_an_interrupted_run_does_not_go_on_with_other_data(
    trained: Project, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(deep, "curve", interrupt)
    with pytest.raises(KeyboardInterrupt):
        trained.evaluate_deep()
    half = stored_deep(trained.workspace, "random_forest-0001")
    _add_a_seed(trained, draw)
    with pytest.raises(DataError, match="not what it was trained on"):
        trained.evaluate_deep()
    assert stored_deep(trained.workspace, "random_forest-0001") == half
