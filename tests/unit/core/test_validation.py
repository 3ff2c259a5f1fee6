from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest

from mlforge.core.category import CategoryConfig
from mlforge.core.settings import ProjectSettings
from mlforge.core.validation import json_schema, validated
from mlforge.errors import ConfigError

CUP: dict[str, Any] = {"category_name": "Cup", "category_code": "cup"}


def refusal(values: Any, hint: str = "") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        validated(CategoryConfig, values, "config.json", hint)
    return caught.value


def test_a_wrong_key_on_top_comes_with_the_nearest_of_the_top() -> None:
    error = refusal({**CUP, "quality_treshold": {}})
    assert error.message == "config.json: quality_treshold: unknown key"
    assert error.hint.startswith("did you mean 'quality_thresholds'?")
    assert "min_quality" not in error.hint


def test_a_wrong_key_below_comes_with_its_path_and_the_nearest_of_its_level() -> None:
    error = refusal({**CUP, "quality_thresholds": {"min_qualty": 0.3}})
    assert error.message == "config.json: quality_thresholds.min_qualty: unknown key"
    assert error.hint.startswith("did you mean 'min_quality'?")
    assert "category_code" not in error.hint


@pytest.mark.parametrize("key", ["int", "str", "a[b", "0"])
def test_a_wrong_key_is_named_whatever_it_is_called(key: str) -> None:
    assert refusal({**CUP, "metadata": {}, key: 1}).message == f"config.json: {key}: unknown key"
    below = refusal({**CUP, "augmentation_settings": {key: 1}})
    assert below.message == f"config.json: augmentation_settings.{key}: unknown key"


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"category_name": 3}, "category_name"),
        ({"target": "high"}, "target"),
        ({"quality_thresholds": {"min_quality": "0.5"}}, "quality_thresholds.min_quality"),
        ({"quality_thresholds": {"min_quality": 1.5}}, "quality_thresholds.min_quality"),
        ({"quality_thresholds": 5}, "quality_thresholds"),
        ({"sample_inputs": ["a", 2]}, "sample_inputs[1]"),
        (
            {"augmentation_settings": {"techniques": ["x", 7]}},
            "augmentation_settings.techniques[1]",
        ),
        (
            {"augmentation_settings": {"techniques": [{"limit": 1}]}},
            "augmentation_settings.techniques[0].name",
        ),
    ],
)
def test_a_wrong_value_is_told_with_the_path_of_its_key(values: dict[str, Any], path: str) -> None:
    message = refusal({**CUP, **values}).message
    assert message.startswith(f"config.json: {path}: ")


def test_a_key_that_must_be_there_is_named() -> None:
    assert "config.json: category_code: field required" in refusal({"category_name": "Cup"}).message


@pytest.mark.parametrize("values", [None, 3, "x", [], [CUP]])
def test_a_document_that_is_no_object_is_refused(values: object) -> None:
    assert refusal(values, "the hint").message == "config.json: input should be an object"


def test_the_given_hint_stands_unless_there_is_a_better_one() -> None:
    assert refusal({**CUP, "target": "x"}, "the hint").hint == "the hint"
    assert "did you mean" in refusal({**CUP, "tarjet": 1}, "the hint").hint


@pytest.mark.parametrize("number", [math.nan, math.inf, 16**5000], ids=["nan", "inf", "long"])
def test_numbers_that_json_cannot_hold_are_refused(number: float) -> None:
    assert "NaN" in refusal({**CUP, "target": number}).message


def test_a_lone_surrogate_is_refused() -> None:
    assert refusal({**CUP, "sample_inputs": ["\ud800"]}).message.startswith("config.json: ")


def test_values_nested_beyond_reason_are_refused() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ConfigError, match="nested too deeply"):
        validated(ProjectSettings, {"image": value}, "mlforge.toml")


def test_long_values_and_control_characters_are_shortened_and_shown() -> None:
    message = refusal({**CUP, "target": "\x1b" + "x" * 1000}).message
    assert "\x1b" not in message
    assert len(message) < 200


def test_a_date_from_toml_is_its_text() -> None:
    settings = validated(ProjectSettings, {"image": {"day": dt.date(2026, 1, 2)}}, "mlforge.toml")
    assert settings.tables == {"image": {"day": "2026-01-02"}}


def test_a_schema_holds_the_descriptions_that_stand_below_the_keys() -> None:
    schema = json_schema(CategoryConfig)
    assert schema["properties"]["category_code"]["description"].startswith("The name of the folder")
