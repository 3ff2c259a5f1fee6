from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project
from mlforge.core.digest import digest_bytes, digest_json
from mlforge.errors import ArtifactError
from mlforge.workflows.train import TrainOptions

VERSION = "random_forest-0001"


def edit(project: Project, change: Callable[[dict[str, Any]], object]) -> None:
    path = project.artifacts.models / VERSION / "manifest.json"
    values = json.loads(path.read_bytes())
    del values["digest"]
    change(values)
    values["digest"] = digest_json(values)
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False))


def files(project: Project) -> set[Path]:
    """Return what lies below artifacts/, but for the cache."""
    root = project.root / "artifacts"
    return {path for path in root.rglob("*") if "cache" not in path.parts}


def test_an_unchanged_project_gives_the_same_model_and_stores_nothing(trained: Project) -> None:
    before = files(trained)
    result = trained.reproduce(VERSION, workers=1)
    assert (result.version, result.verdict, result.reasons) == (VERSION, "same", ())
    assert result.difference == 0.0
    assert {path for path in files(trained) - before if path.name != ".lock"} == set()


def test_what_was_trained_with_other_settings_is_trained_with_them_again(trained: Project) -> None:
    settings = trained.root / "mlforge.toml"
    settings.write_text('[features]\nuse = ["hog"]\n[train]\nseed = 7\nfolds = 2\n')
    assert trained.reproduce(VERSION, workers=1).verdict == "same"


def test_a_changed_seed_is_named_and_nothing_is_trained(
    trained: Project, draw: Callable[[str, int], bytes]
) -> None:
    (trained.root / "categories/circle/seeds/new.png").write_bytes(draw("circle", 99))
    result = trained.reproduce(VERSION, workers=1)
    assert result.verdict == "data changed"
    assert result.difference is None
    assert any(r.startswith("circle: other seeds (4 then, 5 now)") for r in result.reasons)
    assert all(reason.startswith("circle:") for reason in result.reasons)
    shutil.rmtree(trained.root / "categories/square")
    reasons = trained.reproduce(VERSION, workers=1).reasons
    assert "square: removed since" in reasons


def test_what_tells_unknown_examples_is_compared_as_well(trained: Project) -> None:
    folder = trained.artifacts.models / VERSION
    name = next(path.name for path in folder.glob("novelty.*"))
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)

    def change(values: dict[str, Any]) -> None:
        values["files"][name]["sha256"] = digest_bytes(bytes(data))

    edit(trained, change)
    assert trained.reproduce(VERSION, workers=1).verdict == "differs"


def test_another_result_comes_with_what_has_changed(trained: Project) -> None:
    def change(values: dict[str, Any]) -> None:
        values["temperature"] += 0.5
        values["versions"]["scikit-learn"] = "0.1"
        values["environment"]["code"] = "0"

    edit(trained, change)
    result = trained.reproduce(VERSION, workers=1)
    assert result.verdict == "differs"
    assert result.difference is not None
    assert result.difference > 0
    assert any(reason.startswith("scikit-learn: 0.1 then, ") for reason in result.reasons)
    assert "mlforge's own code is another" in result.reasons


def test_another_result_for_no_known_reason_says_so(trained: Project) -> None:
    edit(trained, lambda values: values.update(temperature=3.0))
    result = trained.reproduce(VERSION, workers=1)
    assert result.verdict == "differs"
    assert "does not repeat itself" in result.reasons[0]


def test_a_model_of_a_folder_is_reproduced_from_that_folder(trained: Project, shapes: Path) -> None:
    made = trained.train(TrainOptions(data=shapes, workers=1)).best.version
    assert trained.reproduce(made, workers=1).verdict == "data changed"
    assert trained.reproduce(made, data=shapes, workers=1).verdict == "same"


def test_an_artifact_that_does_not_say_what_it_was_made_from_is_refused(trained: Project) -> None:
    edit(trained, lambda values: values.pop("data"))
    with pytest.raises(ArtifactError, match="what they were made from"):
        trained.reproduce(VERSION)


@pytest.mark.parametrize("data", [{}, {"digest": 3}, {"digest": "0", "categories": 3}])
def test_an_artifact_that_describes_its_data_otherwise_is_refused(
    trained: Project, data: Any
) -> None:
    edit(trained, lambda values: values.update(data=data))
    with pytest.raises(ArtifactError, match="does not describe"):
        trained.reproduce(VERSION)


def test_what_a_killed_run_left_is_removed(trained: Project) -> None:
    rest = trained.root / "artifacts" / ".mlforge-tmp-1-reproduce"
    (rest / "models").mkdir(parents=True)
    trained.reproduce(VERSION, workers=1)
    assert not rest.exists()
