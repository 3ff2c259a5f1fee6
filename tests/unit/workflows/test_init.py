from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlforge import Project
from mlforge.core.category import SCHEMA_FILE
from mlforge.core.settings import ProjectSettings, parse_settings
from mlforge.errors import ConfigError, StorageError
from mlforge.examples import example_names
from mlforge.workflows import init


def test_a_new_project_is_empty_and_complete(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "project"
    project = Project.init(root)
    assert project.categories() == []
    assert {path.name for path in root.iterdir()} == {
        ".gitignore",
        "artifacts",
        "categories",
        "mlforge.toml",
    }
    assert Project.open(root / "categories").root == root.resolve()


def test_what_is_interrupted_is_done_by_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    n_written = 0

    def write(path: Path, data: bytes) -> None:
        nonlocal n_written
        n_written += 1
        if n_written == 20:
            raise KeyboardInterrupt
        path.write_bytes(data)

    with monkeypatch.context() as patch:
        patch.setattr(init, "write_bytes", write)
        with pytest.raises(KeyboardInterrupt):
            Project.init(root, example="digits")
    assert not (root / "categories").exists()
    project = Project.init(root, example="digits")
    assert len(project.categories()) == 10
    assert not list(root.glob(".mlforge*"))


def test_a_folder_that_would_be_written_into_is_refused(tmp_path: Path) -> None:
    (tmp_path / "unseen").mkdir()
    with pytest.raises(ConfigError, match="unseen: is there already"):
        Project.init(tmp_path, example="digits")
    assert [path.name for path in tmp_path.iterdir()] == ["unseen"]


def test_the_settings_that_are_written_are_the_defaults(tmp_path: Path) -> None:
    Project.init(tmp_path / "project")
    data = (tmp_path / "project" / "mlforge.toml").read_bytes()
    assert parse_settings(data, "mlforge.toml") == ProjectSettings()


def test_every_line_that_is_commented_out_is_right(tmp_path: Path) -> None:
    project = Project.init(tmp_path / "project")
    path = tmp_path / "project" / "mlforge.toml"
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join(
            line.removeprefix("# ") for line in lines if not line.startswith("# Settings of this")
        )
    )
    workspace = project.workspace
    assert workspace.settings.train == ProjectSettings().train
    assert workspace.modality.parameters() == {"size": 256}


def test_the_schema_for_editors_is_written(tmp_path: Path) -> None:
    Project.init(tmp_path / "project")
    schema = json.loads((tmp_path / "project" / "categories" / SCHEMA_FILE).read_text())
    assert "category_code" in schema["properties"]


def test_what_can_be_remade_is_kept_out_of_version_control(tmp_path: Path) -> None:
    Project.init(tmp_path / "project")
    lines = (tmp_path / "project" / ".gitignore").read_text().splitlines()
    assert lines == ["/artifacts/", "/categories/*/samples/"]


def test_an_ignore_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    Project.init(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "mine\n"


def test_a_project_is_not_made_twice(project: Project) -> None:
    before = {path: path.stat().st_mtime_ns for path in project.root.rglob("*")}
    with pytest.raises(ConfigError, match="is a project already"):
        Project.init(project.root, example="digits")
    assert {path: path.stat().st_mtime_ns for path in project.root.rglob("*")} == before


@pytest.mark.parametrize("part", ["mlforge.toml", "categories/x"])
def test_half_a_project_is_a_project(tmp_path: Path, part: str) -> None:
    path = tmp_path / part
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    with pytest.raises(ConfigError, match="is a project already"):
        Project.init(tmp_path)


@pytest.mark.parametrize(
    ("options", "hint"), [({"example": "digit"}, "digits"), ({"modality": "imge"}, "image")]
)
def test_an_unknown_name_suggests_the_nearest_and_nothing_is_written(
    tmp_path: Path, options: dict[str, str], hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Project.init(tmp_path / "project", **options)  # type: ignore[arg-type]  # both are texts
    assert f"did you mean '{hint}'?" in caught.value.hint
    assert not (tmp_path / "project").exists()


def test_a_file_in_the_way_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        Project.init(tmp_path / "file")


@pytest.mark.usefixtures("_no_sync")
@pytest.mark.parametrize("example", example_names())
def test_every_example_is_a_sound_project(tmp_path: Path, example: str) -> None:
    project = Project.init(tmp_path / "project", example=example)
    categories = project.categories()
    assert len(categories) >= 6
    assert all(category.n_seeds >= 10 for category in categories)
    assert project.check() == []
    for category in categories:
        unseen = tmp_path / "project" / "unseen" / category.code
        assert list(unseen.iterdir())
