"""What a service may do to whoever asks it: nothing hangs, nothing floods, what came is kept."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mlforge.core.reporting import SilentReporter
from mlforge.errors import EngineError, SampleError
from mlforge.remote.addresses import AllowedHosts
from mlforge.remote.http import MAX_BYTES, Client, Clock, Limits, Request
from mlforge.storage.responses import ResponseStore
from mlforge.workflows.fetch import FetchResult, fetch_responses
from mlforge.workflows.sample_plan import Wish, make_plan
from mlforge.workflows.workspace import Workspace

Draw = Callable[[str, int], bytes]
GIGABYTE = 1024**3
# Of the two ends' sockets and of one read, besides what is counted.
BUFFERS = 32 * 1024 * 1024


def client(**limits: Any) -> Client:
    clock = Clock(sleep=lambda seconds: None)
    allowed = AllowedHosts.parse(["127.0.0.1"], "")
    return Client(allowed, Limits(**{"per_second": 1e6, **limits}), clock)


def head(handler: Any, **headers: str) -> None:
    handler.send_response(200)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


@pytest.mark.parametrize("announced", [True, False])
def test_a_gigabyte_is_cut_off(service: Any, announced: bool) -> None:
    written = []
    hung_up = threading.Event()

    def answer(handler: Any, asked: Any) -> None:
        head(
            handler, **({"Content_Length": str(GIGABYTE)} if announced else {"Connection": "close"})
        )
        try:
            for _ in range(GIGABYTE // 65536):
                handler.wfile.write(bytes(65536))
                written.append(65536)
        finally:
            hung_up.set()

    service.answer = answer
    with client() as made, pytest.raises(SampleError, match=r"larger than 10\.5 MB"):
        made.send(Request(service.url))
    assert hung_up.wait(20)
    assert sum(written) < (0 if announced else MAX_BYTES) + BUFFERS
    assert len(service.asked) == 1


def test_a_chunked_flood_is_cut_off(service: Any) -> None:
    hung_up = threading.Event()

    def answer(handler: Any, asked: Any) -> None:
        head(handler, Transfer_Encoding="chunked")
        try:
            for _ in range(GIGABYTE // 65536):
                handler.wfile.write(b"10000\r\n" + bytes(65536) + b"\r\n")
        finally:
            hung_up.set()

    service.answer = answer
    with client() as made, pytest.raises(SampleError, match="larger than"):
        made.send(Request(service.url))
    assert hung_up.wait(20)


def test_a_gzip_bomb_does_not_go_off(service: Any) -> None:
    bomb = gzip.compress(bytes(300 * 1024 * 1024), compresslevel=1)
    assert len(bomb) < MAX_BYTES
    service.reply(bomb, Content_Encoding="gzip")
    with client() as made, pytest.raises(SampleError, match="larger than"):
        made.send(Request(service.url))


def test_a_flood_that_unpacks_to_nothing_is_cut_off(service: Any) -> None:
    empty_block = b"\x00\x00\x00\xff\xff"
    start = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
    body = start + empty_block * (MAX_BYTES // 5 + 1)

    def answer(handler: Any, asked: Any) -> None:
        # Without a length: it is what comes that counts.
        head(handler, Content_Encoding="gzip", Connection="close")
        handler.wfile.write(body)
        handler.close_connection = True

    service.answer = answer
    with client() as made, pytest.raises(SampleError, match="larger than"):
        made.send(Request(service.url))


def test_endless_headers_are_cut_off(service: Any) -> None:
    def answer(handler: Any, asked: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in count():
            handler.wfile.write(f"X-{number}: {'x' * 1000}\r\n".encode())

    service.answer = answer
    with client() as made, pytest.raises(EngineError, match="no answer"):
        made.send(Request(service.url))


@pytest.mark.parametrize("part", ["nothing", "headers", "body"])
def test_a_service_that_drips_is_left_when_its_time_is_over(service: Any, part: str) -> None:
    over = threading.Event()

    def answer(handler: Any, asked: Any) -> None:
        if part == "nothing":
            over.wait(20)
        if part == "headers":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        if part == "body":
            head(handler, Content_Length="1000000")
        # A byte comes well within any wait for a byte.
        while not over.wait(0.01):
            handler.wfile.write(b"x")

    service.answer = answer
    with (
        client(seconds=0.1) as made,
        pytest.raises(EngineError, match=r"whole answer within 0\.1 s"),
    ):
        made.send(Request(service.url))
    over.set()
    assert len(service.asked) == 4


@pytest.mark.parametrize(
    "torn",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00" * 1000,
        b"\x15\x03\x01\x00\x02\x02\x0a",
    ],
)
def test_an_answer_that_breaks_off_or_is_no_http_is_asked_for_again(
    service: Any, torn: bytes
) -> None:
    def answer(handler: Any, asked: Any) -> None:
        if len(service.asked) == 1:
            handler.wfile.write(torn)
            handler.close_connection = True
        else:
            service.send(handler, b"picture")

    service.answer = answer
    with client() as made:
        assert made.send(Request(service.url)) == b"picture"


def api_category(root: Path, url: str, inputs: list[str], **parameters: Any) -> Workspace:
    folder = root / "categories" / "cup"
    folder.mkdir(parents=True)
    config = {
        "category_name": "Cup",
        "category_code": "cup",
        "generation_settings": {
            "method": "api",
            "api_endpoint": url,
            "parameters": {"requests_per_second": 100, **parameters},
        },
        "sample_inputs": inputs,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (root / "mlforge.toml").touch()
    return Workspace(root)


def fetch(workspace: Workspace) -> FetchResult:
    plan = make_plan(workspace, workspace.category("cup"), Wish(count=4))
    endpoint = plan.category.config.generation_settings.api_endpoint or ""
    allowed = (endpoint.removeprefix("http://"),)
    return fetch_responses(workspace, plan, allowed, SilentReporter())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b'{"image": ', "not JSON"),
        (b'{"image": "\xff"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"1" * 10_000, "not JSON"),
        (b"[]", "nothing at 'image.data'"),
        (b'{"image": []}', "nothing at"),
        (b'{"image": {"data": null}}', "no text at"),
        (b'{"image": {"data": "%%%"}}', "neither base64 nor a link"),
        (b'{"image": {"data": "data:image/png,x"}}', "without base64"),
        (b'{"image": {"data": "aGVsbG8="}}', "not an image"),
        (b'{"image": {"data": "http://"}}', "not a URL"),
        (b'{"image": {"data": "http://a b/"}}', "not a URL"),
        (b'{"image": {"data": "http://169.254.169.254/latest"}}', "inside your own network"),
        (b'{"image": {"data": "http://localhost:1/x.png"}}', "inside your own network"),
        (b'{"image": {"data": "http://0x7f.1/x.png"}}', "odd spelling"),
        (b'{"image": {"data": "http://me:you@127.0.0.1/x.png"}}', "password"),
    ],
)
def test_an_odd_answer_is_its_items_failure(
    tmp_path: Path, service: Any, draw: Draw, body: bytes, reason: str
) -> None:
    def answer(handler: Any, asked: Any) -> None:
        link = json.dumps({"image": {"data": f"{service.url}/good.png"}}).encode()
        if asked.path == "/good.png":
            service.send(handler, draw("circle", 1))
        else:
            service.send(handler, body if asked.path.endswith("=odd") else link)

    service.answer = answer
    workspace = api_category(tmp_path, service.url, ["odd", "even"], answer="image.data")
    result = fetch(workspace)
    assert len(result.responses) == 2
    assert len(result.failures) == 2
    assert all(reason in failure for failure in result.failures.values()), result.failures


def test_a_link_to_loopback_behind_an_innocent_name_is_not_followed(
    tmp_path: Path, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.reply(json.dumps({"url": "http://cdn.example.org/x.png"}).encode())
    monkeypatch.setenv("MLFORGE_ALLOW_HOSTS", "cdn.example.org")
    real = socket.getaddrinfo

    def look_up(host: str, *arguments: Any, **keywords: Any) -> Any:
        return real("127.0.0.1" if host == "cdn.example.org" else host, *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    workspace = api_category(tmp_path, service.url, ["a"], answer="url")
    result = fetch(workspace)
    assert all("stands for 127.0.0.1" in failure for failure in result.failures.values())
    assert {asked.path for asked in service.asked} == {"/?input=a"}


def test_a_type_that_lies_makes_no_difference(tmp_path: Path, service: Any, draw: Draw) -> None:
    def answer(handler: Any, asked: Any) -> None:
        if asked.path.endswith("html"):
            service.send(handler, b"<html>sorry</html>", Content_Type="image/png")
        else:
            service.send(handler, draw("circle", 1), Content_Type="text/html")

    service.answer = answer
    result = fetch(api_category(tmp_path, service.url, ["html", "picture"]))
    assert (len(result.responses), len(result.failures)) == (2, 2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_came_before_an_interruption_is_kept(
    tmp_path: Path, service: Any, draw: Draw, number: signal.Signals
) -> None:
    interrupting = True

    def answer(handler: Any, asked: Any) -> None:
        if interrupting and len(service.asked) == 3:
            os.kill(os.getpid(), number)
            return
        service.send(handler, draw("circle", len(service.asked)))

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    service.answer = answer
    workspace = api_category(tmp_path, service.url, [f"{n}" for n in range(4)])
    before = signal.signal(number, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            fetch(workspace)
    finally:
        signal.signal(number, before)
    interrupting = False
    service.asked.clear()
    assert len(fetch(workspace).responses) == 4
    assert len(service.asked) == 2
    assert not list(tmp_path.rglob(".mlforge-tmp-*"))


def test_a_service_that_breaks_down_leaves_what_came(
    tmp_path: Path, service: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlforge.remote.http._FIRST_PAUSE", 0.001)
    down = True

    def answer(handler: Any, asked: Any) -> None:
        n_asked = len(service.asked)
        service.send(handler, draw("circle", n_asked), 503 if down and n_asked > 2 else 200)

    service.answer = answer
    workspace = api_category(tmp_path, service.url, [f"{n}" for n in range(5)])
    with pytest.raises(EngineError, match=r"HTTP 503 .*; 2 of 4 answers are kept") as caught:
        fetch(workspace)
    assert "same command again" in caught.value.hint
    assert len(service.asked) == 2 + 2 * 4, "two requests in a row without an answer are enough"
    down = False
    service.asked.clear()
    assert len(fetch(workspace).responses) == 4
    assert len(service.asked) == 2


@pytest.mark.parametrize("status", [400, 404, 302])
def test_one_refused_input_does_not_stop_the_others(
    tmp_path: Path, service: Any, draw: Draw, status: int
) -> None:
    def answer(handler: Any, asked: Any) -> None:
        refused = asked.path.endswith("=b")
        service.send(handler, draw("circle", 1), status if refused else 200)

    service.answer = answer
    result = fetch(api_category(tmp_path, service.url, ["a", "b", "c", "d"]))
    assert len(result.responses) == 3
    (failure,) = result.failures.values()
    assert f"HTTP {status}" in failure


# Killed before its n-th operation that changes the disk; imports once and forks for each n.
KILLS = """
import os, signal, sys
from pathlib import Path
from mlforge.storage.responses import ResponseStore

