"""Which seeds a report shows as pictures, and how many fit into it."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest

from mlforge.evaluation.records import SeedOutcome
from mlforge.report.data import ReportData

__all__ = [
    "LARGE_SIDE",
    "SMALL_SIDE",
    "Load",
    "data_url",
    "picture_files",
    "picture_urls",
    "with_pictures",
]

# What stands around a picture, beside the name of its file, which may grow by escaping.
_MARKUP = 200
LARGE_SIDE = 160
SMALL_SIDE = 96

Load = Callable[[str, int], bytes | None]
"""Takes a seed's file, ``CODE/NAME``, and a side in pixels; returns a small picture of it as WebP,
JPEG or PNG, or None where the seed is gone or unreadable."""

_KINDS = {b"\xff\xd8\xff": "jpeg", b"\x89PNG": "png", b"RIFF": "webp"}


def with_pictures(data: ReportData, load: Load, budget: int) -> ReportData:
    """Return `data` with pictures of its seeds, the most telling ones first.

    Wrong seeds come first, then seeds to look at, then the right ones, of each category in turn.

    Parameters
    ----------
    load
        Makes one picture; it is called for those only that are looked for a place.
    budget
        How many bytes of HTML the pictures may take.
    """
    pictures: dict[str, bytes] = {}
    missing = set(data.missing)
    blamed = _blamed(data)
    for file, side in picture_files(data):
        picture = load(file, side)
        if picture is None:
            missing.add(file)
            continue
        # A seed to look at is shown twice: in its own section as well.
        cost = (len(data_url(picture)) + _MARKUP + 6 * len(file)) * (2 if file in blamed else 1)
        if cost > budget:
            break
        budget -= cost
        pictures[file] = picture
    return dataclasses.replace(data, thumbnails=pictures, missing=frozenset(missing))


def picture_files(data: ReportData) -> Iterator[tuple[str, int]]:
    """Yield the seeds by how much their picture tells, each with the side it is worth."""
    evaluation = data.evaluation
    seeds = () if evaluation is None else evaluation.evidence
    codes = () if evaluation is None else evaluation.codes
    wrong = [seed for seed in seeds if _guess(seed, codes) != seed.code]
    wrong.sort(key=lambda seed: -max(seed.probabilities))
    files = dict.fromkeys([seed.file for seed in wrong], LARGE_SIDE)
    for file in sorted(_blamed(data)):
        files.setdefault(file, LARGE_SIDE)
    by_category: dict[str, list[str]] = {}
    for seed in seeds:
        by_category.setdefault(seed.code, []).append(seed.file)
    for row in zip_longest(*by_category.values()):
        for file in row:
            if file is not None:
                files.setdefault(file, SMALL_SIDE)
    yield from files.items()


def data_url(picture: bytes) -> str:
    """Return a picture as a ``data:`` address; empty where it is no JPEG, PNG or WebP."""
    kind = next((kind for start, kind in _KINDS.items() if picture.startswith(start)), "")
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}" if kind else ""


def picture_urls(pictures: Mapping[str, bytes]) -> dict[str, str]:
    """Return the address of each picture that is one."""
    urls = {file: data_url(picture) for file, picture in pictures.items()}
    return {file: url for file, url in urls.items() if url}


def _blamed(data: ReportData) -> set[str]:
    blame = (data.deep.blame if data.deep else None) or ()
    return {seed.file for seed in blame}


def _guess(seed: SeedOutcome, codes: tuple[str, ...]) -> str:
    return codes[seed.probabilities.index(max(seed.probabilities))]
