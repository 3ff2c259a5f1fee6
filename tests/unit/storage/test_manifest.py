from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from mlforge.core.records import SampleRecord
from mlforge.storage.manifest import (
    FILE_NAME,
    Manifest,
    append_records,
    find_record,
    manifest_line,
    named_files,
    read_manifest,
    samples_digest,
    write_manifest,
)


def record(copy: int = 1, seed: str = "ab12", **values: Any) -> SampleRecord:
    made = SampleRecord(
        file=f"sample_{seed}_{copy:04d}.png",
        seed=seed,
        copy=copy,
        digest="d" * 64,
        n_bytes=100,
        quality=0.5,
        recipe=({"technique": "rotation", "angle": 3.5},),
    )
    return dataclasses.replace(made, **values)


FAILED = record(9, file="", digest="", n_bytes=0, quality=0.0, recipe=(), failure="too dark é")


def stored(folder: Path, *records: SampleRecord) -> Manifest:
    manifest = Manifest("c0ffee", len(records), records)
    write_manifest(folder, manifest)
    return manifest


def test_a_manifest_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    manifest = stored(tmp_path, record(1), record(2), FAILED)
    assert read_manifest(tmp_path) == manifest
    assert manifest.samples == [record(1), record(2)]
    assert manifest.complete


def test_one_record_is_found_by_its_file(tmp_path: Path) -> None:
    assert find_record(tmp_path, "sample_ab12_0001.png") is None
    stored(tmp_path, record(1), record(2), FAILED)
    assert find_record(tmp_path, "sample_ab12_0002.png") == (record(2), "c0ffee")
    assert find_record(tmp_path, "sample_ab12_0009.png") is None
    append_records(tmp_path, [manifest_line(record(2, quality=0.25))])
    assert find_record(tmp_path, "sample_ab12_0002.png") == (record(2, quality=0.25), "c0ffee")
    append_records(tmp_path, [manifest_line(dataclasses.replace(FAILED, copy=2))])
    assert find_record(tmp_path, "sample_ab12_0002.png") is None, "the later line holds"


def test_names_are_read_also_after_a_damaged_line(tmp_path: Path) -> None:
    assert list(named_files(tmp_path)) == []
    stored(tmp_path, record(1), record(2), record(3), FAILED)
    path = tmp_path / FILE_NAME
    head, first, *others = path.read_text().splitlines(keepends=True)
    named = json.loads(first) | {"file": "../seeds/sample_ab12_0001.png"}
    path.write_text("".join([f"?{head}", f"{json.dumps(named)}\n", *others[:-1], "{"]))
    assert list(named_files(tmp_path)) == ["sample_ab12_0002.png", "sample_ab12_0003.png"]


def test_records_stand_in_order_of_copy_and_seed_whatever_order_they_came_in(
    tmp_path: Path,
) -> None:
    records = [record(copy, seed) for copy in (1, 2) for seed in ("aa", "bb")]
    write_manifest(tmp_path, Manifest("c", 4, tuple(reversed(records))))
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert list(manifest.records) == records


def test_records_are_added_and_the_manifest_is_complete_with_the_last(tmp_path: Path) -> None:
    write_manifest(tmp_path, Manifest("c", 3, (record(1),)))
    append_records(tmp_path, [manifest_line(record(2))])
    partial = read_manifest(tmp_path)
    append_records(tmp_path, [manifest_line(FAILED)])
    whole = read_manifest(tmp_path)
    assert partial is not None
    assert not partial.complete
    assert whole is not None
    assert whole.complete
    assert whole.records == (record(1), record(2), FAILED)


def test_there_is_none_where_there_is_no_file(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "absent") is None


def test_cut_anywhere_a_manifest_gives_its_whole_lines_and_no_other(tmp_path: Path) -> None:
    stored(tmp_path, record(1), record(2), record(3))
    path = tmp_path / FILE_NAME
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        manifest = read_manifest(tmp_path)
        whole_lines = data[:size].count(b"\n")
        if manifest is None:
            assert whole_lines == 0
        else:
            n_records = max(whole_lines - 1, 0)
            assert manifest.records == (record(1), record(2), record(3))[:n_records]


