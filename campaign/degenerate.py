"""Data that no model can be made of, or hardly: said clearly, and never passed over."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from campaign._projects import Projects, picture
from campaign._trials import Figure, Outcome, command

__all__ = ["FIGURES"]


@dataclass(frozen=True)
class _Case:
    """A project to be spoiled, a command, and how that must end.

    Attributes
    ----------
    name
        What is wrong.
    spoil
        Makes it so.
    words
        The command.
    codes
        The exit codes that are right.
    says
        What it must say.
    """

    name: str
    spoil: Callable[[Path], object]
    words: tuple[str, ...]
    codes: tuple[int, ...]
    says: str


def train_on_little(n_trials: int, folder: Path) -> Outcome:
    """Figure 15."""
    projects, outcome = Projects(folder), Outcome()
    for case in _CASES[:n_trials]:
        root = projects.copy(projects.seeded)
        case.spoil(root)
        ended = command(*case.words, "--project", root)
        outcome.n_trials += 1
        where = f"{case.name}: exit {ended.code}: {ended.output[-300:]}"
        outcome.hold(ended.code in case.codes, where)
        outcome.hold(case.says in ended.output, f"{where} (without {case.says!r})")
        outcome.hold("Traceback" not in ended.output, where)
    return outcome


def _seeds(root: Path, code: str) -> Path:
    return root / "categories" / code / "seeds"


def _keep(root: Path, **n_seeds: int) -> None:
    for code, n in n_seeds.items():
        for path in sorted(_seeds(root, code).iterdir())[n:]:
            path.unlink()


def _fill(root: Path, code: str, pictures: list[bytes]) -> None:
    _keep(root, **{code: 0})
    for number, data in enumerate(pictures):
        (_seeds(root, code) / f"{number}.png").write_bytes(data)


def _flat(level: int, side: int = 32) -> bytes:
    return cv2.imencode(".png", np.full((side, side, 3), level, np.uint8))[1].tobytes()


def _configure(root: Path, code: str, **values: object) -> None:
    path = root / "categories" / code / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def _everywhere(root: Path, pictures: list[bytes]) -> None:
    for code in ("cup", "mug", "jar"):
        _fill(root, code, pictures)


def _drop(root: Path, *codes: str) -> None:
    for code in codes:
        shutil.rmtree(root / "categories" / code)


def _settings(root: Path, text: str) -> None:
    (root / "mlforge.toml").write_text(text)


def _one_scene(root: Path) -> None:
    for code in ("cup", "mug", "jar"):
        for path in _seeds(root, code).iterdir():
            path.rename(path.with_name(f"scene_{path.name}"))
        _configure(root, code, group_pattern="{group}_*")


def _leave(root: Path) -> None:
    """Spoil nothing: the command is what is wrong."""


def _two_seeds(root: Path) -> None:
    _drop(root, "jar")
    _keep(root, cup=1, mug=1)


def _sixty_to_one(root: Path) -> None:
    _fill(root, "cup", [picture(n) for n in range(60)])
    _keep(root, mug=1, jar=1)


_TRAIN = ("train", "--workers", "1")
_GENERATE = ("samples", "generate", "--workers", "1", "--count", "4")
_CHECK = ("categories", "check")
_NAN = "[train]\nseed = nan\n"
_CASES = (
    _Case("no category", lambda r: _drop(r, "cup", "mug", "jar"), _TRAIN, (2, 3), "categories add"),
    _Case("one category", lambda r: _drop(r, "mug", "jar"), _TRAIN, (3,), "only one category"),
    _Case("a category without seeds", lambda r: _keep(r, cup=0), _TRAIN, (3,), "no seeds"),
    _Case("generate without seeds", lambda r: _keep(r, cup=0), _GENERATE, (3,), "no seeds"),
    _Case("one seed in a category", lambda r: _keep(r, cup=1), _TRAIN, (0,), "one seed only"),
    _Case("one seed in each", lambda r: _keep(r, cup=1, mug=1, jar=1), _TRAIN, (0,), "one seed"),
    _Case("two seeds in all", _two_seeds, _TRAIN, (0,), "one"),
    _Case("one scored category", lambda r: _keep(r, cup=3, mug=1, jar=1), _TRAIN, (0,), "one seed"),
    _Case("one group", _one_scene, _TRAIN, (0,), "one group"),
    _Case("all equal", lambda r: _everywhere(r, [picture(1)] * 3), _TRAIN, (0, 3), "same file"),
    _Case("equal within", lambda r: _fill(r, "cup", [picture(1)] * 3), _TRAIN, (0, 3), "one"),
    _Case(
        "black",
        lambda r: _everywhere(r, [_flat(0, 20 + n) for n in range(3)]),
        _CHECK,
        (0, 3),
        "dark",
    ),
    _Case(
        "grey",
        lambda r: _fill(r, "cup", [_flat(90, 20 + n) for n in range(3)]),
        _CHECK,
        (0,),
        "low in contrast",
    ),
    _Case(
        "one pixel",
        lambda r: _fill(r, "cup", [_flat(n, 1) for n in range(3)]),
        _GENERATE,
        (10, 3),
        "",
    ),
    _Case("empty files", lambda r: _fill(r, "cup", [b""] * 3), _TRAIN, (3,), "cup"),
    _Case("a text as picture", lambda r: _fill(r, "cup", [b"hello"] * 3), _TRAIN, (3,), "cup"),
    _Case(
        "cut off",
        lambda r: _fill(r, "cup", [picture(n)[:-40] for n in range(3)]),
        _TRAIN,
        (3,),
        "cup",
    ),
    _Case(
        "cut off, generate",
        lambda r: _fill(r, "cup", [picture(n)[:-40] for n in range(3)]),
        _GENERATE,
        (3, 10),
        "cup",
    ),
    _Case("1 to 60", _sixty_to_one, _TRAIN, (0,), "one seed"),
    _Case("a count below nothing", _leave, ("samples", "generate", "--count", "-1"), (2,), "count"),
    _Case(
        "a count beyond any disk",
        _leave,
        ("samples", "generate", "--count", "999999999999"),
        (2, 3),
        "",
    ),
    _Case("NaN as seed", lambda r: _settings(r, _NAN), _TRAIN, (2,), "NaN"),
    _Case("one fold", lambda r: _settings(r, "[train]\nfolds = 1\n"), _TRAIN, (2,), "train.folds"),
    _Case(
        "no features", lambda r: _settings(r, "[features]\nuse = []\n"), _TRAIN, (2,), "features"
    ),
    _Case("a gate that is none", _leave, (*_TRAIN, "--gate", "accuracy>>1"), (2,), "gate"),
    _Case("a gate of nobody", _leave, (*_TRAIN, "--gate", "recall[cat]>=0.5"), (2,), "cat"),
    _Case(
        "a gate with few seeds", _leave, (*_TRAIN, "--gate", "accuracy>=0.5"), (9,), "accuracy>=0.5"
    ),
    _Case("unknown model", _leave, (*_TRAIN, "--model", "forest"), (2,), "random_forest"),
    _Case("predict without a model", _leave, ("predict", "x.png"), (5,), "mlforge train"),
    _Case(
        "evaluate an empty folder", lambda r: (r / "new").mkdir(), ("evaluate", "new"), (3, 5), ""
    ),
    _Case(
        "batch of an empty folder",
        lambda r: (r / "new").mkdir(),
        ("batch", "new", "--output", "o"),
        (3, 5),
        "",
    ),
    _Case(
        "no bound on quality",
        lambda r: _configure(r, "cup", quality_thresholds={"min_quality": 1.0}),
        _GENERATE,
        (10,),
        "min_quality",
    ),
)

FIGURES = (Figure(15, "degenerate data: a message with the fix", len(_CASES), train_on_little),)
