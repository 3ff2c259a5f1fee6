from __future__ import annotations

import pytest

from mlforge.core.strict_json import parse_json, parse_line
from mlforge.errors import ConfigError


def refusal(data: bytes, max_bytes: int = 1024) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_json(data, "config.json", max_bytes)
    assert caught.value.message.startswith("config.json")
    return caught.value


def test_ordinary_json_is_read_with_or_without_a_byte_order_mark() -> None:
    data = '{"name": "Café", "n": [1, 2.5, true, null]}'.encode()
    expected = {"name": "Café", "n": [1, 2.5, True, None]}
    assert parse_json(data, "x") == expected
    assert parse_json(b"\xef\xbb\xbf" + data, "x") == expected


def test_broken_json_is_refused_with_its_line() -> None:
    error = refusal(b'{\n "a": 1,\n "b": 2,\n}')
    assert "line 4, column 1" in error.message
    assert "comma" in error.hint


@pytest.mark.parametrize("data", [b"", b"{", b"[1] 2", b"'a'", b"{1: 2}", b'"\n"', b"// x\n1"])
def test_what_is_almost_json_is_refused(data: bytes) -> None:
    assert "not valid JSON" in refusal(data).message


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_numbers_that_are_not_finite_are_refused(text: str) -> None:
    assert text in refusal(f'{{"a": [{text}]}}'.encode()).message


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    refusal(b"1" * 5000, 10_000)


def test_the_same_key_twice_in_one_object_is_refused_and_named() -> None:
    assert "'a'" in refusal(b'{"x": {"a": 1, "b": 2, "a": 3}}').message
    assert parse_json(b'{"x": {"a": 1}, "y": {"a": 2}}', "x") == {"x": {"a": 1}, "y": {"a": 2}}


def test_a_control_character_in_a_double_key_is_not_sent_to_the_terminal() -> None:
    assert "\x1b" not in refusal(b'{"\\u001b": 1, "\\u001b": 2}').message


def test_nesting_is_limited_to_32_levels() -> None:
    deepest = b"[" * 32 + b"]" * 32
    assert parse_json(deepest, "x")
    assert "32 levels" in refusal(b"[" + deepest + b"]").message
    refusal(b'{"a":' * 200_000, 10**7)


def test_brackets_in_texts_do_not_count_as_nesting() -> None:
    text = '"' + "[{" * 100 + '\\"' + "[" * 100 + '"'
    assert parse_json(text.encode(), "x") == "[{" * 100 + '"' + "[" * 100


def test_a_document_above_the_limit_is_refused_before_it_is_read() -> None:
    assert parse_json(b" " * 1023 + b"1", "x", 1024) == 1
    assert "1024" in refusal(b"\xff" * 1025).message


def test_the_limit_is_one_mebibyte_unless_said() -> None:
    with pytest.raises(ConfigError, match="1048576"):
        parse_json(b" " * 1024 * 1024 + b"1", "x")


def test_bytes_that_are_not_utf_8_are_refused_with_their_place() -> None:
    assert "byte 2" in refusal(b'{"\xff": 1}').message


@pytest.mark.parametrize(
    "line", [b"NaN", b"-Infinity", b"1e999", b"[" * 33 + b"]" * 33, b"\xff", b"{", b"", b"1 2"]
)
def test_a_line_is_read_within_the_same_limits(line: bytes) -> None:
    with pytest.raises(ConfigError, match=r"^x: "):
        parse_line(line, "x")


def test_a_line_with_many_brackets_need_not_be_deep() -> None:
    assert parse_line(b'{"a": [' + b"[1.5], " * 40 + b'"[["]}\n', "x") == {
        "a": [*([1.5] for _ in range(40)), "[["]
    }
