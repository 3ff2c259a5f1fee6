"""What the pages say is so: links lead somewhere, commands exist, and those shown with output run.

Comments in a page, which readers do not see, say what its commands need:

``<!-- setup: photos trained -->``
    Runs steps of `SETUPS` before what follows.
``<!-- write: FILE -->``
    The next block is the content of a file.
``<!-- merge into: FILE... -->``
    The next block is JSON that a reader would put into these files.
``<!-- not run: REASON -->``
    The next block is not run; it may hold no mlforge command.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from mlforge.cli.app import make_app

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FRONT = [ROOT / name for name in ("README.md", "constraints.md", "CHANGELOG.md")]
PAGES = [*FRONT, *sorted(DOCS.rglob("*.md"))]
# The commands of these need their plugins; tests/conformance/test_plugins.py runs them.
PLUGIN_PAGES = {
    page
    for page in DOCS.glob("how-to/add-a*.md")
    if "python -m pip install ./" in page.read_text("utf-8")
}
# Made from the commands' own help, whose examples are checked against the commands.
GENERATED_PAGES = {DOCS / "reference" / "commands.md"}

FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!-- (?P<kind>setup|write|merge into|not run): (?P<value>.*?) -->")
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (?P<text>.+)$", re.MULTILINE)
INLINE = re.compile(r"`(?P<text>mlforge [^`]+)`")
CALL = re.compile(r"(?:^|[|;&] *|run: )(?P<call>mlforge(?: [^|;&<>\n]*)?)", re.MULTILINE)
REGISTRY = re.compile(
    r"pypi|pythonhosted|anaconda|conda-forge|npmjs|crates\.io|docker\.io|ghcr\.io|quay\.io|"
    r"index-url|simple/",
    re.IGNORECASE,
)
MACHINE_PATH = re.compile(r"(?<![\w.}~-])/(?:tmp|home|root|work|Users|private|opt|mnt|srv|var)/")

# Quick to draw, to extract and to fit: here the commands are tested, not the accuracy.
QUICK = """
[features]
use = ["thumbnail", "color"]
learned = { side = 32, width = 4, steps = 20 }

