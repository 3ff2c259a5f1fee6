"""What stands in a result is shown as it is: never as markup, never as control characters."""

from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from mlforge.cli.blocks import Block, Cell, Column, Line, Row, table
from mlforge.cli.plain import plain, text_width
from mlforge.cli.render import share_bar
from mlforge.cli.terminal import draw

HOSTILE = ["[bold]x[/bold]", "a\nb", "\x1b[31mred\x1b[0m", "café", "a  b", "\u202ert", ":smile:"]


def _drawn(blocks: list[Block], width: int = 100) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=True,
        color_system=None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    draw(blocks, console)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def _blocks(text: str) -> list[Block]:
    rows: list[Row] = [[Cell(text, "strong"), "1"], ["other", "23"]]
    return [Line(text, "good"), table([Column("file"), Column("n", "right")], rows)]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_they_are(name: str) -> None:
    shown = name.replace("\n", "\\x0a").replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    for lines in (_drawn(_blocks(name)).splitlines(), list(plain(_blocks(name)))):
        assert sum(shown in line for line in lines) == 2
        assert "\x1b" not in "".join(lines)


@given(st.text(max_size=40))
def test_no_text_puts_a_control_character_into_plain_output(text: str) -> None:
    lines = list(plain(_blocks(text)))
    assert len(lines) == 4
    for line in lines:
        assert not any(unicodedata.category(c) in {"Cc", "Cs", "Cf"} for c in line)
        assert line == line.rstrip()


@settings(max_examples=25)
@given(st.text(max_size=40), st.integers(20, 120))
def test_any_text_can_be_drawn_within_any_width(text: str, width: int) -> None:
    for line in _drawn(_blocks(text), width).splitlines():
        assert cell_len(line) <= width


def test_plain_columns_are_aligned_whatever_their_characters_take() -> None:
    rows = [["猫", "1"], ["cafe\u0301", "20"], ["x", "300"]]
    lines = list(plain([table([Column("name"), Column("n", "right")], rows)]))
    assert {text_width(line) for line in lines} == {4 + 2 + 3}


def test_optional_columns_go_first_where_a_terminal_is_narrow() -> None:
    columns = [Column("name"), Column("n", "right"), Column("extra", optional=True)]
    block = table(columns, [["a" * 20, "12345", "b" * 20]])
    assert "extra" in _drawn([block], 60)
    narrow = _drawn([block], 40)
    assert "extra" not in narrow
    assert "12345" in narrow


def test_nothing_of_a_version_or_a_number_is_missing_however_narrow_a_terminal_is() -> None:
    columns = [Column("version", folds=False), Column("accuracy", "right"), Column("interval")]
    drawn = _drawn([table(columns, [["random_forest-0001", "97.9 %", "94.8 to 99.1"]])], 24)
    shown = "".join(drawn.split())
    for text in ("random_forest-0001", "97.9%", "94.8to99.1"):
        assert set(text) <= set(shown)
    digits = sorted(letter for letter in drawn if letter.isdigit())
    assert digits == sorted("0001979948991")


def test_bars_are_for_terminals_only() -> None:
    columns = [Column("name"), Column("", terminal_only=True)]
    block = table(columns, [["x", share_bar(0.5)]], headed=False)
    assert "━" in _drawn([block])
    assert list(plain([block])) == ["x"]


def test_long_names_are_folded_rather_than_cut() -> None:
    name = "abcdefghij" * 9
    block = table([Column("file"), Column("n", "right")], [[name, "1"]])
    drawn = _drawn([block], 40)
    letters = "".join(c for line in drawn.splitlines()[2:] for c in line if c.isalpha())
    assert letters == name
