from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlforge.errors import StorageError
from mlforge.storage.files import (
    TEMPORARY_PREFIX,
    append_lines,
    file_errors,
    make_folder,
    move,
    open_new,
    read_bytes,
    read_plain,
    remove_file,
    remove_temporaries,
    remove_tree,
    rewrite_json,
    write_batch,
    write_bytes,
    write_json,
    write_text,
)

LONGEST_NAME = "名" * 85


def _link(path: Path) -> None:
    path.symlink_to(path.with_name("outside"))


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def test_a_file_is_written_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"long old content")
    write_bytes(path, b"new")
    assert read_bytes(path) == b"new"
    assert os.listdir(tmp_path) == ["a.bin"]  # noqa: PTH208 - names only


def test_replacing_a_file_leaves_readers_of_the_old_one_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    with path.open("rb") as reader:
        write_bytes(path, b"new")
        assert reader.read() == b"old"


def test_a_link_is_replaced_and_what_it_points_to_is_not(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    link = tmp_path / "a"
    link.symlink_to(outside)
    write_bytes(link, b"new")
    assert outside.read_bytes() == b"precious"
    assert not link.is_symlink()


def test_a_name_as_long_as_a_name_can_be_is_written(tmp_path: Path) -> None:
    write_bytes(tmp_path / LONGEST_NAME, b"x")
    assert read_bytes(tmp_path / LONGEST_NAME) == b"x"


def test_names_and_texts_that_are_not_utf_8_are_written(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.json")
    write_json(path, {"file": path.name, "name": "é"})
    assert read_bytes(path) == '{\n  "file": "caf\\udce9.json",\n  "name": "é"\n}\n'.encode()


def test_json_that_is_not_json_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    assert read_bytes(path) == b'{\n  "a": 1\n}\n'


def test_a_batch_writes_every_file(tmp_path: Path) -> None:
    files = [(tmp_path / f"{n}", str(n).encode() * 1000) for n in range(20)]
    write_batch(files, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == dict(files)


def test_an_empty_batch_is_no_error(tmp_path: Path) -> None:
    write_batch([], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_everything_written_is_synced_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        folder = os.fstat(descriptor).st_mode & 0o040000
        steps.append("sync folder" if folder else "sync file")
        fsync(descriptor)

    def noted_replace(source: Path, target: Path) -> None:
        steps.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    monkeypatch.setattr(os, "rename", noted_replace)
    write_bytes(tmp_path / "a", b"x")
    assert steps == ["sync file", "rename", "sync folder"]
    steps.clear()
    write_batch([(tmp_path / "b", b"x"), (tmp_path / "c", b"x")], tmp_path)
    assert steps == ["sync file"] * 2 + ["rename"] * 2 + ["sync folder"]
    steps.clear()
    append_lines(tmp_path / "d", ["x"])
    assert steps == ["sync file"]
    steps.clear()
    move(tmp_path / "d", tmp_path / "e")
    assert steps == ["rename", "sync folder"]


def test_lines_are_added_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    append_lines(path, ["one", "two"])
    append_lines(path, [])
    append_lines(path, iter(["three é"]))
    assert read_bytes(path) == "one\ntwo\nthree é\n".encode()


def test_folders_are_made_with_those_above_and_may_be_there(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_move_never_merges_into_a_folder_that_is_there(tmp_path: Path) -> None:
    for name in ("new", "old"):
        make_folder(tmp_path / name)
        write_text(tmp_path / name / "file", name)
    with pytest.raises(StorageError, match="move"):
        move(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old" / "file").read_text() == "old"


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    remove_file(tmp_path / "a")
    remove_tree(tmp_path / "b")
    remove_temporaries(tmp_path / "c")


def test_only_temporaries_are_removed_and_no_link_is_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    make_folder(outside)
    write_text(outside / "precious", "x")
    folder = tmp_path / "folder"
    make_folder(folder / f"{TEMPORARY_PREFIX}1-x")
    write_text(folder / f"{TEMPORARY_PREFIX}1-x" / "part", "x")
    write_text(folder / f"{TEMPORARY_PREFIX}2", "x")
    (folder / f"{TEMPORARY_PREFIX}3").symlink_to(outside)
    write_text(folder / "kept", "x")
    remove_temporaries(folder)
    assert [path.name for path in folder.iterdir()] == ["kept"]
    assert (outside / "precious").read_text() == "x"


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "disk space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permissions"),
        (errno.EMFILE, "ulimit"),
        (errno.EIO, "disk"),
        (errno.ENAMETOOLONG, "shorter"),
    ],
)
def test_an_error_of_the_system_says_which_file_what_and_what_next(number: int, hint: str) -> None:
    with pytest.raises(StorageError) as caught, file_errors(Path("some/file"), "write"):
        raise OSError(number, "x")
    assert caught.value.message == f"some/file: cannot write: {os.strerror(number)}"
    assert hint in caught.value.hint
    assert isinstance(caught.value.__cause__, OSError)


def test_an_error_about_a_strange_name_is_safe_to_show() -> None:
    with pytest.raises(StorageError) as caught, file_errors(Path("a\x1b[2J\udcff"), "read"):
        raise OSError(errno.EIO, "x")
    assert caught.value.message.startswith("a\\x1b[2J\\udcff: ")


def test_real_errors_of_the_system_are_storage_errors(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for attempt in (
        lambda: read_bytes(tmp_path / "absent"),
        lambda: read_bytes(tmp_path),
        lambda: write_bytes(tmp_path / "absent" / "a", b"x"),
        lambda: write_bytes(tmp_path / "file" / "a", b"x"),
        lambda: write_bytes(tmp_path / ("x" * 300), b"x"),
        lambda: append_lines(tmp_path, ["x"]),
        lambda: make_folder(tmp_path / "file" / "a"),
        lambda: remove_file(tmp_path),
        lambda: remove_tree(tmp_path / "file"),
        lambda: move(tmp_path / "absent", tmp_path / "b"),
    ):
        with pytest.raises(StorageError):
            attempt()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_rewriting_removes_what_killed_writes_of_the_same_file_left(tmp_path: Path) -> None:
    mine, other = (tmp_path / f".mlforge-tmp-1-2.{name}" for name in ("a.json", "b.json"))
    for left in (mine, other):
        left.write_text("torn")
    rewrite_json(tmp_path / "a.json", {"x": 1})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": 1}
    assert (mine.exists(), other.exists()) == (False, True), "others write under other locks"


def test_what_is_planted_in_place_of_a_temporary_file_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    planted = tmp_path / f"{TEMPORARY_PREFIX}planted"
    planted.symlink_to(outside)
    with open_new(planted) as file:
        file.write(b"new")
    assert not planted.is_symlink()
    assert outside.read_text() == "precious"


@pytest.mark.parametrize("plant", [_link, _pipe, _folder], ids=["a link", "a pipe", "a folder"])
def test_only_a_plain_file_is_added_to(tmp_path: Path, plant: Callable[[Path], None]) -> None:
    (tmp_path / "outside").write_text("precious")
    plant(tmp_path / "index")
    with pytest.raises(StorageError, match="index"):
        append_lines(tmp_path / "index", ["line"])
    assert read_plain(tmp_path / "index", 100) is None
    assert (tmp_path / "outside").read_text() == "precious"


def test_no_more_is_read_of_a_file_than_it_may_hold(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1000)
    assert read_plain(tmp_path / "file", 10) == b"x" * 11
    assert read_plain(tmp_path / "missing", 10) is None
    assert read_plain(tmp_path / "file" / "below", 10) is None
