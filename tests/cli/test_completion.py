"""The shell completes codes, versions and component names, and a broken project breaks nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlforge import Project

Process = Callable[..., Any]


def _completed(process: Process, line: str, cwd: Path) -> list[str]:
    words = line.split(" ")
    env = {
        "_MLFORGE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    result = process(cwd=cwd, env=env)
    assert result.stderr == b""
    return list(result.stdout.decode().split())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mlforge categories show c", ["circle"]),
        ("mlforge predict --model r", ["random_forest-0001"]),
        ("mlforge train --model a", ["all", "auto"]),
        ("mlforge train --features h", ["hog"]),
        ("mlforge categories add x --technique rot", ["rotation"]),
        ("mlforge init --example s", ["signs"]),
    ],
)
def test_names_are_completed(
    line: str, expected: list[str], process: Process, trained: Project
) -> None:
    assert _completed(process, line, trained.root) == expected


def test_without_a_project_nothing_is_completed_or_said(process: Process, tmp_path: Path) -> None:
    assert _completed(process, "mlforge categories show ", tmp_path) == []
