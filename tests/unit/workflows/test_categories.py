from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlforge import Project
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


def seed_names(project: Project, code: str) -> list[str]:
    return sorted(path.name for path in (project.root / "categories" / code / "seeds").iterdir())


def config_of(project: Project, code: str) -> Path:
    return project.root / "categories" / code / "config.json"


def everything(project: Project) -> dict[Path, bytes]:
    """Every file of the project, besides the kernel's lock."""
    return {
        path: path.read_bytes()
        for path in project.root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_a_new_category_holds_copies_of_its_seeds(empty: Project, pictures: list[Path]) -> None:
    added = empty.add_category("red_disc", pictures)
    assert (added.code, added.created, added.n_added, added.n_seeds) == ("red_disc", True, 3, 3)
    assert (added.duplicates, added.refused) == ((), ())
    for path in pictures:
        copy = empty.root / "categories" / "red_disc" / "seeds" / path.name
        assert copy.read_bytes() == path.read_bytes()
        assert path.exists()


def test_a_new_category_has_a_configuration_that_editors_can_check(
    empty: Project, pictures: list[Path]
) -> None:
    new = NewCategory("A disc", techniques=("rotation", "blur"))
    empty.add_category("red_disc", pictures, new)
    config = json.loads(config_of(empty, "red_disc").read_text())
    assert config["category_name"] == "A disc"
    assert config["category_code"] == "red_disc"
    assert config["augmentation_settings"]["techniques"] == ["rotation", "blur"]
    schema = config_of(empty, "red_disc").parent / config["$schema"]
    assert json.loads(schema.read_text())["properties"]


def test_without_a_name_the_code_makes_one(empty: Project) -> None:
    added = empty.add_category("golden_retriever")
    assert (added.created, added.n_seeds) == (True, 0)
    assert empty.categories()[0].name == "Golden retriever"


def test_adding_to_a_category_appends_and_leaves_its_configuration(
    empty: Project, pictures: list[Path]
) -> None:
    empty.add_category("disc", pictures[:1], NewCategory("Disc", techniques=("blur",)))
    config = config_of(empty, "disc")
    text = config.read_text().replace('"tags": []', '"tags": ["mine"]')
    config.write_text(text)
    added = empty.add_category("disc", pictures)
    assert (added.created, added.n_added, added.n_seeds) == (False, 2, 3)
    assert [Path(failure.file) for failure in added.duplicates] == [pictures[0]]
    assert config.read_text() == text


@pytest.mark.parametrize(
    ("new", "key"),
    [
        (NewCategory("Other"), "name"),
        (NewCategory(method="api"), "method"),
        (NewCategory(techniques=("rotation",)), "techniques"),
    ],
)
def test_what_would_change_an_existing_category_is_refused_and_nothing_is_written(
    empty: Project, pictures: list[Path], new: NewCategory, key: str
) -> None:
    empty.add_category("disc", pictures[:1], NewCategory("Disc", techniques=("blur",)))
    before = everything(empty)
    with pytest.raises(ConfigError, match=f"its {key} is not changed by adding") as caught:
        empty.add_category("disc", pictures, new)
    assert "categories/disc/config.json" in caught.value.hint
    assert everything(empty) == before


def test_saying_again_what_a_category_is_made_of_is_no_error(
    empty: Project, pictures: list[Path]
) -> None:
    new = NewCategory("Disc", "augmentation", ("blur",))
    empty.add_category("disc", pictures[:1], new)
    assert empty.add_category("disc", pictures, new).n_added == 2


def test_what_is_left_in_a_folder_is_counted(empty: Project, pictures: list[Path]) -> None:
    folder = pictures[0].parent
    for name in ("film.mov", "notes.txt", ".hidden.txt"):
        (folder / name).write_text("left")
    for name in ("deeper/2024", ".trash"):
        (folder / name).mkdir(parents=True)
        (folder / name / "4.png").write_bytes(pictures[0].read_bytes())
    (folder / "deeper" / "5.PNG").write_bytes(pictures[0].read_bytes())
    (folder / "deeper" / "notes.txt").write_text("words")
    added = empty.add_category("disc", [folder])
    assert (added.n_added, added.n_other, added.n_deeper) == (3, 2, 2)
    alone = empty.add_category("disc", pictures)
    assert (alone.n_other, alone.n_deeper) == (0, 0)


def test_a_folder_whose_pictures_lie_deeper_is_said_so(
    empty: Project, pictures: list[Path]
) -> None:
    with pytest.raises(DataError, match="but 3 in folders below it, which are not taken"):
        empty.add_category("disc", [pictures[0].parent.parent])


def test_a_file_above_the_limit_names_the_key_to_change(
    empty: Project, pictures: list[Path]
) -> None:
    empty.add_category("disc", pictures[:1])
    config = config_of(empty, "disc")
    config.write_text(config.read_text().replace('"25MB"', '"1KB"'))
    with pytest.raises(DataError, match=r"quality_thresholds\.max_file_size"):
        empty.add_category("disc", pictures[1:])


def test_a_large_folder_is_added_by_workers_in_its_order(
    empty: Project, tmp_path: Path, draw: Draw
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(150):
        data = b"torn" if number == 100 else draw("circle", number % 140)
        (folder / f"{number:03}.png").write_bytes(data)
    added = empty.add_category("disc", [folder])
    assert (added.n_added, len(added.duplicates)) == (139, 10)
    assert [Path(failure.file).name for failure in added.refused] == ["100.png"]
    assert Path(added.duplicates[0].file).name == "140.png"


def test_the_same_content_twice_is_one_seed(
    empty: Project, pictures: list[Path], tmp_path: Path
) -> None:
    twin = tmp_path / "twin.png"
    twin.write_bytes(pictures[0].read_bytes())
    added = empty.add_category("disc", [pictures[0], twin, pictures[0]])
    assert (added.n_added, added.n_seeds) == (1, 1)
    assert [failure.file for failure in added.duplicates] == [str(twin), str(pictures[0])]
    again = empty.add_category("disc", [twin])
    assert (again.n_added, again.n_seeds, len(again.duplicates)) == (0, 1, 1)
    assert seed_names(empty, "disc") == ["0.png"]


def test_seeds_that_lay_there_before_the_category_are_counted(
    empty: Project, pictures: list[Path]
) -> None:
    folder = empty.root / "categories" / "disc" / "seeds"
    folder.mkdir(parents=True)
    (folder / "own.png").write_bytes(pictures[0].read_bytes())
    added = empty.add_category("disc", pictures)
    assert (added.created, added.n_added, added.n_seeds, len(added.duplicates)) == (True, 2, 3, 1)
    assert added.n_seeds == empty.categories()[0].n_seeds


def test_files_that_cannot_be_seeds_are_refused_with_reasons(
    empty: Project, pictures: list[Path], tmp_path: Path, draw: Draw
) -> None:
    bad = {
        "missing.png": "no such file",
        "notes.txt": "does not end in .jpg",
        "torn.png": "PNG",
        "blank.jpg": "empty",
        "words.png": "not",
    }
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "torn.png").write_bytes(draw("circle", 7)[:-200])
    (tmp_path / "blank.jpg").write_bytes(b"")
    (tmp_path / "words.png").write_text("these are words")
    added = empty.add_category("disc", [*(tmp_path / name for name in bad), pictures[0]])
    assert added.n_added == 1
    reasons = {Path(failure.file).name: failure.reason for failure in added.refused}
    assert reasons.keys() == bad.keys()
    for name, part in bad.items():
        assert part in reasons[name], reasons[name]
    assert seed_names(empty, "disc") == ["0.png"]


def test_nothing_is_written_when_no_file_can_be_a_seed(empty: Project, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("these are words")
    before = everything(empty)
    with pytest.raises(DataError, match=r"words\.png"):
        empty.add_category("disc", [tmp_path / "words.png", tmp_path / "missing.png"])
    assert everything(empty) == before
    assert empty.categories() == []


def test_a_folder_stands_for_the_pictures_in_it(empty: Project, pictures: list[Path]) -> None:
    folder = pictures[0].parent
    (folder / "notes.txt").write_text("left out, not refused")
    (folder / ".hidden.png").write_bytes(pictures[0].read_bytes())
    (folder / "deeper").mkdir()
    added = empty.add_category("disc", [folder])
    assert (added.n_added, added.refused) == (3, ())
    assert seed_names(empty, "disc") == ["0.png", "1.png", "2.png"]


def test_a_folder_without_pictures_is_said_so(empty: Project, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "notes.txt").write_text("words")
    with pytest.raises(DataError, match="none can be a seed of 'disc': no picture in it"):
        empty.add_category("disc", [tmp_path / "none"])
    assert empty.categories() == []


@pytest.mark.parametrize(
    "name",
    [
        "with space.png",
        "café.png",
        "cafe\u0301.png",
        "a[bold]b.png",
        "two\nlines.png",
        "-option.png",
        "LOUD.PNG",
        "日本.jpeg.png",
        os.fsdecode(b"not-utf8-\xff.png"),
    ],
)
def test_any_file_name_is_kept(empty: Project, tmp_path: Path, draw: Draw, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(draw("circle", 1))
    assert empty.add_category("disc", [path]).n_added == 1
    assert seed_names(empty, "disc") == [name]
    assert empty.categories()[0].n_seeds == 1
    assert [f for f in empty.check(("disc",)) if f.severity == "error"] == []


def test_a_hidden_file_becomes_a_seed_that_is_seen(
    empty: Project, tmp_path: Path, draw: Draw
) -> None:
    (tmp_path / ".hidden.png").write_bytes(draw("circle", 1))
    assert empty.add_category("disc", [tmp_path / ".hidden.png"]).n_seeds == 1
    assert empty.categories()[0].n_seeds == 1


def test_names_that_differ_in_case_only_are_told_apart(
    empty: Project, tmp_path: Path, draw: Draw
) -> None:
    paths = []
    for number, name in enumerate(["a/cup.png", "b/Cup.png", "c/CUP.PNG"]):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_bytes(draw("circle", number))
        paths.append(path)
    assert empty.add_category("disc", paths).n_added == 3
    assert seed_names(empty, "disc") == ["CUP-3.PNG", "Cup-2.png", "cup.png"]


@pytest.mark.parametrize("code", ["Cup", "my cup", "a.b", "../cup", "", "con", "-x", "a" * 65])
def test_a_wrong_code_is_refused_and_nothing_is_written(
    empty: Project, pictures: list[Path], code: str
) -> None:
    before = everything(empty)
    with pytest.raises(ConfigError, match="is not a code"):
        empty.add_category(code, pictures)
    assert everything(empty) == before


def test_a_wrong_code_gets_one_that_is_allowed(empty: Project) -> None:
    with pytest.raises(ConfigError) as caught:
        empty.add_category("My Cup")
    assert caught.value.hint == "try 'my_cup'"


@pytest.mark.parametrize(
    ("new", "hint"),
    [
        (NewCategory(method="augment"), "augmentation"),
        (NewCategory(techniques=("rotaton",)), "rotation"),
    ],
)
def test_an_unknown_component_suggests_the_nearest_and_nothing_is_written(
    empty: Project, pictures: list[Path], new: NewCategory, hint: str
) -> None:
    before = everything(empty)
    with pytest.raises(ConfigError) as caught:
        empty.add_category("disc", pictures, new)
    assert f"did you mean '{hint}'?" in caught.value.hint
    assert everything(empty) == before


@pytest.mark.parametrize("verb", ["show", "remove", "check", "generate"])
def test_an_unknown_code_suggests_the_nearest(project: Project, verb: str) -> None:
    from mlforge.workflows.generate import GenerateOptions

    actions: dict[str, Callable[[], object]] = {
        "show": lambda: project.category_config("circel"),
        "remove": lambda: project.remove_category("circel"),
        "check": lambda: project.check(("circel",)),
        "generate": lambda: project.generate(GenerateOptions(codes=("circel",))),
    }
    with pytest.raises(ConfigError, match="there is no category 'circel'") as caught:
        actions[verb]()
    assert caught.value.hint.startswith("did you mean 'circle'? known: circle, square, triangle")


def test_showing_a_category_fills_in_every_default(empty: Project) -> None:
    folder = empty.root / "categories" / "cup"
    folder.mkdir()
    (folder / "config.json").write_text('{"category_name": "Cup", "category_code": "cup"}')
    shown = empty.category_config("cup")
    assert shown["generation_settings"] == {
        "method": "augmentation",
        "api_endpoint": None,
        "parameters": {"quality": "high", "format": "png"},
    }
    assert shown["quality_thresholds"] == {
        "min_quality": 0.2,
        "min_confidence": 0.8,
        "max_file_size": "25MB",
        "min_duration": None,
        "max_duration": None,
    }
    assert shown["augmentation_settings"]["enable_augmentation"] is True
    assert shown["augmentation_settings"]["augmentation_ratio"] == 1.0
    assert "rotation" in shown["augmentation_settings"]["techniques"]
    assert shown["sample_inputs"] == []
    assert shown["group_pattern"] is None
    assert shown["target"] is None
    assert shown["metadata"].keys() == {"description", "source", "version", "created_date", "tags"}


def test_what_is_shown_is_a_configuration(project: Project) -> None:
    shown = project.category_config("circle")
    config_of(project, "circle").write_text(json.dumps(shown))
    assert project.category_config("circle") == shown


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category_nam": "x"}, "category_nam: unknown key"),
        ({"category_code": "square"}, "is not the folder's name"),
        ({"sample_inputs": "text"}, "sample_inputs"),
        ({"quality_thresholds": {"min_quality": 2}}, "quality_thresholds.min_quality"),
        ({"quality_thresholds": {"max_file_size": "lots"}}, "quality_thresholds: 'lots'"),
        ({"group_pattern": "no group"}, "group_pattern"),
    ],
)
def test_a_wrong_configuration_names_the_file_and_the_key(
    project: Project, change: dict[str, object], message: str
) -> None:
    path = config_of(project, "circle")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ConfigError, match=r"categories/circle/config\.json") as caught:
        project.category_config("circle")
    assert message in caught.value.message


def test_categories_are_listed_with_seeds_samples_and_tags(generated: Project) -> None:
    path = config_of(generated, "circle")
    config = json.loads(path.read_text())
    config["metadata"]["tags"] = ["round"]
    path.write_text(json.dumps(config))
    circle = generated.categories()[0]
    assert (circle.code, circle.name, circle.method) == ("circle", "circle", "augmentation")
    assert (circle.n_seeds, circle.n_samples, circle.tags) == (4, 8, ("round",))


def test_seeds_that_lost_their_configuration_are_not_passed_over(project: Project) -> None:
    (project.root / "categories/circle/config.json").unlink()
    with pytest.raises(ConfigError, match="categories/circle: there are seeds and no"):
        project.workspace.select()
    assert [c.code for c in project.workspace.select(("square",))] == ["square"]
