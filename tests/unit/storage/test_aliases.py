from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mlforge.core.digest import digest_json
from mlforge.errors import ArtifactError, ConfigError
from mlforge.storage.aliases import Aliases

TIMES = [f"2026-11-23T10:00:0{second}Z" for second in range(9)]


@pytest.fixture
def aliases(tmp_path: Path) -> Aliases:
    return Aliases(tmp_path)


def write(folder: Path, aliases: Any) -> None:
    """Write aliases as one would who knows how their digest is made."""
    body = {"schema": "mlforge.aliases/1", "aliases": aliases}
    text = json.dumps({**body, "digest": digest_json(body)})
    (folder / "aliases.json").write_text(text)


def change(action: str, version: Any, previous: Any = None) -> dict[str, Any]:
    return {"action": action, "version": version, "previous": previous, "time": TIMES[0]}


def test_nothing_has_a_name_at_first(aliases: Aliases) -> None:
    assert aliases.read() == {}


def test_an_alias_names_what_was_promoted_last_and_remembers_the_rest(aliases: Aliases) -> None:
    aliases.promote("production", "svm-0001", TIMES[0])
    aliases.promote("production", "svm-0002", TIMES[1])
    aliases.promote("staging", "svm-0003", TIMES[2])
    found = aliases.read()
    assert {name: alias.version for name, alias in found.items()} == {
        "production": "svm-0002",
        "staging": "svm-0003",
    }
    moves = [(c.action, c.version, c.previous, c.time) for c in found["production"].history]
    assert moves == [
        ("promote", "svm-0001", None, TIMES[0]),
        ("promote", "svm-0002", "svm-0001", TIMES[1]),
    ]


def test_promoting_what_it_names_already_changes_nothing(aliases: Aliases, tmp_path: Path) -> None:
    aliases.promote("production", "svm-0001", TIMES[0])
    before = (tmp_path / "aliases.json").read_bytes()
    aliases.promote("production", "svm-0001", TIMES[1])
    assert (tmp_path / "aliases.json").read_bytes() == before


def test_each_rollback_goes_one_promotion_further_back(aliases: Aliases) -> None:
    for number in (1, 2, 3):
        aliases.promote("production", f"svm-000{number}", TIMES[number])
    assert aliases.rollback("production", TIMES[4]).version == "svm-0002"
    assert aliases.rollback("production", TIMES[5]).version == "svm-0001"
    with pytest.raises(ArtifactError, match="named nothing before svm-0001"):
        aliases.rollback("production", TIMES[6])
    aliases.promote("production", "svm-0004", TIMES[7])
    assert aliases.rollback("production", TIMES[8]).version == "svm-0001"


def test_an_unknown_alias_cannot_be_rolled_back(aliases: Aliases) -> None:
    with pytest.raises(ArtifactError) as caught:
        aliases.rollback("production", TIMES[0])
    assert "mlforge models promote" in caught.value.hint
    aliases.promote("production", "svm-0001", TIMES[0])
    with pytest.raises(ArtifactError) as caught:
        aliases.rollback("prodution", TIMES[0])
    assert "did you mean 'production'" in caught.value.hint


def test_aliases_go_with_the_version_they_name(aliases: Aliases) -> None:
    aliases.promote("production", "svm-0001", TIMES[0])
    aliases.promote("staging", "svm-0002", TIMES[1])
    aliases.drop("svm-0001")
    assert list(aliases.read()) == ["staging"]


@pytest.mark.parametrize("name", ["svm-0001", "a-1", "", "../x", "A", "con", "a b", "x" * 65])
def test_a_name_that_is_a_version_or_no_name_is_refused(aliases: Aliases, name: str) -> None:
    with pytest.raises(ConfigError):
        aliases.promote(name, "svm-0001", TIMES[0])
    assert aliases.read() == {}


def test_every_flipped_bit_is_found(aliases: Aliases, tmp_path: Path) -> None:
    aliases.promote("production", "svm-0001", TIMES[0])
    path = tmp_path / "aliases.json"
    data = path.read_bytes()
    expected = aliases.read()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << (place % 8)
        path.write_bytes(flipped)
        # White space between the parts says nothing.
        with suppress(ArtifactError):
            assert aliases.read() == expected, place


@pytest.mark.parametrize(
    "stored",
    [
        3,
        [],
        {"production": 3},
        {"production": []},
        {"production": [3]},
        {"production": [{}]},
        {"production": [change("promote", 3)]},
        {"production": [change("promote", "svm-0001", 3)]},
        {"production": [change("move", "svm-0001")]},
        {"production": [change("rollback", "svm-0001")]},
        {"production": [{**change("promote", "svm-0001"), "more": 1}]},
        {"../x": [change("promote", "svm-0001")]},
    ],
)
def test_aliases_of_another_shape_are_refused(
    aliases: Aliases, tmp_path: Path, stored: Any
) -> None:
    write(tmp_path, stored)
    with pytest.raises(ArtifactError):
        aliases.read()


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "[" * 100_000, '{"schema": "x"}'])
def test_another_file_in_their_place_is_refused(
    aliases: Aliases, tmp_path: Path, text: str
) -> None:
    (tmp_path / "aliases.json").write_text(text)
    with pytest.raises(ArtifactError):
        aliases.read()


def test_a_link_in_their_place_is_not_followed(aliases: Aliases, tmp_path: Path) -> None:
    aliases.promote("production", "svm-0001", TIMES[0])
    path = tmp_path / "aliases.json"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to("elsewhere")
    with pytest.raises(ArtifactError, match="link"):
        aliases.read()
