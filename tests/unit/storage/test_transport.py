from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from mlforge.errors import ArtifactError, StorageError
from mlforge.storage.transport import MAGIC, SCHEMA, read_transport, write_transport

FILES = {"manifest.json": b'{"a": 1}', "model.onnx": bytes(range(256)), "empty": b""}


def packed(header: Any, blobs: bytes = b"") -> bytes:
    """Return a file with that header, its digest right."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(text).to_bytes(8, "little")
    return MAGIC + length + text + hashlib.sha256(text).digest() + blobs


def entry(name: Any = "manifest.json", size: Any = 0, digest: Any = None) -> dict[str, Any]:
    empty = hashlib.sha256(b"").hexdigest()
    return {"name": name, "bytes": size, "sha256": empty if digest is None else digest}


def listing(*entries: Any, schema: str = SCHEMA) -> dict[str, Any]:
    return {"schema": schema, "files": list(entries)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.mlforge"


def test_files_are_read_back_as_they_were_written(path: Path) -> None:
    write_transport(path, FILES)
    assert read_transport(path) == FILES


def test_equal_files_give_equal_bytes(path: Path, tmp_path: Path) -> None:
    write_transport(path, FILES)
    write_transport(tmp_path / "again", FILES)
    assert path.read_bytes() == (tmp_path / "again").read_bytes()


def test_every_flipped_bit_is_found(path: Path) -> None:
    write_transport(path, FILES)
    data = path.read_bytes()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << (place % 8)
        path.write_bytes(flipped)
        with pytest.raises(ArtifactError):
            read_transport(path)


def test_every_other_length_is_found(path: Path) -> None:
    write_transport(path, FILES)
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(ArtifactError):
            read_transport(path)
    path.write_bytes(data + b"\x00")
    with pytest.raises(ArtifactError, match="longer than it says"):
        read_transport(path)


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04",
        MAGIC,
        MAGIC + b"\xff" * 8,
        MAGIC + (2**62).to_bytes(8, "little") + b"{}",
        MAGIC + (0).to_bytes(8, "little"),
        packed(b"[" * 200_000),
        packed(b"\xff\xfe"),
        packed([]),
        packed({"schema": "mlforge.transport/2", "files": [entry()]}),
        packed({"schema": ["x"], "files": [entry()]}),
        packed({"schema": SCHEMA}),
        packed({"schema": SCHEMA, "files": {}}),
        packed(listing()),
        packed(listing(entry("model.onnx"))),
        packed(listing(3)),
        packed(listing(entry(3))),
        packed(listing(entry(size=-1))),
        packed(listing(entry(size=True)), b"x"),
        packed(listing(entry(size="1")), b"x"),
        packed(listing(entry(size=2**62))),
        packed(listing(entry(size=5 * 1024**2))),
        packed(listing(entry(), entry())),
        packed(listing(entry(), *(entry(f"f{n}") for n in range(300)))),
        packed(listing(entry()), b"more"),
        packed(listing(entry(size=3)), b"ab"),
        packed(listing(entry(size=2, digest="00")), b"ab"),
    ],
)
def test_a_hostile_file_is_refused_with_a_way_out(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(ArtifactError) as caught:
        read_transport(path)
    assert caught.value.hint


def test_what_is_no_plain_file_is_refused_and_does_not_hang(path: Path, tmp_path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(ArtifactError, match="not a plain file"):
        read_transport(path)
    with pytest.raises(ArtifactError):
        read_transport(tmp_path)
    with pytest.raises(StorageError):
        read_transport(tmp_path / "missing")
