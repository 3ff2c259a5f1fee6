"""Checks and gates as JUnit XML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlforge import Project
from mlforge.cli.junit import Verdict, write_junit

Run = Callable[..., Any]


def test_gates_pass_fail_or_are_skipped(invoke: Run, trained: Project, tmp_path: Path) -> None:
    file = tmp_path / "gates.xml"
    gates = ("accuracy>=0.05", "accuracy<0.05", "accuracy>=0.8")
    words = [word for gate in gates for word in ("--gate", gate)]
    assert invoke("train", *words, "--junit", file, cwd=trained.root).code == 1
    suite = _root(file.read_text())[0]
    assert [suite.get(key) for key in ("tests", "failures", "skipped")] == ["3", "1", "1"]
    cases = {case.get("name"): case[0].tag for case in suite}
    assert list(cases) == list(gates)
    assert list(cases.values()) == ["system-out", "failure", "skipped"]


def test_what_is_checked_fails_where_training_would(
    invoke: Run, project: Project, tmp_path: Path
) -> None:
    file = tmp_path / "check.xml"
    (project.root / "categories" / "circle" / "config.json").write_text("{")
    done = invoke("categories", "check", "--junit", file, cwd=project.root)
    assert done.code == 3
    (suite,) = _root(file.read_text())
    assert int(suite.get("failures", "0")) >= 1
    assert any("circle" in str(case.get("name")) for case in suite)


@pytest.mark.parametrize("command", ["train", "run", "categories check"])
@pytest.mark.parametrize("name", ["categories/circle/seeds/new.xml", "mlforge.toml", "seed.png"])
def test_a_file_that_is_somebodys_is_not_written_over(
    invoke: Run, project: Project, command: str, name: str
) -> None:
    there = (project.root / "mlforge.toml").read_bytes()
    done = invoke(*command.split(), "--junit", name, cwd=project.root)
    assert done.code == 2
    assert f"--junit {name}" in done.err
    assert (project.root / "mlforge.toml").read_bytes() == there
    assert not project.models()


@given(st.text(), st.text())
def test_any_text_gives_xml_that_can_be_read(name: str, reason: str) -> None:
    verdicts = [Verdict(name, "pass", reason), Verdict(name, "inconclusive", reason)]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "x.xml"
        write_junit(file, "gates", [*verdicts, Verdict(name, "fail", reason)])
        assert len(_root(file.read_text("utf-8"))[0]) == 3


def _root(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - it was written a moment ago
