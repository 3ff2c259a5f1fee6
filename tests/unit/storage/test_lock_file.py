from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

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


def test_one_changed_character_anywhere_is_noticed(lock: Path) -> None:
    whole = lock.read_text()
    for place, character in enumerate(whole):
        if character.isspace():
            continue
        lock.write_text(f"{whole[:place]}{chr(ord(character) ^ 1)}{whole[place + 1 :]}")
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


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"categories": []}', b"[" * 100_000, b"<<<<<<< HEAD\n"]
    + [b'{"categories": {"mug": %s}}' % entry for entry in (b"3", b'"\\ud800"', b"{}", b"[1e999]")],
)
def test_a_damaged_lock_is_made_again(lock: Path, data: bytes) -> None:
    lock.write_bytes(data)
    update_lock(lock, {"cup": CUP}, ["cup", "mug"])
    assert read_lock(lock) == {"cup": CUP}


@pytest.mark.parametrize("damage", [{"count": "many"}, {"count": -1}, {"versions": {}}, {"x": 1}])
def test_an_entry_that_is_damaged_goes_and_the_others_stay(
    lock: Path, damage: dict[str, object]
) -> None:
    document = json.loads(lock.read_bytes())
    document["categories"]["mug"] |= damage
    lock.write_text(json.dumps(document))
    update_lock(lock, {}, ["cup", "mug"])
    assert read_lock(lock) == {"cup": CUP}


def test_of_no_lock_nothing_is_read(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "mlforge.lock") == {}


def test_a_lock_keeps_the_first_digits_of_each_seed_in_order() -> None:
    assert LockedCategory.shortened(["f" * 64, "0" * 64]) == ("0" * 16, "f" * 16)
