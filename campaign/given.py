"""Files, configurations and names from anybody: refused in a sentence, and nothing escapes."""

from __future__ import annotations

import functools
import io
import itertools
import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from campaign._projects import GENERATE, TRAIN, Projects, picture
from campaign._trials import Figure, Outcome, forked
from mlforge import Project
from mlforge.core.digest import digest_bytes
from mlforge.errors import MlforgeError, SampleError
from mlforge.modalities.image import Image
from mlforge.storage.lock_file import read_lock

__all__ = ["FIGURES"]

_MAX_MEMORY = 1024**3
_MAX_SECONDS = 5.0
_PER_PROCESS = 5_000
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_TOKENS = (
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"1e999", b"-1", b"NaN", b"\0", b"\xff",
    b'"\\ud800"', b"[" * 500, b"9" * 400, b"\n", b"true", b'{"a": 1, "a": 2}', b"''", b"=",
)  # fmt: skip


def decode_mutated(n_trials: int, folder: Path) -> Outcome:
    """Figure 10."""
    outcome, slowest, peak, n_read = Outcome(), 0.0, 0, 0
    for start in range(0, n_trials, _PER_PROCESS):
        numbers = range(start, min(start + _PER_PROCESS, n_trials))
        ended = forked(functools.partial(_decode_all, numbers))
        outcome.n_trials += len(numbers)
        outcome.hold(ended.code == 0, f"{numbers}: exit {ended.code}: {ended.output[-300:]}")
        if ended.code == 0:
            seconds, read = ended.output.split()[-2:]
            slowest, n_read = max(slowest, float(seconds)), n_read + int(read)
        peak = max(peak, ended.peak)
    outcome.hold(peak <= _MAX_MEMORY, f"{peak / 1024**2:.0f} MiB of memory")
    outcome.hold(slowest <= _MAX_SECONDS, f"{slowest:.1f} s for one")
    outcome.measured = f"{n_read:,} still read; {peak / 1024**2:.0f} MiB; slowest {slowest:.2f} s"
    return outcome


def _decode_all(numbers: range) -> None:
    image, slowest, n_read = Image(), 0.0, 0
    originals = list(_originals())
    for number in numbers:
        draws = random.Random(number)
        data = _mutated(draws.choice(originals), draws, (b"\0\0", b"\xff\xff", b"\xff\xd9"))
        start = time.process_time()
        with suppress(SampleError):
            example = image.decode(data)
            assert example.dtype == np.uint8
            assert example.ndim == 3
            n_read += 1
        slowest = max(slowest, time.process_time() - start)
    print(slowest, n_read)


def _originals() -> Iterator[bytes]:
    rng = np.random.default_rng(0)
    pixels = PillowImage.fromarray(rng.integers(0, 256, (24, 36, 3), dtype=np.uint8))
    for name in _FORMATS:
        for mode in ("RGB", "L"):
            buffer = io.BytesIO()
            pixels.convert(mode).save(buffer, name)
            yield buffer.getvalue()


def _mutated(data: bytes, draws: random.Random, tokens: tuple[bytes, ...]) -> bytes:
    """Return bytes with a few changes: flipped, cut, doubled, put in."""
    changed = bytearray(data)
    for _ in range(draws.choice((1, 1, 1, 2, 3, 8, 30))):
        place = draws.randrange(len(changed) + 1)
        length = draws.choice((1, 1, 2, 4, 50))
        kind = draws.randrange(5)
        if kind == 0 and place < len(changed):
            changed[place] = draws.randrange(256)
        elif kind == 1:
            del changed[place : place + length]
        elif kind == 2:
            changed[place:place] = changed[place : place + length]
        elif kind == 3:
            changed[place:place] = draws.choice(tokens)
        else:
            other = draws.randrange(len(changed) + 1)
            changed[place : place + length] = changed[other : other + length]
    return bytes(changed)


