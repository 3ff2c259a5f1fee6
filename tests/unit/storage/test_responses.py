from __future__ import annotations

from pathlib import Path

import pytest

from mlforge.core.digest import digest_bytes
from mlforge.storage.responses import INDEX_FILE, ResponseStore

ONE, TWO = digest_bytes(b"one"), digest_bytes(b"two")


def test_an_answer_is_found_again_by_its_request(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path / "responses")
    assert store.load(ONE) is None
    store.store(ONE, b"picture")
    assert ResponseStore(tmp_path / "responses").load(ONE) == b"picture"
    assert ResponseStore(tmp_path / "responses").load(TWO) is None


def test_the_same_content_is_kept_once(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path)
    store.store(ONE, b"picture")
    store.store(TWO, b"picture")
    store.store(TWO, b"picture")
    assert store.keep(b"picture") == tmp_path / digest_bytes(b"picture")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [INDEX_FILE, digest_bytes(b"picture")]
    )
    assert len((tmp_path / INDEX_FILE).read_text().splitlines()) == 2


def test_a_later_answer_replaces_an_earlier_one(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path)
    store.store(ONE, b"bad")
    store.store(ONE, b"good")
    assert store.load(ONE) == ResponseStore(tmp_path).load(ONE) == b"good"


def test_a_changed_file_is_no_answer_and_is_written_anew(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path)
    store.store(ONE, b"picture")
    (tmp_path / digest_bytes(b"picture")).write_bytes(b"pixture")
    assert ResponseStore(tmp_path).load(ONE) is None
    ResponseStore(tmp_path).store(ONE, b"picture")
    assert ResponseStore(tmp_path).load(ONE) == b"picture"


@pytest.mark.parametrize("n_bytes", [1, 20, 80, 150])
def test_a_torn_line_is_dropped_and_the_next_is_whole(tmp_path: Path, n_bytes: int) -> None:
    store = ResponseStore(tmp_path)
    store.store(ONE, b"1")
    store.store(TWO, b"2")
    index = tmp_path / INDEX_FILE
    first, second = index.read_bytes().splitlines(keepends=True)
    index.write_bytes(first + second[:n_bytes])
    again = ResponseStore(tmp_path)
    assert (again.load(ONE), again.load(TWO)) == (b"1", None)
    again.store(TWO, b"2")
    whole = ResponseStore(tmp_path)
    assert (whole.load(ONE), whole.load(TWO)) == (b"1", b"2")


@pytest.mark.parametrize(
    "line",
    [
        f'{{"request":"{ONE}","answer":"../../secret"}}',
        f'{{"request":"{ONE}","answer":"/etc/passwd"}}',
        f'{{"request":"{ONE}","answer":7}}',
        f'{{"request":"{ONE}"}}',
        "[" * 100_000,
        "null",
        "\x00\xff",
    ],
)
def test_a_line_that_somebody_else_wrote_names_no_file(tmp_path: Path, line: str) -> None:
    (tmp_path / INDEX_FILE).write_text(line + "\n")
    assert ResponseStore(tmp_path).load(ONE) is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"picture")
    folder = tmp_path / "responses"
    store = ResponseStore(folder)
    store.store(ONE, b"picture")
    path = folder / digest_bytes(b"picture")
    path.unlink()
    path.symlink_to(elsewhere)
    assert ResponseStore(folder).load(ONE) is None
    ResponseStore(folder).store(ONE, b"picture")
    assert not path.is_symlink()
    assert elsewhere.read_bytes() == b"picture"


def test_what_an_interrupted_write_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".mlforge-tmp-1-1-0").write_bytes(b"half")
    ResponseStore(tmp_path).keep(b"picture")
    assert [path.name for path in tmp_path.iterdir()] == [digest_bytes(b"picture")]


def test_reading_writes_nothing(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path)
    store.store(ONE, b"picture")
    (tmp_path / ".mlforge-tmp-1-1-0").write_bytes(b"half")
    index = tmp_path / INDEX_FILE
    index.write_bytes(index.read_bytes() + b'{"request":')
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    again = ResponseStore(tmp_path)
    assert again.load(ONE) == b"picture"
    assert again.find(b"picture") == tmp_path / digest_bytes(b"picture")
    assert (again.load(TWO), again.find(b"other")) == (None, None)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
