from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlforge.core.category import CategoryConfig
from mlforge.core.randomness import Streams
from mlforge.core.validation import validated
from mlforge.errors import ConfigError, SampleError
from mlforge.generators.api import Api, ApiConfig
from mlforge.modalities import MODALITIES

URL = "https://api.example.org/v1/images"
STREAMS = Streams(("samples", "config", "input"))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def api(
    url: str | None = URL, augmentation: dict[str, Any] | None = None, **parameters: Any
) -> Api:
    values = {
        "category_name": "Cup",
        "category_code": "cup",
        "generation_settings": {"method": "api", "api_endpoint": url},
        "augmentation_settings": augmentation or {},
    }
    category = validated(CategoryConfig, values, "cup/config.json")
    config = validated(ApiConfig, parameters, "parameters")
    return Api(category, MODALITIES.get("image")(), config)


def answer() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def test_an_input_becomes_a_query_parameter() -> None:
    request = api().request("a red cup & saucer", 1)
    assert (request.method, request.body) == ("GET", "")
    assert request.url == f"{URL}?input=a+red+cup+%26+saucer"


def test_the_query_of_the_endpoint_stays() -> None:
    request = api(f"{URL}?size=64#top", template={"q": "{input}", "n": 3, "flat": True}).request(
        "x", 1
    )
    assert request.url == f"{URL}?size=64&q=x&n=3&flat=true"


def test_a_template_is_filled_with_values() -> None:
    template = {"prompt": "photo of {input} ({copy})", "n": "{copy}", "list": ["{input}", 1, None]}
    body = json.loads(api(http_method="post", template=template).request("cup", 7).body)
    assert body == {"prompt": "photo of cup (7)", "n": 7, "list": ["cup", 1, None]}


POSTED = api(http_method="post", template={"prompt": "x {input} y", "input": "{input}", "n": 1})
QUERIED = api(template={"a": "{input}", "b": "fixed"})
LOOKING = api(answer="a.0")


@given(text=TEXTS)
def test_no_input_can_change_the_rest_of_a_json_body(text: str) -> None:
    body = json.loads(POSTED.request(text, 1).body)
    assert body == {"prompt": f"x {text} y", "input": text, "n": 1}


@given(text=TEXTS)
def test_no_input_can_change_the_rest_of_a_query(text: str) -> None:
    url = QUERIED.request(text, 1).url
    assert url.startswith(f"{URL}?")
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    assert pairs == [("a", text), ("b", "fixed")]


def test_an_input_is_not_filled_in_turn() -> None:
    made = api(http_method="post", template=["{input} {copy}"])
    assert json.loads(made.request("{copy} {seed}", 2).body) == ["{copy} {seed} 2"]


def test_each_input_and_copy_has_a_seed_of_its_own_that_stays() -> None:
    made = api(http_method="post", template="{seed}")
    seeds = {
        (text, copy): json.loads(made.request(text, copy).body) for text in "ab" for copy in (1, 2)
    }
    assert len(set(seeds.values())) == 4
    assert all(0 <= seed < 2**31 for seed in seeds.values())
    assert seeds["a", 1] == json.loads(
        api(http_method="post", template="{seed}", timeout=5.0).request("a", 1).body
    )


@pytest.mark.parametrize(
    ("template", "n_requests"),
    [({"q": "{input}"}, 1), ({"q": "{input}", "n": "{copy}"}, 5), ({"q": "{input}{seed}"}, 5)],
)
def test_copies_are_one_request_unless_the_template_tells_them_apart(
    template: dict[str, str], n_requests: int
) -> None:
    made = api(template=template)
    assert len({made.request("cup", copy).identity for copy in range(1, 6)}) == n_requests


def test_an_input_that_is_no_text_is_its_own_failure() -> None:
    with pytest.raises(SampleError, match="not Unicode"):
        api().request("\ud800", 1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"template": {"q": "{inputs}"}}, "unknown {inputs}; known: {input}, {copy}, {seed}"),
        ({"template": ["{input}"]}, "for get, an object"),
        ({"template": {"q": ["{input}"]}}, "for get, an object"),
        ({"http_method": "put"}, "http_method"),
        ({"timeout": 31}, "timeout"),
        ({"timeout": 0}, "timeout"),
        ({"requests_per_second": 0}, "requests_per_second"),
        ({"headers": {"Authorization": "Bearer x"}}, "Authorization cannot be set here"),
        ({"headers": {"X-Key": "x"}, "key_header": "x-key"}, "X-Key cannot be set here"),
        ({"headers": {"Host": "x"}}, "Host cannot be set here"),
        ({"headers": {"X-A": "x\r\nHost: y"}}, "printable ASCII"),
        ({"headers": {"X A": "x"}}, "not the name of a header"),
        ({"key_header": "Host"}, "cannot hold a key"),
        ({"key_scheme": "Bearer\n"}, "printable ASCII"),
        ({"key_variable": "AWS_SECRET_ACCESS_KEY"}, "begins with MLFORGE_"),
        ({"key_variable": "mlforge_key"}, "begins with MLFORGE_"),
        ({"http_method": "post", "template": json.loads("[" * 40 + "]" * 40)}, "nested"),
    ],
)
def test_a_wrong_parameter_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        api(**parameters)
    assert message in caught.value.message


