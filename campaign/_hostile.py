"""Artifacts that a stranger may have written, with all digests right, and who must refuse them."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from campaign._graphs import hostile_graphs
from mlforge.core.arrays import array_to_bytes
from mlforge.core.digest import digest_bytes
from mlforge.errors import MlforgeError
from mlforge.storage.artifact_manifest import sealed
from mlforge.storage.artifacts import StoredArtifact
from mlforge.storage.transport import MAGIC, write_transport

__all__ = ["Hostile", "hostile_artifacts", "hostile_files", "manifest_text"]

# Commands that load a model; that replay its golden examples too; that predict; that describe it.
_LOAD = frozenset({"predict", "explain", "batch", "verify", "import", "promote"})
_PROVE = frozenset({"verify", "import", "promote"})
_PREDICT = frozenset({"predict", "explain", "batch"})
_DESCRIBE = frozenset({"show"})
_IMPORT = frozenset({"import"})
_NONE: frozenset[str] = frozenset()

_REFUSED = frozenset({5})
# What needs a component that nobody has is an error of the configuration.
_NOT_INSTALLED = frozenset({2, 5})
_HUGE = 10**400


@dataclass(frozen=True)
class Hostile:
    """An artifact, and how commands must end with it.

    Attributes
    ----------
    name
        What is wrong with it.
    artifact
        The artifact.
    refused_by
        The commands that must refuse it. To others it may be harmless, and then they succeed.
    codes
        The exit codes of a refusal.
    says
        What a refusal says.
    """

    name: str
    artifact: StoredArtifact
    refused_by: frozenset[str] = _LOAD
    codes: frozenset[int] = _REFUSED
    says: str = ""


def hostile_artifacts(good: StoredArtifact, canary: Path) -> Iterator[Hostile]:
    """Yield variations of `good`; whatever of them runs as code makes the file `canary`."""
    pickle = _pickle_that_writes(canary)
    n_categories = len(good.manifest["categories"])
    for graph in hostile_graphs(
        good.files["model.onnx"], good.manifest["n_features"], n_categories
    ):
        refused_by = _LOAD if graph.is_refused else _NONE
        changed = _with(good, "model.onnx", graph.data)
        yield Hostile(f"graph: {graph.name}", changed, refused_by, says=graph.says)
    yield Hostile("graph: pickle", _with(good, "model.onnx", pickle))
    arrays = sorted(good.manifest["unknown"]["state"].values())
    for n, (what, array) in enumerate([*_hostile_arrays(canary), ("pickle", pickle)]):
        name = arrays[n % len(arrays)]
        yield Hostile(f"{name}: {what}", _with(good, name, array))
    for what, text in [*_hostile_texts(), ("pickle", pickle)]:
        yield Hostile(f"golden.json: {what}", _with(good, "golden.json", text), _PROVE)
        yield Hostile(f"metrics.json: {what}", _with(good, "metrics.json", text), _NONE)
    for what, golden in _hostile_golden(json.loads(good.files["golden.json"])):
        text = json.dumps(golden).encode()
        yield Hostile(f"golden.json: {what}", _with(good, "golden.json", text), _PROVE)
    yield from _hostile_manifests(good)


def manifest_text(artifact: StoredArtifact) -> bytes:
    """Return an artifact's manifest with the digest that it should have."""
    values = {k: v for k, v in artifact.manifest.items() if k != "digest"}
    try:
        return sealed(values)
    except MlforgeError:
        # What has no digest of its own is there as well as an attacker can make it.
        return json.dumps(values | {"digest": "0" * 64}).encode()


def _with(good: StoredArtifact, name: str, data: bytes) -> StoredArtifact:
    described = {"sha256": digest_bytes(data), "bytes": len(data)}
    manifest = {**good.manifest, "files": {**good.manifest["files"], name: described}}
    return StoredArtifact(good.version, manifest, {**good.files, name: data})


