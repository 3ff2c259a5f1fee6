from __future__ import annotations

import base64
import json
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mlforge import Project
from mlforge.core.digest import digest_bytes
from mlforge.core.reporting import SilentReporter
from mlforge.errors import ConfigError, DataError
from mlforge.generators.augmentation import Augmentation
from mlforge.modalities import MODALITIES
from mlforge.workflows.fetch import FetchResult, fetch_responses
from mlforge.workflows.generate import GenerateOptions
from mlforge.workflows.sample_plan import Wish, make_plan
from mlforge.workflows.workspace import Workspace

Draw = Callable[[str, int], bytes]
KEY = "s3cret-of-the-user"


class Recorder(SilentReporter):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def info(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture
def paint(service: Any, draw: Draw) -> Any:
    """Return the service, which answers each query with a picture of its own."""
    pictures: dict[str, bytes] = {}

    def answer(handler: Any, asked: Any) -> None:
        key = asked.path + asked.body.decode()
        service.send(handler, pictures.setdefault(key, draw("circle", len(pictures))))

    service.answer = answer
    return service


def make(
    root: Path, url: str | None, inputs: tuple[str, ...] = ("red", "blue"), **parameters: Any
) -> Workspace:
    folder = root / "categories" / "cup"
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "category_name": "Cup",
        "category_code": "cup",
        "generation_settings": {
            "method": "api",
            "api_endpoint": url,
            "parameters": {"requests_per_second": 100, **parameters},
        },
        "sample_inputs": list(inputs),
    }
    (folder / "config.json").write_text(json.dumps(config))
    (root / "mlforge.toml").touch()
    return Workspace(root)


def fetch(
    workspace: Workspace,
    count: int = 6,
    allowed: tuple[str, ...] = ("127.0.0.1",),
    reporter: SilentReporter | None = None,
    anew: bool = False,
) -> FetchResult:
    plan = make_plan(workspace, workspace.category("cup"), Wish(count=count))
    return fetch_responses(workspace, plan, allowed, reporter or SilentReporter(), anew=anew)


def responses(workspace: Workspace) -> Path:
    return workspace.layout.responses("cup")


def test_one_answer_serves_all_copies_of_an_input(tmp_path: Path, paint: Any) -> None:
    result = fetch(make(tmp_path, paint.url))
    digests = [digest_bytes(text.encode()) for text in ("red", "blue")]
    assert result.responses.keys() == {(d, copy) for d in digests for copy in (1, 2, 3)}
    assert result.failures == {}
    assert len({result.responses[digests[0], copy] for copy in (1, 2, 3)}) == 1
    assert {parse_qs(urlsplit(asked.path).query)["input"][0] for asked in paint.asked} == {
        "red",
        "blue",
    }
    for path in result.responses.values():
        MODALITIES.get("image")().decode(path.read_bytes())
        assert path.parent == responses(Workspace(tmp_path))


def test_each_copy_is_asked_for_where_the_template_names_it(tmp_path: Path, paint: Any) -> None:
    template = {"prompt": "a {input} cup", "n": "{copy}"}
    workspace = make(tmp_path, paint.url, http_method="post", template=template)
    result = fetch(workspace)
    assert len(set(result.responses.values())) == 6
    bodies = [json.loads(asked.body) for asked in paint.asked]
    assert {(body["prompt"], body["n"]) for body in bodies} == {
        (f"a {color} cup", n) for color in ("red", "blue") for n in (1, 2, 3)
    }


def test_the_same_request_is_never_paid_twice(tmp_path: Path, paint: Any) -> None:
    workspace = make(tmp_path, paint.url)
    before = fetch(workspace)
    Project(tmp_path).clean_samples()
    again = make(tmp_path, paint.url, inputs=("red", "blue", "green"), timeout=5, quality="low")
    after = fetch(again, count=9)
    assert len(paint.asked) == 3, "only the new input is asked for"
    assert before.responses.items() <= after.responses.items()


