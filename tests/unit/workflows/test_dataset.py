from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mlforge import Project
from mlforge.core.digest import digest_bytes
from mlforge.core.records import SampleRecord
from mlforge.core.reporting import SilentReporter
from mlforge.engines.local import LocalEngine
from mlforge.errors import DataError
from mlforge.evaluation.records import LearningPoint, RobustnessPoint
from mlforge.storage.manifest import Manifest, write_manifest
from mlforge.workflows.dataset import Dataset, folder_dataset, project_dataset
from mlforge.workflows.sample_recipe import sample_digest
from mlforge.workflows.train import TrainOptions
from mlforge.workflows.workspace import Workspace

Draw = Callable[[str, int], bytes]


def dataset(project: Project) -> Dataset:
    return project_dataset(Workspace(project.root), LocalEngine(1), SilentReporter())


def digest_of(text: str) -> str:
    return digest_bytes(text.encode())


def add_category(project: Project, code: str, inputs: Sequence[str], method: str = "api") -> Path:
    folder = project.root / "categories" / code
    folder.mkdir()
    config: dict[str, Any] = {
        "category_name": code.capitalize(),
        "category_code": code,
        "generation_settings": {"method": method},
        "sample_inputs": list(inputs),
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def add_samples(project: Project, code: str, samples: Mapping[tuple[str, int], bytes]) -> None:
    """Put samples there as `samples generate` does; each stands for an input and a copy."""
    workspace = Workspace(project.root)
    folder = workspace.layout.samples(code)
    folder.mkdir()
    records = []
    for (text, copy), data in samples.items():
        name = f"sample_{digest_of(text)[:8]}_{copy:04d}.png"
        (folder / name).write_bytes(data)
        digest = digest_bytes(data)
        records.append(SampleRecord(name, digest_of(text), copy, digest, len(data), 0.9, ()))
    config = sample_digest(workspace, workspace.category(code))
    write_manifest(folder, Manifest(config, len(records), tuple(records)))


@pytest.fixture
def mixed(project: Project, draw: Draw) -> Project:
    """Return a project with a category of three inputs with three samples each, and no seeds."""
    add_category(project, "cup", ["red", "green", "blue"])
    copies = [(text, copy) for text in ("red", "green", "blue") for copy in (1, 2, 3)]
    pictures = {key: draw("circle", 100 + n) for n, key in enumerate(copies)}
    del pictures["blue", 1]
    add_samples(project, "cup", pictures)
    return project


def rows_of(data: Dataset, code: str) -> list[int]:
    return np.flatnonzero(data.labels == data.codes.index(code)).tolist()


def test_one_sample_of_each_input_stands_where_a_seed_would(mixed: Project) -> None:
    data = dataset(mixed)
    rows = rows_of(data, "cup")
    tested = [row for row in rows if row < data.n_seeds]
    assert data.generated_only == ("cup",)
    assert (data.n_seeds, data.n_stand_ins) == (15 + 3, 3)
    assert {data.groups[row] for row in tested} == {digest_of(t) for t in ("red", "green", "blue")}
    assert [data.files[row].path.name for row in tested] == [
        f"sample_{digest[:8]}_{copy:04d}.png"
        for digest, copy in sorted(
            [(digest_of("red"), 1), (digest_of("green"), 1), (digest_of("blue"), 2)]
        )
    ]


def test_samples_are_held_out_with_their_input(mixed: Project) -> None:
    data = dataset(mixed)
    names = {digest_of(text)[:8]: digest_of(text) for text in ("red", "green", "blue")}
    rows = rows_of(data, "cup")
    assert len(rows) == 8, "each sample once"
    for row in rows:
        origin = names[data.files[row].path.name.split("_")[1]]
        assert data.groups[data.seed_index[row]] == origin


def test_what_is_tested_comes_first_and_stands_for_itself(mixed: Project) -> None:
    data = dataset(mixed)
    tested = np.arange(data.n_seeds)
    np.testing.assert_array_equal(data.seed_index[: data.n_seeds], tested)
    assert all(0 <= origin < data.n_seeds for origin in data.seed_index.tolist())
    np.testing.assert_array_equal(data.labels[data.seed_index], data.labels)
    assert len(data.files) == len(data.labels) == len(data.seed_index)


def test_a_category_without_seeds_is_trained_and_scored(mixed: Project) -> None:
    (model,) = mixed.train(TrainOptions(workers=1)).models
    assert model.evaluation is not None
    assert model.evaluation.per_category["cup"].n_seeds == 3


def test_samples_that_stand_for_seeds_count_in_no_curve(mixed: Project) -> None:
    mixed.train(TrainOptions(workers=1))
    deep = mixed.evaluate_deep()
    assert deep.curve is not None
    assert set(deep.curve.per_category) == set(dataset(mixed).codes) - {"cup"}
    curves: list[tuple[LearningPoint | RobustnessPoint, ...]] = [
        deep.curve.overall,
        *(curve.points for curve in deep.robustness or ()),
    ]
    shares = [p.score if isinstance(p, LearningPoint) else p.accuracy for c in curves for p in c]
    assert len(shares) > 4
    # Of the fifteen seeds, not of eighteen.
    assert [15 * share for share in shares] == pytest.approx([round(15 * s) for s in shares])


def test_seeds_of_such_a_category_are_what_is_tested(mixed: Project, draw: Draw) -> None:
    mixed.add_category("cup", [save(mixed, draw("square", 90)), save(mixed, draw("square", 91))])
    data = dataset(mixed)
    rows = rows_of(data, "cup")
    assert (data.generated_only, data.n_stand_ins) == ((), 0)
    assert [data.files[row].path.parent.name for row in rows] == ["seeds"] * 2 + ["samples"] * 8
    assert data.seed_index[rows[2:]].tolist() == [-1] * 8


def save(project: Project, data: bytes) -> Path:
    path = project.root / f"{digest_bytes(data)[:8]}.png"
    path.write_bytes(data)
    return path


def test_what_comes_from_no_seed_is_in_no_fold(mixed: Project, draw: Draw) -> None:
    mixed.add_category("cup", [save(mixed, draw("square", 90)), save(mixed, draw("square", 91))])
    data = dataset(mixed)
    spread = data.of_seeds(np.arange(data.n_seeds) + 7)
    np.testing.assert_array_equal(spread == -1, data.seed_index == -1)
    known = data.seed_index >= 0
    np.testing.assert_array_equal(spread[known], data.seed_index[known] + 7)


def test_an_input_of_two_categories_is_held_out_of_both(mixed: Project, draw: Draw) -> None:
    add_category(mixed, "mug", ["red", "black"])
    keys = [("red", 1), ("red", 2), ("black", 1)]
    add_samples(mixed, "mug", {key: draw("square", 200 + n) for n, key in enumerate(keys)})
    mixed.add_category("cup", [save(mixed, draw("square", 90)), save(mixed, draw("square", 91))])
    data = dataset(mixed)
    red = [row for row in rows_of(data, "cup") if digest_of("red")[:8] in data.files[row].path.name]
    assert len(red) == 3
    assert {data.groups[row] for row in data.seed_index[red]} == {digest_of("red")}


def test_inputs_that_a_service_answers_alike_are_one_group(project: Project, draw: Draw) -> None:
    add_category(project, "cup", ["red", "green", "blue"])
    same = draw("circle", 100)
    pictures = {
        (text, copy): draw("circle", 101 + n)
        for n, (text, copy) in enumerate(
            (text, copy) for text in ("red", "green", "blue") for copy in (1, 2)
        )
    }
    add_samples(project, "cup", pictures | {("red", 2): same, ("blue", 2): same})
    data = dataset(project)
    groups = [data.groups[row] for row in rows_of(data, "cup") if row < data.n_seeds]
    assert len(groups) == 3
    assert len(set(groups)) == 2


def test_samples_of_an_input_that_was_taken_out_are_not_trained_on(mixed: Project) -> None:
    path = mixed.root / "categories" / "cup" / "config.json"
    config = json.loads(path.read_text()) | {"sample_inputs": ["red", "green"]}
    path.write_text(json.dumps(config))
    data = dataset(mixed)
    assert len(rows_of(data, "cup")) == 6


@pytest.mark.parametrize(
    ("inputs", "hint"),
    [(["red"], "mlforge samples generate cup"), ([], 'add "sample_inputs"')],
)
def test_without_samples_such_a_category_cannot_be_trained(
    project: Project, inputs: list[str], hint: str
) -> None:
    add_category(project, "cup", inputs)
    with pytest.raises(DataError, match="'cup' has no samples; the method api") as caught:
        dataset(project)
    assert hint in caught.value.hint


def test_stale_samples_are_no_samples(mixed: Project) -> None:
    path = mixed.root / "categories" / "cup" / "config.json"
    config = json.loads(path.read_text())
    config["generation_settings"]["parameters"] = {"format": "jpg"}
    path.write_text(json.dumps(config))
    with pytest.raises(DataError, match="'cup' has no samples"):
        dataset(mixed)


def test_seeds_stay_what_they_were_beside_such_a_category(mixed: Project) -> None:
    data = dataset(mixed)
    others = [row for row in range(data.n_seeds) if row not in rows_of(data, "cup")]
    assert [data.files[row].path.parent.name for row in others] == ["seeds"] * 15
    assert [data.groups[row] for row in others] == [data.files[row].digest for row in others]


def grouped(project: Project, code: str, names: Mapping[str, bytes]) -> None:
    folder = project.root / "categories" / code
    config = json.loads((folder / "config.json").read_text()) | {"group_pattern": "{group}_*"}
    (folder / "config.json").write_text(json.dumps(config))
    for path in (folder / "seeds").iterdir():
        path.unlink()
    for name, data in names.items():
        (folder / "seeds" / name).write_bytes(data)


def test_a_file_under_the_names_of_two_groups_makes_them_one(project: Project, draw: Draw) -> None:
    same = draw("circle", 50)
    names = {
        "ann_1.png": draw("circle", 51),
        "ann_2.png": same,
        "bob_1.png": same,
        "bob_2.png": draw("circle", 52),
        "eve_1.png": draw("circle", 53),
    }
    grouped(project, "circle", names)
    data = dataset(project)
    by_name = {data.files[row].path.name: data.groups[row] for row in rows_of(data, "circle")}
    assert set(by_name) == {"ann_1.png", "ann_2.png", "bob_2.png", "eve_1.png"}
    assert by_name["ann_1.png"] == by_name["ann_2.png"] == by_name["bob_2.png"]
    assert by_name["eve_1.png"] != by_name["ann_1.png"]


def test_a_file_under_a_groups_name_and_another_joins_no_strangers(
    project: Project, draw: Draw
) -> None:
    same = draw("circle", 50)
    grouped(project, "circle", {"0.png": same, "ann_1.png": same, "ann_2.png": draw("circle", 51)})
    data = dataset(project)
    by_name = {data.files[row].path.name: data.groups[row] for row in rows_of(data, "circle")}
    assert set(by_name) == {"0.png", "ann_2.png"}
    assert by_name["0.png"] == by_name["ann_2.png"]


def test_a_folder_of_class_folders_has_no_samples(project: Project, shapes: Path) -> None:
    data = folder_dataset(Workspace(project.root), shapes, LocalEngine(1), SilentReporter())
    assert (data.n_seeds, len(data.files), data.generated_only) == (15, 15, ())


def test_near_duplicates_are_one_group_in_whatever_category(project: Project) -> None:
    coarse = np.random.default_rng(1).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    scene = cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)
    for code, name, share in (("circle", "scene.png", 1.0), ("square", "again.jpg", 0.8)):
        path = project.root / "categories" / code / "seeds" / name
        path.write_bytes(cv2.imencode(path.suffix, (scene * share).astype(np.uint8))[1].tobytes())
    data = dataset(project)
    groups = {data.name(row): group for row, group in enumerate(data.groups)}
    assert groups["circle/scene.png"] == groups["square/again.jpg"]
    assert len(set(groups.values())) == len(groups) - 1
