"""One request to a service: within a size and a time, tried again where that may help."""

from __future__ import annotations

import datetime as dt
import secrets
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, Self

from mlforge.core.digest import digest_json
from mlforge.core.names import printable
from mlforge.core.units import format_size
from mlforge.errors import ConfigError, EngineError, SampleError
from mlforge.remote.addresses import AllowedHosts, Endpoint, Resolver, parse_endpoint, resolve

if TYPE_CHECKING:
    import ssl

    import httpx

__all__ = ["MAX_BYTES", "Client", "Clock", "Limits", "Request", "ServiceKey"]

MAX_BYTES = 10 * 1024 * 1024
N_RETRIES = 3
MAX_SECONDS = 30.0
# A service that asks for a longer pause is left alone until the user comes back.
MAX_PAUSE = 60.0  # seconds
_FIRST_PAUSE = 1.0  # seconds
_CHUNK = 256 * 1024
_SHORT_KEY = 6
_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


@dataclass(frozen=True)
class Request:
    """What a service is asked; nothing in it is secret.

    Attributes
    ----------
    url
        The URL with its query.
    method
        ``GET`` or ``POST``.
    body
        The JSON text that is sent; empty for none.
    headers
        Further headers.
    """

    url: str
    method: Literal["GET", "POST"] = "GET"
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def identity(self) -> str:
        """The digest of everything that decides the answer."""
        return digest_json([self.method, self.url, self.body, sorted(self.headers)])


@dataclass(frozen=True)
class ServiceKey:
    """What a service knows its customer by; it stands in no message, log or file.

    Attributes
    ----------
    variable
        The environment variable that holds it.
    header
        The header that it is sent in.
    scheme
        What stands before it there; empty for nothing.
    secret
        The key itself.
    """

    variable: str
    header: str
    scheme: str
    secret: str = field(repr=False)

    @property
    def value(self) -> str:
        """The header's value."""
        return f"{self.scheme} {self.secret}" if self.scheme else self.secret

    def is_in(self, data: bytes) -> bool:
        """Return whether an answer repeats the key; one of few letters may stand there by chance.

        Examples
        --------
        >>> ServiceKey("MLFORGE_KEY", "Authorization", "Bearer", "abc123").is_in(b"key: abc123")
        True
        """
        return len(self.secret) >= _SHORT_KEY and self.secret.encode() in data


@dataclass(frozen=True)
class Clock:
    """The time, and waiting.

    Attributes
    ----------
    now
        Gives the time in seconds, from any moment on.
    sleep
        Waits so many seconds.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Limits:
    """How much and how often.

    Attributes
    ----------
    seconds
        For one answer in all, from looking up the host to the last byte; 30 at most.
    per_second
        Requests a second at most.
    max_bytes
        Of one answer, also unpacked.
    """

    seconds: float = MAX_SECONDS
    per_second: float = 2.0
    max_bytes: int = MAX_BYTES


class _NotNowError(Exception):
    """The service may answer another time: its reason, and the pause that it asks for."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason, pause)
        self.reason = reason
        self.pause = pause


