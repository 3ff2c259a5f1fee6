"""Which hosts may be called, and which addresses may be connected to.

A project may come from a stranger. What it names is called only where the user allowed that host,
and a name that turns out to stand for an address inside the user's own network is not followed
there unless the user allowed that address too.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from mlforge.core.names import printable
from mlforge.errors import ConfigError

__all__ = [
    "AllowedHosts",
    "Endpoint",
    "Resolver",
    "checked_addresses",
    "clean_host",
    "is_public",
    "parse_endpoint",
    "resolve",
]

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a host and port, best first; raises `OSError` where there are none."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK_NAME = "localhost"
_NO_URL = "not a URL that can be called"
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
# What some parsers take for an IPv4 address: 2130706433, 0x7f.1, 0177.0.0.1.
_NUMBER = re.compile(r"([0-9]+|0x[0-9a-f]*)")
# White space and control characters are dropped by some parsers, backslashes taken for slashes.
_SUSPECT = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ufeff]")

# Written out, since what Python calls global has changed between its releases.
_INTERNAL_V4 = [
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by the customers of a provider
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # the host of a virtual machine on Azure
        "169.254.0.0/16",  # link-local, and what tells cloud machines their keys
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
]
# All of IPv6 that is public lies in one block; loopback, mapped and translated IPv4 (NAT64),
# link-local, unique local and multicast addresses lie outside.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_INTERNAL_V6 = [
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",  # documentation
    )
]


@dataclass(frozen=True)
class Endpoint:
    """Where a URL leads.

    Attributes
    ----------
    scheme
        ``http`` or ``https``.
    host
        The host as it is compared: lower case, ASCII, no final dot, addresses in one spelling.
    port
        The port.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """The host with its port, unless that is the scheme's own: what a user types to allow it.

        Examples
        --------
        >>> parse_endpoint("http://[::1]:8000/draw", "config.json").authority
        '[::1]:8000'
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody on the way can read what is sent."""
        return self.scheme == "https"

    @property
    def is_internal(self) -> bool:
        """Whether its very name says that it is this machine or inside a network of the user's."""
        return _is_internal(self.host)


def parse_endpoint(url: str, where: str) -> Endpoint:
    """Return where a URL leads.

    Parameters
    ----------
    url
        The URL, from a configuration or a service's answer.
    where
        What it comes from, for messages.

    Raises
    ------
    ConfigError
        If it is not an http or https URL, holds credentials, or spells its host in a way that not
        every parser reads alike.
    """
    import httpx

    if _SUSPECT.search(url):
        raise _bad_url(where, "white space, control characters and backslashes are not allowed")
    try:
        parsed = httpx.URL(url)
        host = clean_host(parsed.raw_host.decode("ascii"))
    except (httpx.InvalidURL, ValueError) as error:
        raise _bad_url(where, printable(str(error))) from None
    if parsed.scheme not in _DEFAULT_PORTS:
        raise _bad_url(where, "it must begin with http:// or https://")
    if parsed.userinfo or "@" in parsed.netloc.decode("ascii", "replace"):
        raise _bad_url(where, "a user name or password does not belong into it")
    scheme = cast(Literal["http", "https"], parsed.scheme)
    port = _DEFAULT_PORTS[scheme] if parsed.port is None else parsed.port
    if not 1 <= port <= 65535:
        raise _bad_url(where, f"there is no port {port}")
    return Endpoint(scheme, host, port)


@dataclass(frozen=True)
class AllowedHosts:
    """The hosts that the user allowed to be called.

    Attributes
    ----------
    entries
        Each a host, as `Endpoint` spells it, and a port; None for every port.
    """

    entries: frozenset[tuple[str, int | None]] = frozenset()

    @classmethod
    def parse(cls, texts: Iterable[str], where: str) -> AllowedHosts:
        """Read hosts as a user writes them: ``HOST`` or ``HOST:PORT``.

        Parameters
        ----------
        texts
            The hosts.
        where
            The option or variable they come from, for messages.

        Raises
        ------
        ConfigError
            If one is neither.

        Examples
        --------
        >>> AllowedHosts.parse(["localhost:8000"], "--allow-host").permits("localhost", 8000)
        True
        """
        return cls(frozenset(_entry(text, where) for text in texts))

    def __or__(self, other: AllowedHosts) -> AllowedHosts:
        return AllowedHosts(self.entries | other.entries)

    def outside(self) -> AllowedHosts:
        """Return those that do not say by their very name that they are inside.

        A name that stands for an address inside a network of the user's is not followed there with
        them: the address itself is not among them.

        Examples
        --------
        >>> allowed = AllowedHosts.parse(["localhost", "10.0.0.7", "a.example.org"], "--allow-host")
        >>> sorted(allowed.outside().entries)
        [('a.example.org', None)]
        """
        return AllowedHosts(frozenset(e for e in self.entries if not _is_internal(e[0])))

    def permits(self, host: str, port: int) -> bool:
        """Return whether a host was allowed, by itself or with this port."""
        return not self.entries.isdisjoint({(host, None), (host, port)})

    def require(self, endpoint: Endpoint) -> None:
        """Raise `ConfigError` unless the endpoint's host was allowed."""
        if not self.permits(endpoint.host, endpoint.port):
            raise ConfigError(
                f"{endpoint.authority} may not be called: only hosts that you allow are",
                f"if you trust it, add --allow-host {endpoint.authority}",
            )


