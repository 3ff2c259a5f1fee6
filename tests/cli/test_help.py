"""Every command explains itself in the same way, and the reference says the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlforge.cli.app import commands
from mlforge.cli.session import EXITS

Run = Callable[..., Any]

ROOT = Path(__file__).parents[2]
COMMANDS = commands()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.spec.path)
def test_each_command_has_help_with_examples_and_the_common_options(
    command: Any, invoke: Run
) -> None:
    result = invoke(*command.spec.path.split(), "--help")
    assert result.code == 0
    assert "Examples:" in result.out
    for example in command.spec.examples:
        assert f"  {example}\n" in result.out
    for option in ("--json", "--quiet", "--verbose", "--debug"):
        assert option in result.out
    assert ("--project" in result.out) == command.takes_project


def test_each_exit_code_of_a_command_has_a_meaning() -> None:
    assert {code for command in COMMANDS for code in command.spec.exits} <= EXITS.keys()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.spec.path)
def test_each_example_calls_its_command_with_options_that_it_has(command: Any, invoke: Run) -> None:
    shown = invoke(*command.spec.path.split(), "--help").out.split("Examples:")[0]
    for example in command.spec.examples:
        words = example.split("mlforge ", 1)[1].split()
        assert " ".join(words).startswith(command.spec.path)
        assert all(word in shown for word in words if word.startswith("--"))


def test_the_whole_offer_is_listed_in_the_order_of_the_work(invoke: Run) -> None:
    listed = invoke("--help").out.split("Commands:")[1].split("Examples:")[0]
    names = [line.split()[0] for line in listed.splitlines() if line.strip()]
    assert names == list(dict.fromkeys(command.spec.path.split()[0] for command in COMMANDS))


def test_a_group_without_a_command_shows_its_help_and_is_a_usage_error(invoke: Run) -> None:
    result = invoke("samples")
    assert result.code == 2
    assert result.out == ""
    assert "generate" in result.err


def test_the_version_is_the_package_s(invoke: Run) -> None:
    from mlforge import __version__

    assert invoke("--version").out == f"mlforge {__version__}\n"


def test_the_generated_reference_and_schema_are_up_to_date() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate_reference.py", "--check"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_mistyped_command_or_option_names_the_nearest(invoke: Run) -> None:
    assert "'train'" in invoke("trian").err
    assert "--force" in invoke("train", "--forec").err
