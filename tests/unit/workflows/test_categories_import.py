from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlforge import Project
from mlforge.core.reporting import SilentReporter
from mlforge.errors import ConfigError, DataError
from mlforge.workflows.categories import NewCategory

Draw = Callable[[str, int], bytes]


@pytest.fixture
def empty(tmp_path: Path) -> Project:
    return Project.init(tmp_path / "empty")


@pytest.fixture
def pictures(tmp_path: Path, draw: Draw) -> list[Path]:
    folder = tmp_path / "pictures"
    folder.mkdir()
    paths = [folder / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(draw("circle", number))
    return paths


def config_of(project: Project, code: str) -> Path:
    return project.root / "categories" / code / "config.json"


def everything(project: Project) -> dict[Path, bytes]:
    """Every file of the project, besides the kernel's lock."""
    return {
        path: path.read_bytes()
        for path in project.root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_class_folders_become_categories_named_after_them(
    empty: Project, tmp_path: Path, draw: Draw
) -> None:
    folder = tmp_path / "photos"
    for number, name in enumerate(["Japanese Cherry", "Café [noir]", "oak"]):
        (folder / name).mkdir(parents=True)
        (folder / name / "1.png").write_bytes(draw("circle", number))
    added = empty.import_categories(folder)
    assert [(a.code, a.created, a.n_added) for a in added] == [
        ("cafe_noir", True, 1),
        ("japanese_cherry", True, 1),
        ("oak", True, 1),
    ]
    names = {category.code: category.name for category in empty.categories()}
    assert names == {
        "cafe_noir": "Café [noir]",
        "japanese_cherry": "Japanese Cherry",
        "oak": "oak",
    }


def test_a_class_folder_whose_name_is_no_text_still_becomes_a_category(
    empty: Project, tmp_path: Path, draw: Draw
) -> None:
    folder = tmp_path / "photos" / os.fsdecode(b"caf\xff")
    folder.mkdir(parents=True)
    (folder / "1.png").write_bytes(draw("circle", 1))
    (added,) = empty.import_categories(tmp_path / "photos")
    assert (added.code, added.n_added) == ("caf", 1)
    assert empty.categories()[0].name == "caf?"


def test_importing_passes_over_what_is_no_class_folder(
    empty: Project, pictures: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    (folder / "oak" / "deeper").mkdir(parents=True)
    (folder / "oak" / "1.png").write_bytes(pictures[0].read_bytes())
    (folder / "oak" / "notes.txt").write_text("words")
    (folder / "oak" / "deeper" / "2.png").write_bytes(pictures[1].read_bytes())
    (folder / "no_pictures").mkdir()
    (folder / ".cache").mkdir()
    (folder / ".cache" / "3.png").write_bytes(pictures[2].read_bytes())
    (folder / "loose.png").write_bytes(pictures[2].read_bytes())
    (added,) = empty.import_categories(folder)
    assert (added.code, added.n_added, added.refused) == ("oak", 1, ())


def test_importing_says_what_it_leaves(
    tmp_path: Path, pictures: list[Path], empty: Project
) -> None:
    folder = tmp_path / "photos"
    (folder / "oak" / "deeper").mkdir(parents=True)
    for name in ("oak/1.png", "oak/deeper/2.png", "loose.png"):
        (folder / name).write_bytes(pictures[0].read_bytes())
    (folder / "oak" / "film.mov").write_text("frames")
    reporter = SilentReporter()
    (added,) = Project(empty.root, reporter).import_categories(folder)
    assert (added.n_added, added.n_other, added.n_deeper) == (1, 1, 1)
    assert ["1 file directly in" in warning for warning in reporter.warnings] == [True]


def test_importing_into_a_category_that_exists_says_what_it_keeps(
    project: Project, shapes: Path
) -> None:
    reporter = SilentReporter()
    Project(project.root, reporter).import_categories(
        shapes, NewCategory(techniques=("blur", "rotation"))
    )
    assert len(reporter.warnings) == 3
    assert "circle exists already and keeps its techniques" in reporter.warnings[0]


def test_importing_again_appends(project: Project, shapes: Path) -> None:
    before = everything(project)
    assert {a.n_added for a in project.import_categories(shapes)} == {0}
    assert everything(project) == before


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["oak", "Red Cup", "red_cup"], "both give the code 'red_cup'"),
        (["oak", "Äsche", "asche"], "both give the code 'asche'"),
        (["oak", "日本"], "no code can be made"),
        (["oak", "x" * 201], "category_name"),
    ],
)
def test_importing_stops_at_a_wrong_name_before_anything_is_written(
    empty: Project, tmp_path: Path, draw: Draw, names: list[str], message: str
) -> None:
    for number, name in enumerate(names):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "1.png").write_bytes(draw("circle", number))
    before = everything(empty)
    with pytest.raises(ConfigError, match=message):
        empty.import_categories(tmp_path / "photos")
    assert everything(empty) == before