def _changed(good: StoredArtifact, path: tuple[str | int, ...], value: Any) -> StoredArtifact:
    manifest = copy.deepcopy(dict(good.manifest))
    place: Any = manifest
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return StoredArtifact(good.version, manifest, dict(good.files))


def _pickle_that_writes(canary: Path) -> bytes:
    """Return a pickle, written by hand, that makes the file `canary` where it is loaded."""
    return b"cos\nsystem\n(S'touch " + str(canary).encode() + b"'\ntR."


def _hostile_arrays(canary: Path) -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "of another shape", array_to_bytes(np.zeros((3, 3, 3), np.float32))
    yield "of texts", array_to_bytes(np.full((4, 4), "x"))
    plain = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }"
    yield "cut off", _array(plain.encode())
    for what, head in (
        ("a terabyte", plain.replace("(1,)", "(1099511627776,)")),
        ("less than nothing", plain.replace("(1,)", "(-1,)")),
        ("objects", plain.replace("<f4", "|O")),
        ("no type", plain.replace("'<f4'", "['<f4', None]")),
        ("a head without end", plain[:-12]),
        ("a head without end of text", plain.replace("<f4'", "<f4")),
        ("a head that is nested", "(" * 5_000),
        ("a head that calls", f"__import__('os').system('touch {canary}')"),
    ):
        yield what, _array(head.encode(), bytes(16))
    yield "a head that is no text", _array(b"\xff\xfe" * 20)