[models]
random_forest = { n_estimators = 10 }
extra_trees = { n_estimators = 10 }
xgboost = { n_estimators = 5 }
"""
KEEP_THREE_SEEDS = """
for folder in categories/*/seeds; do ls "$folder"/* | tail -n +4 | xargs rm -f; done
"""
SETUPS = {
    "photos": 'cp -R "$PHOTOS"/* .',
    "project": f"mlforge init\ncat >> mlforge.toml <<'END'\n{QUICK}END",
    "committed": "git init --quiet && git add . && git commit --quiet --message x",
    "quick": f"cat >> mlforge.toml <<'END'\n{QUICK}END\n{KEEP_THREE_SEEDS}",
}
SETUPS["categories"] = f"{SETUPS['project']}\nmlforge categories import photos"
SETUPS["trained"] = f"{SETUPS['categories']}\nmlforge samples generate --count 12\nmlforge train"
MERGE = """
import json, sys
def merge(old, new):
    for key, value in new.items():
        old[key] = merge(old.get(key, {}), value) if isinstance(value, dict) else value
    return old
new = json.load(sys.stdin)
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        whole = merge(json.load(file), new)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(whole, file)
"""


@dataclass(frozen=True)
class Step:
    """Something to run: a command with the output that the page shows, or a page's setup."""

    command: str
    output: str = ""


@dataclass(frozen=True)
class Ran:
    """What became of a step."""

    step: Step
    code: int
    output: str


def steps_of(text: str) -> Iterator[Step]:
    """Yield what a page has its reader do, in order, and what its comments add."""
    pending: list[tuple[str, str]] = []
    pattern = re.compile(f"{COMMENT.pattern}|{FENCE.pattern}", re.MULTILINE | re.DOTALL)
    for match in pattern.finditer(text):
        if match["kind"] == "setup":
            yield from (Step(f"set -e\n{SETUPS[name]}\nset +e") for name in match["value"].split())
        elif match["kind"]:
            pending.append((match["kind"], match["value"]))
        else:
            yield from _block_steps(match["language"], match["text"], pending)
            pending = []
    assert not pending, f"no block follows {pending}"


def _block_steps(language: str, text: str, comments: list[tuple[str, str]]) -> Iterator[Step]:
    here = f"<<'END_OF_BLOCK'\n{text}END_OF_BLOCK"
    for kind, value in comments:
        if kind == "write":
            folder = shlex.quote(str(Path(value).parent))
            yield Step(f"mkdir -p {folder} && cat > {shlex.quote(value)} {here}")
        elif kind == "merge into":
            yield Step(f"python -c {shlex.quote(MERGE)} {value} {here}")
        else:
            assert not CALL.search(text), f"an mlforge command is not run: {text}"
    if comments:
        return
    if language == "sh":
        yield Step(f"set -e\n{text}\nset +e")
    elif language == "python":
        yield Step(f"python - {here}")
    elif language == "console":
        yield from _console_steps(text)


def _console_steps(text: str) -> Iterator[Step]:
    """Yield each command (``$ ``, going on with ``>``) with the lines that follow it."""
    command: list[str] = []
    output: list[str] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield Step("\n".join(command), "\n".join(output))
            command, output = [line[2:]], []
        elif command and not output and (line == ">" or line.startswith("> ")):
            command.append(line[2:])
        else:
            output.append(line)
    if command:
        yield Step("\n".join(command), "\n".join(output))


def run_steps(steps: list[Step], folder: Path, photos: Path) -> list[Ran]:
    """Run steps in one shell, each knowing the exit code of the one before it as ``$?``."""
    home = folder / "home"
    here = folder / "here"
    home.mkdir()
    here.mkdir()
    script = "code=0\n" + "".join(
        f"(exit $code)\n{step.command}\ncode=$?\nprintf '\\n@@ %d\\n' $code\n" for step in steps
    )
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PHOTOS": str(photos),
        "HOME": str(home),
        "NO_COLOR": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "reader@example.org"
           for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=here,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    parts = re.split(r"\n@@ (\d+)\n", done.stdout)
    ran = [
        Ran(step, int(code), output)
        for step, output, code in zip(steps, parts[::2], parts[1::2], strict=False)
    ]
    assert len(ran) == len(steps), f"stopped at: {steps[len(ran)].command}\n{parts[-1]}"
    return ran


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory, draw: Callable[[str, int], bytes]) -> Path:
    """Return what the pages take for a reader's photos; the names are those of the real ones."""
    folder = tmp_path_factory.mktemp("photos")
    shapes = {"fork": "circle", "scissors": "square", "spoon": "triangle"}
    names = [f"photos/{code}/{code}_{n}.jpg" for code in ("fork", "scissors") for n in range(1, 13)]
    names += [f"more/{code}_{n}.jpg" for code in ("fork", "scissors") for n in range(13, 16)]
    names += [f"more/spoon_{n}.jpg" for n in range(1, 6)]
    new = [(code, n) for code in ("fork", "scissors") for n in range(16, 21)]
    names += [f"new/{code}_{n}.jpg" for code, n in new]
    names += [f"labelled/{code}/{code}_{n}.jpg" for code, n in new]
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        code, _, number = path.stem.partition("_")
        path.write_bytes(draw(shapes[code], int(number)))
    return folder


RUN_PAGES = [
    page
    for page in PAGES
    if page not in PLUGIN_PAGES | GENERATED_PAGES
    and any(steps_of(page.read_text(encoding="utf-8")))
]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", RUN_PAGES, ids=name_of)
def test_the_commands_of_a_page_work(page: Path, photos: Path, tmp_path: Path) -> None:
    steps = list(steps_of(page.read_text(encoding="utf-8")))
    ran = run_steps(steps, tmp_path, photos)
    codes_shown = [step.command == "echo $?" for step in [*steps[1:], Step("")]]
    for done, code_follows in zip(ran, codes_shown, strict=True):
        assert code_follows or done.code == 0, f"$ {done.step.command}\n{done.output}"
        if done.step.command == "echo $?":
            assert done.output.strip() == done.step.output.strip()
        assert "Traceback" not in done.output, done.output


def test_a_command_that_fails_is_noticed(photos: Path, tmp_path: Path) -> None:
    page = "```console\n$ python - <<'END'\n> raise SystemExit(3)\n> END\n$ echo $?\n3\n```\n"
    failed, told = run_steps(list(steps_of(page)), tmp_path, photos)
    assert (failed.code, told.code, told.output.strip()) == (3, 0, "3")
    assert told.step.output == "3"


def test_the_pages_that_matter_are_run() -> None:
    run = {name_of(page) for page in RUN_PAGES}
    assert run >= {
        "README.md",
        "docs/tutorials/first-classifier.md",
        "docs/how-to/adding-new-categories.md",
        "docs/how-to/generating-samples.md",
        "docs/how-to/predict-a-folder.md",
        "docs/how-to/use-in-ci.md",
        "docs/explanation/evaluation.md",
    }


def test_pages_that_need_plugins_are_run_with_them() -> None:
    plugin_tests = (ROOT / "tests" / "conformance" / "test_plugins.py").read_text(encoding="utf-8")
    assert PLUGIN_PAGES
    assert [page.name for page in PLUGIN_PAGES if f'"{page.name}"' not in plugin_tests] == []


@cache
def command_tree() -> Any:
    return get_command(make_app(rich_help=False))


def unknown_in(call: str) -> str | None:
    """Return the first word of a call that is neither a command, an option nor an argument."""
    node = command_tree()
    options = {"--help", "-h"}
    # An apostrophe of the sentence around it is no quote.
    words: list[str] = re.findall(r"'[^']*'|\"[^\"]*\"|[^\s'\"]+", call)
    for word in words[1:]:
        known = options | {name for parameter in node.params for name in parameter.opts}
        if word.startswith("-") and word != "-":
            if word.partition("=")[0] not in known:
                return word
        elif hasattr(node, "commands"):
            if word not in node.commands:
                return word
            node = node.commands[word]
    return None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_options_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    calls = [match["text"] for match in INLINE.finditer(FENCE.sub("", text))]
    for block in FENCE.finditer(text):
        if block["language"] not in {"console", "sh", "yaml"}:
            continue
        lines = re.sub(r"^(\$ |- )", "", block["text"], flags=re.MULTILINE)
        calls += [match["call"] for match in CALL.finditer(lines)]
    wrong = {call: unknown for call in calls if (unknown := unknown_in(call)) is not None}
    assert wrong == {}


def test_a_wrong_command_or_option_is_noticed() -> None:
    assert unknown_in("mlforge train --modle svm") == "--modle"
    assert unknown_in("mlforge sample generate") == "sample"
    assert unknown_in("mlforge samples generate CODE --count 3") is None


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    found: dict[str, int] = {}
    for match in HEADING.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
        slug = re.sub(r"[^\w\- ]", "", match["text"].strip().lower()).replace(" ", "-")
        found[slug] = found.get(slug, 0) + 1
    repeated = {f"{slug}-{n}" for slug, count in found.items() for n in range(1, count)}
    return frozenset(found) | repeated


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for match in LINK.finditer(text):
        path, _, anchor = match["target"].partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        exists = target.exists() and target.is_relative_to(ROOT)
        if not exists or (anchor and anchor not in anchors(target)):
            broken.append(match["target"])
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_names_no_registry_and_no_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert REGISTRY.findall(text) == []
    assert MACHINE_PATH.findall(text) == []


def test_every_page_is_found_from_the_index() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        for match in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
            target = (page.parent / match["target"].partition("#")[0]).resolve()
            if target.suffix == ".md" and target.is_file():
                waiting.append(target)
    assert sorted(name_of(page) for page in set(PAGES) - seen) == []


def test_the_pictures_of_the_demo_are_small_and_no_seeds() -> None:
    unseen = sorted((DOCS / "tutorials" / "unseen").glob("*.jpg"))
    seeds = {path.read_bytes() for path in ROOT.glob("categories/*/seeds/*")}
    assert len(unseen) >= 2
    assert not seeds & {path.read_bytes() for path in unseen}
    assert (DOCS / "pictures" / "signs.jpg").stat().st_size < 120_000


def test_json_in_the_pages_is_json() -> None:
    for page in PAGES:
        for block in FENCE.finditer(page.read_text(encoding="utf-8")):
            if block["language"] == "json" and block["text"].startswith("{"):
                json.loads(block["text"])