def test_what_was_kept_needs_neither_permission_nor_key(
    tmp_path: Path, paint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFORGE_KEY", KEY)
    workspace = make(tmp_path, paint.url, key_variable="MLFORGE_KEY")
    before = fetch(workspace)
    monkeypatch.delenv("MLFORGE_KEY")
    assert fetch(workspace, allowed=()) == before
    assert len(paint.asked) == 2


def test_a_changed_answer_on_the_disk_is_asked_for_again(tmp_path: Path, paint: Any) -> None:
    workspace = make(tmp_path, paint.url)
    before = fetch(workspace)
    path = next(iter(before.responses.values()))
    path.write_bytes(b"x")
    assert fetch(workspace) == before
    assert len(paint.asked) == 3


def test_answers_are_copied_with_the_project(tmp_path: Path, paint: Any) -> None:
    before = fetch(make(tmp_path / "a", paint.url))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    after = fetch(Workspace(tmp_path / "b"), allowed=())
    assert {k: p.name for k, p in after.responses.items()} == {
        k: p.name for k, p in before.responses.items()
    }


@pytest.mark.parametrize("form", ["base64", "data", "link"])
def test_an_example_inside_of_json_is_found(
    tmp_path: Path, service: Any, draw: Draw, form: str
) -> None:
    picture = draw("circle", 1)
    packed = base64.b64encode(picture).decode()
    text = {"base64": packed, "data": f"data:image/png;base64,{packed}", "link": "{url}/1.png"}[
        form
    ]

    def answer(handler: Any, asked: Any) -> None:
        if asked.path == "/1.png":
            service.send(handler, picture)
        else:
            data = {"data": [{"image": text.replace("{url}", service.url)}]}
            service.send(handler, json.dumps(data).encode())

    service.answer = answer
    workspace = make(tmp_path, service.url, answer="data.0.image")
    result = fetch(workspace)
    assert {path.read_bytes() for path in result.responses.values()} == {picture}
    assert len(service.asked) == (3 if form == "link" else 2), "two inputs, and one link"
    fetch(workspace, allowed=())


def test_the_key_goes_to_the_service_and_not_to_where_it_links(
    tmp_path: Path, service: Any, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(handler: Any, asked: Any) -> None:
        link = json.dumps({"url": f"{service.url}/1.png"}).encode()
        service.send(handler, draw("circle", 1) if asked.path == "/1.png" else link)

    service.answer = answer
    monkeypatch.setenv("MLFORGE_KEY", KEY)
    parameters = {"key_variable": "MLFORGE_KEY", "key_header": "X-Api-Key", "key_scheme": ""}
    fetch(make(tmp_path, service.url, ("red",), answer="url", **parameters))
    called, linked = service.asked
    assert called.headers["x-api-key"] == KEY
    assert KEY not in f"{linked}"


def test_the_key_is_in_no_file_message_or_line(
    tmp_path: Path, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def echo(handler: Any, asked: Any) -> None:
        service.send(handler, f"{asked.headers}".encode(), 400 if "red" in asked.path else 200)

    service.answer = echo
    monkeypatch.setenv("MLFORGE_KEY", f" {KEY}\n")
    reporter = Recorder()
    workspace = make(tmp_path, service.url, key_variable="MLFORGE_KEY")
    result = fetch(workspace, reporter=reporter)
    assert service.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert any("repeats the key" in reason for reason in result.failures.values())
    shown = f"{result} {reporter.warnings} {reporter.lines}"
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY not in shown
    assert KEY.encode() not in written


def test_the_key_makes_no_other_request(
    tmp_path: Path, paint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for secret in ("old-key", "new-key"):
        monkeypatch.setenv("MLFORGE_KEY", secret)
        fetch(make(tmp_path, paint.url, key_variable="MLFORGE_KEY"))
    assert len(paint.asked) == 2


@pytest.mark.parametrize(
    ("value", "message"), [(None, "is not set"), ("  ", "is not set"), ("kéy", "no key has")]
)
def test_a_key_that_is_missing_or_odd_is_named_by_its_variable(
    tmp_path: Path, paint: Any, monkeypatch: pytest.MonkeyPatch, value: str | None, message: str
) -> None:
    if value is not None:
        monkeypatch.setenv("MLFORGE_KEY", value)
    with pytest.raises(ConfigError, match=f"MLFORGE_KEY .*{message}"):
        fetch(make(tmp_path, paint.url, key_variable="MLFORGE_KEY"))
    assert paint.asked == []


def test_a_host_that_was_not_allowed_is_not_called(tmp_path: Path, paint: Any) -> None:
    workspace = make(tmp_path, paint.url)
    for allowed in ((), ("localhost",), (f"127.0.0.1:{paint.port + 1}",)):
        with pytest.raises(ConfigError) as caught:
            fetch(workspace, allowed=allowed)
        assert f"--allow-host 127.0.0.1:{paint.port}" in caught.value.hint
    assert paint.asked == []
    assert not responses(workspace).exists()


def test_the_users_own_settings_allow_hosts(
    tmp_path: Path, paint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFORGE_ALLOW_HOSTS", f"api.example.org, 127.0.0.1:{paint.port}")
    assert len(fetch(make(tmp_path, paint.url), allowed=()).responses) == 6
    monkeypatch.setenv("MLFORGE_ALLOW_HOSTS", "https://api.example.org")
    with pytest.raises(ConfigError, match="MLFORGE_ALLOW_HOSTS"):
        fetch(make(tmp_path, paint.url), allowed=())


def test_nothing_in_a_project_allows_a_host(tmp_path: Path, paint: Any) -> None:
    workspace = make(tmp_path, paint.url)
    (tmp_path / ".env").write_text("MLFORGE_ALLOW_HOSTS=127.0.0.1\n")
    with pytest.raises(ConfigError, match="may not be called"):
        fetch(workspace, allowed=())


def test_a_link_to_a_host_that_was_not_allowed_names_it(tmp_path: Path, service: Any) -> None:
    service.reply(b'{"url": "https://cdn.example.org/1.png"}')
    with pytest.raises(ConfigError, match=r"link to https://cdn\.example\.org") as caught:
        fetch(make(tmp_path, service.url, answer="url"))
    assert "--allow-host cdn.example.org" in caught.value.hint
    assert len(service.asked) == 1
    with pytest.raises(ConfigError):
        fetch(make(tmp_path, service.url, answer="url"))
    assert len(service.asked) == 1, "what was answered is not asked for again"


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "files.example.org"])
def test_a_link_does_not_lead_elsewhere_in_the_users_own_network(
    tmp_path: Path,
    service: Any,
    other_service: Any,
    draw: Draw,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    real = socket.getaddrinfo

    def look_up(host: str, *arguments: Any, **keywords: Any) -> Any:
        return real("127.0.0.1" if "example" in host else host, *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    other_service.reply(draw("circle", 1))
    link = f"http://{name}:{other_service.port}/admin"
    service.reply(json.dumps({"url": link}).encode())
    allowed = ("127.0.0.1", "localhost", "files.example.org")
    result = fetch(make(tmp_path, service.url, ("red",), answer="url"), allowed=allowed)
    assert other_service.asked == []
    assert all("own network" in r or "stands for" in r for r in result.failures.values())
    assert len(result.failures) == 6


def test_a_link_to_the_service_itself_is_followed_where_its_host_is_allowed(
    tmp_path: Path, service: Any, draw: Draw
) -> None:
    def answer(handler: Any, asked: Any) -> None:
        link = json.dumps({"url": f"{service.url}/1.png"}).encode()
        service.send(handler, draw("circle", 1) if asked.path == "/1.png" else link)

    service.answer = answer
    workspace = make(tmp_path, service.url, ("red",), answer="url")
    result = fetch(workspace)
    assert len(result.responses) == 6
    next(iter(result.responses.values())).unlink()
    with pytest.raises(ConfigError, match="may not be called") as caught:
        fetch(workspace, allowed=())
    assert f"--allow-host 127.0.0.1:{service.port}" in caught.value.hint


def test_what_a_link_leads_to_is_kept_only_if_it_is_a_picture(tmp_path: Path, service: Any) -> None:
    link = json.dumps({"url": f"{service.url}/admin"}).encode()

    def answer(handler: Any, asked: Any) -> None:
        service.send(handler, b"secret settings" if asked.path == "/admin" else link)

    service.answer = answer
    workspace = make(tmp_path, service.url, ("red",), answer="url")
    assert len(fetch(workspace).failures) == 6
    kept = [path.read_bytes() for path in responses(workspace).iterdir()]
    assert link in kept
    assert not any(b"secret settings" in data for data in kept)


def test_an_answer_is_read_anew_where_another_path_is_given(
    tmp_path: Path, service: Any, draw: Draw
) -> None:
    packed = base64.b64encode(draw("circle", 1)).decode()
    service.reply(json.dumps({"thumb": "none", "full": packed}).encode())
    assert len(fetch(make(tmp_path, service.url, ("red",), answer="thumb")).failures) == 6
    assert len(fetch(make(tmp_path, service.url, ("red",), answer="full")).responses) == 6
    assert len(service.asked) == 1


def test_an_answer_that_could_not_be_used_is_asked_for_again_only_where_that_is_wanted(
    tmp_path: Path, service: Any, draw: Draw
) -> None:
    workspace = make(tmp_path, service.url, ("red",))
    service.reply(b"not ready yet")
    first = fetch(workspace)
    assert len(first.failures) == 6
    assert len(service.asked) == 1, "once a run, however many copies wait for it"
    service.reply(draw("circle", 1))
    again = fetch(workspace, allowed=())
    for item, reason in first.failures.items():
        assert (
            again.failures[item] == f"{reason}; this answer is kept, and --force asks for another"
        )
    assert len(service.asked) == 1, "it may have been paid for"
    assert len(fetch(workspace, anew=True).responses) == 6
    fetch(workspace, allowed=(), anew=True)
    assert len(service.asked) == 2, "what can be used is never asked for again"


def test_two_runs_pay_once_for_answers_without_an_example(tmp_path: Path, service: Any) -> None:
    service.reply(b'{"image": 7}')
    template = {"prompt": "{input}", "n": "{copy}"}
    project = Project(make(tmp_path, service.url, template=template, answer="image").root)
    options = GenerateOptions(count=4, workers=1, allowed_hosts=("127.0.0.1",))
    for _ in range(2):
        (category,) = project.generate(options).categories
        assert len(category.failures) == 4
    assert len(service.asked) == 4
    project.generate(replace(options, force=True))
    assert len(service.asked) == 8


def test_a_link_that_has_expired_is_asked_for_anew_where_that_is_wanted(
    tmp_path: Path, service: Any, draw: Draw
) -> None:
    fresh = "1"

    def answer(handler: Any, asked: Any) -> None:
        if asked.path == f"/{fresh}.png":
            service.send(handler, draw("circle", 1))
        elif asked.path.endswith(".png"):
            service.send(handler, b"", 403)
        else:
            service.send(handler, json.dumps({"url": f"{service.url}/{fresh}.png"}).encode())

    service.answer = answer
    workspace = make(tmp_path, service.url, ("red",), answer="url")
    before = fetch(workspace)
    next(iter(before.responses.values())).unlink()
    fresh = "2"
    assert len(fetch(workspace).failures) == 6
    assert fetch(workspace, anew=True) == before
    assert [asked.path for asked in service.asked] == [
        *("/?input=red", "/1.png", "/1.png", "/1.png", "/?input=red", "/2.png")
    ]


def test_nothing_missing_asks_nothing(tmp_path: Path) -> None:
    result = fetch(make(tmp_path, "https://api.example.org/"), count=0, allowed=())
    assert result == FetchResult({}, {})


def test_without_inputs_there_is_nothing_to_ask_for(tmp_path: Path, paint: Any) -> None:
    with pytest.raises(DataError, match="no sample_inputs"):
        fetch(make(tmp_path, paint.url, ()))


def test_without_an_endpoint_there_is_nobody_to_ask(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="api_endpoint: not given"):
        fetch(make(tmp_path, None))


def test_a_responses_folder_that_is_a_link_to_elsewhere_is_refused(
    tmp_path: Path, paint: Any
) -> None:
    workspace = make(tmp_path / "project", paint.url)
    (tmp_path / "elsewhere").mkdir()
    responses(workspace).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="responses: a link to a place outside"):
        fetch(workspace)
    assert paint.asked == []


def test_another_generator_that_takes_an_endpoint_derives_from_api(
    tmp_path: Path, paint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make(tmp_path, paint.url)
    plan = make_plan(workspace, workspace.category("cup"), Wish())
    foreign = Augmentation(plan.category.config, workspace.modality)
    monkeypatch.setattr(type(plan), "generator", foreign)
    with pytest.raises(ConfigError, match="derives from Api"):
        fetch_responses(workspace, plan, (), SilentReporter())
