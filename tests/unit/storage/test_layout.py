from __future__ import annotations

from pathlib import Path

import pytest

from mlforge.errors import ConfigError, MlforgeError
from mlforge.storage.layout import Layout, find_root
from mlforge.workflows.workspace import Workspace


@pytest.mark.parametrize("mark", ["mlforge.toml", "categories/"])
def test_a_project_is_found_from_any_folder_inside(tmp_path: Path, mark: str) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    if mark.endswith("/"):
        (tmp_path / mark).mkdir()
    else:
        (tmp_path / mark).touch()
    assert find_root(inside) == find_root(tmp_path) == tmp_path.resolve()


def test_the_nearest_project_is_the_one(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    (inner / "categories").mkdir(parents=True)
    (tmp_path / "mlforge.toml").touch()
    assert find_root(inner / "categories") == inner.resolve()


def test_a_file_called_categories_and_a_folder_called_like_the_settings_are_no_project(
    tmp_path: Path,
) -> None:
    (tmp_path / "categories").touch()
    (tmp_path / "mlforge.toml").mkdir()
    with pytest.raises(ConfigError) as caught:
        find_root(tmp_path)
    assert caught.value.hint == "mlforge init"


def test_a_relative_folder_is_taken_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlforge.toml").touch()
    monkeypatch.chdir(tmp_path)
    assert find_root(Path()) == tmp_path.resolve()


def test_a_folder_that_was_removed_is_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(MlforgeError):
        find_root(Path())


def test_everything_of_a_category_lies_below_its_folder(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    for path in (layout.config("cup"), layout.seeds("cup"), layout.samples("cup")):
        assert path.parent == layout.category("cup") == tmp_path / "categories" / "cup"
    for path in (layout.models, layout.cache, layout.removed):
        assert path.parent == layout.artifacts == tmp_path / "artifacts"


@pytest.mark.parametrize("code", ["..", "../x", "/etc", "a/b", "", ".", "A", "con"])
def test_a_code_cannot_lead_out_of_the_categories(tmp_path: Path, code: str) -> None:
    layout = Layout(tmp_path)
    for place in (layout.category, layout.config, layout.seeds, layout.samples):
        with pytest.raises(ConfigError):
            place(code)


def test_categories_are_the_folders_with_a_configuration_sorted(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.category_codes() == []
    for code in ("mug", "cup", "empty"):
        layout.category(code).mkdir(parents=True)
    for code in ("mug", "cup"):
        layout.config(code).touch()
    (layout.categories / "category.schema.json").touch()
    assert layout.category_codes() == ["cup", "mug"]


@pytest.mark.parametrize("folder", ["categories", "artifacts", "artifacts/models"])
def test_a_folder_that_is_a_link_out_of_the_project_is_refused(tmp_path: Path, folder: str) -> None:
    root = tmp_path / "project"
    (root / "artifacts").mkdir(parents=True)
    (root / "mlforge.toml").touch()
    for place in (root / "inside", tmp_path / "outside"):
        place.mkdir()
    if folder == "artifacts":
        (root / folder).rmdir()
    (root / folder).symlink_to(root / "inside")
    assert find_root(root) == root.resolve()
    (root / folder).unlink()
    (root / folder).symlink_to(tmp_path / "outside")
    with pytest.raises(ConfigError, match=f"{folder}: a link"):
        find_root(root)
    with pytest.raises(ConfigError, match=f"{folder}: a link"):
        Workspace(root)