def test_what_follows_a_torn_line_is_not_read(tmp_path: Path) -> None:
    stored(tmp_path, record(1), record(2), record(3))
    path = tmp_path / FILE_NAME
    lines = path.read_bytes().split(b"\n")
    lines[2] = lines[2][:20] + lines[3]
    path.write_bytes(b"\n".join(lines))
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert manifest.records == (record(1),)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"x",
        b"[]",
        b"{}",
        b'{"schema":"mlforge.samples/2","config":"c","count":1}',
        b'{"schema":"mlforge.manifest/1","config":"c"}',
        b'{"schema":"mlforge.manifest/1","config":"c","count":"many"}',
        b'{"schema":"mlforge.manifest/1","config":"c","count":null}',
        b'{"schema":"mlforge.manifest/1","config":"c","count":1e999}',
        b'{"schema":"mlforge.manifest/1","config":3,"count":1}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_damaged_head_is_no_manifest(tmp_path: Path, head: bytes) -> None:
    stored(tmp_path, record(1))
    path = tmp_path / FILE_NAME
    path.write_bytes(head + b"\n" + path.read_bytes().split(b"\n")[1] + b"\n")
    assert read_manifest(tmp_path) is None


def damaged(**values: Any) -> bytes:
    return json.dumps({**dataclasses.asdict(record(2)), **values}).encode()


def without(key: str) -> bytes:
    values = dataclasses.asdict(record(2))
    del values[key]
    return json.dumps(values).encode()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        *(without(field.name) for field in dataclasses.fields(SampleRecord)),
        damaged(file=5),
        damaged(file=None),
        damaged(seed=5),
        damaged(copy="2"),
        damaged(copy=None),
        damaged(n_bytes="x"),
        damaged(quality="good"),
        damaged(recipe="abc"),
        damaged(recipe=[3]),
        damaged(recipe=None),
        damaged(digest=None),
        damaged(failure=False),
    ],
)
def test_a_line_that_is_no_record_ends_the_reading(tmp_path: Path, line: bytes) -> None:
    stored(tmp_path, record(1), record(2), record(3))
    path = tmp_path / FILE_NAME
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:2], line, *lines[3:]]))
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert manifest.records == (record(1),)


@pytest.mark.parametrize(
    "file",
    [
        "../secret.png",
        "..",
        ".",
        "",
        "/etc/passwd",
        "a/sample_1.png",
        "sample_/../../x",
        "sample_a\x00.png",
        "sample_a\\b.png",
        "sample_a\n.png",
        "manifest.jsonl",
        "config.json",
        "sample_" + "x" * 300,
    ],
)
def test_a_record_names_a_sample_beside_the_manifest_or_is_not_read(
    tmp_path: Path, file: str
) -> None:
    stored(tmp_path, record(1), record(2, file=file))
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert manifest.records == (record(1),)


def test_a_record_of_a_failure_names_no_file(tmp_path: Path) -> None:
    stored(tmp_path, record(1), record(2, failure="too dark"))
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert manifest.records == (record(1),)


def test_a_reason_with_the_name_of_a_file_that_is_not_utf_8_is_kept(tmp_path: Path) -> None:
    failed = dataclasses.replace(FAILED, failure="seed caf\udce9.png: broken")
    stored(tmp_path)
    append_records(tmp_path, [manifest_line(failed)])
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    assert manifest.records == (failed,)
    assert len(samples_digest(manifest.records)) == 64


def test_the_digest_of_samples_does_not_depend_on_their_order() -> None:
    records = [record(1), record(2), FAILED]
    assert samples_digest(records) == samples_digest(reversed(records))


@pytest.mark.parametrize(
    "change", [{"seed": "x"}, {"copy": 7}, {"digest": "e" * 64}, {"failure": "x"}]
)
def test_the_digest_of_samples_changes_with_what_a_sample_is(change: dict[str, Any]) -> None:
    assert samples_digest([dataclasses.replace(record(1), **change)]) != samples_digest([record(1)])


@pytest.mark.parametrize(
    "damage",
    [
        ('"quality":0.5', '"quality":NaN'),
        ('"quality":0.5', '"quality":1e999'),
        ('"angle":3.5', '"angle":-Infinity'),
        ('"angle":3.5', '"angle":' + "[" * 40 + "]" * 40),
        ('"angle":3.5', '"angle":' + "[" * 900 + "]" * 900),
    ],
)
def test_a_line_that_could_not_be_written_as_json_ends_the_reading(
    tmp_path: Path, damage: tuple[str, str]
) -> None:
    manifest = stored(tmp_path, record(1), record(2))
    path = tmp_path / FILE_NAME
    head, first, second = path.read_text().splitlines(keepends=True)
    assert damage[0] in second
    path.write_text(head + first + second.replace(*damage))
    found = read_manifest(tmp_path)
    assert found is not None
    assert found.records == manifest.records[:1]