def read_mutated(n_trials: int, folder: Path) -> Outcome:
    """Figure 11."""
    projects, outcome = Projects(folder), Outcome()
    n_refused = 0
    for start in range(0, n_trials, _PER_PROCESS):
        numbers = range(start, min(start + _PER_PROCESS, n_trials))
        root = projects.copy(projects.trained)
        ended = forked(functools.partial(_read_all, root, numbers))
        outcome.n_trials += len(numbers)
        outcome.hold(ended.code == 0, f"{numbers}: exit {ended.code}: {ended.output[-600:]}")
        n_refused += int(ended.output.split()[-1]) if ended.code == 0 else 0
    outcome.measured = f"{n_refused:,} refused, the others read"
    return outcome


def _read_all(root: Path, numbers: range) -> None:
    project = Project(root)
    readers: dict[str, Callable[[], object]] = {
        "categories/cup/config.json": lambda: project.category_config("cup"),
        "mlforge.toml": lambda: project.workspace.settings,
        "mlforge.lock": lambda: read_lock(root / "mlforge.lock"),
        "categories/cup/samples/manifest.jsonl": project.samples,
        "artifacts/aliases.json": project.predictor,
        "artifacts/models/logistic_regression-0001/manifest.json": project.models,
    }
    n_refused = 0
    for number in numbers:
        draws = random.Random(number)
        name = draws.choice(list(readers))
        path = root / name
        before = path.read_bytes()
        path.write_bytes(_mutated(before, draws, _TOKENS))
        try:
            readers[name]()
        except MlforgeError as error:
            assert error.message.replace("\n", "").isprintable(), ascii(error.message)
            n_refused += 1
        except Exception as error:
            raise AssertionError(f"trial {number}: {name}: {error!r}") from error
        finally:
            path.write_bytes(before)
    print(n_refused)


def name_outside(n_trials: int, folder: Path) -> Outcome:
    """Figure 12."""
    projects, outcome = Projects(folder), Outcome()
    sandbox = folder / "sandbox"
    outside = sandbox / "outside"
    outside.mkdir(parents=True)
    (outside / "secret.png").write_bytes(picture(99))
    (outside / "config.json").write_text("{}")
    root = sandbox / "project"
    for number, payload in enumerate(itertools.islice(_payloads(root, outside), n_trials)):
        shutil.rmtree(root, ignore_errors=True)
        projects.copy(projects.generated).rename(root)
        for place in (root, root / "categories" / "mug" / "samples"):
            (place / "link").symlink_to(sandbox, target_is_directory=True)
        before = _content(outside)
        channel = _CHANNELS[number % len(_CHANNELS)]
        ended = forked(functools.partial(channel, root, payload, outside))
        outcome.n_trials += 1
        where = f"{channel.__name__} {payload!a}"
        outcome.hold(0 <= ended.code < 70, f"{where}: {ended.code}: {ended.output[-200:]}")
        outcome.hold(_content(outside) == before, f"{where}: changed what lies outside")
        outcome.hold({*sandbox.iterdir()} == {root, outside}, f"{where}: {[*sandbox.iterdir()]}")
        # A link or a file may stand in its place.
        categories = root / "categories"
        found = categories.iterdir() if categories.is_dir() else ()
        codes = [path.name.casefold() for path in found]
        outcome.hold(len(set(codes)) == len(codes), f"{where}: two categories of one name")
    return outcome


def _content(folder: Path) -> dict[str, str]:
    paths = sorted(folder.rglob("*"))
    return {str(p): digest_bytes(p.read_bytes()) if p.is_file() else "" for p in paths}


# How a name begins that leads elsewhere; how it goes on; where it ends.
_UPS = (
    "..", ".", "...", "%2e%2e", "\u2025", "\uff0e\uff0e", "..\\", "~", "$HOME", "", "-", "--",
)  # fmt: skip
_SEPARATORS = ("/", "//", "\\", "/./", "\u2215", "\uff0f", ":", "")
_OUTSIDE = ("outside", "outside/secret.png", "outside/config.json", "outside/new")
_ENDS = (
    "CON", "nul.txt", "com1", "aux", "a\0b", "a\nb", "\x1b[2J", "cafe\u0301", "caf\u00e9", "CUP",
    "Cup", "cup ", "cup.", "\u212aelvin", "\u202egnp", "x" * 300, "/etc/passwd", "C:\\x",
    "\\\\host\\x", "file:///etc", "*", "?", "|", "con.", "\ud800", ".git",
)  # fmt: skip


