"""Names that a spreadsheet, a browser or a terminal would obey, through every output."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import pty
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from campaign._projects import Projects, picture
from campaign._trials import Figure, Outcome, command, forked

__all__ = ["FIGURES"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PER_PROJECT = 10
_PATIENCE = 30.0  # seconds
# What Rich sends on its own: colours, and a progress bar's moves of the cursor.
_OWN = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|[0-9]*[AK])")
_MARK = "zqx"


def show_hostile_names(n_trials: int, folder: Path) -> Outcome:
    """Figure 14."""
    projects, outcome = Projects(folder), Outcome()
    payloads = list(itertools.islice(_payloads(), n_trials))
    for start in range(0, n_trials, _PER_PROJECT):
        some = payloads[start : start + _PER_PROJECT]
        root = projects.copy(projects.generated)
        photos = folder / "photos"
        shutil.rmtree(photos, ignore_errors=True)
        _name_everything(root, photos, some)
        outcome.n_trials += len(some)
        for problem in _active(root, photos):
            outcome.problems.append(f"{some!a}: {problem}")
    return outcome


def _payloads() -> Iterator[str]:
    """Yield names without end, each with something that one of the outputs would obey."""
    texts = [
        "=1+1",
        "+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        '=HYPERLINK("http://x";"y")',
        "=cmd|' /C'!A0",
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "<svg onload=alert(1)>",
        "'-alert(1)-'",
        "</style><script>alert(1)</script>",
        "{{7*7}}",
        "${7*7}",
        "<!--",
        "]]>",
        "javascript:alert(1)",
        "&lt;b&gt;",
        "[bold]x[/bold]",
        "[link=http://x]y[/link]",
        "[/]",
        ":smile:",
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\x1b]8;;http://x\x07y",
        "\x1b[8mhidden",
        "\x9b2J",
        "a\rb",
        "a\nb",
        "\u202egnp.exe",
        "\u2066x",
        "\x00x",
        "\ud800",
        "a,b;c",
        '"',
        "''",
        "%n%s",
        "\\",
        "\x7f",
    ]
    for number in itertools.count():
        for text in texts:
            yield f"{text}{_MARK}{number}"


def _name_everything(root: Path, photos: Path, payloads: list[str]) -> None:
    """Give payloads as names to categories, seeds, photos and whatever else takes a text."""
    for path, payload in zip(root.glob("categories/*/config.json"), payloads, strict=False):
        config = json.loads(path.read_text())
        config["category_name"] = payload
        config["metadata"]["description"] = payload
        config["generation_settings"]["parameters"][payload] = payload
        path.write_text(json.dumps(config))
    for number, payload in enumerate(payloads):
        name = payload.replace("/", "\u2215").replace("\0", "\u2400")
        name = name.encode(
            "utf-8", "surrogateescape" if "\ud800" not in name else "replace"
        ).decode()
        for place in (root / "categories" / "cup" / "seeds", photos / "cup", photos):
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{name}.png").write_bytes(picture(1_000 + number))


def _active(root: Path, photos: Path) -> Iterator[str]:
    """Yield what of the payloads an output would obey."""
    photo = next(photos.glob("*.png"))
    commands = [
        ("categories", "list"), ("categories", "show", "cup"), ("categories", "check"),
        ("samples", "generate", "--workers", "1"), ("samples", "list"), ("train", "--workers", "1"),
        ("models", "list"), ("predict", str(photo)), ("predict", str(photos)),
        ("batch", str(photos), "--output", str(root / "out"), "--workers", "1"), ("report",),
    ]  # fmt: skip
    for words in commands:
        arguments = (*words, "--project", str(root))
        plain = command(*arguments)
        if not 0 <= plain.code < 70:
            yield f"{words[0]}: exit {plain.code}: {plain.output[-300:]}"
        if any(not (c.isprintable() or c == "\n") for c in plain.output):
            yield f"{' '.join(words[:2])}: control characters in plain output"
        code, seen = _on_terminal(arguments)
        if code != plain.code:
            yield f"{' '.join(words[:2])}: exit {code} on a terminal"
        seen = _OWN.sub("", seen)
        if any(not (c.isprintable() or c in "\r\n") for c in seen):
            yield f"{' '.join(words[:2])}: control characters on a terminal"
    yield from _active_cells(root / "out" / "predictions.csv")
    for page in root.glob("artifacts/reports/*.html"):
        yield from _active_markup(page.read_text(encoding="utf-8"))


def _on_terminal(arguments: tuple[str, ...]) -> tuple[int, str]:
    """Return how a command ends and what it sends to a terminal of 80 columns."""
    ours, theirs = pty.openpty()

    def run() -> None:
        from mlforge.cli.main import main

        os.environ.update(TERM="xterm-256color", COLUMNS="80")
        os.environ.pop("NO_COLOR", None)
        os.dup2(theirs, 1)
        os.dup2(theirs, 2)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        sys.argv = ["mlforge", *arguments]
        main()

    parts: list[bytes] = []

    def read() -> None:
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:
                return
            parts.append(part)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    ended = forked(run)
    os.close(theirs)
    reader.join(_PATIENCE)
    os.close(ours)
    return ended.code, b"".join(parts).decode(errors="replace")


def _active_cells(table: Path) -> Iterator[str]:
    for row in csv.reader(io.StringIO(table.read_text(encoding="utf-8"), newline="")):
        for cell in row:
            if cell.startswith(_FORMULA) and _MARK in cell:
                yield f"the table holds the formula {cell!a}"
            if not cell.isprintable():
                yield f"the table holds control characters: {cell!a}"


class _Markup(HTMLParser):
    """Collects the tags and attributes of a page that hold a payload, or make something run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        for name, value in attrs:
            leads = name in {"action", "formaction", "href", "src", "style", "xlink:href"}
            if name.startswith("on") or (leads and _MARK in (value or "")):
                self.found.append(f"<{tag} {name}={value!r}>")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in {"script", "style"} and _MARK in data:
            self.found.append(f"a payload within <{self._inside}>")

    def handle_comment(self, data: str) -> None:
        if _MARK in data:
            self.found.append("a payload within a comment")


def _active_markup(text: str) -> Iterator[str]:
    markup = _Markup()
    markup.feed(text)
    yield from (f"the report holds {found}" for found in markup.found)


FIGURES = (Figure(14, "names that outputs would obey", 500, show_hostile_names),)
