"""The generator `api`."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlencode

from annotated_types import Gt, Le

from mlforge.core.component import ComponentConfig
from mlforge.core.digest import canonical_json, digest_json
from mlforge.core.names import printable
from mlforge.core.randomness import Streams
from mlforge.errors import ConfigError, SampleError
from mlforge.generators import Generated, Generator, GeneratorConfig
from mlforge.modalities import Example
from mlforge.remote.addresses import parse_endpoint
from mlforge.remote.http import Request

__all__ = ["Api", "ApiConfig"]

_PLACES = ("input", "copy", "seed")
_PLACE = re.compile(r"\{(input|copy|seed)\}")
_WORD = re.compile(r"\{([a-z_]+)\}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# A project is a stranger's: it may name no other variable, since what it names is sent.
_VARIABLE = re.compile(r"MLFORGE_[A-Z0-9_]+")
# Those that carry keys, and those that decide how a request is read.
_RESERVED = frozenset(
    {
        *("authorization", "proxy-authorization", "cookie", "host", "expect", "connection"),
        *("content-length", "content-type", "transfer-encoding", "accept-encoding"),
        *("te", "trailer", "upgrade"),
    }
)
_MAX_DEPTH = 32
_SEEDS = 2**31


@dataclass(frozen=True, kw_only=True)
class ApiConfig(GeneratorConfig):
    """How the service is asked, and where in its answer the example is."""

    http_method: Literal["get", "post"] = "get"
    """`get` sends the template as query parameters, `post` as a JSON body."""
    template: Any = field(default_factory=lambda: {"input": "{input}"})
    """What is sent: any JSON value; for get an object of texts and numbers. In its texts `{input}`
    is one of `sample_inputs`, `{copy}` the number of the copy, and `{seed}` a number of its own for
    each input and copy. Without `{copy}` and `{seed}` one answer serves all copies of an input."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers; no secrets."""
    key_variable: str | None = None
    """The environment variable that holds the service's key; its name begins with `MLFORGE_`."""
    key_header: str = "Authorization"
    """The header that the key is sent in."""
    key_scheme: str = "Bearer"
    """What stands before the key in that header; empty for nothing."""
    answer: str | None = None
    """Where in a JSON answer the example is, as base64 or as a link: keys and list numbers joined
    by dots, as in `data.0.url`. Where it is not given the answer itself is the example."""
    requests_per_second: Annotated[float, Gt(0), Le(100)] = 2.0
    """How often the service is asked at most."""
    timeout: Annotated[float, Gt(0), Le(30)] = 30.0
    """Seconds for one answer in all."""

    def __post_init__(self) -> None:
        self._check_template()
        for name, value in self.headers.items():
            _check_header(name, value, "headers")
            if name.lower() in _RESERVED | {self.key_header.lower()}:
                raise ValueError(f"headers: {printable(name)} cannot be set here")
        _check_header(self.key_header, self.key_scheme, "key_header")
        if self.key_header.lower() in _RESERVED - {"authorization", "proxy-authorization"}:
            raise ValueError(f"key_header: {printable(self.key_header)} cannot hold a key")
        if self.key_variable is not None and not _VARIABLE.fullmatch(self.key_variable):
            raise ValueError(
                "key_variable: the name of an environment variable that begins with MLFORGE_, "
                "such as MLFORGE_KEY"
            )

    def _check_template(self) -> None:
        texts = _texts(self.template)
        unknown = {word for text in texts for word in _WORD.findall(text)} - set(_PLACES)
        if unknown:
            shown = ", ".join(f"{{{word}}}" for word in sorted(unknown))
            raise ValueError(f"template: unknown {shown}; known: {{input}}, {{copy}}, {{seed}}")
        if self.http_method == "get":
            flat = isinstance(self.template, dict) and all(
                isinstance(value, str | int | float) for value in self.template.values()
            )
            if not flat:
                raise ValueError("template: for get, an object of texts, numbers and booleans")


