"""The report in a real browser: headless Chromium, driven through its DevTools pipe."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
Run = Callable[..., Any]

PATIENCE = 60.0
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
    *("--disable-dev-shm-usage", "--disable-background-networking", "--disable-extensions"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe"),
)

# The browser reads its commands from descriptor 3 and answers on 4, whatever ours are.
START = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.close(read)
os.close(write)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """A browser with one page.

    Parameters
    ----------
    profile
        The folder of its profile.
    """

    def __init__(self, profile: Path) -> None:
        ours, theirs = os.pipe(), os.pipe()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", START, str(ours[0]), str(theirs[1])),
                *(CHROMIUM, *FLAGS, f"--user-data-dir={profile}"),
            ],
            pass_fds=(ours[0], theirs[1]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(ours[0])
        os.close(theirs[1])
        self._write, self._read = ours[1], theirs[0]
        self._buffer, self._number, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []

    def start(self) -> None:
        """Wait for the browser and open its page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a DevTools method and return its result; events are kept in `events`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def open(self, page: Path, fragment: str = "") -> None:
        """Open a file and wait until everything in it has loaded."""
        self._go("about:blank")
        self.events.clear()
        self._go(page.as_uri() + fragment)

    def _go(self, url: str) -> None:
        loader = self.call("Page.navigate", url=url)["loaderId"]
        loaded = {"name": "load", "loaderId": loader}
        while not any(loaded.items() <= e.get("params", {}).items() for e in self.events):
            self.events.append(self._message())

    def ask(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def look(self, width: int, height: int = 900, *, scheme: str = "light") -> None:
        """Set the width of the page and the colour scheme that the user prefers."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media="screen", features=features)

    def wait(self, holds: Callable[[], bool]) -> None:
        """Let the browser go on until something holds."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, "it never came to hold"
            self.ask("0")

    @property
    def complaints(self) -> list[str]:
        """What was written to the console, thrown or refused."""
        kinds = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}
        return [json.dumps(e["params"]) for e in self.events if e.get("method") in kinds]

    @property
    def requests(self) -> list[str]:
        """The addresses that were asked for."""
        asked = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [e["params"]["request"]["url"] for e in asked]

    def close(self) -> None:
        """End the browser."""
        os.close(self._write)
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait(PATIENCE)
            os.close(self._read)

    def _message(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], deadline - time.monotonic())
            assert ready, "the browser does not answer"
            part = os.read(self._read, 1 << 20)
            assert part, "the browser has ended"
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        value: dict[str, Any] = json.loads(message)
        return value


HOSTILE_NAMES = {
    "circle": "<script>alert(1)</script>",
    "square": '"><img src=x onerror=alert(1)>',
    "triangle": "</style></title><svg onload=alert(1)>' onclick='alert(1)",
}
HOSTILE_FILE = "\"><img src=x onerror=alert(1)> 'a' &lt;b&gt; {{ 7*7 }}.png"
SETTINGS = """\
[features]
use = ["thumbnail", "color"]
[train]
folds = 3
gates = ["accuracy>=0.5"]
[models.random_forest]
n_estimators = 10
"""
SECTIONS = (
    *("categories", "confusion", "mistakes", "confidence", "sets", "unknown", "more"),
    *("robustness", "techniques", "blame", "leaderboard", "data", "settings"),
)


@pytest.fixture(scope="module")
def report(
    tmp_path_factory: pytest.TempPathFactory, shapes: Path, draw: Callable[[str, int], bytes]
) -> Path:
    """Return the report of a project whose every name is an attack, with some wrong seeds."""
    folder = tmp_path_factory.mktemp("hostile")
    project = Project.init(folder / "<b>project")
    (project.root / "mlforge.toml").write_text(SETTINGS)
    project.import_categories(shapes)
    for code, name in HOSTILE_NAMES.items():
        config = project.root / "categories" / code / "config.json"
        values = json.loads(config.read_text())
        config.write_text(json.dumps({**values, "category_name": name}))
    for number, shape in enumerate(("circle", "triangle", "circle")):
        name = HOSTILE_FILE if number == 0 else f"wrong_{number}.png"
        seed = project.root / "categories" / "square" / "seeds" / name
        seed.write_bytes(draw(shape, 50 + number))
    project.train()
    return project.report().file


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no chromium or google-chrome on PATH")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    try:
        browser.start()
        yield browser
    finally:
        browser.close()


def test_the_page_is_whole_says_nothing_to_the_console_and_asks_nobody(
    browser: Browser, report: Path
) -> None:
    browser.look(1280)
    browser.open(report)
    sections = browser.ask("[...document.querySelectorAll('main section')].map(s => s.id)")
    assert tuple(sections) == SECTIONS
    assert browser.ask("document.querySelector('h1').innerText").startswith("Right ")
    assert browser.ask("document.querySelectorAll('.mixup .card img').length") >= 3
    assert browser.ask(
        "[...document.querySelectorAll('.page img')].every(i => i.complete && i.naturalWidth > 0)"
    )
    assert browser.complaints == []
    assert {r for r in browser.requests if not r.startswith("data:")} == {report.as_uri()}


def test_names_stay_text(browser: Browser, report: Path) -> None:
    browser.open(report)
    text = browser.ask("document.body.innerText")
    assert all(name in text for name in HOSTILE_NAMES.values())
    assert HOSTILE_FILE in browser.ask("[...document.images].map(i => i.alt).join('|')")
    assert browser.ask("document.scripts.length") == 1
    assert browser.ask("document.querySelectorAll('img:not([src^=\"data:image/\"])').length") == 1
    names = "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames())"
    assert browser.ask(f"{names}.filter(n => n.startsWith('on') || n === 'style')") == []


