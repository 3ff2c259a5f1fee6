"""Fetching: asking a service for what samples are made from, each request once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mlforge.core.reporting import Reporter
from mlforge.errors import ConfigError, EngineError, MissingDecoderError, SampleError
from mlforge.generators.api import Api
from mlforge.modalities import Modality
from mlforge.remote.addresses import AllowedHosts, Endpoint, parse_endpoint
from mlforge.remote.http import Client, Limits, Request, ServiceKey
from mlforge.storage.responses import ResponseStore
from mlforge.workflows.sample_plan import SamplePlan
from mlforge.workflows.workspace import Workspace

__all__ = ["ALLOW_HOSTS", "FetchResult", "fetch_responses"]

ALLOW_HOSTS = "MLFORGE_ALLOW_HOSTS"
"""The environment variable of the hosts that a user always allows, between blanks or commas."""

# A service that has not answered so many requests in a row is down, and not only bad at one.
_N_DOWN = 2


@dataclass(frozen=True)
class FetchResult:
    """What came, by source digest and copy number.

    Attributes
    ----------
    responses
        The file of each answer; copies may share one.
    failures
        Why there is none.
    """

    responses: Mapping[tuple[str, int], Path]
    failures: Mapping[tuple[str, int], str]


def fetch_responses(
    workspace: Workspace,
    plan: SamplePlan,
    allowed_hosts: Sequence[str],
    reporter: Reporter,
    *,
    anew: bool = False,
) -> FetchResult:
    """Return the answers from which a plan's missing samples are made.

    An answer that was kept is not asked for again, and needs no permission. Call it under the
    project's lock. Each answer is kept as it comes, whatever happens to the next.

    Parameters
    ----------
    allowed_hosts
        The hosts that the command line allowed, besides those of `ALLOW_HOSTS`.
    anew
        Whether what was answered before and cannot be used is asked for again.

    Raises
    ------
    ConfigError
        If the endpoint is missing or wrong, its host was not allowed, or the key is missing.
    EngineError
        If the service does not answer.
    """
    generator = plan.generator
    if not isinstance(generator, Api):
        raise ConfigError(
            f"{generator.name}: a generator that takes an endpoint derives from Api",
            "see docs/how-to/add-a-generator.md",
        )
    responses: dict[tuple[str, int], Path] = {}
    failures: dict[tuple[str, int], str] = {}
    requests: dict[tuple[str, int], Request] = {}
    for copies in plan.missing:
        for copy in copies:
            item = (copies.source.digest, copy)
            try:
                requests[item] = generator.request(copies.source.name, copy)
            except SampleError as error:
                failures[item] = error.message
    allowed = _allowed(allowed_hosts)
    store = ResponseStore(workspace.layout.responses(plan.category.code))
    with _Asker(generator, workspace.modality, store, allowed, reporter, anew=anew) as asker:
        outcomes = _ask_all(asker, {r.identity: r for r in requests.values()}, reporter)
    for item, request in requests.items():
        outcome = outcomes[request.identity]
        if isinstance(outcome, Path):
            responses[item] = outcome
        else:
            failures[item] = outcome.message
    return FetchResult(responses, failures)


def _ask_all(
    asker: _Asker, requests: Mapping[str, Request], reporter: Reporter
) -> dict[str, Path | SampleError]:
    """Return what became of each request; raise where some were not answered at all."""
    outcomes: dict[str, Path | SampleError] = {}
    unanswered, in_a_row = [], 0
    with reporter.progress("asking the service", len(requests)) as advance:
        for identity, request in requests.items():
            try:
                outcomes[identity] = asker.example(request)
                in_a_row = 0
            except MissingDecoderError:
                # The answer is kept, and may be sound.
                raise
            except SampleError as error:
                outcomes[identity] = error
                in_a_row = 0
            except EngineError as error:
                unanswered.append(error)
                in_a_row += 1
                if in_a_row == _N_DOWN:
                    break
            advance()
    if unanswered:
        n_kept = sum(isinstance(outcome, Path) for outcome in outcomes.values())
        raise EngineError(
            f"{unanswered[0].message}; {n_kept} of {len(requests)} answers are kept",
            "run the same command again later: it asks for the others only",
        )
    return outcomes


class _Asker:
    """Gives the file of an example: kept earlier, or asked for now."""

    def __init__(
        self,
        generator: Api,
        modality: Modality,
        store: ResponseStore,
        allowed: AllowedHosts,
        reporter: Reporter,
        *,
        anew: bool,
    ) -> None:
        self._generator = generator
        self._modality = modality
        self._store = store
        self._allowed = allowed
        self._reporter = reporter
        self._anew = anew
        self._clients: dict[AllowedHosts, Client] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def example(self, request: Request) -> Path:
        """Return the file of the example that answers a request."""
        service = parse_endpoint(request.url, "api_endpoint")
        kept = self._store.load(request.identity)
        if kept is not None:
            try:
                return self._found(kept, service)
            except MissingDecoderError:
                raise
            except SampleError as error:
                # It was paid for, and may be useless for good: whether to pay again is not ours.
                if not self._anew:
                    said = f"{error.message}; this answer is kept, and --force asks for another"
                    raise SampleError(said) from None
        # Before the key: whoever has not allowed the host need not be told of a missing key.
        self._allowed.require(service)
        answer = self._answer(request, service)
        self._store.store(request.identity, answer)
        return self._found(answer, service)

    def _answer(self, request: Request, service: Endpoint) -> bytes:
        key = _key(self._generator)
        answer = self._send(request, service, self._allowed, key)
        if key is not None and key.is_in(answer):
            raise SampleError("the answer repeats the key, and is not kept")
        return answer

    def _found(self, answer: bytes, service: Endpoint) -> Path:
        """Return the file of the example that an answer holds or links to."""
        data = self._generator.extract(answer)
        if isinstance(data, str):
            return self._linked(data, service)
        self._modality.decode(data)
        return self._store.keep(data)

    def _linked(self, link: str, service: Endpoint) -> Path:
        """Return the file of the example that an answer links to; nothing else is kept of it."""
        identity = Request(link).identity
        data = self._store.load(identity)
        if data is None or not self._is_example(data):
            data = self._follow(link, service)
            self._modality.decode(data)
            self._store.store(identity, data)
        return self._store.keep(data)

    def _follow(self, link: str, service: Endpoint) -> bytes:
        """Return what a link of an answer leads to.

        It gets no key. A service's word is no reason to open a way into the user's own network:
        there a link leads to the service itself and nowhere else, whatever else was allowed, and
        nothing more is proposed to allow.
        """
        try:
            endpoint = parse_endpoint(link, "the link that the service answers with")
        except ConfigError as error:
            raise SampleError(error.message) from None
        is_service = (endpoint.host, endpoint.port) == (service.host, service.port)
        allowed = self._allowed if is_service else self._allowed.outside()
        if not allowed.permits(endpoint.host, endpoint.port):
            said = f"the service answers with a link to {endpoint}"
            if endpoint.is_internal and not is_service:
                raise SampleError(f"{said}, an address inside your own network; not followed")
            raise ConfigError(
                f"{said}, which may not be called: only hosts that you allow are",
                f"if you trust it, add --allow-host {endpoint.authority}",
            )
        try:
            return self._send(Request(link), endpoint, allowed, None)
        except ConfigError as error:
            raise SampleError(error.message) from None

    def _is_example(self, data: bytes) -> bool:
        try:
            self._modality.decode(data)
        except SampleError:
            return False
        return True

    def _send(
        self, request: Request, endpoint: Endpoint, allowed: AllowedHosts, key: ServiceKey | None
    ) -> bytes:
        self._reporter.info(f"asking {endpoint}")
        if allowed not in self._clients:
            config = self._generator.config
            limits = Limits(config.timeout, config.requests_per_second)
            self._clients[allowed] = self._open.enter_context(Client(allowed, limits))
        return self._clients[allowed].send(request, key)


def _allowed(hosts: Sequence[str]) -> AllowedHosts:
    """Return the hosts that the command line and the user's own settings allow."""
    own = [text for text in re.split(r"[\s,]+", os.environ.get(ALLOW_HOSTS, "")) if text]
    return AllowedHosts.parse(hosts, "--allow-host") | AllowedHosts.parse(own, ALLOW_HOSTS)


def _key(generator: Api) -> ServiceKey | None:
    """Return the key that the generator's parameters name; None where they name none.

    Raises
    ------
    ConfigError
        If its environment variable is not set, or holds what no header can.
    """
    config = generator.config
    if config.key_variable is None:
        return None
    secret = os.environ.get(config.key_variable, "").strip()
    if not secret:
        raise ConfigError(
            f"the environment variable {config.key_variable} is not set; it is to hold the key",
            f"export {config.key_variable}=...",
        )
    if not (secret.isascii() and secret.isprintable()):
        raise ConfigError(
            f"the environment variable {config.key_variable} holds characters that no key has",
            "copy the key once more",
        )
    return ServiceKey(config.key_variable, config.key_header, config.key_scheme, secret)
