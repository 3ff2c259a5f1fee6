from __future__ import annotations

import re
import shlex
from importlib import metadata
from pathlib import Path

import pytest

from mlforge.core.extras import extras, install_command, requirements

ROOT = Path(__file__).resolve().parents[3]


def test_the_extra_is_installed_by_what_it_brings() -> None:
    words = shlex.split(install_command("mlforge", "neural"))
    assert words[:4] == ["python", "-m", "pip", "install"]
    assert [re.match(r"[\w.-]+", word)[0] for word in words[4:]] == ["torch"]  # type: ignore[index]


def test_every_extra_brings_something_that_can_be_named() -> None:
    assert {"dev", "embed", "heic", "neural", "parquet"} <= set(extras("mlforge"))
    assert all(requirements("mlforge", extra) for extra in extras("mlforge"))


@pytest.mark.parametrize(
    ("text", "extra", "needed"),
    [
        ("a<2,>=1; extra == 'x'", "x", {"a": "a<2,>=1"}),
        ('a[b]>=1 ; python_version < "3.9" and extra == "x"', "x",
         {"a": 'a[b]>=1; python_version < "3.9"'}),
        ("a; extra == 'x' and os_name == 'nt'", "x", {"a": "a; os_name == 'nt'"}),
        ("a; extra == 'xx'", "x", {}),
        ("a; os_name == 'nt'", None, {"a": "a; os_name == 'nt'"}),
        ("a; extra == 'x'", None, {}),
    ],
)  # fmt: skip
def test_requirements_are_those_of_the_extra(
    monkeypatch: pytest.MonkeyPatch, text: str, extra: str | None, needed: dict[str, str]
) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: [text])
    assert requirements("anything", extra) == needed


def test_what_is_not_known_is_not_guessed() -> None:
    assert requirements("no-such-distribution") == {}
    assert extras("no-such-distribution") == []
    assert "pip" not in install_command("no-such-distribution", "x")


def test_no_text_sends_anybody_to_another_project_of_that_name() -> None:
    stranger = re.compile(r"install[^.\n]*[\s'\"](mlforge)(\[|['\"`\s]|$)", re.MULTILINE)
    assert stranger.search('python -m pip install "mlforge[x]"')
    assert stranger.search("python -m pip install mlforge\n")
    pages = [ROOT / "README.md", ROOT / "constraints.md", *(ROOT / "docs").rglob("*.md")]
    for path in [*pages, *(ROOT / "mlforge").rglob("*.py")]:
        commands = re.findall(r"pip3? install.*", path.read_text("utf-8"))
        assert not [c for c in commands if stranger.search(c)], path
