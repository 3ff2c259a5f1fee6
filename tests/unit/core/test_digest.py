from __future__ import annotations

import hashlib
import json
import math

import pytest

from mlforge.core.digest import canonical_json, digest_bytes, digest_json, json_bytes


def test_the_digest_of_bytes_is_their_sha_256() -> None:
    assert digest_bytes(b"abc") == hashlib.sha256(b"abc").hexdigest()


def test_canonical_json_has_sorted_keys_no_spaces_and_plain_unicode() -> None:
    assert canonical_json({"b": [1, 2.5, None], "a": {"d": "é", "c": True}}) == (
        '{"a":{"c":true,"d":"é"},"b":[1,2.5,null]}'
    )


def test_the_digest_of_a_value_never_changes() -> None:
    value = {"b": [1, 2.5, None], "a": {"d": "é", "c": True}}
    assert digest_json(value) == digest_bytes('{"a":{"c":true,"d":"é"},"b":[1,2.5,null]}'.encode())


@pytest.mark.parametrize(
    ("one", "other"), [(["1"], [1]), ([["a"], "b"], ["a", ["b"]]), ({"a": None}, {}), ("", None)]
)
def test_different_values_have_different_digests(one: object, other: object) -> None:
    assert digest_json(one) != digest_json(other)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_json_has_no_digest(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest_json({"a": number})


def test_the_name_of_a_file_that_is_not_utf_8_has_a_digest_and_survives_writing() -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert len(digest_json(name)) == 64
    assert digest_json(name) != digest_json("caf\\udce9")
    assert json.loads(json_bytes(canonical_json(name))) == name
