"""Bytes that were changed, by chance or by somebody: found, and never used."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from campaign._projects import Projects, picture
from campaign._trials import BUG, Figure, Outcome, command, forked, places
from mlforge import Project
from mlforge.core.arrays import array_to_bytes
from mlforge.core.digest import digest_bytes
from mlforge.errors import MlforgeError
from mlforge.storage.artifact_manifest import sealed
from mlforge.storage.artifacts import StoredArtifact
from mlforge.storage.feature_cache import FeatureCache
from mlforge.storage.transport import MAGIC, write_transport

__all__ = ["FIGURES"]

_CPU = 2.0  # seconds
_N_COMMANDS = 11


def flip_bytes(n_trials: int, folder: Path) -> Outcome:
    """Figure 4."""
    projects = Projects(folder)
    root = projects.copy(projects.trained)
    outcome = Outcome()
    ended = forked(lambda: _flip_all(root, n_trials))
    outcome.hold(ended.code == 0, f"exit {ended.code}: {ended.output[-500:]}")
    lines = ended.output.splitlines()
    outcome.n_trials = int(lines[0]) if lines and lines[0].isdigit() else 0
    outcome.problems += lines[1:] if ended.code == 0 else []
    return outcome


def _flip_all(root: Path, n_trials: int) -> None:
    draws = random.Random(0)
    kinds = _stored(root)
    missed = []
    for number in range(n_trials):
        kind = list(kinds)[number % len(kinds)]
        path = draws.choice(kinds[kind].files)
        before = path.read_bytes()
        place = draws.randrange(len(before))
        changed = bytearray(before)
        changed[place] ^= 1 << draws.randrange(8)
        path.write_bytes(changed)
        if not kinds[kind].is_found(path):
            missed.append(f"{path.relative_to(root)}: byte {place} of {len(before)}")
        path.write_bytes(before)
    print(n_trials, *missed, sep="\n")


@dataclass(frozen=True)
class _Kind:
    """Files of one kind, and whether a change of one is noticed before it is used."""

    files: list[Path]
    is_found: Callable[[Path], bool]


def _stored(root: Path) -> dict[str, _Kind]:
    project = Project(root)
    models = root / "artifacts" / "models"
    rows = {path: _rows(path) for path in (root / "artifacts" / "cache").rglob("*.npz")}

    def samples_differ(path: Path) -> bool:
        return _raises(lambda: _require(all(c.ok for c in project.verify_samples(workers=1))))

    def model_differs(path: Path) -> bool:
        version = path.parent.name
        checks = (c for c in project.verify_models() if c.version == version)
        return all(check.reason for check in checks) and _raises(lambda: project.predictor(version))

    def rows_are_dropped(path: Path) -> bool:
        return not FeatureCache(path.parent.parent, path.parent.name).load(list(rows[path]))

    return {
        "samples": _Kind(sorted(root.glob("categories/*/samples/*.png")), samples_differ),
        "manifests": _Kind(sorted(root.glob("categories/*/samples/*.jsonl")), samples_differ),
        "lock": _Kind([root / "mlforge.lock"], samples_differ),
        "models": _Kind([p for p in sorted(models.glob("*/*")) if p.is_file()], model_differs),
        "features": _Kind(sorted(rows), rows_are_dropped),
        "aliases": _Kind(
            [root / "artifacts" / "aliases.json"], lambda path: _raises(lambda: project.predictor())
        ),
    }


def _rows(path: Path) -> tuple[str, ...]:
    with np.load(path, allow_pickle=False) as arrays:
        return tuple(arrays["digests"].tolist())


def _require(holds: bool) -> None:  # noqa: FBT001 - it is all that it takes
    if not holds:
        raise MlforgeError("found")


def _raises(action: Callable[[], object]) -> bool:
    try:
        action()
    except MlforgeError:
        return True
    return False


def load_hostile(n_trials: int, folder: Path) -> Outcome:
    """Figure 9."""
    projects, outcome = Projects(folder), Outcome()
    photo, canary = folder / "photo.png", folder / "canary"
    photo.write_bytes(picture(7))
    good = Project(projects.trained).artifacts.load("logistic_regression-0001")
    slowest = 0.0
    for name, artifact in _some([*_hostile_artifacts(good, canary)], n_trials):
        root = projects.copy(projects.trained)
        _plant(root, artifact)
        file = folder / "hostile.mlforge"
        write_transport(file, {"manifest.json": _text(artifact), **artifact.files})
        version = artifact.version
        for words in (
            ("predict", photo, "--model", version),
            ("predict", photo, "--model", version, "--explain"),
            ("batch", root / "categories", "--output", root / "out", "--model", version),
            ("models", "verify", version),
            ("models", "promote", version),
            ("models", "show", version),
            ("models", "compare", version, "logistic_regression-0002"),
            ("models", "import", file),
            ("models", "export", version, "--output", folder / "out.mlforge"),
            ("report", version),
            ("train",),
        ):
            ended = command(*words, "--project", root)
            outcome.n_trials += 1
            slowest = max(slowest, ended.cpu)
            where = f"{name}: {' '.join(map(str, words[:2]))}"
            outcome.hold(0 <= ended.code < BUG, f"{where}: {ended.code}: {ended.output[-200:]}")
            outcome.hold(ended.cpu <= _CPU or words[0] == "train", f"{where}: {ended.cpu:.1f} s")
            outcome.hold(not canary.exists(), f"{where}: its code ran")
    files = list(_hostile_files(good, canary))
    for name, data in (files[n - 1] for n in places(len(files), max(1, n_trials // 8))):
        file = folder / "hostile.mlforge"
        file.write_bytes(data)
        root = projects.copy(projects.seeded)
        ended = command("models", "import", file, "--project", root)
        outcome.n_trials += 1
        outcome.hold(ended.code == 5, f"{name}: {ended.code}: {ended.output[-200:]}")
        outcome.hold(not list(root.glob("artifacts/models/*")), f"{name}: something was stored")
        outcome.hold(not canary.exists(), f"{name}: its code ran")
    outcome.measured = f"at most {slowest:.1f} s of processor time each"
    return outcome


def _some(
    artifacts: list[tuple[str, StoredArtifact]], n_trials: int
) -> list[tuple[str, StoredArtifact]]:
    """Return evenly spread ones, so many that their commands come to about `n_trials`."""
    wanted = places(len(artifacts), max(1, n_trials // _N_COMMANDS))
    return [artifacts[n - 1] for n in wanted]


def _text(artifact: StoredArtifact) -> bytes:
    files = {n: {"sha256": digest_bytes(d), "bytes": len(d)} for n, d in artifact.files.items()}
    values = {k: v for k, v in artifact.manifest.items() if k != "digest"} | {"files": files}
    try:
        return sealed(values)
    except MlforgeError:
        # What has no digest of its own is there as well as an attacker can make it.
        return json.dumps(values | {"digest": "0" * 64}).encode()


def _plant(root: Path, artifact: StoredArtifact) -> None:
    """Put an artifact among the others, with all digests right, as an attacker would."""
    folder = root / "artifacts" / "models" / artifact.version
    for path in folder.iterdir():
        path.unlink()
    for name, data in artifact.files.items():
        (folder / name).write_bytes(data)
    (folder / "manifest.json").write_bytes(_text(artifact))


def _hostile_artifacts(good: StoredArtifact, canary: Path) -> Iterator[tuple[str, StoredArtifact]]:
    graph = good.files["model.onnx"]
    for name, data in _hostile_graphs(graph, canary):
        yield f"graph: {name}", _with(good, files={"model.onnx": data})
    for name in (n for n in good.files if n.startswith("novelty.")):
        for what, array in _hostile_arrays():
            yield f"{name}: {what}", _with(good, files={name: array})
    for what, text in _hostile_texts(canary):
        for name in ("metrics.json", "golden.json"):
            yield f"{name}: {what}", _with(good, files={name: text})
    for path, value in _hostile_values():
        shown = "nested" if isinstance(value, list) and value else str(value)[:40]
        yield f"manifest {'.'.join(map(str, path))} = {shown}", _changed(good, path, value)


def _with(good: StoredArtifact, files: Mapping[str, bytes]) -> StoredArtifact:
    return StoredArtifact(good.version, good.manifest, {**good.files, **files})


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


def _graph(*nodes: Any, constants: Any = ()) -> bytes:
    whole = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", None])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, None)],
        list(constants),
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("evil", 1)]
    return bytes(helper.make_model(whole, opset_imports=opsets, ir_version=8).SerializeToString())


def _hostile_graphs(graph: bytes, canary: Path) -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "pickle", _pickle_that_writes(canary)
    yield "half", graph[: len(graph) // 2]
    yield "zeros", bytes(100_000)
    draws = random.Random(0)
    for n in range(12):
        changed = bytearray(graph)
        for _ in range(1 + n):
            changed[draws.randrange(len(changed))] = draws.randrange(256)
        yield f"mutated {n}", bytes(changed)
    yield (
        "custom operator",
        _graph(helper.make_node("Run", ["features"], ["probabilities"], domain="evil")),
    )
    yield (
        "one category too few",
        _graph(helper.make_node("ReduceSum", ["features"], ["probabilities"], keepdims=1)),
    )
    huge = helper.make_tensor("shape", TensorProto.INT64, [2], [2**20, 2**20])
    yield (
        "asks for a terabyte",
        _graph(
            helper.make_node("ConstantOfShape", ["shape"], ["big"]),
            helper.make_node("Add", ["big", "features"], ["probabilities"]),
            constants=[huge],
        ),
    )
    outside = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[1])
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="../../../mlforge.toml")
    yield (
        "weights in another file",
        _graph(
            helper.make_node("Add", ["features", "outside"], ["probabilities"]), constants=[outside]
        ),
    )


def _hostile_arrays() -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "of another shape", array_to_bytes(np.zeros((3, 3, 3), np.float32))
    yield "NaN", array_to_bytes(np.full((4, 4), np.nan, np.float32))
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }"
    yield "a terabyte", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    yield "objects", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + b"cos\n."


def _hostile_texts(canary: Path) -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "nested", b"[" * 100_000
    yield "a list", b"[]"
    yield "null", b"null"
    yield "not UTF-8", b"\xff\xfe{}"
    yield "numbers", b'{"evaluation": 1e999, "tolerance": NaN, "examples": [{}]}'
    yield "names", b'{"tolerance": 1, "examples": [{"file": "../../../mlforge.toml"}]}'
    yield "pickle", _pickle_that_writes(canary)


def _hostile_values() -> Iterator[tuple[tuple[str | int, ...], Any]]:
    nested: Any = []
    for _ in range(500):
        nested = [nested]
    for key in ("categories", "extractors", "modality", "model", "temperature", "unknown", "files"):
        values: tuple[Any, ...] = (None, [], {}, "x", -1, 1e308, nested)
        for value in values:
            yield (key,), value
    yield ("temperature",), 0
    yield ("schema",), "mlforge.artifact/99"
    yield ("version",), "../../outside"
    yield ("n_features",), 2**60
    yield ("set_threshold",), "x"
    yield ("modality", "parameters"), {"size": 2**40}
    yield ("modality", "name"), "os"
    yield ("extractors", 0, "name"), "../../evil"
    yield ("extractors", 0, "parameters"), {"side": 10**6}
    yield ("extractors", 0, "revision"), 99
    yield ("extractors", 0, "state"), {"weights": "../../../mlforge.toml"}
    yield ("categories", 0, "code"), "\x1b[31m../evil"
    yield ("categories", 0, "min_confidence"), "x"
    yield ("unknown", "threshold"), "x"
    yield ("unknown", "state"), {"centre": "model.onnx"}


def _hostile_files(good: StoredArtifact, canary: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what is no file that `models export` made, or not any more."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "good.mlforge")
        write_transport(path, {"manifest.json": _text(good), **good.files})
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


FIGURES = (
    Figure(4, "one byte flipped in stored objects: found, not used", 1_000, flip_bytes),
    Figure(9, "hostile artifacts, through every command", 1_000, load_hostile),
)
