from __future__ import annotations

import pytest

from mlforge.core.names import check_code, code_from_name, nearest, printable, suggestion
from mlforge.errors import ConfigError


@pytest.mark.parametrize("code", ["a", "0", "golden_retriever", "a-b", "7up", "a" * 64, "con_"])
def test_a_code_of_allowed_characters_is_taken_as_it_is(code: str) -> None:
    assert check_code(code) == code


@pytest.mark.parametrize(
    "code",
    [
        "",
        "A",
        "a b",
        "a.b",
        "a/b",
        "..",
        "../a",
        "a\x00",
        "a\n",
        "_a",
        "-a",
        "a" * 65,
        "é",
        "\uff41",
        "a\u0301",
        "con",
        "nul",
        "com1",
        "lpt9",
        "com0",
    ],
)
def test_anything_else_is_refused(code: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_code(code)
    assert repr(printable(code)) in caught.value.message


@pytest.mark.parametrize(
    ("code", "proposal"), [("Golden Retriever", "golden_retriever"), ("con", "con_")]
)
def test_a_refused_code_comes_with_one_that_is_allowed(code: str, proposal: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_code(code)
    assert caught.value.hint == f"try {proposal!r}"


def test_the_place_of_a_wrong_code_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^--code: "):
        check_code("A", "--code")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Japanese Cherry", "japanese_cherry"),
        ("Japanese_Cherry", "japanese_cherry"),
        ("  Crème brûlée!  ", "creme_brulee"),
        ("Straße", "strasse"),
        ("İstanbul", "istanbul"),
        ("ﬁne", "fine"),
        ("\uff21\uff22\uff23", "abc"),
        ("COM1", "com1_"),
        ("--x--", "x"),
        ("a/../b", "a_b"),
        ("日本", ""),
        ("...", ""),
        ("x" * 100, "x" * 64),
        ("x" * 63 + " y", "x" * 63),
    ],
)
def test_a_name_becomes_the_code_that_a_person_would_write(name: str, code: str) -> None:
    assert code_from_name(name) == code


def test_the_nearest_name_ignores_case_and_may_be_none() -> None:
    assert nearest("XGBOST", ["random_forest", "xgboost"]) == "xgboost"
    assert nearest("zzz", ["random_forest", "xgboost"]) is None
    assert nearest("a", []) is None


def test_a_suggestion_lists_what_is_known_sorted() -> None:
    assert suggestion("zzz", ["b", "a"]) == "known: a, b"
    assert suggestion("zzz", []) == "known: none"


def test_a_suggestion_shows_control_characters_of_names_that_lie_on_the_disk() -> None:
    assert suggestion("zzz", ["cup\x1b[2J"]) == "known: cup\\x1b[2J"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 日本 🙂", "plain é 日本 🙂"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\r\nb\tc", "a\\x0d\\x0ab\\x09c"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2028", "\\u2028"),
        ("\udcff", "\\udcff"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_text_is_shown_without_what_a_terminal_would_obey(text: str, shown: str) -> None:
    assert printable(text) == shown
