from __future__ import annotations

import pytest

from mlforge.core.units import format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("25MB", 25_000_000),
        ("10MB", 10_000_000),
        ("500 KB", 500_000),
        ("500 kb", 500_000),
        ("1.5 KiB", 1536),
        ("2GiB", 2 * 1024**3),
        (" 7 ", 7),
        ("7B", 7),
        (10, 10),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str | int, n_bytes: int) -> None:
    assert parse_size(text) == n_bytes


@pytest.mark.parametrize(
    "text",
    [
        *("", "MB", "25 XB", "-1", -1, 0, "0MB", "0.1B", "1,5MB", "1e3", "nan", "inf", True),
        *("9" * 400, "9" * 5000, "9999999999GB", 10**30),
    ],
)
def test_what_is_not_a_size_is_refused_as_a_value_error(text: str | int) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 KB"),
        (1500, "1.5 KB"),
        (999_499, "999 KB"),
        (999_999, "1 MB"),
        (25_000_000, "25 MB"),
        (999_999_999, "1 GB"),
        (1_234_000_000_000, "1230 GB"),
    ],
)
def test_sizes_are_written_as_people_read_them(n_bytes: int, text: str) -> None:
    assert format_size(n_bytes) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("90", 90), ("1.5m", 90), (" 2 H ", 7200), ("0.5s", 0.5), ("1 m", 60)],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "m5", "0", "-1s", "nan", "inf", "1d", "1m30s", "1,5m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"float|above 0"):
        parse_duration(text)
