from __future__ import annotations

import json
from typing import Any

import pytest

from mlforge.core.category import CategoryConfig, config_schema
from mlforge.core.validation import json_schema, validated
from mlforge.errors import ConfigError

CUP: dict[str, Any] = {"category_name": "Cup", "category_code": "cup"}

# As it circulates in guides: the keys that people bring with them.
TEMPLATE: dict[str, Any] = {
    "category_name": "Your Category",
    "category_code": "your_category",
    "generation_settings": {
        "method": "augmentation",
        "api_endpoint": "https://example.com/generate",
        "parameters": {"quality": "high", "format": "png", "custom_param1": "value1"},
    },
    "sample_texts": ["Example text 1", "Example text 2"],
    "quality_thresholds": {
        "min_quality": 0.7,
        "min_confidence": 0.8,
        "max_file_size": "10MB",
        "min_duration": 1.0,
        "max_duration": 10.0,
    },
    "augmentation_settings": {
        "enable_augmentation": True,
        "augmentation_ratio": 0.3,
        "techniques": ["rotation", "noise_addition", "scaling"],
    },
    "metadata": {
        "description": "What it shows",
        "source": "own pictures",
        "version": "1.0",
        "created_date": "2025-01-01",
        "tags": ["tag1", "tag2"],
    },
}


def config(**values: Any) -> CategoryConfig:
    return validated(CategoryConfig, {**CUP, **values}, "config.json")


def test_the_defaults_are_those_that_the_reference_states() -> None:
    values = config(metadata={"created_date": "2026-11-23"}).to_json()
    assert values == {
        "category_name": "Cup",
        "category_code": "cup",
        "generation_settings": {
            "method": "augmentation",
            "api_endpoint": None,
            "parameters": {"quality": "high", "format": "png"},
        },
        "sample_inputs": [],
        "quality_thresholds": {
            "min_quality": 0.2,
            "min_confidence": 0.8,
            "max_file_size": "25MB",
            "min_duration": None,
            "max_duration": None,
        },
        "augmentation_settings": {
            "enable_augmentation": True,
            "augmentation_ratio": 1.0,
            "techniques": [
                "rotation",
                "scaling",
                "translation",
                "brightness",
                "contrast",
                "noise_addition",
            ],
        },
        "group_pattern": None,
        "target": None,
        "metadata": {
            "description": "",
            "source": "",
            "version": "1.0",
            "created_date": "2026-11-23",
            "tags": [],
        },
    }


def test_the_widespread_template_is_read_with_every_value() -> None:
    read = validated(CategoryConfig, TEMPLATE, "config.json")
    assert read.sample_inputs == ("Example text 1", "Example text 2")
    assert read.generation_settings.parameters["custom_param1"] == "value1"
    assert read.quality_thresholds.max_bytes == 10_000_000
    names = [spec.name for spec in read.augmentation_settings.techniques]
    assert names == ["rotation", "noise_addition", "scaling"]
    expected = {key: value for key, value in TEMPLATE.items() if key != "sample_texts"}
    assert read.to_json() == {
        **expected,
        "sample_inputs": TEMPLATE["sample_texts"],
        "group_pattern": None,
        "target": None,
    }


def test_a_technique_may_carry_parameters_and_keeps_them() -> None:
    techniques = ["rotation", {"name": "brightness", "limit": 0.2}, {"name": "blur"}]
    read = config(augmentation_settings={"techniques": techniques}).augmentation_settings
    assert [spec.parameters for spec in read.techniques] == [{}, {"limit": 0.2}, {}]
    written = config(augmentation_settings={"techniques": techniques}).to_json()
    assert written["augmentation_settings"]["techniques"] == ["rotation", techniques[1], "blur"]


def test_the_name_of_the_schema_is_kept_and_not_invented() -> None:
    assert config(**{"$schema": "../category.schema.json"}).to_json()["$schema"] == (
        "../category.schema.json"
    )
    assert "$schema" not in config().to_json()


def test_metadata_takes_any_key() -> None:
    assert config(metadata={"camera": {"lens": 50}}).to_json()["metadata"]["camera"] == {"lens": 50}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"category_code": "Cup"}, "category_code"),
        ({"category_code": "../cup"}, "category_code"),
        ({"category_name": ""}, "category_name"),
        ({"category_name": "x" * 201}, "category_name"),
        ({"quality_thresholds": {"max_file_size": "large"}}, "not a size"),
        ({"quality_thresholds": {"max_file_size": 0}}, "not a size"),
        ({"quality_thresholds": {"max_file_size": "9" * 400}}, "not a size"),
        ({"quality_thresholds": {"min_duration": 2, "max_duration": 1}}, "above max_duration"),
        ({"quality_thresholds": {"min_confidence": -0.1}}, "min_confidence"),
        ({"augmentation_settings": {"augmentation_ratio": 1.1}}, "augmentation_ratio"),
        ({"augmentation_settings": {"enable_augmentation": 1}}, "enable_augmentation"),
        ({"group_pattern": "*_*"}, "{group}"),
        ({"group_pattern": "{group}{group}"}, "{group}"),
        ({"sample_inputs": ["a"], "sample_texts": ["b"]}, "sample_texts: unknown key"),
    ],
)
def test_a_wrong_value_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(**values)
    assert message in caught.value.message
    assert caught.value.message.startswith("config.json: ")


def test_a_configuration_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config().category_name = "Mug"


@pytest.mark.parametrize(
    "values",
    [
        {"generation_settings": {"method": "synthetic"}},
        {"generation_settings": {"parameters": {"format": "jpeg"}}},
        {"sample_inputs": ["a"]},
        {"quality_thresholds": {"min_quality": 0.3}},
        {"quality_thresholds": {"max_file_size": "24MB"}},
        {"augmentation_settings": {"enable_augmentation": False}},
        {"augmentation_settings": {"augmentation_ratio": 0.5}},
        {"augmentation_settings": {"techniques": ["rotation"]}},
        {"augmentation_settings": {"techniques": [{"name": "rotation", "limit": 5}]}},
    ],
)
def test_keys_that_shape_samples_change_their_digest(values: dict[str, Any]) -> None:
    assert config(**values).sample_digest() != config().sample_digest()


@pytest.mark.parametrize(
    "values",
    [
        {"category_name": "Mug"},
        {"quality_thresholds": {"min_confidence": 0.5}},
        {"quality_thresholds": {"max_file_size": "25000 KB"}},
        {"group_pattern": "*_{group}"},
        {"target": 3.5},
        {"metadata": {"description": "x", "version": "2", "other": 1}},
        {"$schema": "x"},
        {"augmentation_settings": {"augmentation_ratio": 1}},
    ],
)
def test_other_keys_leave_the_digest_of_samples_alone(values: dict[str, Any]) -> None:
    assert config(**values).sample_digest() == config().sample_digest()


def test_the_schema_that_ships_is_that_of_the_code() -> None:
    shipped = json.loads(config_schema())["properties"]
    # The other name of `sample_inputs`, which the code reads and never writes.
    assert shipped.pop("sample_texts")
    assert shipped.keys() == json_schema(CategoryConfig)["properties"].keys()
