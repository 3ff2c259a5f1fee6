"""What each section of the page shows, put into words and rows; the templates only lay it out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlforge.evaluation.records import DeepEvaluation, Evaluation, Interval
from mlforge.report.charts import SMALL, Chart, learning_chart, robustness_chart
from mlforge.report.data import CategoryCard, ReportData
from mlforge.report.photos import Album, cell_key
from mlforge.report.pictures import data_url, picture_urls
from mlforge.report.words import counted, interval, joined, percent, points, shown

__all__ = [
    "ActivationRow",
    "Blamed",
    "CategoryRow",
    "Cell",
    "Matrix",
    "Suspicion",
    "Whisker",
    "activation_rows",
    "advice_lines",
    "category_names",
    "category_rows",
    "confusion_matrix",
    "curve_charts",
    "robustness_charts",
    "suspicions",
    "technique_rows",
    "unsafe_lines",
]

# A larger matrix is no longer looked at; what is mixed up most is then told as a list.
_MAX_MATRIX = 60
_N_LEVELS = 5
_MAX_TAKEN_FOR = 2
# What each kind of blame is called, the most pressing first, and what to make of it.
_BLAME = {
    "mislabelled": (
        "Perhaps mislabelled",
        "They look like another category. If they are, move them.",
    ),
    "hurts": ("Harmful", "Without them, others are recognized better. Are they typical?"),
    "alone": ("Alone", "Their category rests on them. Add more like them."),
    "redundant": ("Nothing new", "Without them nothing changes. They do no harm."),
}


@dataclass(frozen=True)
class Whisker:
    """A share with its interval, as places on a bar of length 100; None where unknown."""

    share: float | None
    low: float
    high: float


@dataclass(frozen=True)
class CategoryRow:
    """A category and how well it is found."""

    name: str
    code: str
    found: str
    recall: str
    bar: Whisker
    interval: str
    precision: str
    taken_for: str
    note: str


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix; `level` is its shade from 0 to 5."""

    n_seeds: int
    level: int
    right: bool
    target: str
    label: str