def test_importing_stops_at_a_folder_of_bad_files_before_anything_is_written(
    empty: Project, tmp_path: Path, draw: Draw
) -> None:
    for name in ("good", "worse"):
        (tmp_path / "photos" / name).mkdir(parents=True)
    (tmp_path / "photos" / "good" / "1.png").write_bytes(draw("circle", 1))
    (tmp_path / "photos" / "worse" / "1.png").write_text("words")
    before = everything(empty)
    with pytest.raises(DataError, match="'worse'"):
        empty.import_categories(tmp_path / "photos")
    assert everything(empty) == before


@pytest.mark.parametrize("there", [True, False])
def test_importing_from_a_folder_without_class_folders_says_so(
    empty: Project, tmp_path: Path, there: bool
) -> None:
    if there:
        (tmp_path / "photos").mkdir()
    with pytest.raises(DataError):
        empty.import_categories(tmp_path / "photos")


def test_progress_is_told_once_a_file(empty: Project, shapes: Path) -> None:
    class Counting(SilentReporter):
        def progress(self, description: str, total: int):  # type: ignore[no-untyped-def]  # as in its base
            totals.append(total)
            return super().progress(description, total)

    totals: list[int] = []
    Project(empty.root, Counting()).import_categories(shapes)
    assert totals == [4 + 5 + 6]


def test_a_removed_category_is_kept_outside_of_the_project(generated: Project) -> None:
    folder = generated.root / "categories" / "circle"
    before = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
    kept = generated.remove_category("circle")
    assert not folder.exists()
    assert {path.relative_to(kept): path.read_bytes() for path in kept.rglob("*.*")} == before
    assert [category.code for category in generated.categories()] == ["square", "triangle"]


def test_removing_the_same_code_twice_keeps_both(empty: Project, pictures: list[Path]) -> None:
    kept = []
    for path in pictures[:2]:
        empty.add_category("disc", [path])
        kept.append(empty.remove_category("disc"))
    assert [(folder / "seeds" / f"{n}.png").is_file() for n, folder in enumerate(kept)] == [
        True
    ] * 2
    assert kept[0] != kept[1]


def test_a_category_with_a_broken_configuration_can_be_removed(project: Project) -> None:
    config_of(project, "circle").write_text("{")
    kept = project.remove_category("circle")
    assert (kept / "config.json").read_text() == "{"
    assert len(project.categories()) == 2


def test_a_seed_that_links_out_of_the_project_is_not_followed(
    project: Project, pictures: list[Path], draw: Draw, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes(draw("circle", 50))
    seeds = project.root / "categories" / "circle" / "seeds"
    (seeds / "link.png").symlink_to(outside)
    (seeds / "inner.png").symlink_to(seeds / "circle_0.png")
    assert project.categories()[0].n_seeds == 4
    refused = [finding for finding in project.check() if finding.kind == "refused"]
    assert [(finding.files, "outside" in finding.message) for finding in refused] == [
        (("link.png",), True)
    ]


@pytest.mark.parametrize("part", ["seeds", "samples", "config.json", ""])
def test_a_part_of_a_category_that_links_out_of_the_project_is_refused(
    generated: Project, tmp_path: Path, part: str
) -> None:
    from mlforge.workflows.generate import GenerateOptions

    inside = generated.root / "categories" / "circle" / part
    outside = tmp_path / "outside"
    inside.rename(outside)
    inside.symlink_to(outside)
    before = {path: path.read_bytes() for path in tmp_path.rglob("outside/**/*") if path.is_file()}
    with pytest.raises(ConfigError, match="a link to a place outside"):
        generated.generate(GenerateOptions(count=3, force=True, workers=1))
    with pytest.raises(ConfigError, match="a link to a place outside"):
        generated.clean_samples()
    assert {path: path.read_bytes() for path in before} == before


def test_new_seeds_are_not_written_through_a_link_out_of_the_project(
    empty: Project, pictures: list[Path], tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (empty.root / "categories" / "disc").mkdir()
    (empty.root / "categories" / "disc" / "seeds").symlink_to(outside)
    with pytest.raises(ConfigError, match="a link to a place outside"):
        empty.add_category("disc", pictures)
    assert list(outside.iterdir()) == []
