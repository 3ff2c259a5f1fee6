"""Connections: to the addresses that were checked and nowhere else, within a time for all of it."""

from __future__ import annotations

import queue
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpcore
import httpx

from mlforge.remote.addresses import AllowedHosts, Resolver, checked_addresses, clean_host

__all__ = ["CheckedTransport", "Deadline", "trusted_certificates"]


def trusted_certificates() -> ssl.SSLContext:
    """Return what decides which servers are who they say; nothing is read from the environment."""
    return httpx.create_ssl_context(trust_env=False)


@dataclass
class Deadline:
    """The moment by which one call must be over, however the server spreads it out.

    Attributes
    ----------
    now
        Gives the time in seconds.
    end
        When it is.
    """

    now: Callable[[], float]
    end: float = field(default=0.0)

    def start(self, seconds: float) -> None:
        """Set it `seconds` from now."""
        self.end = self.now() + seconds

    def left(self) -> float:
        """Return the seconds that are left.

        Raises
        ------
        httpcore.ReadTimeout
            If there are none.
        """
        seconds = self.end - self.now()
        if seconds <= 0:
            raise httpcore.ReadTimeout("no time left")
        return seconds


class CheckedTransport(httpx.BaseTransport):
    """Sends requests over connections that all pass one check.

    No redirect is followed, no cookie kept and no proxy asked: there is no code for it here.

    Parameters
    ----------
    allowed
        The hosts that may be called.
    resolver
        Looks hosts up, each once.
    deadline
        Ends every wait.
    certificates
        Decides which servers are who they say.
    """

    def __init__(
        self,
        allowed: AllowedHosts,
        resolver: Resolver,
        deadline: Deadline,
        certificates: ssl.SSLContext,
    ) -> None:
        backend = _CheckedBackend(allowed, resolver, deadline)
        self._pool = httpcore.ConnectionPool(ssl_context=certificates, network_backend=backend)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; what goes wrong is raised as httpcore names it."""
        url = request.url
        response = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.read(),
            )
        )
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(response), request=request
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects to the addresses that a host had when it was first looked up, if all may be."""

    def __init__(self, allowed: AllowedHosts, resolver: Resolver, deadline: Deadline) -> None:
        self._allowed = allowed
        self._resolver = resolver
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()
        self._known: dict[tuple[str, int], list[str]] = {}

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers."""
        trouble: Exception = httpcore.ConnectError("no address")
        for address in self._addresses(clean_host(host), port):
            try:
                stream = self._sockets.connect_tcp(
                    address, port, self._deadline.left(), None, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                trouble = error
            else:
                return _TimedStream(stream, self._deadline)
        raise trouble

    def _addresses(self, host: str, port: int) -> list[str]:
        key = (host, port)
        if key not in self._known:
            try:
                self._known[key] = checked_addresses(host, port, self._allowed, self._look_up)
            except OSError as error:
                raise httpcore.ConnectError(f"the host is not found: {error}") from None
        return self._known[key]

    def _look_up(self, host: str, port: int) -> Sequence[str]:
        """Look a host up in a thread: the operating system's own wait has no end of ours."""
        answers: queue.SimpleQueue[Sequence[str] | OSError] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self._resolver(host, port))
            except OSError as error:
                answers.put(error)

        threading.Thread(target=ask, daemon=True).start()
        try:
            answer = answers.get(timeout=self._deadline.left())
        except queue.Empty:
            raise httpcore.ConnectTimeout("looking the host up took too long") from None
        if isinstance(answer, OSError):
            raise answer
        return answer


class _TimedStream(httpcore.NetworkStream):
    """A connection on which every wait ends at the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