@pytest.mark.parametrize(
    "attack",
    [
        "document.head.append(Object.assign(document.createElement('script'), {text: 'ran = 1'}))",
        "document.body.insertAdjacentHTML('beforeend', '<img src=data:, onerror=\"ran = 1\">')",
        "document.body.insertAdjacentHTML('beforeend', '<img src=http://localhost/a.png>')",
        "document.body.insertAdjacentHTML('beforeend', '<iframe src=\"data:text/html,a\">')",
    ],
)
def test_what_got_in_anyway_would_be_refused(browser: Browser, report: Path, attack: str) -> None:
    browser.open(report)
    browser.ask(f"{{ {attack} }}")
    browser.ask("document.body.offsetHeight")
    assert browser.ask("window.ran === undefined")
    browser.wait(lambda: any("Content Security Policy" in text for text in browser.complaints))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_is_as_wide_as_the_window(
    browser: Browser, report: Path, width: int, scheme: str
) -> None:
    browser.look(width, scheme=scheme)
    browser.open(report)
    assert browser.ask("document.documentElement.scrollWidth") == width
    dark = browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
    assert dark == (scheme == "dark")


def test_filtering_leaves_what_fits_and_a_count(browser: Browser, report: Path) -> None:
    browser.look(1280)
    browser.open(report)
    shown = "[...document.querySelectorAll('.mixup .card')].filter(c => c.offsetHeight).length"
    everything = browser.ask(shown)
    type_in = "const f = document.getElementById('filter-text'); f.value = {}; "
    fire = "f.dispatchEvent(new Event('input'))"
    browser.ask(f"{{ {type_in.format(json.dumps('WRONG_1'))} {fire} }}")
    assert browser.ask(shown) == 1 < everything
    assert browser.ask("document.getElementById('filter-state').textContent") == "1 shown"
    browser.ask(f"{{ {type_in.format(json.dumps(''))} {fire} }}")
    assert browser.ask(shown) == everything


def test_a_cell_leads_to_its_photos_whatever_the_filter(browser: Browser, report: Path) -> None:
    browser.open(report)
    browser.ask("document.getElementById('filter-text').value = 'no such file'")
    browser.ask("document.getElementById('filter-text').dispatchEvent(new Event('input'))")
    browser.ask("document.querySelector('.matrix .w a').click()")
    target = "document.querySelector(document.querySelector('.matrix .w a').hash)"
    browser.wait(lambda: bool(browser.ask(f"{target}.offsetHeight > 0")))
    browser.ask("document.querySelector('.matrix .r a').click()")
    target = "document.querySelector(document.querySelector('.matrix .r a').hash)"
    browser.wait(lambda: bool(browser.ask(f"{target}.open && {target}.offsetHeight > 0")))


def test_a_picture_is_enlarged_and_put_away(browser: Browser, report: Path) -> None:
    browser.open(report)
    browser.ask("document.querySelector('.mixup button.picture').click()")
    assert browser.ask("document.querySelector('dialog').open")
    small, large = (f"document.querySelector('{x} img')" for x in (".mixup .picture", "dialog"))
    assert browser.ask(f"{small}.src === {large}.src")
    assert browser.ask(f"{large}.getBoundingClientRect().width") > 300
    browser.ask("document.querySelector('dialog button').click()")
    assert not browser.ask("document.querySelector('dialog').open")
    assert browser.complaints == []


def test_everything_is_there_without_script(browser: Browser, report: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(report)
        page = browser.call("DOM.getDocument", depth=0)["root"]["nodeId"]
        for selector, count in ((".mixup .card img", 3), ("main section", len(SECTIONS))):
            found = browser.call("DOM.querySelectorAll", nodeId=page, selector=selector)
            assert len(found["nodeIds"]) >= count
        tools = browser.call("DOM.querySelector", nodeId=page, selector=".tools")["nodeId"]
        browser.call("CSS.enable")
        style = browser.call("CSS.getComputedStyleForNode", nodeId=tools)["computedStyle"]
        assert {"name": "display", "value": "none"} in style
    finally:
        browser.call("CSS.disable")
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_it_prints_dark_on_white_without_what_paper_cannot_do(
    browser: Browser, report: Path
) -> None:
    browser.look(718, scheme="dark")
    browser.call("Emulation.setEmulatedMedia", media="print")
    browser.open(report)
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.ask("document.documentElement.scrollWidth") == 718
    for hidden in (".tools", ".side", ".rights"):
        assert browser.ask(f"document.querySelector('{hidden}').offsetHeight") == 0
    assert browser.call("Page.printToPDF")["data"]


@pytest.mark.parametrize("named", [(), ("random_forest-0001",)])
def test_the_command_says_where_the_page_is_and_what_is_missing(
    report: Path, invoke: Run, named: tuple[str, ...]
) -> None:
    root = report.parents[2]
    outcome = invoke("report", *named, "--project", root, "--json")
    assert outcome.code == 0
    assert outcome.document == {
        "schema": "mlforge.report/1",
        "version": "random_forest-0001",
        "file": str(report),
        "n_bytes": report.stat().st_size,
        "computed": [],
        "missing": ["curve", "blame", "techniques", "robustness", "unknown"],
    }
    text = invoke("report", "--project", root)
    assert "mlforge evaluate --deep --model random_forest-0001" in text.out


def test_an_unknown_version_is_refused(report: Path, invoke: Run) -> None:
    outcome = invoke("report", "random_forest-0009", "--project", report.parents[2])
    assert outcome.code == 5
    assert "random_forest-0009" in outcome.err
