from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlforge.core.category import CategoryConfig
from mlforge.core.digest import canonical_json, digest_json, json_bytes
from mlforge.core.names import check_code, code_from_name, printable, suggestion
from mlforge.core.randomness import Streams
from mlforge.core.settings import parse_settings
from mlforge.core.strict_json import parse_json
from mlforge.core.units import format_size, parse_size
from mlforge.core.validation import validated
from mlforge.errors import ConfigError

ANY_TEXT = st.text(st.characters(codec=None), max_size=40)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
UNIT = st.floats(0, 1)
TECHNIQUES = st.lists(
    st.sampled_from(["rotation", "blur", {"name": "crop", "limit": 0.1}, {"name": "shear"}]),
    max_size=4,
)
SHAPING: dict[tuple[str, ...], st.SearchStrategy[Any]] = {
    ("generation_settings", "method"): st.sampled_from(["augmentation", "synthetic"]),
    ("generation_settings", "parameters"): st.dictionaries(st.text(max_size=5), JSON, max_size=3),
    ("sample_inputs",): st.lists(st.text(max_size=5), max_size=3),
    ("quality_thresholds", "min_quality"): UNIT,
    ("quality_thresholds", "max_file_size"): st.integers(1, 10**9),
    ("augmentation_settings", "enable_augmentation"): st.booleans(),
    ("augmentation_settings", "augmentation_ratio"): UNIT,
    ("augmentation_settings", "techniques"): TECHNIQUES,
}
FREE: dict[tuple[str, ...], st.SearchStrategy[Any]] = {
    ("category_name",): st.text(min_size=1, max_size=9),
    ("quality_thresholds", "min_confidence"): UNIT,
    ("quality_thresholds", "min_duration"): st.none() | UNIT,
    ("group_pattern",): st.sampled_from([None, "*_{group}", "{group}-*"]),
    ("target",): st.none() | st.floats(-1e6, 1e6),
    ("metadata", "description"): st.text(max_size=9),
    ("metadata", "anything"): JSON,
}