def counted(function):
    def call(*args, **keywords):
        global n_done
        n_done += 1
        if n_done == n_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **keywords)
    return call

root, n_trials = Path(sys.argv[1]), int(sys.argv[2])
for n_last in range(1, n_trials + 1):
    n_done = 0
    child = os.fork()
    if child == 0:
        for name in ("fsync", "replace", "unlink", "mkdir"):
            setattr(os, name, counted(getattr(os, name)))
        store = ResponseStore(root / str(n_last))
        for digit in "0123":
            store.store(digit * 64, digit.encode() * 1000)
        os._exit(0)
    print(os.WIFSIGNALED(os.waitpid(child, 0)[1]))
"""
N_TRIALS = 20


def test_a_kill_at_any_operation_tears_no_answer(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLS, str(tmp_path), str(N_TRIALS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split().count("True") >= N_TRIALS - 4, "all but the last are killed"
    n_kept = []
    for number in range(1, N_TRIALS + 1):
        store = ResponseStore(tmp_path / str(number))
        answers = {digit: store.load(digit * 64) for digit in "0123"}
        assert all(data in (None, digit.encode() * 1000) for digit, data in answers.items())
        n_kept.append(sum(data is not None for data in answers.values()))
        for digit in "0123":
            store.store(digit * 64, digit.encode() * 1000)
        again = ResponseStore(tmp_path / str(number))
        assert all(again.load(digit * 64) for digit in "0123")
        assert not list((tmp_path / str(number)).glob(".mlforge-tmp-*"))
    assert n_kept == sorted(n_kept), "what came before the kill is kept"
    assert {0, 1, 2, 3} <= set(n_kept)
