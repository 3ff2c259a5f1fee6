from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

from mlforge.storage.lock_file import LockedCategory, update_lock

CUP = LockedCategory("c1", 20, "aa bb", "s1")
MUG = LockedCategory("c2", 40, "cc", "s2")
VERSIONS = {"opencv": "4", "numpy": "2"}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "mlforge.lock"
    update_lock(path, {"mug": MUG, "cup": CUP}, ["cup", "mug"], VERSIONS)
    return path


def categories(path: Path) -> dict[str, LockedCategory]:
    entries = json.loads(path.read_bytes())["categories"]
    return {code: LockedCategory(**entry) for code, entry in entries.items()}


def test_a_lock_says_what_was_made_in_order_of_the_codes(lock: Path) -> None:
    assert categories(lock) == {"cup": CUP, "mug": MUG}
    document = json.loads(lock.read_bytes())
    assert document["schema"] == "mlforge.lock/1"
    assert list(document["categories"]) == ["cup", "mug"]
    assert list(document["versions"]) == ["numpy", "opencv"]


def test_what_was_not_made_this_time_stays(lock: Path) -> None:
    changed = dataclasses.replace(CUP, count=60)
    update_lock(lock, {"cup": changed}, ["cup", "mug"], VERSIONS)
    assert categories(lock) == {"cup": changed, "mug": MUG}


def test_the_entry_of_a_category_that_was_removed_goes(lock: Path) -> None:
    update_lock(lock, {}, ["cup"], VERSIONS)
    assert categories(lock) == {"cup": CUP}


def test_unchanged_means_unwritten(lock: Path) -> None:
    os.utime(lock, ns=(1, 1))
    before = lock.stat()
    update_lock(lock, {"cup": CUP}, ["cup", "mug"], dict(reversed(VERSIONS.items())))
    after = lock.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    update_lock(lock, {"cup": CUP}, ["cup", "mug"], {})
    assert lock.stat().st_mtime_ns != before.st_mtime_ns


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"categories": []}', b"[" * 100_000, b"<<<<<<< HEAD\n"]
    + [b'{"categories": {"mug": %s}}' % entry for entry in (b"3", b'"\\ud800"', b"{}", b"[1e999]")],
)
def test_a_damaged_lock_is_made_again(lock: Path, data: bytes) -> None:
    lock.write_bytes(data)
    update_lock(lock, {"cup": CUP}, ["cup", "mug"], VERSIONS)
    assert categories(lock) == {"cup": CUP}


def test_an_entry_that_is_damaged_goes_and_the_others_stay(lock: Path) -> None:
    document = json.loads(lock.read_bytes())
    document["categories"]["mug"]["count"] = "many"
    lock.write_text(json.dumps(document))
    update_lock(lock, {}, ["cup", "mug"], VERSIONS)
    assert categories(lock) == {"cup": CUP}
