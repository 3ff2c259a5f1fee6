from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator, Sequence
from urllib.parse import quote

import pytest

from mlforge.errors import ConfigError
from mlforge.remote.addresses import (
    AllowedHosts,
    checked_addresses,
    clean_host,
    is_public,
    parse_endpoint,
    resolve,
)
from mlforge.remote.http import Client, Request

INTERNAL = [
    *("127.0.0.1", "127.8.9.10", "10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "100.100.100.200", "0.0.0.1", "224.0.0.1"),
    *("255.255.255.255", "198.18.0.1", "192.0.0.192", "168.63.129.16", "240.0.0.1"),
]
INTERNAL_V6 = [
    *("::1", "::", "0:0:0:0:0:0:0:1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1"),
    *("2001:db8::1", "2001::1", "3fff::1", "100::1", "64:ff9b:1::1", "5f00::1", "::7f00:1"),
    *("0000:0000:0000:0000:0000:0000:0000:0001", "::FFFF:7F00:0001", "fe80::1%eth0"),
]
NAMES = ["localhost", "LocalHost", "localhost.", "localhost:8000", "metadata.internal"]


def spellings(address: str) -> Iterator[str]:
    """The ways in which some parser or resolver reads an IPv4 address."""
    value = int(ipaddress.IPv4Address(address))
    a, b, c, d = (int(part) for part in address.split("."))
    high, low = f"{value >> 16:x}", f"{value & 0xFFFF:x}"
    yield from (f"{address}", f"{address}.", f"{address}:80", f"{address}:22", f"{address}:65535")
    yield from (f"{value}", f"0x{value:x}", f"0X{value:X}", f"0{value:o}", f"{value + 2**32}")
    yield from (f"{a}.{b}.{(c << 8) + d}", f"{a}.{value & 0xFFFFFF}", f"{a:#x}.{b}.{c}.{d}")
    yield from (f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"{a:03}.{b:03}.{c:03}.{d:03}", f"{address}.0x0")
    yield from (f"[::ffff:{address}]", f"[::ffff:{high}:{low}]", f"[::{address}]")
    yield from (f"[64:ff9b::{high}:{low}]", f"[2002:{high}:{low}::]", f"[::ffff:0:{address}]")
    yield from ("".join(chr(ord(x) + 0xFEE0) if x.isdigit() else x for x in address),)
    yield from (
        address.replace(".", "。"),
        address.replace(".", "\uff0e"),
        quote(address[0]) + address,
    )
    yield "".join(f"%{ord(character):02x}" for character in address)
    yield from (f"example.org@{address}", f"example.org:x@{address}", f"{address}#@example.org")
    yield from (f"example.org\\@{address}", f"{address}\t", f" {address}", f"[{address}]")
    yield from (f"example.org%00.{address}", f"{address}%2f", f"a@b@{address}", f"{address}:0080")


URLS = [
    f"{scheme}://{authority}/draw"
    for scheme, authorities in (
        ("http", [s for address in INTERNAL for s in spellings(address)]),
        ("https", [*INTERNAL, *(f"[{address}]" for address in INTERNAL_V6), *NAMES]),
        ("http", [*(f"[{address}]:8080" for address in INTERNAL_V6), *NAMES]),
    )
    for authority in authorities
] + [
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "//127.0.0.1/",
    "127.0.0.1",
    "http://",
    "http:///x",
]


def named_host(url: str) -> set[tuple[str, int | None]]:
    """The host of a URL where it is a name: the hardest case is one that the user allowed."""
    try:
        host = parse_endpoint(url, "").host
        ipaddress.ip_address(host)
    except ConfigError:
        return set()
    except ValueError:
        return set() if host == "localhost" else {(host, None)}
    return set()


def test_no_spelling_of_an_internal_url_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[object] = []

    def connect(address: object, *arguments: object, **keywords: object) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    certificates = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert len(set(URLS)) >= 300
    for url in URLS:
        allowed = AllowedHosts(frozenset({("example.org", None)} | named_host(url)))
        client = Client(
            allowed, resolver=lambda host, port: ["10.0.0.1"], certificates=certificates
        )
        with client, pytest.raises(ConfigError):
            client.send(Request(url))
        assert connected == [], url


@pytest.mark.parametrize("address", [*INTERNAL, *INTERNAL_V6[:-1]])
def test_internal_addresses_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "9.255.255.255", "172.32.0.1", "100.128.0.1", "2606:4700::1111"]
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("answer", "host", "entries"),
    [
        (["1.1.1.1"], "api.example.org", ["api.example.org"]),
        (["1.1.1.1", "2606:4700::1"], "api.example.org", ["api.example.org:80"]),
        (["10.0.0.7"], "images.corp", ["images.corp", "10.0.0.7"]),
        (["127.0.0.1", "::1"], "localhost", ["localhost"]),
        ([], "127.0.0.1", ["127.0.0.1"]),
        ([], "::1", ["[::1]:80"]),
    ],
)
def test_an_allowed_host_gives_its_addresses(
    answer: list[str], host: str, entries: list[str]
) -> None:
    allowed = AllowedHosts.parse(entries, "--allow-host")
    found = checked_addresses(host, 80, allowed, lambda host, port: answer)
    assert found == (answer or [host])


