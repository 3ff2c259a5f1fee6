"""Files, configurations and names from anybody: refused in a sentence, and nothing escapes."""

from __future__ import annotations

import functools
import io
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from campaign._projects import Projects, picture
from campaign._trials import Figure, Outcome, forked
from mlforge import Project
from mlforge.core.digest import digest_bytes
from mlforge.errors import MlforgeError, SampleError
from mlforge.modalities.image import Image

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
        "mlforge.lock": project.samples,
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
    before = _content(outside)
    for number, payload in enumerate(itertools.islice(_payloads(), n_trials)):
        root = sandbox / "project"
        if number % 50 == 0:
            projects.copy(projects.generated).rename(root) if not root.exists() else None
        channel = _CHANNELS[number % len(_CHANNELS)]
        ended = forked(functools.partial(channel, root, payload, outside))
        outcome.n_trials += 1
        where = f"{channel.__name__} {payload!a}"
        outcome.hold(0 <= ended.code < 70, f"{where}: {ended.code}: {ended.output[-200:]}")
        outcome.hold(_content(outside) == before, f"{where}: changed what lies outside")
        outcome.hold({*sandbox.iterdir()} == {root, outside}, f"{where}: {[*sandbox.iterdir()]}")
        codes = [path.name.casefold() for path in (root / "categories").iterdir()]
        outcome.hold(len(set(codes)) == len(codes), f"{where}: two categories of one name")
    return outcome


def _content(folder: Path) -> dict[str, str]:
    return {path.name: digest_bytes(path.read_bytes()) for path in folder.rglob("*")}


def _payloads() -> Iterator[str]:
    """Yield names that lead somewhere else, or to the same place as others, without end."""
    ups = [
        "..",
        ".",
        "...",
        "%2e%2e",
        "\u2025",
        "\uff0e\uff0e",
        "..\\",
        "~",
        "$HOME",
        "",
        "-",
        "--",
    ]
    ends = [
        "outside",
        "outside/secret.png",
        "CON",
        "nul.txt",
        "com1",
        "aux",
        "a\0b",
        "a\nb",
        "\x1b[2J",
    ]
    ends += [
        "cafe\u0301",
        "caf\u00e9",
        "CUP",
        "Cup",
        "cup ",
        "cup.",
        "\u212aelvin",
        "\u202egnp",
        "x" * 300,
    ]
    ends += [
        "/etc/passwd",
        "C:\\x",
        "\\\\host\\x",
        "file:///etc",
        "*",
        "?",
        "|",
        "con.",
        "\ud800",
        ".git",
    ]
    seps = ["/", "//", "\\", "/./", "\u2215", "\uff0f", ":", ""]
    depths = range(1, 5)
    while True:
        for up, sep, end, depth in itertools.product(ups, seps, ends, depths):
            yield f"{(up + sep) * depth}{end}"


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
    project.generate()
    project.clean_samples(("mug",))
    project.generate()


def _link(root: Path, payload: str, outside: Path) -> None:
    """Let something of the project be a link that leads out of it."""
    place = (
        root / ("categories/jar/seeds", "categories/jar/samples", "categories/x")[len(payload) % 3]
    )
    kept = place.with_name(f"{place.name}.kept")
    if place.exists():
        place.rename(kept)
    place.symlink_to(outside, target_is_directory=True)
    project = Project(root)
    try:
        for action in (project.generate, project.train, project.clean_samples, project.check):
            with suppress(MlforgeError):
                action()
    finally:
        place.unlink()
        if kept.exists():
            kept.rename(place)


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