class Api(Generator):
    """Asks a service: each sample is an HTTP service's answer to an input, then varied.

    Where the template holds `{copy}` or `{seed}`, every copy is an answer of its own, and an
    `augmentation_ratio` below 1 leaves that share of them as they came. Elsewhere all copies of an
    input are one answer, and at most one of them stays as it came.
    """

    name = "api"
    needs_seeds = False
    takes_inputs = True
    takes_endpoint = True
    not_shaping = ("key_variable", "key_header", "key_scheme", "requests_per_second", "timeout")
    Config: ClassVar[type[ComponentConfig]] = ApiConfig

    def generate(
        self, sources: Sequence[Example], copy: int, streams: Streams, attempt: int = 0
    ) -> Generated:
        """Make one sample of the only answer in `sources`."""
        (answer,) = sources
        if self._is_untouched(copy, streams):
            return Generated(answer, ())
        return self.apply_techniques(answer, streams.rng("copy", copy, attempt))

    def decode(self, data: bytes) -> Any:
        """Turn an example, or an answer that holds one, into what `generate` takes."""
        try:
            held = self.extract(data)
        except SampleError:
            # The example was taken out of its answer before.
            held = data
        return super().decode(data if isinstance(held, str) else held)

    def limit_per_seed(self) -> int | None:
        """Return 1 where nothing differs between the copies of an input; otherwise None."""
        return None if self._asks_for_each_copy or self._varied_share > 0 else 1

    def request(self, text: str, copy: int) -> Request:
        """Return what the service is asked for one copy of an input.

        Raises
        ------
        ConfigError
            If `api_endpoint` is missing or is no URL.
        SampleError
            If the input is not Unicode text.
        """
        url = self._endpoint()
        _require_unicode(text)
        seed = int(digest_json([text, copy])[:16], 16) % _SEEDS
        filled = _filled(self.config.template, {"input": text, "copy": copy, "seed": seed})
        headers = tuple(sorted(self.config.headers.items()))
        if self.config.http_method == "post":
            return Request(url, "POST", canonical_json(filled), headers)
        query = urlencode({name: _query_value(value) for name, value in filled.items()})
        joint = "&" if "?" in url else "?"
        return Request(f"{url}{joint}{query}" if query else url, headers=headers)

    def extract(self, body: bytes) -> bytes | str:
        """Return the example's bytes that an answer holds, or the link to them.

        Raises
        ------
        SampleError
            If the answer holds neither where `answer` says.
        """
        path = self.config.answer
        if path is None:
            return body
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            raise SampleError("the answer is not JSON") from None
        for step in path.split("."):
            value = _step(value, step, path)
        if not isinstance(value, str):
            raise SampleError(f"the answer holds no text at {path!r}")
        if value.lower().startswith(("http://", "https://")):
            return value
        return _decoded(value, path)

    def _endpoint(self) -> str:
        code = self.category.category_code
        where = f"categories/{code}/config.json: generation_settings.api_endpoint"
        url = self.category.generation_settings.api_endpoint
        if url is None:
            raise ConfigError(
                f"{where}: not given; the method api calls it",
                'write it as in "api_endpoint": "https://api.example.org/v1/images"',
            )
        endpoint = parse_endpoint(url, where)
        if self.config.key_variable and not (endpoint.is_encrypted or endpoint.is_internal):
            raise ConfigError(
                f"{where}: everybody on the way could read the key", "use https instead of http"
            )
        return url.partition("#")[0]

    @property
    def _asks_for_each_copy(self) -> bool:
        places = {p for text in _texts(self.config.template) for p in _PLACE.findall(text)}
        return not places.isdisjoint({"copy", "seed"})

    @property
    def _varied_share(self) -> float:
        return self.category.augmentation_settings.augmentation_ratio if self.techniques else 0.0

    def _is_untouched(self, copy: int, streams: Streams) -> bool:
        share = self._varied_share
        if share in (0.0, 1.0):
            return share == 0.0
        if self._asks_for_each_copy:
            return bool(streams.rng("untouched", copy).random() >= share)
        return copy == int(streams.rng("untouched").geometric(1.0 - share))


def _texts(value: Any, depth: int = 0) -> list[str]:
    """Return every text in a JSON value; names of keys are not filled in."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"template: nested deeper than {_MAX_DEPTH} levels")
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in _texts(item, depth + 1)]
    return []


def _filled(value: Any, values: Mapping[str, str | int]) -> Any:
    """Put values into the texts of a template, as values: nothing in them is read as JSON."""
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    if not isinstance(value, str):
        return value
    whole = _PLACE.fullmatch(value)
    if whole:
        return values[whole[1]]
    return _PLACE.sub(lambda place: str(values[place[1]]), value)


def _query_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _require_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SampleError("the input is not Unicode text") from None


def _check_header(name: str, value: str, where: str) -> None:
    if not _HEADER.fullmatch(name):
        raise ValueError(f"{where}: {printable(name)!r} is not the name of a header")
    if not (value.isascii() and (value.isprintable() or not value)):
        raise ValueError(f"{where}: a header's value is printable ASCII")


def _step(value: Any, step: str, path: str) -> Any:
    """Return what a JSON value holds under one key or list number."""
    if isinstance(value, dict) and step in value:
        return value[step]
    if isinstance(value, list) and step.isdecimal() and len(step) < 9 and int(step) < len(value):
        return value[int(step)]
    raise SampleError(f"the answer has nothing at {path!r}")


def _decoded(text: str, path: str) -> bytes:
    """Return the bytes of base64 text, with or without the head of a data URL."""
    if text[:5].lower() == "data:":
        head, _, text = text.partition(",")
        if not head.lower().endswith(";base64"):
            raise SampleError(f"the answer holds a data URL without base64 at {path!r}")
    packed = "".join(text.split()).translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise SampleError(f"the answer holds neither base64 nor a link at {path!r}") from None