class Client:
    """Sends requests, one after the other, to hosts that the user allowed.

    Parameters
    ----------
    allowed
        These hosts.
    limits
        How much and how often.
    clock
        The time.
    resolver
        Looks hosts up.
    certificates
        Decides which servers are who they say; the usual authorities where None.
    """

    def __init__(
        self,
        allowed: AllowedHosts,
        limits: Limits | None = None,
        clock: Clock | None = None,
        resolver: Resolver = resolve,
        certificates: ssl.SSLContext | None = None,
    ) -> None:
        from mlforge.remote._connection import CheckedTransport, Deadline, trusted_certificates

        self._allowed = allowed
        self._limits = limits or Limits()
        self._clock = clock or Clock()
        self._deadline = Deadline(self._clock.now)
        self._transport = CheckedTransport(
            allowed, resolver, self._deadline, certificates or trusted_certificates()
        )
        self._next = self._clock.now()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._transport.close()

    def send(self, request: Request, key: ServiceKey | None = None) -> bytes:
        """Return what a service answers.

        Parameters
        ----------
        request
            The request.
        key
            The key, sent to this host alone.

        Raises
        ------
        ConfigError
            If the host or its address was not allowed, or the key was refused.
        SampleError
            If the answer cannot be used: refused, a redirect, too large, damaged.
        EngineError
            If the service does not answer, however often it is asked.
        """
        endpoint = parse_endpoint(request.url, "the URL of a request")
        self._allowed.require(endpoint)
        trouble = _NotNowError("")
        for attempt in range(1 + N_RETRIES):
            if attempt:
                self._clock.sleep(_pause(attempt, trouble))
            self._wait_for_turn()
            try:
                return self._attempt(request, key, endpoint)
            except _NotNowError as error:
                trouble = error
            if trouble.pause is not None and trouble.pause > MAX_PAUSE:
                break
        asked = f", asked {attempt + 1} times" if attempt else ""
        raise EngineError(
            f"{endpoint}: {trouble.reason}{asked}",
            "answers that came are kept; run the same command again later",
        )

    def _wait_for_turn(self) -> None:
        """Keep requests apart, so that a service is not flooded."""
        early = self._next - self._clock.now()
        if early > 0:
            self._clock.sleep(early)
        self._next = max(self._next, self._clock.now()) + 1.0 / self._limits.per_second

    def _attempt(self, request: Request, key: ServiceKey | None, endpoint: Endpoint) -> bytes:
        import httpcore

        self._deadline.start(min(self._limits.seconds, MAX_SECONDS))
        try:
            with closing(self._transport.handle_request(_made(request, key))) as response:
                _check_status(response, key, endpoint)
                return _read(response, self._limits.max_bytes)
        except httpcore.TimeoutException:
            raise _NotNowError(f"no whole answer within {self._limits.seconds:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            # The text is the operating system's or the protocol's, and holds nothing that was sent.
            reason = printable(str(error))[:200] or "the connection broke"
            raise _NotNowError(f"no answer: {reason}") from None


def _made(request: Request, key: ServiceKey | None) -> httpx.Request:
    import httpx

    headers = {"User-Agent": "mlforge", "Accept": "*/*", "Accept-Encoding": "gzip"}
    if request.body:
        headers["Content-Type"] = "application/json"
    made = httpx.Request(
        request.method, request.url, headers=headers, content=request.body.encode() or None
    )
    made.headers.update(request.headers)
    if key is not None:
        made.headers[key.header] = key.value
    return made


def _check_status(response: httpx.Response, key: ServiceKey | None, endpoint: Endpoint) -> None:
    status = response.status_code
    said = f"HTTP {status}{_phrase(status)}"
    if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        pause = _asked_pause(response.headers.get("retry-after", ""))
        asks = f", and asks to wait {pause:.0f} s" if pause else ""
        raise _NotNowError(f"it answers {said}{asks}", pause)
    if status == HTTPStatus.UNAUTHORIZED:
        raise ConfigError(
            f"{endpoint} refuses the key ({said})" if key else f"{endpoint} wants a key ({said})",
            f"check the environment variable {key.variable}, and key_header and key_scheme"
            if key
            else 'name the environment variable that holds it: "key_variable": "MLFORGE_KEY"',
        )
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise SampleError(
            f"{endpoint} sends the request elsewhere ({said}), which is not followed",
            "set api_endpoint to where it leads",
        )
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        raise SampleError(f"{endpoint} refuses the request ({said})")


def _phrase(status: int) -> str:
    """Return what a status means, in the standard's words and never in the server's."""
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def _asked_pause(text: str) -> float | None:
    """Return the seconds of a ``Retry-After`` header; None where it holds none."""
    try:
        return max(0.0, float(int(text)))
    except (ValueError, OverflowError):
        pass
    try:
        until = parsedate_to_datetime(text)
        return max(0.0, (until - dt.datetime.now(dt.UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _pause(attempt: int, trouble: _NotNowError) -> float:
    """Return how long to wait before the attempt: twice as long each time, and not all at once.

    Many who were turned away together would otherwise come back together.
    """
    longest = _FIRST_PAUSE * 2.0 ** (attempt - 1)
    drawn = secrets.SystemRandom().uniform(longest / 2, longest)
    return max(drawn, trouble.pause or 0.0)


def _read(response: httpx.Response, max_bytes: int) -> bytes:
    """Return the whole body, unpacked; no more than `max_bytes` is ever read or held."""
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    packed = _capped(response.iter_raw(), max_bytes)
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    return b"".join(_capped(_unpacked(packed, encoding), max_bytes))


def _capped(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    n_bytes = 0
    for chunk in chunks:
        n_bytes += len(chunk)
        if n_bytes > max_bytes:
            raise _too_large(max_bytes)
        yield chunk


def _unpacked(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Undo a body's content encoding in small pieces, so that no bomb goes off between two."""
    if encoding in {"", "identity"}:
        yield from chunks
        return
    if encoding not in {"gzip", "x-gzip"}:
        raise SampleError(f"the answer is packed as {printable(encoding[:40])!r}, not as gzip")
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        for chunk in chunks:
            rest = chunk
            while rest and not unpacker.eof:
                yield unpacker.decompress(rest, _CHUNK)
                rest = unpacker.unconsumed_tail
    except zlib.error:
        raise SampleError("the answer says that it is gzip, and is not") from None
    if not unpacker.eof:
        raise SampleError("the answer is torn: its gzip has no end")


def _too_large(max_bytes: int) -> SampleError:
    return SampleError(f"the answer is larger than {format_size(max_bytes)}")
