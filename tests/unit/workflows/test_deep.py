"""The costly diagnostics of a stored model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlforge import Project
from mlforge.core.reporting import Advance, SilentReporter
from mlforge.errors import DataError
from mlforge.evaluation.records import DeepEvaluation
from mlforge.workflows import deep
from mlforge.workflows.deep import stored_deep

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


def test_other_seeds_than_those_of_the_training_are_refused(trained: Project, draw: Draw) -> None:
    seed = next((trained.root / "categories" / "circle" / "seeds").iterdir())
    seed.unlink()
    with pytest.raises(DataError, match="not those that it was trained on") as caught:
        trained.evaluate_deep()
    assert caught.value.hint.startswith("mlforge train")