def _array(head: bytes, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + data


def _hostile_texts() -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "nested", b"[" * 100_000
    yield "a list", b"[]"
    yield "null", b"null"
    yield "not UTF-8", b"\xff\xfe{}"
    yield "numbers", b'{"evaluation": 1e999, "tolerance": NaN, "examples": [{}]}'
    yield "names", b'{"tolerance": 1, "examples": [{"file": "../../../mlforge.toml"}]}'
    yield "a number of 5,000 digits", b'{"tolerance": ' + b"9" * 5_000 + b"}"


def _hostile_golden(golden: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a ``golden.json`` that says something else may hold."""
    first, *others = golden["examples"]
    for key, value in (
        ("probabilities", "x"),
        ("probabilities", [_HUGE] * len(first["probabilities"])),
        ("probabilities", [float("nan")] * len(first["probabilities"])),
        ("probabilities", [0.5]),
        ("probabilities", first["probabilities"][::-1]),
        ("file", ["golden-1.png"]),
        ("file", "model.onnx"),
        ("file", None),
    ):
        shown = "huge" if value == [_HUGE] * len(first["probabilities"]) else value
        yield f"{key} = {shown}", {**golden, "examples": [{**first, key: value}, *others]}
    yield "examples of nobody", {**golden, "examples": ["x"]}
    yield "a tolerance of a text", {**golden, "tolerance": "x"}
    yield "a huge tolerance", {**golden, "tolerance": _HUGE}


def _hostile_manifests(good: StoredArtifact) -> Iterator[Hostile]:
    for values, refused_by, codes in (
        (_values_that_break(good), _LOAD, _REFUSED),
        (_values_of_nobody(), _LOAD, _NOT_INSTALLED),
        (_values_that_predict_otherwise(), _PROVE, _REFUSED),
        (_values_of_an_answer(), _PREDICT, _REFUSED),
        (_values_that_are_shown(), _DESCRIBE, _REFUSED),
        (_values_of_an_import(), _IMPORT, _REFUSED),
        (_values_that_may_do(), _NONE, _REFUSED),
    ):
        for path, value in values:
            name = f"manifest {'.'.join(map(str, path))} = {_shown(value)}"
            yield Hostile(name, _changed(good, path, value), refused_by, codes)


def _shown(value: Any) -> str:
    if isinstance(value, int) and value == _HUGE:
        return "10**400"
    text = ascii(value)
    return text if len(text) < 60 else f"{text[:57]}..."


_Values = Iterator[tuple[tuple[str | int, ...], Any]]


def _anything() -> tuple[Any, ...]:
    nested: Any = []
    for _ in range(500):
        nested = [nested]
    return (None, [], {}, "x", -1, 1e308, nested)


def _values_that_break(good: StoredArtifact) -> _Values:
    """Yield values without which no model can be restored."""
    for key in ("categories", "extractors", "modality", "temperature", "unknown", "files"):
        for value in _anything():
            # A model may be as unsure as it likes, and need not know what is unknown.
            if (key, value) not in (("temperature", 1e308), ("unknown", None)):
                yield (key,), value
    described = good.manifest["files"]
    several: dict[tuple[str | int, ...], tuple[Any, ...]] = {
        ("temperature",): (0, _HUGE, 1e-320, "1e999"),
        ("n_features",): (None, 2**60, "x"),
        ("schema",): ("mlforge.artifact/99",),
        ("modality", "name"): (["image"],),
        ("modality", "parameters"): ({"size": 2**40},),
        ("extractors", 0, "name"): (["thumbnail"],),
        ("extractors", 0, "revision"): (99,),
        ("extractors", 0, "parameters"): (None, {"side": 10**6}, {"side": _HUGE}, {"side": "x"}),
        ("extractors", 0, "state"): ({"weights": "../../../mlforge.toml"},),
        ("categories", 0, "code"): (["cup"], {}),
        ("categories", 0, "min_confidence"): (None, "x", [], _HUGE),
        ("unknown", "threshold"): (None, "x", [], _HUGE),
        ("unknown", "state"): ({"centre": "model.onnx"},),
        ("files",): ({**described, "../../../evil": described["model.onnx"]},),
        ("files", "model.onnx", "bytes"): (-1, 2**60, _HUGE, True),
    }
    yield from _each(several)


def _each(several: Mapping[tuple[str | int, ...], tuple[Any, ...]]) -> _Values:
    for path, values in several.items():
        yield from ((path, value) for value in values)


def _values_of_nobody() -> _Values:
    """Yield names of components that are not there."""
    yield ("modality", "name"), "os"
    yield ("extractors", 0, "name"), "../../evil"
    yield ("extractors", 0, "name"), "os.system"


def _values_that_predict_otherwise() -> _Values:
    yield ("temperature",), 1e308


def _values_of_an_answer() -> _Values:
    """Yield values that are looked at once a model answers."""
    yield from _each({("set_threshold",): ("x", [], _HUGE)})


def _values_that_are_shown() -> _Values:
    """Yield values that predicting does without."""
    yield from _each({("model",): _anything(), ("created",): (None, 5), ("versions",): (None,)})


def _values_of_an_import() -> _Values:
    number = f"logistic_regression-{'9' * 20}"
    yield from _each({("version",): ("../../outside", None, number)})


def _values_that_may_do() -> _Values:
    """Yield values that are odd, and no harm where they are shown with care."""
    yield ("unknown",), None
    yield ("categories", 0, "code"), "\x1b[31m../evil"
    yield ("categories", 0, "name"), "\x1b]0;evil\x07"
    yield ("categories", 0, "code"), None


def hostile_files(good: StoredArtifact, canary: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what is no file that `models export` made, or not any more."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "good.mlforge")
        write_transport(path, {"manifest.json": manifest_text(good), **good.files})
        whole = path.read_bytes()
    yield "empty", b""
    yield "pickle", _pickle_that_writes(canary)
    yield "zip", b"PK\x03\x04" + bytes(100)
    yield "a header of 2^63 bytes", MAGIC + (2**63).to_bytes(8, "little")
    yield "longer", whole + b"\0"
    draws = random.Random(0)
    for _ in range(20):
        yield "cut off", whole[: draws.randrange(len(whole))]
    for _ in range(40):
        changed = bytearray(whole)
        changed[draws.randrange(len(whole))] ^= 1 << draws.randrange(8)
        yield "flipped", bytes(changed)
