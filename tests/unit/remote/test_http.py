from __future__ import annotations

import datetime as dt
import gzip
import socket
import threading
from collections.abc import Callable
from email.utils import format_datetime
from typing import Any

import pytest

from mlforge.errors import ConfigError, EngineError, SampleError
from mlforge.remote.addresses import AllowedHosts
from mlforge.remote.http import Client, Clock, Limits, Request, ServiceKey

LOOPBACK = AllowedHosts.parse(["127.0.0.1"], "")
KEY = ServiceKey("MLFORGE_KEY", "Authorization", "Bearer", "s3cret-key")


class Time:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.seconds, self.sleep)


def client(time: Time | None = None, **limits: Any) -> Client:
    return Client(LOOPBACK, Limits(**{"per_second": 1e6, **limits}), (time or Time()).clock)


def test_a_request_arrives_as_it_was_meant(service: Any) -> None:
    service.reply(b"picture", Content_Type="text/html")
    request = Request(f"{service.url}/draw?x=%C3%A9", "POST", '{"a":"é"}', (("X-Style", "plain"),))
    with client() as made:
        assert made.send(request, KEY) == b"picture"
    (asked,) = service.asked
    assert (asked.method, asked.path, asked.body) == (
        "POST",
        "/draw?x=%C3%A9",
        '{"a":"é"}'.encode(),
    )
    assert asked.headers["host"] == f"127.0.0.1:{service.port}"
    assert asked.headers["authorization"] == "Bearer s3cret-key"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["x-style"] == "plain"


def test_the_host_stands_in_the_request_though_the_address_is_connected_to(service: Any) -> None:
    looked_up: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"] if len(looked_up) == 1 else ["127.0.0.2"]

    service.reply(b"picture", Connection="close")
    allowed = AllowedHosts.parse(["service.test", "127.0.0.1"], "")
    with Client(allowed, Limits(per_second=1e6), Time().clock, resolver) as made:
        for _ in range(2):
            assert made.send(Request(f"http://service.test:{service.port}/")) == b"picture"
    assert looked_up == ["service.test"], "looked up once: a later answer cannot lead elsewhere"
    assert {asked.headers["host"] for asked in service.asked} == {f"service.test:{service.port}"}


def test_tls_is_asked_for_by_name_though_the_address_is_connected_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        hellos: list[bytes] = []

        def serve() -> None:
            connection, _ = server.accept()
            connection.settimeout(20)
            with connection:
                hellos.append(connection.recv(4096))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        allowed = AllowedHosts.parse(["service.test", "127.0.0.1"], "")
        time = Time()

        def stop(seconds: float) -> None:
            raise InterruptedError

        made = Client(allowed, clock=Clock(lambda: time.seconds, stop), resolver=local)
        with made, pytest.raises(InterruptedError):
            made.send(Request(f"https://service.test:{server.getsockname()[1]}/"))
        thread.join(60)
    assert b"service.test" in hellos[0]


