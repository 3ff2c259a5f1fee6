from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlforge.workflows.sample_plan import _shares
from mlforge.workflows.workspace import group_of

NAMES = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=40)
PATTERNS = st.lists(st.sampled_from(["*", "_", "a", "ab", ".", "7"]), max_size=6).map("".join)


@given(st.integers(1, 12), st.integers(0, 10**12))
def test_a_count_is_met_and_shared_evenly(n_sources: int, count: int) -> None:
    shares = _shares(n_sources, count, None)
    assert sum(shares) == count
    assert len(shares) == n_sources
    assert shares == sorted(shares, reverse=True)
    assert max(shares) - min(shares) <= 1


@given(st.integers(1, 12), st.integers(0, 60), st.integers(0, 60))
def test_more_samples_include_the_fewer(n_sources: int, fewer: int, more: int) -> None:
    fewer, more = sorted((fewer, more))
    pairs = zip(_shares(n_sources, fewer, None), _shares(n_sources, more, None), strict=True)
    assert all(few <= many for few, many in pairs)


@given(st.integers(1, 12), st.integers(0, 60), st.integers(1, 3))
def test_no_source_gives_more_than_its_limit(n_sources: int, count: int, limit: int) -> None:
    shares = _shares(n_sources, count, limit)
    assert sum(shares) == min(count, n_sources * limit)
    assert all(share <= limit for share in shares)


@given(NAMES, PATTERNS, PATTERNS)
def test_a_group_is_a_part_of_the_name_that_the_pattern_explains(
    name: str, before: str, after: str
) -> None:
    stem = name.rpartition(".")[0] or name
    group = group_of(name, f"{before}{{group}}{after}")
    if group is not None:
        assert group
        assert group in stem
        if "*" not in before + after:
            assert stem == before + group + after


@given(st.text("a_b7", min_size=1, max_size=12), PATTERNS, PATTERNS)
def test_a_pattern_finds_what_trying_every_way_finds(name: str, before: str, after: str) -> None:
    def literal(part: str) -> str:
        return "[^/]*?".join(re.escape(piece) for piece in part.split("*"))

    group = f"[^{re.escape(after[0])}]+" if after and after[0] != "*" else "[^/]+?"
    match = re.fullmatch(f"{literal(before)}({group}){literal(after)}", name)
    expected = match[1] if match else None
    assert group_of(f"{name}.png", f"{before}{{group}}{after}") == expected


@given(
    st.text("abc7", max_size=8),
    st.text("abc7", min_size=1, max_size=8),
    st.text("abc7", max_size=8),
)
def test_a_group_between_underscores_is_found(first: str, group: str, last: str) -> None:
    assert group_of(f"{first}_{group}_{last}.png", "*_{group}_*") == group


@pytest.mark.parametrize(
    ("name", "pattern", "group"),
    [
        ("7_jackson_32.wav", "*_{group}_*", "jackson"),
        ("jackson-7.wav", "*_{group}_*", None),
        ("__jackson_32.wav", "*_{group}_*", "jackson"),
        ("scene12.png", "scene{group}", "12"),
        ("scene12_a_b.png", "{group}_*", "scene12"),
        ("a.b.c.png", "{group}.*", "a"),
        ("x[1]_a.png", "x[{group}]_*", "1"),
        (".png", "{group}", ".png"),
        ("a_b_c.png", "*_{group}", "b_c"),
        ("ab_cd_e.png", "a*b_{group}_*e", "cd"),
        ("a_x\ny_b.png", "a_{group}_b", "x\ny"),
        ("a\nb.png", "{group}", "a\nb"),
    ],
)
def test_what_a_pattern_finds(name: str, pattern: str, group: str | None) -> None:
    assert group_of(name, pattern) == group


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("a" * 250 + ".png", "*a" * 40 + "_{group}"),
        ("a" * 250 + ".png", "{group}b" + "*a" * 40 + "b"),
        ("a" * 125 + "b" + "a" * 124 + ".png", "{group}b" + "*a" * 40 + "b"),
        ("ab" * 125 + ".png", "*a*b" * 20 + "{group}*c"),
    ],
)
def test_no_pattern_takes_long(name: str, pattern: str) -> None:
    # A pattern that is tried in every way would never come back.
    assert group_of(name, pattern) is None
