"""Registries read what is installed, so these tests install packages, in a folder of their own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlforge.core.component import Component
from mlforge.core.registry import Broken, Registry
from mlforge.errors import ConfigError

GROUP = "mlforge.gadgets"
CLASS = """
from mlforge.core.component import Component

class {cls}(Component):
    \"\"\"{summary}\"\"\"

    name = "{name}"
    modality = {modality!r}
"""

Install = Callable[..., None]


def source(name: str, modality: str | None = None, cls: str = "Gadget") -> str:
    return CLASS.format(cls=cls, summary=f"The {name}.", name=name, modality=modality)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution: its entry points by name, its files by path."""
    before = set(sys.modules)

    def install(
        distribution: str, points: dict[str, str], files: dict[str, str] | None = None
    ) -> None:
        root = tmp_path / distribution
        info = root / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\n")
        lines = "".join(f"{name} = {value}\n" for name, value in points.items())
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{lines}")
        for name, text in (files or {}).items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.syspath_prepend(root)
        importlib.invalidate_caches()

    yield install
    for name in set(sys.modules) - before:
        if name.startswith("fake_"):
            del sys.modules[name]


def registry() -> Registry[Component]:
    return Registry("gadget", Component)


def test_the_group_is_the_plural_of_the_kind() -> None:
    assert Registry("extractor", Component).group == "mlforge.extractors"
    assert Registry("modality", Component).group == "mlforge.modalities"


def test_an_entry_point_may_name_one_class(install: Install) -> None:
    install("acme", {"spring": "fake_acme:Gadget"}, {"fake_acme.py": source("spring")})
    found = registry()
    component = found.get("spring")
    assert component.summary() == "The spring."
    assert found.names() == ["spring"]
    assert found.origin(component) == "acme"
    assert found.broken() == []


def test_an_entry_point_may_name_a_package_with_a_component_in_each_public_module(
    install: Install,
) -> None:
    install(
        "acme",
        {"any": "fake_acme.gadgets"},
        {
            "fake_acme/__init__.py": "",
            "fake_acme/gadgets/__init__.py": "",
            "fake_acme/gadgets/_base.py": source("base", cls="Base"),
            "fake_acme/gadgets/wheel.py": "from fake_acme.gadgets._base import Base\n"
            + source("wheel"),
            "fake_acme/gadgets/axle.py": source("axle"),
            "fake_acme/gadgets/parts/__init__.py": "raise RuntimeError('not a module of its own')",
        },
    )
    assert registry().names() == ["axle", "wheel"]
    assert registry().broken() == []


def test_components_of_any_modality_serve_each(install: Install) -> None:
    files = {
        "fake_acme.py": source("eye", "image", "Eye")
        + source("ear", "audio", "Ear")
        + source("all", None, "All")
    }
    points = {"eye": "fake_acme:Eye", "ear": "fake_acme:Ear", "all": "fake_acme:All"}
    install("acme", points, files)
    assert registry().names() == ["all", "ear", "eye"]
    assert registry().names("image") == ["all", "eye"]
    assert [c.name for c in registry().components("audio")] == ["all", "ear"]
    with pytest.raises(ConfigError, match="unknown gadget 'ear' for image"):
        registry().get("ear", "image")


def test_an_unknown_name_comes_with_the_nearest_and_all_names(install: Install) -> None:
    files = {"fake_acme.py": source("spring") + source("wheel", cls="Wheel")}
    install("acme", {"spring": "fake_acme:Gadget", "wheel": "fake_acme:Wheel"}, files)
    with pytest.raises(ConfigError) as caught:
        registry().get("sprng", where="config.json: method")
    assert caught.value.message == "config.json: method: unknown gadget 'sprng'"
    assert caught.value.hint == "did you mean 'spring'? known: spring, wheel"


def test_one_name_from_two_packages_is_refused_with_both_named(install: Install) -> None:
    install("acme", {"spring": "fake_one:Gadget"}, {"fake_one.py": source("spring")})
    install("bolt", {"spring": "fake_two:Gadget"}, {"fake_two.py": source("spring")})
    with pytest.raises(ConfigError, match="acme and bolt"):
        registry().get("spring")


def test_two_packages_may_use_one_name_for_different_modalities(install: Install) -> None:
    install("acme", {"spring": "fake_one:Gadget"}, {"fake_one.py": source("spring", "image")})
    install("bolt", {"spring": "fake_two:Gadget"}, {"fake_two.py": source("spring", "audio")})
    found = registry()
    assert found.origin(found.get("spring", "image")) == "acme"
    assert found.origin(found.get("spring", "audio")) == "bolt"


BROKEN = {
    "raises at import": ("fake_bad:Gadget", {"fake_bad.py": "1 / 0"}, "ZeroDivisionError"),
    "exits at import": ("fake_bad:Gadget", {"fake_bad.py": "raise SystemExit(3)"}, "SystemExit"),
    "is not Python": ("fake_bad:Gadget", {"fake_bad.py": "def"}, "SyntaxError"),
    "lacks the class": ("fake_bad:Gadget", {"fake_bad.py": ""}, "AttributeError"),
    "is not installed": ("fake_absent:Gadget", {}, "ModuleNotFoundError"),
    "is no component": ("fake_bad:Gadget", {"fake_bad.py": "Gadget = 3"}, "not a Component"),
    "is another class": ("fake_bad:Gadget", {"fake_bad.py": "class Gadget: name = 'bad'"}, "not a"),
    "has another name": ("fake_bad:Gadget", {"fake_bad.py": source("other")}, "'other'"),
    "package is absent": ("fake_absent", {}, "no package 'fake_absent'"),
    "package below is absent": ("fake_absent.gadgets", {}, "ModuleNotFoundError"),
    "package is a module": ("fake_bad", {"fake_bad.py": source("bad")}, "no package 'fake_bad'"),
    "package above raises": (
        "fake_bad.gadgets",
        {"fake_bad/__init__.py": "1 / 0", "fake_bad/gadgets/__init__.py": ""},
        "ZeroDivisionError",
    ),
    "package above is not Python": (
        "fake_bad.gadgets",
        {"fake_bad/__init__.py": "def", "fake_bad/gadgets/__init__.py": ""},
        "SyntaxError",
    ),
    "module is empty": (
        "fake_bad",
        {"fake_bad/__init__.py": "", "fake_bad/bad.py": ""},
        "holds no Component",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_told_and_hurts_nothing_else(install: Install, case: str) -> None:
    value, files, reason = BROKEN[case]
    install("good", {"spring": "fake_good:Gadget"}, {"fake_good.py": source("spring")})
    install("shoddy", {"bad": value}, files)
    found = registry()
    assert found.names() == ["spring"]
    assert found.get("spring").name == "spring"
    (broken,) = found.broken()
    assert isinstance(broken, Broken)
    assert (broken.name, broken.source) == ("bad", "shoddy")
    assert reason in broken.reason
    with pytest.raises(ConfigError) as caught:
        found.get("bad")
    assert reason in caught.value.message
    assert caught.value.hint == "mend or uninstall shoddy"


def test_nothing_is_imported_until_it_is_asked_for(install: Install) -> None:
    install(
        "acme",
        {"any": "fake_lazy"},
        {
            "fake_lazy/__init__.py": "",
            "fake_lazy/spring.py": source("spring"),
            "fake_lazy/wheel.py": source("wheel"),
        },
    )
    registry().get("spring")
    assert "fake_lazy.spring" in sys.modules
    assert "fake_lazy.wheel" not in sys.modules