def clean_host(host: str) -> str:
    """Return a host in the one spelling that is compared.

    Raises
    ------
    ValueError
        If parsers do not agree on what it names.

    Examples
    --------
    >>> clean_host("API.Example.org."), clean_host("[0::1]")
    ('api.example.org', '::1')
    """
    host = host.removeprefix("[").removesuffix("]").lower()
    if "%" in host:
        raise ValueError("an address with a zone is not allowed")
    if ":" in host:
        return str(ipaddress.IPv6Address(host))
    host = host.removesuffix(".")
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise ValueError(f"{host[:80]!r} is not the name of a host")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise ValueError(
                f"{host!r} is an odd spelling of an address; write four numbers from 0 to 255"
            ) from None
    return host


def is_public(address: IpAddress) -> bool:
    """Return whether an address is one of the internet at large.

    Examples
    --------
    >>> is_public(ipaddress.ip_address("1.1.1.1"))
    True
    >>> is_public(ipaddress.ip_address("::ffff:127.0.0.1"))
    False
    """
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _INTERNAL_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _INTERNAL_V6)


def checked_addresses(host: str, port: int, allowed: AllowedHosts, resolver: Resolver) -> list[str]:
    """Look a host up once, and return its addresses if it may be connected to at each of them.

    An address that is not public must have been allowed itself, besides the name that led to it:
    whoever owns a name decides what it stands for. ``localhost`` is this machine's own name.

    Raises
    ------
    ConfigError
        If the host was not allowed, or an address was not.
    OSError
        If the host is not found.
    """
    if not allowed.permits(host, port):
        raise ConfigError(
            f"{printable(host)} may not be called: only hosts that you allow are",
            f"if you trust it, add --allow-host {printable(host)}",
        )
    literal = _address(host)
    if literal is not None:
        return [str(literal)]
    addresses = [ipaddress.ip_address(text) for text in resolver(host, port)]
    if not addresses:
        raise OSError("the host has no address")
    for address in addresses:
        own = host == _LOOPBACK_NAME and address.is_loopback
        if not (own or is_public(address) or allowed.permits(str(address), port)):
            raise ConfigError(
                f"{host} stands for {address}, which is not an address of the internet but of "
                "this machine or a network around it",
                f"if that is meant, add --allow-host {address}",
            )
    return [str(address) for address in addresses]


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as the operating system finds them."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(str(error)) from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _entry(text: str, where: str) -> tuple[str, int | None]:
    shown = f"{where} {printable(text)}"
    hint = "write HOST or HOST:PORT, as in api.example.org or localhost:8000"
    # An IPv6 address stands alone, or in brackets where a port follows.
    authority = f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text
    match = re.fullmatch(r"(?:\[[^\]]+\]|[^:\[\]/@?#]+)(?::([0-9]{1,5}))?", authority)
    if match is None:
        raise ConfigError(f"{shown}: not a host", hint)
    try:
        endpoint = parse_endpoint(f"http://{authority}/", shown)
    except ConfigError as error:
        raise ConfigError(error.message.replace(_NO_URL, "not a host"), hint) from None
    return endpoint.host, int(match[1]) if match[1] else None


def _is_internal(host: str) -> bool:
    address = _address(host)
    return host == _LOOPBACK_NAME or (address is not None and not is_public(address))


def _address(host: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _bad_url(where: str, reason: str) -> ConfigError:
    return ConfigError(
        f"{where}: {_NO_URL}: {reason}",
        "write it as in https://api.example.org/v1/images",
    )
