"""Bytes that were changed, by chance or by somebody: found, and never used."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from campaign._hostile import Hostile, hostile_artifacts, hostile_files, manifest_text
from campaign._projects import Projects, picture
from campaign._trials import Ended, Figure, Outcome, command, forked, places
from mlforge import Project
from mlforge.errors import MlforgeError
from mlforge.storage.artifacts import StoredArtifact
from mlforge.storage.feature_cache import FeatureCache
from mlforge.storage.transport import write_transport

__all__ = ["FIGURES"]

_CPU = 2.0  # seconds
_COMMANDS = (
    "verify", "predict", "explain", "import", "batch", "promote", "show", "compare", "export",
    "report", "list", "train",
)  # fmt: skip
_File = tuple[str, bytes]


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
    projects, outcome, slowest = Projects(folder), Outcome(), 0.0
    outside = folder / "outside"
    outside.mkdir()
    photo, secret, file, canary = (
        outside / name for name in ("photo.png", "secret", "hostile.mlforge", "canary")
    )
    photo.write_bytes(picture(7))
    secret.write_bytes(bytes(4))
    good = Project(projects.trained).artifacts.load("logistic_regression-0001")
    for hostile, name in islice(_meetings([*hostile_artifacts(good, canary)]), n_trials):
        artifact = hostile.artifact
        root = projects.copy(projects.seeded if name == "import" else projects.trained)
        write_transport(file, {"manifest.json": manifest_text(artifact), **artifact.files})
        if name != "import":
            _plant(root, artifact)
        before = _seen_outside(folder, root)
        ended = command(*_words(name, root, outside, artifact.version), "--project", root)
        outcome.n_trials += 1
        slowest = max(slowest, ended.cpu)
        _hold_end(outcome, hostile, name, ended)
        where = f"{hostile.name}: {name}"
        outcome.hold(
            _seen_outside(folder, root) == before, f"{where}: not only the project changed"
        )
        if name == "import" and name in hostile.refused_by:
            outcome.hold(not [*root.glob("artifacts/models/*")], f"{where}: something was stored")
    for name, data in _some([*hostile_files(good, canary)], n_trials // 8):
        file.write_bytes(data)
        root = projects.copy(projects.seeded)
        ended = command("models", "import", file, "--project", root)
        outcome.n_trials += 1
        outcome.hold(ended.code == 5, f"{name}: {ended.code}: {ended.output[-200:]}")
        outcome.hold(not list(root.glob("artifacts/models/*")), f"{name}: something was stored")
        outcome.hold(not canary.exists(), f"{name}: its code ran")
    outcome.measured = f"at most {slowest:.1f} s of processor time each"
    return outcome


def _words(name: str, root: Path, outside: Path, version: str) -> tuple[str | Path, ...]:
    """Return a command on a hostile artifact, which lies in a project and in a file beside it."""
    predict = ("predict", outside / "photo.png", "--model", version)
    known: dict[str, tuple[str | Path, ...]] = {
        "predict": predict,
        "explain": (*predict, "--explain", root / "why"),
        "batch": ("batch", root / "categories", "--output", root / "out", "--model", version),
        "import": ("models", "import", outside / "hostile.mlforge"),
        "export": ("models", "export", version, "--output", root / "out.mlforge"),
        "compare": ("models", "compare", version, "logistic_regression-0002"),
        "list": ("models", "list"),
        "report": ("report", version),
        "train": ("train",),
    }
    return known.get(name, ("models", name, version))


def _meetings(artifacts: Sequence[Hostile]) -> Iterator[tuple[Hostile, str]]:
    """Yield each artifact with each command: all with one first, which must refuse it if any must.

    So a few trials meet all artifacts, and all commands.
    """
    for turn in range(len(_COMMANDS)):
        for number, artifact in enumerate(artifacts):
            refusing = [name for name in _COMMANDS if name in artifact.refused_by]
            others = [name for name in _COMMANDS if name not in artifact.refused_by]
            some = refusing if turn < len(refusing) else others
            yield artifact, some[(number + turn) % len(some)]


def _hold_end(outcome: Outcome, hostile: Hostile, name: str, ended: Ended) -> None:
    """Hold that a command refused an artifact in a sentence, or did as it does with any other."""
    refuses = name in hostile.refused_by
    where, said = f"{hostile.name}: {name}", " ".join(ended.output.split())
    codes = hostile.codes if refuses else {0, *hostile.codes}
    outcome.hold(ended.code in codes, f"{where}: exit {ended.code}: {said[-300:]}")
    outcome.hold(hostile.says in said or not refuses, f"{where}: not for its reason: {said[-300:]}")
    outcome.hold("Traceback" not in said, f"{where}: {said[-300:]}")
    plain = all(character.isprintable() for character in said)
    outcome.hold(plain, f"{where}: control characters: {said!a}")
    outcome.hold(ended.cpu <= _CPU, f"{where}: {ended.cpu:.1f} s")


def _seen_outside(folder: Path, root: Path) -> dict[Path, tuple[int, int]]:
    """Return what lies beside a project; a canary that a code of theirs made is one more."""
    places = (path for path in folder.rglob("*") if not path.is_relative_to(root))
    states = {path: path.lstat() for path in places}
    return {path: (state.st_mtime_ns, state.st_size) for path, state in states.items()}


def _some(files: Sequence[_File], n_wanted: int) -> list[_File]:
    """Return evenly spread ones."""
    return [files[n - 1] for n in places(len(files), max(1, n_wanted))]


def _plant(root: Path, artifact: StoredArtifact) -> None:
    """Put an artifact among the others, with all digests right, as an attacker would."""
    folder = root / "artifacts" / "models" / artifact.version
    for path in folder.iterdir():
        path.unlink()
    for name, data in artifact.files.items():
        (folder / name).write_bytes(data)
    (folder / "manifest.json").write_bytes(manifest_text(artifact))


FIGURES = (
    Figure(4, "one byte flipped in stored objects: found, not used", 1_000, flip_bytes),
    Figure(9, "hostile artifacts, through every command", 2_000, load_hostile),
)