def _payloads(root: Path, outside: Path) -> Iterator[str]:
    """Yield names that lead somewhere else, or to the same place as others, without end.

    Each round begins a name in every way, so that a few trials meet all of them.
    """
    draws = random.Random(0)
    above = outside.parent
    places = (f"{above}/", f"/{above}/", f"{root}/../", f"/proc/self/root{above}/", "link/")
    while True:
        for up in draws.sample(_UPS, len(_UPS)):
            way = (up + draws.choice(_SEPARATORS)) * draws.randint(1, 4)
            yield way + draws.choice(draws.choice((_OUTSIDE, _ENDS)))
        for place in draws.sample(places, len(places)):
            yield place + draws.choice(draws.choice((_OUTSIDE, _ENDS)))


def _add(root: Path, payload: str, outside: Path) -> None:
    Project(root).add_category(payload, [root / "categories" / "cup" / "seeds" / "cup0.png"])


def _import(root: Path, payload: str, outside: Path) -> None:
    photos = root / "photos"
    with suppress(OSError, ValueError, UnicodeError):
        place = photos / payload.replace("/", "\u2215")
        place.mkdir(parents=True, exist_ok=True)
        (place / "a.png").write_bytes(picture(3))
    Project(root).import_categories(photos)


def _manifest(root: Path, payload: str, outside: Path) -> None:
    """Let a manifest name a file that lies elsewhere, then do all that follows manifests."""
    path = root / "categories" / "mug" / "samples" / "manifest.jsonl"
    head, line, *others = path.read_text().splitlines()
    record = json.loads(line) | {"file": payload}
    path.write_text("\n".join([head, json.dumps(record), *others]) + "\n")
    project = Project(root)
    project.samples()
    project.generate(GENERATE)
    project.clean_samples(("mug",))
    project.generate(GENERATE)


_LINKS = (
    "artifacts", "artifacts/cache", "artifacts/models", "categories", "categories/jar",
    "categories/jar/config.json", "categories/jar/samples", "categories/jar/samples/manifest.jsonl",
    "categories/jar/seeds", "categories/jar/seeds/jar0.png", "categories/x", "mlforge.lock",
)  # fmt: skip


def _link(root: Path, payload: str, outside: Path) -> None:
    """Let something of the project be a link that leads out of it, or nowhere."""
    # The same in whichever folder the campaign lies.
    draws = random.Random(ascii(payload.replace(str(outside.parent), "")))
    place = root / draws.choice(_LINKS)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.symlink_to(_target(place, outside, draws))
    project = Project(root)
    for action in (
        functools.partial(project.generate, GENERATE),
        functools.partial(project.train, TRAIN),
        project.clean_samples,
        project.check,
    ):
        with suppress(MlforgeError):
            action()


def _target(place: Path, outside: Path, draws: random.Random) -> str:
    """Return where a link leads: to a folder, a file, what is not there yet, itself."""
    ends = [outside, outside / "secret.png", outside / "config.json", outside / "new", place]
    end = draws.choice(ends)
    return draws.choice((str(end), os.path.relpath(end, place.parent)))


def _alias(root: Path, payload: str, outside: Path) -> None:
    project = Project(root)
    for action in (project.predictor, project.report, project.remove_model):
        with suppress(MlforgeError):
            action(payload)
    project.artifacts.load(payload)


def _why(root: Path, payload: str, outside: Path) -> None:
    with suppress(ValueError):
        Project(root).explain_sample(Path(payload))


_CHANNELS = (_add, _import, _manifest, _link, _alias, _why)

FIGURES = (
    Figure(10, "mutated pictures, decoded", 50_000, decode_mutated),
    Figure(11, "mutated configurations, locks and manifests, read", 50_000, read_mutated),
    Figure(12, "names and links that lead elsewhere", 3_000, name_outside),
)