@pytest.mark.parametrize(
    ("answer", "host", "entries", "hint"),
    [
        (["1.1.1.1"], "api.example.org", [], "--allow-host api.example.org"),
        (["1.1.1.1"], "api.example.org", ["example.org"], "--allow-host api.example.org"),
        (["1.1.1.1"], "api.example.org", ["api.example.org:8443"], "--allow-host"),
        (["10.0.0.7"], "api.example.org", ["api.example.org"], "--allow-host 10.0.0.7"),
        (["1.1.1.1", "127.0.0.1"], "api.example.org", ["api.example.org"], "127.0.0.1"),
        (["::ffff:127.0.0.1"], "api.example.org", ["api.example.org", "127.0.0.1"], "::ffff"),
        (["10.0.0.7"], "localhost", ["localhost"], "--allow-host 10.0.0.7"),
        ([], "::ffff:7f00:1", ["127.0.0.1"], "--allow-host"),
    ],
)
def test_an_address_that_was_not_allowed_is_refused_with_the_option_to_type(
    answer: list[str], host: str, entries: list[str], hint: str
) -> None:
    allowed = AllowedHosts.parse(entries, "--allow-host")
    with pytest.raises(ConfigError) as caught:
        checked_addresses(host, 80, allowed, lambda host, port: answer)
    assert hint in caught.value.hint


def test_a_host_without_an_address_is_not_found() -> None:
    allowed = AllowedHosts.parse(["api.example.org"], "--allow-host")
    with pytest.raises(OSError, match="no address"):
        checked_addresses("api.example.org", 80, allowed, lambda host, port: [])


def test_the_operating_system_finds_this_machine() -> None:
    found: Sequence[str] = resolve("localhost", 80)
    assert {"127.0.0.1", "::1"} & set(found)


def test_a_name_that_no_resolver_takes_is_not_found() -> None:
    with pytest.raises(OSError, match=r"label|encod|known|resolution"):
        resolve("a" * 70 + ".example.org", 80)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("API.Example.org", "api.example.org", None),
        ("api.example.org.:8443", "api.example.org", 8443),
        ("bücher.example", "xn--bcher-kva.example", None),
        ("127.0.0.1:8000", "127.0.0.1", 8000),
        ("::1", "::1", None),
        ("[0:0::1]:9", "::1", 9),
    ],
)
def test_hosts_are_read_as_people_write_them(text: str, host: str, port: int | None) -> None:
    allowed = AllowedHosts.parse([text], "--allow-host")
    assert allowed.entries == {(host, port)}
    assert allowed.permits(host, port or 12345)
    assert not allowed.permits(f"x{host}", port or 12345)
    if port:
        assert not allowed.permits(host, port + 1)


@pytest.mark.parametrize(
    "text",
    [
        *("http://example.org", "example.org/x", "a@b", "", "*", "*.example.org", "example.org:x"),
        *("example.org:0", "example.org:70000", "127.1", "2130706433", "0x7f.0.0.1", "[::1", "a b"),
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--allow-host"):
        AllowedHosts.parse([text], "--allow-host")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.example.org/v1?x=1", "https://api.example.org"),
        ("HTTPS://API.example.org:443", "https://api.example.org"),
        ("http://api.example.org:8080/", "http://api.example.org:8080"),
        ("http://[0::1]/", "http://[::1]"),
    ],
)
def test_an_endpoint_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert str(parse_endpoint(url, "")) == shown


def test_a_final_dot_makes_no_other_host() -> None:
    assert clean_host("example.org.") == clean_host("EXAMPLE.org") == "example.org"