@dataclass(frozen=True)
class Matrix:
    """The confusion matrix: the names of its columns, and each row with its name."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    too_large: bool


@dataclass(frozen=True)
class ActivationRow:
    """A category, and its seeds beside where what was learned finds it."""

    name: str
    seeds: tuple[Mapped, ...]


@dataclass(frozen=True)
class Mapped:
    """A seed beside its class-activation map, and how sure the held-out answer was."""

    caption: str
    url: str
    sure: str


@dataclass(frozen=True)
class Blamed:
    """A seed that should be looked at, and how strongly."""

    file: str
    url: str
    looks_like: str
    strength: str


@dataclass(frozen=True)
class Suspicion:
    """The seeds that should be looked at for the same reason, the strongest first."""

    title: str
    meaning: str
    seeds: tuple[Blamed, ...]


def activation_rows(data: ReportData, names: Mapping[str, str]) -> list[ActivationRow]:
    """Return the categories whose seeds are shown with where they were found."""
    several = len({card.extractor for card in data.activations}) > 1
    by_code: dict[str, list[Mapped]] = {}
    for card in data.activations:
        if url := data_url(card.picture):
            caption = f"{card.file} ({card.extractor})" if several else card.file
            mapped = Mapped(shown(caption), url, percent(card.probability))
            by_code.setdefault(card.code, []).append(mapped)
    return [ActivationRow(names[code], tuple(seeds)) for code, seeds in by_code.items()]


def category_names(data: ReportData) -> dict[str, str]:
    """Return the name for people of every category that the report may speak of, by its code.

    Two categories of one name are told apart by their codes.
    """
    codes = (
        set(data.evaluation.codes) | set(data.evaluation.per_category) if data.evaluation else ()
    )
    named = {card.code: shown(card.name) for card in data.categories}
    names = {code: named.get(code) or shown(code) for code in [*named, *codes]}
    said = list(names.values())
    return {
        code: name if said.count(name) == 1 else f"{name} ({shown(code)})"
        for code, name in names.items()
    }


def category_rows(scores: Evaluation, names: Mapping[str, str], noun: str) -> list[CategoryRow]:
    """Return the categories, the weakest first and those without a score last."""
    rows = []
    for code, score in scores.per_category.items():
        row = scores.confusion[scores.codes.index(code)] if code in scores.codes else ()
        note = "one group only: cannot be scored" if code in scores.unscored else ""
        if code in scores.not_estimable:
            note = (
                f"for other groups not estimable from these: {counted(score.n_seeds, noun)} of "
                f"{counted(score.n_groups, 'group')}"
            )
        if code in scores.generated_only:
            note = f"scored on samples: it has no {noun}s of its own"
        ends = score.recall_interval
        rows.append(
            (
                score.recall is None,
                score.recall or 0.0,
                CategoryRow(
                    name=names[code],
                    code=shown(code),
                    found=_found(score.recall, score.n_seeds),
                    recall="" if score.recall is None else percent(score.recall),
                    bar=_whisker(score.recall, ends),
                    interval="" if ends is None else interval(ends),
                    precision="" if score.precision is None else percent(score.precision),
                    taken_for=_taken_for(row, code, scores.codes, names),
                    note=note,
                ),
            )
        )
    return [row for *_, row in sorted(rows, key=lambda item: item[:2])]


def _found(recall: float | None, n_seeds: int) -> str:
    return "" if recall is None else f"{round(recall * n_seeds)} of {n_seeds}"


def _whisker(share: float | None, ends: Interval | None) -> Whisker:
    if share is None:
        return Whisker(None, 0.0, 0.0)
    low, high = ends or (share, share)
    return Whisker(round(100 * share, 1), round(100 * low, 1), round(100 * high, 1))


def _taken_for(
    row: tuple[int, ...], code: str, codes: tuple[str, ...], names: Mapping[str, str]
) -> str:
    others = [(n, other) for n, other in zip(row, codes, strict=False) if n and other != code]
    others.sort(key=lambda pair: -pair[0])
    return ", ".join(f"{names[other]} ({n})" for n, other in others[:_MAX_TAKEN_FOR])


def confusion_matrix(scores: Evaluation, names: Mapping[str, str], album: Album) -> Matrix:
    """Return the matrix; a cell with photos to show leads to them."""
    titles = tuple(names[code] for code in scores.codes)
    if len(titles) > _MAX_MATRIX:
        return Matrix((), (), too_large=True)
    rows = []
    for number, counts in enumerate(scores.confusion):
        total = max(sum(counts), 1)
        cells = tuple(
            Cell(
                n,
                0 if n == 0 else 1 + min(int(_N_LEVELS * n / total), _N_LEVELS - 1),
                number == other,
                key if (key := cell_key(number, other)) in album.keys else "",
                f"{titles[number]} taken for {titles[other]}: {n} of {total}",
            )
            for other, n in enumerate(counts)
        )
        rows.append((titles[number], cells))
    return Matrix(titles, tuple(rows), too_large=False)


def curve_charts(
    deep: DeepEvaluation | None, names: Mapping[str, str], noun: str
) -> tuple[Chart, list[Chart]] | None:
    """Return the learning curve and that of each category; None where there is none."""
    if deep is None or deep.curve is None or not deep.curve.overall:
        return None
    whole = learning_chart(deep.curve.overall, "curve", "All categories", noun)
    return whole, [
        learning_chart(line, f"curve-{number}", names.get(code, shown(code)), noun, SMALL)
        for number, (code, line) in enumerate(deep.curve.per_category.items())
        if line
    ]


def advice_lines(deep: DeepEvaluation | None, names: Mapping[str, str], noun: str) -> list[str]:
    """Return what to photograph next, the greatest gain first."""
    curve = deep.curve if deep else None
    lines = []
    for item in curve.advice if curve else ():
        name = names.get(item.code, shown(item.code))
        gain, low, high = (points(v).removeprefix("+") for v in (item.gain, *item.interval))
        unit = "point" if gain == "1" else "points"
        line = (
            f"{item.n_more} more {noun}{'' if item.n_more == 1 else 's'} of {name}: it would be "
            f"found about {gain} {unit} more often (between {low} and {high})."
        )
        if item.confused_with:
            other = names.get(item.confused_with, shown(item.confused_with))
            line += f" Choose ones that could be mistaken for {other}."
        lines.append(line)
    return lines


def robustness_charts(deep: DeepEvaluation | None) -> list[Chart] | None:
    """Return a chart for each condition; None where none was measured."""
    if deep is None or deep.robustness is None:
        return None
    return [
        robustness_chart(curve, f"robustness-{number}", shown(curve.condition))
        for number, curve in enumerate(deep.robustness)
        if curve.points
    ]


def technique_rows(deep: DeepEvaluation, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what each technique does to each category, the most harmful first."""
    effects = sorted(deep.techniques or (), key=lambda effect: (effect.safe, effect.effect))
    return [
        {
            "technique": shown(effect.technique),
            "category": names.get(effect.code, shown(effect.code)),
            "effect": points(effect.effect),
            "interval": f"{points(effect.interval[0])} to {points(effect.interval[1])}",
            "safe": effect.safe,
            "through": joined([names.get(code, shown(code)) for code in effect.to_change]),
        }
        for effect in effects
    ]


def unsafe_lines(deep: DeepEvaluation, cards: tuple[CategoryCard, ...]) -> list[tuple[str, str]]:
    """Return the file of each category whose samples do harm, and the line that ends it."""
    unsafe: dict[str, set[str]] = {}
    for effect in deep.techniques or ():
        for code in effect.to_change:
            unsafe.setdefault(code, set()).add(effect.technique)
    lines = []
    for card in cards:
        if card.code not in unsafe:
            continue
        kept = [t for t in card.techniques if t.get("name") not in unsafe[card.code]]
        values = [t["name"] if len(t) == 1 else dict(t) for t in kept]
        text = shown(json.dumps(values, ensure_ascii=False, default=str))
        lines.append((f"categories/{shown(card.code)}/config.json", f'"techniques": {text}'))
    return lines


def suspicions(data: ReportData, names: Mapping[str, str]) -> list[Suspicion] | None:
    """Return the seeds to look at by reason; None where none were looked for."""
    if data.deep is None or data.deep.blame is None:
        return None
    urls = picture_urls(data.thumbnails)
    by_kind: dict[str, list[Blamed]] = {kind: [] for kind in _BLAME}
    for seed in sorted(data.deep.blame, key=lambda seed: -seed.score):
        like = names.get(seed.looks_like, shown(seed.looks_like))
        url = urls.get(seed.file, "")
        blamed = Blamed(shown(seed.file), url, like, percent(seed.score))
        by_kind.setdefault(seed.kind, []).append(blamed)
    return [
        Suspicion(*_BLAME.get(kind, (shown(kind), "")), tuple(seeds))
        for kind, seeds in by_kind.items()
        if seeds
    ]
