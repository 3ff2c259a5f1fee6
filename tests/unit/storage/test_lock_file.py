from __future__ import annotations

import dataclasses
import json
import os
import re
from contextlib import suppress
from pathlib import Path

import pytest

from mlforge.errors import DataError
from mlforge.storage.lock_file import LockedCategory, read_lock, update_lock

CUP = LockedCategory("c1", 20, ("aa", "bb"), "s1", {"opencv": "4", "numpy": "2"})
MUG = LockedCategory("c2", 40, ("cc",), "s2", {"numpy": "1.9+local"})


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "mlforge.lock"
    update_lock(path, {"mug": MUG, "cup": CUP}, ["cup", "mug"])
    return path


def test_a_lock_says_what_was_made_in_order_of_the_codes(lock: Path) -> None:
    assert read_lock(lock) == {"cup": CUP, "mug": MUG}
    document = json.loads(lock.read_bytes())
    assert document["schema"] == "mlforge.lock/1"
    assert list(document["categories"]) == ["cup", "mug"]
    assert document["categories"]["cup"] == {
        "config": "c1",
        "count": 20,
        "seeds": "aa bb",
        "samples": "s1",
        "versions": "numpy=2 opencv=4",
        "check": document["categories"]["cup"]["check"],
    }


def test_a_count_that_somebody_asked_for_is_marked(lock: Path) -> None:
    asked = dataclasses.replace(CUP, asked=True)
    update_lock(lock, {"cup": asked}, ["cup", "mug"])
    assert read_lock(lock) == {"cup": asked, "mug": MUG}
    categories = json.loads(lock.read_bytes())["categories"]
    assert categories["cup"]["asked"] is True
    assert "asked" not in categories["mug"]


def test_one_changed_character_anywhere_is_noticed(lock: Path) -> None:
    whole = lock.read_text()
    for place, character in enumerate(whole):
        if character.isspace():
            continue
        lock.write_text(f"{whole[:place]}{chr(ord(character) ^ 1)}{whole[place + 1 :]}")
        with suppress(DataError):
            assert read_lock(lock) != {"cup": CUP, "mug": MUG}, place


def test_what_was_not_made_this_time_stays(lock: Path) -> None:
    changed = dataclasses.replace(CUP, count=60)
    update_lock(lock, {"cup": changed}, ["cup", "mug"])
    assert read_lock(lock) == {"cup": changed, "mug": MUG}


def test_the_entry_of_a_category_that_was_removed_goes(lock: Path) -> None:
    update_lock(lock, {}, ["cup"])
    assert read_lock(lock) == {"cup": CUP}


def test_unchanged_means_unwritten(lock: Path) -> None:
    os.utime(lock, ns=(1, 1))
    before = lock.stat()
    reordered = dataclasses.replace(CUP, versions=dict(reversed(list(CUP.versions.items()))))
    update_lock(lock, {"cup": reordered}, ["cup", "mug"])
    after = lock.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    update_lock(lock, {"cup": dataclasses.replace(CUP, versions={})}, ["cup", "mug"])
    assert lock.stat().st_mtime_ns != before.st_mtime_ns


def refused(lock: Path) -> DataError:
    """Return why a lock is neither read nor written; it stays as it is."""
    before = lock.read_bytes()
    with pytest.raises(DataError) as caught:
        update_lock(lock, {"cup": CUP}, ["cup", "mug"])
    assert lock.read_bytes() == before
    with pytest.raises(DataError, match=re.escape(caught.value.message)):
        read_lock(lock)
    assert caught.value.message.startswith("mlforge.lock")
    assert "restore it from git, or remove it" in caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"categories": []}', b"[" * 100_000]
    + [b'{"schema": "mlforge.lock/1"%s}' % rest for rest in (b"", b', "categories": []')]
    + [
        b'{"schema": "mlforge.lock/1", "categories": {"mug": %s}}' % entry
        for entry in (b"3", b'"\\ud800"', b"{}", b"[1e999]")
    ],
)
def test_a_damaged_lock_is_refused_and_stays(lock: Path, data: bytes) -> None:
    lock.write_bytes(data)
    refused(lock)


def test_a_lock_with_a_merge_conflict_is_refused_at_its_line(lock: Path) -> None:
    lines = lock.read_text().splitlines(keepends=True)
    ours, theirs = lines[4], lines[4].replace("20", "40")
    conflict = ["<<<<<<< HEAD\n", ours, "=======\n", theirs, ">>>>>>> theirs\n"]
    lock.write_text("".join([*lines[:4], *conflict, *lines[5:]]))
    assert refused(lock).message.startswith("mlforge.lock, line 5,")


def test_a_lock_of_a_newer_schema_is_refused(lock: Path) -> None:
    lock.write_text(lock.read_text().replace("mlforge.lock/1", "mlforge.lock/2"))
    error = refused(lock)
    assert "mlforge.lock/1" in error.message
    assert "newer mlforge" in error.hint


@pytest.mark.parametrize("damage", [{"count": "many"}, {"count": -1}, {"versions": {}}, {"x": 1}])
def test_a_damaged_entry_is_named(lock: Path, damage: dict[str, object]) -> None:
    document = json.loads(lock.read_bytes())
    document["categories"]["mug"] |= damage
    lock.write_text(json.dumps(document))
    assert refused(lock).message.startswith("mlforge.lock: mug: ")


def test_the_name_of_a_damaged_entry_is_shown_not_sent(lock: Path) -> None:
    lock.write_text('{"schema": "mlforge.lock/1", "categories": {"\\u001b[31m": {}}}')
    assert refused(lock).message.isprintable()


def test_of_no_lock_nothing_is_read(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "mlforge.lock") == {}


def test_a_lock_keeps_the_first_digits_of_each_seed_in_order() -> None:
    assert LockedCategory.shortened(["f" * 64, "0" * 64]) == ("0" * 16, "f" * 16)