def local(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def test_proxies_of_the_environment_are_not_asked(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.reply(b"picture")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with client() as made:
        assert made.send(Request(service.url)) == b"picture"


def test_cookies_are_not_kept(service: Any) -> None:
    service.reply(b"picture", Set_Cookie="a=b")
    with client() as made:
        made.send(Request(service.url))
        made.send(Request(service.url))
    assert "cookie" not in service.asked[1].headers


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_a_service_in_trouble_is_asked_three_times_more_with_growing_pauses(
    service: Any, status: int
) -> None:
    service.reply(b"", status)
    time = Time()
    with client(time) as made, pytest.raises(EngineError, match=f"HTTP {status}") as caught:
        made.send(Request(service.url))
    assert caught.value.exit_code == 6
    assert len(service.asked) == 4
    pauses = [wait for wait in time.waits if wait > 0.1]
    for pause, longest in zip(pauses, [1.0, 2.0, 4.0], strict=True):
        assert longest / 2 <= pause <= longest


def test_a_service_that_recovers_is_no_error(service: Any) -> None:
    def answer(handler: Any, asked: Any) -> None:
        service.send(handler, b"picture", 503 if len(service.asked) < 4 else 200)

    service.answer = answer
    with client() as made:
        assert made.send(Request(service.url)) == b"picture"


def soon(seconds: int) -> str:
    return format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("text", [lambda: "30", lambda: soon(31)])
def test_the_pause_that_a_service_asks_for_is_kept(service: Any, text: Callable[[], str]) -> None:
    service.reply(b"", 429, Retry_After=text())
    time = Time()
    with client(time) as made, pytest.raises(EngineError):
        made.send(Request(service.url))
    assert len(service.asked) == 4
    assert all(25 <= wait <= 31 for wait in time.waits if wait > 0.1)


def test_a_service_that_asks_for_a_long_pause_is_left_alone(service: Any) -> None:
    service.reply(b"", 429, Retry_After="3600")
    time = Time()
    with client(time) as made, pytest.raises(EngineError, match="wait 3600 s"):
        made.send(Request(service.url))
    assert len(service.asked) == 1
    assert sum(time.waits) < 1


@pytest.mark.parametrize("text", ["soon", "-5", "1e99", "9" * 400, "", "Mon, 99 Foo 2000"])
def test_an_odd_pause_is_not_kept(service: Any, text: str) -> None:
    service.reply(b"", 503, Retry_After=text)
    time = Time()
    with client(time) as made, pytest.raises(EngineError):
        made.send(Request(service.url))
    assert sum(time.waits) < 10


def test_requests_are_kept_apart(service: Any) -> None:
    service.reply(b"picture")
    time = Time()
    with client(time, per_second=4.0) as made:
        for _ in range(5):
            made.send(Request(service.url))
    assert time.waits == pytest.approx([0.25] * 4)


@pytest.mark.parametrize("status", [400, 403, 404, 422, 451, 304, 301, 302, 307, 308])
def test_a_refusal_is_of_one_item_and_asked_once(service: Any, status: int) -> None:
    service.reply(b"", status, Location=f"{service.url}/internal")
    with client() as made, pytest.raises(SampleError, match=f"HTTP {status}"):
        made.send(Request(service.url))
    assert [asked.path for asked in service.asked] == ["/"], "no redirect is followed"


def test_a_refused_key_names_the_variable_and_not_the_key(service: Any) -> None:
    service.reply(b"no", 401)
    with client() as made, pytest.raises(ConfigError, match="refuses the key") as caught:
        made.send(Request(service.url), KEY)
    assert "MLFORGE_KEY" in caught.value.hint
    with client() as made, pytest.raises(ConfigError, match="wants a key"):
        made.send(Request(service.url))


def test_a_key_is_shown_nowhere(service: Any) -> None:
    def echo(handler: Any, asked: Any) -> None:
        service.send(handler, asked.headers["authorization"].encode(), 400)

    service.answer = echo
    with client() as made, pytest.raises(SampleError) as caught:
        made.send(Request(service.url), KEY)
    assert "s3cret" not in f"{caught.value!r} {KEY!r}"


def test_gzip_is_unpacked(service: Any) -> None:
    service.reply(gzip.compress(b"picture" * 100_000, mtime=0), Content_Encoding="gzip")
    with client() as made:
        assert made.send(Request(service.url)) == b"picture" * 100_000


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (b"picture", "gzip", "is not"),
        (gzip.compress(b"picture" * 1000, mtime=0)[:-9], "gzip", "torn"),
        (b"picture", "br", "packed as 'br'"),
        (b"picture", "gzip, gzip", "packed as"),
    ],
)
def test_a_body_that_is_not_packed_as_it_says_is_refused(
    service: Any, body: bytes, encoding: str, reason: str
) -> None:
    service.reply(body, Content_Encoding=encoding)
    with client() as made, pytest.raises(SampleError, match=reason):
        made.send(Request(service.url))


def test_a_body_of_just_the_largest_size_is_taken(service: Any) -> None:
    service.reply(b"x" * 1000)
    with client(max_bytes=1000) as made:
        assert len(made.send(Request(service.url))) == 1000
    with client(max_bytes=999) as made, pytest.raises(SampleError, match="larger than 999 B"):
        made.send(Request(service.url))


def test_a_port_where_nobody_listens_is_a_service_that_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with client() as made, pytest.raises(EngineError, match="no answer"):
        made.send(Request(f"http://127.0.0.1:{port}/"))


def test_a_host_that_is_not_found_is_a_service_that_is_down() -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    allowed = AllowedHosts.parse(["service.test"], "")
    with (
        Client(allowed, clock=Time().clock, resolver=resolver) as made,
        pytest.raises(EngineError, match="not found"),
    ):
        made.send(Request("http://service.test/"))


def test_a_slow_look_up_ends_with_the_time() -> None:
    release = threading.Event()

    def resolver(host: str, port: int) -> list[str]:
        release.wait(60)
        return ["127.0.0.1"]

    allowed = AllowedHosts.parse(["service.test"], "")
    limits = Limits(seconds=0.05, per_second=1e6)
    clock = Clock(sleep=lambda seconds: None)
    try:
        with (
            Client(allowed, limits, clock, resolver) as made,
            pytest.raises(EngineError, match=r"within 0\.05 s"),
        ):
            made.send(Request("http://service.test/"))
    finally:
        release.set()


def test_the_next_address_is_tried_where_one_does_not_answer(service: Any) -> None:
    service.reply(b"picture")
    allowed = AllowedHosts.parse(["localhost"], "")
    with Client(
        allowed, Limits(per_second=1e6), Time().clock, lambda host, port: ["127.0.0.9", "127.0.0.1"]
    ) as made:
        assert made.send(Request(f"http://localhost:{service.port}/")) == b"picture"


def test_the_identity_of_a_request_is_everything_that_decides_its_answer() -> None:
    base = Request("http://a.test/", "POST", "{}", (("A", "1"), ("B", "2")))
    others = [
        Request("http://a.test/x", "POST", "{}", base.headers),
        Request("http://a.test/", "GET", "{}", base.headers),
        Request("http://a.test/", "POST", "[]", base.headers),
        Request("http://a.test/", "POST", "{}"),
    ]
    assert len({request.identity for request in [base, *others]}) == 5
    assert Request("http://a.test/", "POST", "{}", base.headers[::-1]).identity == base.identity