def attempt(function: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
    """Return a call's value, or the message of its `ConfigError`; anything else is a failure."""
    try:
        return function(*arguments), ""
    except ConfigError as error:
        return None, error.message


def chosen(
    keys: dict[tuple[str, ...], st.SearchStrategy[Any]],
) -> st.SearchStrategy[dict[Any, Any]]:
    return st.fixed_dictionaries({}, optional=keys)


def config(*parts: dict[tuple[str, ...], Any]) -> CategoryConfig:
    values: dict[str, Any] = {"category_name": "Cup", "category_code": "cup"}
    # The day on which a test runs is no part of it.
    values["metadata"] = {"created_date": "2026-11-23"}
    for path, value in (item for part in parts for item in part.items()):
        place = values
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value
    return validated(CategoryConfig, values, "config.json")


@given(ANY_TEXT)
def test_a_code_made_of_any_name_is_a_code_and_stays_what_it_is(name: str) -> None:
    code = code_from_name(name)
    if code:
        assert check_code(code) == code
        assert code_from_name(code) in {code, code.rstrip("_") + "_", code.rstrip("_-")}


@given(ANY_TEXT)
@example("\x1b]0;x\x07")
@example("\ud800\udcff")
def test_no_text_sends_a_control_character_to_the_terminal(text: str) -> None:
    shown = printable(text)
    forbidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not any(unicodedata.category(c) in forbidden for c in shown)
    assert printable(shown) == shown
    assert shown.encode().decode() == shown
    hint = suggestion(text, [text, "other"])
    assert not any(unicodedata.category(c) in forbidden for c in hint.replace(repr(text), ""))


@given(ANY_TEXT)
def test_any_text_is_a_code_or_a_config_error(text: str) -> None:
    value, message = attempt(check_code, text)
    assert value == text or message.startswith("category code: ")
    assert message.encode() or value


@given(ANY_TEXT)
def test_any_text_is_a_size_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_size(text) >= 1


@given(st.integers(1, 2**50))
def test_a_number_of_bytes_is_read_exactly_and_shown_to_three_digits(n_bytes: int) -> None:
    assert parse_size(n_bytes) == parse_size(f"{n_bytes}B") == n_bytes
    shown = format_size(n_bytes)
    assert "e" not in shown
    assert parse_size(shown) == pytest.approx(n_bytes, rel=0.005)


@given(
    st.binary(max_size=60)
    | st.text(alphabet='{}[]",:\\ 01eE.-naN\ud800', max_size=30).map(json_bytes)
)
@example(b"1e999")
@example(b"[" * 2000)
@example(b'"\\ud800"')
def test_any_bytes_are_json_or_a_config_error(data: bytes) -> None:
    value, message = attempt(parse_json, data, "x")
    assert not message or message.startswith("x")
    assert canonical_json(value)


@given(JSON)
def test_what_is_json_is_read_back(value: Any) -> None:
    assert parse_json(json.dumps(value).encode(), "x") == value
    assert parse_json(json_bytes(canonical_json(value)), "x") == value


@given(
    st.binary(max_size=60)
    | st.text(alphabet="[]a=.'\"{}0123456789:-Tex_\n ", max_size=40).map(str.encode)
)
def test_any_bytes_are_settings_or_a_config_error(data: bytes) -> None:
    settings, message = attempt(parse_settings, data, "mlforge.toml")
    assert settings or message.startswith("mlforge.toml: ")


@given(JSON)
def test_any_json_is_a_category_or_a_config_error(value: Any) -> None:
    for values in (
        value,
        {"category_name": "Cup", "category_code": "cup", "quality_thresholds": value},
    ):
        made, message = attempt(validated, CategoryConfig, values, "config.json")
        assert made or message.startswith("config.json: ")


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=5), st.randoms(use_true_random=False))
def test_a_digest_does_not_depend_on_the_order_of_keys(value: dict[str, Any], rng: Any) -> None:
    items = list(value.items())
    rng.shuffle(items)
    assert digest_json(dict(items)) == digest_json(value)


@given(
    st.lists(
        st.lists(st.integers() | ANY_TEXT, max_size=3).map(tuple),
        min_size=2,
        max_size=5,
        unique=True,
    )
)
def test_different_paths_have_different_streams(paths: list[tuple[str | int, ...]]) -> None:
    # Python takes True for 1; names and numbers are told apart.
    draws = {Streams(path).rng().bytes(16) for path in paths}
    assert len(draws) == len(paths)
    np.testing.assert_array_equal(
        Streams(paths[0]).rng().random(2), Streams(()).rng(*paths[0]).random(2)
    )


@given(chosen(SHAPING), chosen(FREE))
def test_a_category_is_the_same_after_writing_and_reading(
    shaping: dict[Any, Any], free: dict[Any, Any]
) -> None:
    made = config(shaping, free)
    written = parse_json(json_bytes(json.dumps(made.to_json())), "config.json")
    read = validated(CategoryConfig, written, "config.json")
    assert read == made
    assert read.to_json() == made.to_json()
    assert read.sample_digest() == made.sample_digest()


@given(chosen(SHAPING), chosen(FREE), chosen(FREE))
def test_the_digest_of_samples_sees_only_what_shapes_them(
    shaping: dict[Any, Any], free: dict[Any, Any], other: dict[Any, Any]
) -> None:
    assert config(shaping, free).sample_digest() == config(shaping, other).sample_digest()


@given(chosen(SHAPING), st.sampled_from(sorted(SHAPING)), st.data())
def test_the_digest_of_samples_changes_with_each_key_that_shapes_them(
    shaping: dict[Any, Any], key: tuple[str, ...], data: st.DataObject
) -> None:
    before = config(shaping)
    after = config(shaping, {key: data.draw(SHAPING[key])})
    same = before.to_json() == after.to_json()
    assert (before.sample_digest() == after.sample_digest()) == same
