from __future__ import annotations

import re

import pytest

from mlforge.core.settings import ProjectSettings, parse_settings, settings_template
from mlforge.errors import ConfigError
from mlforge.modalities import MODALITIES


def refusal(data: bytes) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_settings(data, "mlforge.toml")
    assert caught.value.message.startswith("mlforge.toml: ")
    return caught.value


def test_every_key_is_optional() -> None:
    assert parse_settings(b"", "mlforge.toml") == ProjectSettings()


def test_the_template_says_the_defaults() -> None:
    assert parse_settings(settings_template("image").encode(), "x") == ProjectSettings()


def test_what_the_template_comments_out_is_the_default_too() -> None:
    lines = settings_template("image").splitlines()[1:]
    bare = "\n".join(re.sub(r"^# (?=\[|\w+ = )", "", line) for line in lines)
    read = parse_settings(bare.encode(), "x")
    assert read.train == ProjectSettings().train
    assert read.features.use == ProjectSettings().features.use
    image = MODALITIES.get("image").configured(read.tables["image"], "x")
    assert image.config == MODALITIES.get("image").Config()
    assert read.models.keys() == {"random_forest"}
    assert read.features.parameters.keys() == {"hog"}


def test_tables_of_modalities_extractors_and_models_are_kept_for_those_who_know_them() -> None:
    data = b"[image]\nsize = 9\n[features]\nuse = ['hog']\n[features.hog]\ncell = 4\n"
    read = parse_settings(data + b"[models.svm]\nc = 2.5\n", "x")
    assert read.tables == {"image": {"size": 9}}
    assert read.features.parameters == {"hog": {"cell": 4}}
    assert read.models == {"svm": {"c": 2.5}}


@pytest.mark.parametrize(
    ("data", "path", "nearest"),
    [
        (b"[train]\nfold = 3", "train.fold", "folds"),
        (b"[train]\nmodel = ['x']", "train.model", "models"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(data: bytes, path: str, nearest: str) -> None:
    error = refusal(data)
    assert error.message == f"mlforge.toml: {path}: unknown key"
    assert error.hint.startswith(f"did you mean {nearest!r}?")


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"[train]\nfolds = 1", "train.folds"),
        (b"[train]\nfolds = '5'", "train.folds"),
        (b"[train]\nfolds = true", "train.folds"),
        (b"[train]\nseed = -1", "train.seed"),
        (b"[train]\nmodels = 'svm'", "train.models"),
        (b"[features]\nuse = []", "features.use"),
        (b"task = 'guessing'", "task"),
        (b"modality = 3", "modality"),
        (b"[models]\nsvm = 3", "models.svm"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(data: bytes, path: str) -> None:
    assert refusal(data).message.startswith(f"mlforge.toml: {path}: ")


@pytest.mark.parametrize(
    "data",
    [
        b"[train",
        b"a = 1\na = 2",
        b"a = 2026-13-45",
        b"a = " + b"1" * 5000,
        b"a = 0x" + b"f" * 5000,
        b"a = " + b"[" * 100_000,
        b"[" + b"a." * 50_000 + b"a]",
        b"a = nan",
        b"a = inf",
        b"a = '\xff'",
    ],
)
def test_whatever_is_in_the_file_it_is_refused_and_not_crashed_on(data: bytes) -> None:
    refusal(data)


def test_the_line_of_broken_toml_is_told() -> None:
    assert "line 2" in refusal(b"a = 1\nb = \nc = 2").message


def test_a_byte_order_mark_is_no_error() -> None:
    assert parse_settings(b"\xef\xbb\xbf[train]\nfolds = 3", "x").train.folds == 3


@pytest.mark.parametrize(
    "text",
    [
        "a" + ".a" * 50_000 + " = 1",
        "x = {a" + " . a" * 40 + " = 1}",
        '["a"' + '."a"' * 40 + "]",
        '# a quote: "\n[a' + ".b" * 40 + "]",
        "x = '''\n'''\n[a" + ".b" * 40 + "]",
    ],
)
def test_a_key_of_very_many_parts_is_refused_before_it_is_parsed(text: str) -> None:
    with pytest.raises(ConfigError, match="more than 32 parts"):
        parse_settings(text.encode(), "mlforge.toml")


@pytest.mark.parametrize("value", ['"%s"', "'%s'", '"""%s"""', "'''%s'''", "1 # %s"])
def test_dots_within_texts_and_comments_are_no_key(value: str) -> None:
    text = "other = " + value % ("a." * 100)
    assert parse_settings(text.encode(), "mlforge.toml").train == ProjectSettings().train


@pytest.mark.parametrize("unit", ['\\"', '"', "'", '"""\\', "'''x", "a", "a ", "."])
def test_no_text_takes_long_to_be_refused(unit: str) -> None:
    with pytest.raises(ConfigError):
        parse_settings((unit * (900_000 // len(unit))).encode(), "mlforge.toml")