def test_braces_that_are_no_place_stay() -> None:
    made = api(http_method="post", template="{} {A} {1} { input }")
    assert json.loads(made.request("x", 1).body) == "{} {A} {1} { input }"


def test_without_an_endpoint_nothing_is_asked() -> None:
    with pytest.raises(ConfigError, match=r"cup/config\.json: .*api_endpoint: not given") as caught:
        api(None).request("x", 1)
    assert '"api_endpoint": "https://' in caught.value.hint


@pytest.mark.parametrize("url", ["ftp://x.org/", "api.example.org", "https://me:you@x.org/", ""])
def test_an_endpoint_that_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="api_endpoint: not a URL"):
        api(url).request("x", 1)


@pytest.mark.parametrize("url", [URL, "http://127.0.0.1:8000/", "http://localhost/"])
def test_a_key_goes_where_nobody_reads_it(url: str) -> None:
    assert api(url, key_variable="MLFORGE_KEY").request("x", 1).url


def test_a_key_does_not_go_over_plain_http() -> None:
    with pytest.raises(ConfigError, match="could read the key") as caught:
        api("http://api.example.org/", key_variable="MLFORGE_KEY").request("x", 1)
    assert "https" in caught.value.hint


def test_an_answer_without_a_path_is_the_example_itself() -> None:
    assert api().extract(b"\x89PNG") == b"\x89PNG"


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(b"\xfb\xff picture").decode(),
        base64.urlsafe_b64encode(b"\xfb\xff picture").decode().rstrip("="),
        "data:image/png;base64," + base64.b64encode(b"\xfb\xff picture").decode(),
        base64.encodebytes(b"\xfb\xff picture").decode(),
    ],
)
def test_base64_is_found_at_the_path(text: str) -> None:
    body = json.dumps({"data": [{}, {"b64": text}]}).encode()
    assert api(answer="data.1.b64").extract(body) == b"\xfb\xff picture"


def test_a_link_is_found_at_the_path() -> None:
    body = json.dumps({"url": "HTTPS://cdn.example.org/1.png"}).encode()
    assert api(answer="url").extract(body) == "HTTPS://cdn.example.org/1.png"


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab01"), inner),
    )
)
def test_whatever_the_answer_it_is_an_example_or_a_failure(body: Any) -> None:
    try:
        found = LOOKING.extract(json.dumps(body).encode())
    except SampleError:
        return
    assert isinstance(found, bytes | str)


def varied(made: Api, streams: Streams, n_copies: int) -> list[bool]:
    return [bool(made.generate([answer()], c, streams).recipe) for c in range(1, n_copies + 1)]


def test_every_copy_is_varied_by_default() -> None:
    assert all(varied(api(), STREAMS, 20))
    assert api().limit_per_seed() is None


@pytest.mark.parametrize("ratio", [0.25, 0.75])
def test_the_ratio_is_the_share_of_varied_answers(ratio: float) -> None:
    made = api(template={"q": "{input}{copy}"}, augmentation={"augmentation_ratio": ratio})
    share = float(np.mean([v for i in range(20) for v in varied(made, Streams((i,)), 20)]))
    assert share == pytest.approx(ratio, abs=0.08)


def test_at_most_one_copy_of_one_answer_stays_as_it_came() -> None:
    made = api(augmentation={"augmentation_ratio": 0.5})
    counts = {varied(made, Streams((i,)), 20).count(False) for i in range(20)}
    assert counts <= {0, 1}


@pytest.mark.parametrize(
    ("template", "augmentation", "limit"),
    [
        ({"q": "{input}"}, {"enable_augmentation": False}, 1),
        ({"q": "{input}"}, {"augmentation_ratio": 0}, 1),
        ({"q": "{input}"}, {"techniques": []}, 1),
        ({"q": "{input}{copy}"}, {"techniques": []}, None),
    ],
)
def test_copies_that_would_be_equal_are_made_once(
    template: dict[str, str], augmentation: dict[str, Any], limit: int | None
) -> None:
    made = api(template=template, augmentation=augmentation)
    assert made.limit_per_seed() == limit
    np.testing.assert_array_equal(made.generate([answer()], 1, STREAMS).example, answer())
