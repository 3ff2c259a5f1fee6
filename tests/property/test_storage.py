from __future__ import annotations

import csv
import io
import json
import tempfile
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlforge.core.records import SampleRecord
from mlforge.errors import DataError
from mlforge.storage.artifacts import ArtifactStore
from mlforge.storage.feature_cache import FeatureCache
from mlforge.storage.files import write_batch
from mlforge.storage.lock_file import LockedCategory, update_lock
from mlforge.storage.manifest import FILE_NAME, Manifest, read_manifest, write_manifest
from mlforge.storage.tables import TableWriter
from tests.described import DESCRIBED

ANY_TEXT = st.text(st.characters(codec=None), max_size=20)
CELL = (
    ANY_TEXT
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
)
RECORD = st.builds(
    SampleRecord,
    file=st.from_regex(r"sample_[0-9a-f]{8}_[0-9]{4}\.png", fullmatch=True),
    seed=st.text("0123456789abcdef", min_size=1, max_size=8),
    copy=st.integers(1, 50),
    digest=st.text("0123456789abcdef", max_size=8),
    n_bytes=st.integers(0, 10**9),
    quality=st.floats(0, 1),
    recipe=st.lists(
        st.dictionaries(
            st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False), max_size=3
        ),
        max_size=3,
    ).map(tuple),
)
FAILED = st.builds(
    SampleRecord,
    file=st.just(""),
    seed=st.just("ab"),
    copy=st.integers(1, 50),
    digest=st.just(""),
    n_bytes=st.just(0),
    quality=st.just(0.0),
    recipe=st.just(()),
    failure=ANY_TEXT.filter(bool),
)


def unique_key(record: SampleRecord) -> tuple[int, str]:
    return record.copy, record.seed


@given(st.lists(RECORD | FAILED, max_size=8, unique_by=unique_key))
def test_any_manifest_is_read_back_in_order(records: list[SampleRecord]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_manifest(folder, Manifest("c", len(records), tuple(records)))
        manifest = read_manifest(folder)
    assert manifest == Manifest("c", len(records), tuple(sorted(records, key=unique_key)))


@given(
    st.lists(RECORD, min_size=1, max_size=4, unique_by=unique_key),
    st.integers(0, 10**6),
    st.binary(max_size=6),
)
def test_a_manifest_with_any_damage_is_read_up_to_it_or_not_at_all(
    records: list[SampleRecord], place: int, damage: bytes
) -> None:
    records = sorted(records, key=unique_key)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_manifest(folder, Manifest("c", len(records), tuple(records)))
        data = (folder / FILE_NAME).read_bytes()
        place %= len(data)
        (folder / FILE_NAME).write_bytes(data[:place] + damage + data[place + len(damage) :])
        manifest = read_manifest(folder)
    n_whole = data[:place].count(b"\n") - 1
    if manifest is not None and n_whole > 0:
        assert list(manifest.records[:n_whole]) == records[:n_whole]
    assert manifest is None or all(r.file == Path(r.file).name for r in manifest.records)


@given(st.lists(st.fixed_dictionaries({"a": CELL, "b": CELL}), max_size=5))
def test_csv_has_one_line_a_row_and_no_formula_whatever_the_texts(
    rows: list[Mapping[str, Any]],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "t.csv"
        with TableWriter.open(path, ["a", "b"]) as table:
            for row in rows:
                table.write(row)
        content = path.read_text(encoding="utf-8")
    assert not any(unicodedata.category(c) in {"Cc", "Cf"} for c in content if c != "\n")
    assert content.count("\n") == len(rows) + 1
    read = list(csv.reader(io.StringIO(content)))[1:]
    assert len(read) == len(rows)
    for cells, row in zip(read, rows, strict=True):
        for cell, value in zip(cells, (row["a"], row["b"]), strict=True):
            if isinstance(value, str):
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            elif isinstance(value, float):
                assert float(cell) == value


@given(st.lists(st.dictionaries(ANY_TEXT, CELL, max_size=3), max_size=5))
def test_json_lines_are_read_back_as_they_were_written(rows: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "t.jsonl"
        with TableWriter.open(path, []) as table:
            for row in rows:
                table.write(row)
        lines = path.read_bytes().split(b"\n")[:-1]
    assert [json.loads(line) for line in lines] == rows


@given(st.dictionaries(st.text("abc", min_size=1, max_size=5), st.binary(max_size=50), max_size=6))
def test_any_batch_is_read_back(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_batch([(folder / file, data) for file, data in files.items()], folder)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9.]{0,8}", fullmatch=True), st.binary(max_size=50), max_size=4
    ),
    st.dictionaries(
        st.text("xyz", min_size=1), ANY_TEXT | st.floats(allow_nan=False, allow_infinity=False)
    ),
)
def test_any_artifact_is_read_back(files: dict[str, bytes], notes: dict[str, Any]) -> None:
    files.pop("manifest.json", None)
    with tempfile.TemporaryDirectory() as name:
        store = ArtifactStore(Path(name))
        loaded = store.load(store.save("svm", {**DESCRIBED, **notes}, files))
    assert loaded.files == files
    assert {key: loaded.manifest[key] for key in notes} == notes


@given(st.binary(max_size=200))
def test_a_lock_of_any_bytes_is_refused_and_stays(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "mlforge.lock"
        path.write_bytes(data)
        with pytest.raises(DataError):
            update_lock(path, {"cup": LockedCategory("c", 1, ("aa",), "s", {})}, ["cup"])
        assert path.read_bytes() == data


@given(st.integers(0, 6), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_cached_rows_are_read_back_bit_for_bit(n_rows: int, n_features: int, number: int) -> None:
    rng = np.random.default_rng(number)
    values = rng.standard_normal((n_rows, n_features)).astype(np.float32)
    digests = [f"{n:064x}" for n in range(n_rows)]
    with tempfile.TemporaryDirectory() as name:
        cache = FeatureCache(Path(name), "key")
        cache.store(digests, values)
        rows = cache.load(digests)
    assert rows.keys() == set(digests)
    for digest, row in zip(digests, values, strict=True):
        np.testing.assert_array_equal(rows[digest], row)
