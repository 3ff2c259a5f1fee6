"""What ``mlforge categories`` tells a person about many pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from mlforge import Project

Run = Callable[..., Any]
Draw = Callable[[str, int], bytes]


def blur_all(project: Project, draw: Draw, n_sharp: int, n_blurred: int) -> None:
    folder = project.root / "categories" / "circle" / "seeds"
    for number in range(n_sharp + n_blurred):
        path = folder / f"more_{number:02}.png"
        path.write_bytes(draw("circle", 100 + number))
        if number >= n_sharp:
            picture = cv2.imread(str(path))
            assert picture is not None
            cv2.imwrite(str(path), cv2.GaussianBlur(picture, (0, 0), 2.5))


def test_many_findings_of_a_kind_are_a_few_lines(invoke: Run, project: Project, draw: Draw) -> None:
    blur_all(project, draw, 20, 9)
    told = invoke("categories", "check", cwd=project.root).out
    assert "warning: blurred (9: circle 9)" in told
    assert told.count(".png: blurred") == 6
    assert "and 3 more (--json lists all)" in told
    assert told.count("choose a sharper picture") == 1
    document = invoke("categories", "check", "--json", cwd=project.root).document
    blurred = [f for f in document["findings"] if f["kind"] == "blurred"]
    assert sorted(name for f in blurred for name in f["files"]) == [
        f"more_{number}.png" for number in range(20, 29)
    ]


def test_findings_of_several_categories_are_counted_by_category(
    invoke: Run, project: Project, draw: Draw
) -> None:
    blur_all(project, draw, 20, 8)
    source = project.root / "categories" / "triangle" / "seeds" / "triangle_2.png"
    picture = cv2.imread(str(source))
    assert picture is not None
    cv2.imwrite(str(source), cv2.GaussianBlur(picture, (0, 0), 2.5))
    told = invoke("categories", "check", cwd=project.root).out
    assert "warning: blurred (9: circle 8, triangle 1)" in told


def test_a_category_whose_configuration_is_broken_can_be_removed(
    invoke: Run, project: Project
) -> None:
    (project.root / "categories/circle/config.json").write_text("{")
    done = invoke("categories", "remove", "circle", "--yes", cwd=project.root)
    assert done.code == 0
    assert (project.root / "artifacts/removed/circle/config.json").read_text() == "{"


def test_a_category_that_lost_its_configuration_is_told(invoke: Run, project: Project) -> None:
    (project.root / "categories/circle/config.json").unlink()
    done = invoke("categories", "list", cwd=project.root)
    assert done.code == 0
    assert "categories/circle: there are seeds and no config.json" in done.err


def test_a_category_without_files_says_how_to_add_its_seeds(invoke: Run, project: Project) -> None:
    told = invoke("categories", "add", "cup", cwd=project.root).out
    assert "mlforge categories add cup FILES..." in told


def test_a_folder_says_what_it_leaves(
    invoke: Run, project: Project, draw: Draw, tmp_path: Path
) -> None:
    folder = tmp_path / "phone"
    (folder / "older").mkdir(parents=True)
    (folder / "1.png").write_bytes(draw("circle", 70))
    (folder / "older" / "2.png").write_bytes(draw("circle", 71))
    (folder / "film.mov").write_text("frames")
    told = invoke("categories", "add", "cup", folder, cwd=project.root).out
    assert "Left, of other kinds: 1 file." in told
    assert "Left, in folders below: 1 file;" in told


def test_a_removed_category_is_told_by_a_path_from_here(invoke: Run, project: Project) -> None:
    told = invoke("categories", "remove", "circle", "--yes", cwd=project.root).out
    assert "kept in artifacts/removed/circle." in told


def test_predicting_a_folder_names_the_command_for_it(
    invoke: Run, trained: Project, tmp_path: Path
) -> None:
    result = invoke("predict", tmp_path, cwd=trained.root)
    assert result.code == 3
    assert "a folder" in result.err
    assert f"mlforge batch {tmp_path} --output DIR" in result.err
