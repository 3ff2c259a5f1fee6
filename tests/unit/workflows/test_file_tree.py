from __future__ import annotations

import inspect
import os
import sys
import tracemalloc
from pathlib import Path

import pytest

from mlforge.core.reporting import SilentReporter
from mlforge.workflows import file_tree
from mlforge.workflows.file_tree import FileTree, TreeCount

NAMES = (
    "a-b.png",
    "a.png",
    "a/b.PNG",
    "a/b/c.png",
    "a/b.png",
    "a0.png",
    "deep/er/est/x.png",
    "two\nlines.png",
    "é.png",
)
OTHERS = ("a/notes.txt", "README", "a.png.txt")
SYSTEMS = (
    *(".hidden", "._a.png", ".thumbs/a.png", "__MACOSX/a.png", "a/@eaDir/a.png", "Thumbs.db"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES + OTHERS + SYSTEMS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def tree(folder: Path, left_out: str = "out") -> FileTree:
    return FileTree(folder, folder / left_out, (".png",), SilentReporter())


@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_files_come_in_the_order_of_their_paths_whatever_the_block(
    folder: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(file_tree, "_BLOCK", block)
    assert list(tree(folder).files()) == sorted(NAMES)
    assert tree(folder).count() == TreeCount(len(NAMES), 0, len(OTHERS))


@pytest.mark.parametrize("last", range(len(NAMES)))
def test_going_on_after_a_file_gives_the_rest(
    folder: Path, monkeypatch: pytest.MonkeyPatch, last: int
) -> None:
    monkeypatch.setattr(file_tree, "_BLOCK", 2)
    names = sorted(NAMES)
    assert list(tree(folder).files(names[last])) == names[last + 1 :]
    assert tree(folder).count(names[last]).n_before == last + 1


def test_a_name_that_is_not_utf8_is_given_as_python_has_it(folder: Path) -> None:
    (folder / os.fsdecode(b"caf\xe9.png")).touch()
    assert "caf\udce9.png" in list(tree(folder).files())


def test_a_folder_that_is_left_out_is_not_looked_into(folder: Path) -> None:
    assert list(tree(folder, "a").files()) == sorted(n for n in NAMES if not n.startswith("a/"))


def test_links_to_folders_are_said_once_and_other_links_are_files(folder: Path) -> None:
    (folder / "again").symlink_to(folder)
    (folder / "nowhere.png").symlink_to(folder / "gone")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    reporter = SilentReporter()
    found = FileTree(folder, folder / "out", (".png",), reporter)
    assert found.count().n_files == len(NAMES) + 2
    assert set(found.files()) == {*NAMES, "nowhere.png", "loop.png"}
    assert reporter.warnings == [f"{folder}/again: left out: a link to a folder"]


def test_a_deep_tree_is_no_deep_recursion(tmp_path: Path) -> None:
    deep = tmp_path / Path(*["d"] * 300)
    deep.mkdir(parents=True)
    (deep / "x.png").touch()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        assert len(list(tree(tmp_path).files())) == 1
    finally:
        sys.setrecursionlimit(limit)


def test_names_in_memory_do_not_grow_with_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5000):
        (tmp_path / f"{number:0100d}.png").touch()
    monkeypatch.setattr(file_tree, "_BLOCK", 100)
    tracemalloc.start()
    try:
        assert tree(tmp_path).count().n_files == 5000
        assert sum(1 for _ in tree(tmp_path).files()) == 5000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5000 * 100 / 4, "all names at once take more"
