"""Charts as geometry: what is where, in the units of an SVG's view box; a template draws them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlforge.evaluation.records import Calibration, Interval, LearningPoint, RobustnessCurve
from mlforge.report.words import interval, percent, shown

__all__ = [
    "LARGE",
    "SMALL",
    "Bar",
    "Chart",
    "Frame",
    "Mark",
    "Rule",
    "Tick",
    "learning_chart",
    "novelty_chart",
    "reliability_chart",
    "robustness_chart",
]

_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 20.0, 24.0, 42.0
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
# Two labels of ticks closer than this would touch.
_TICK_GAP = 26.0
_N_BINS = 24


@dataclass(frozen=True)
class Frame:
    """How large a chart is; its text has one size, so a small chart is small by its frame."""

    width: float
    height: float

    @property
    def left(self) -> float:
        """Where the plot begins, right of the labels."""
        return _LEFT

    @property
    def right(self) -> float:
        """Where the plot ends."""
        return self.width - _RIGHT

    @property
    def top(self) -> float:
        """Where the plot begins, below what is written above it."""
        return _TOP

    @property
    def bottom(self) -> float:
        """Where the plot ends, above the labels."""
        return self.height - _BOTTOM


LARGE, SMALL = Frame(360.0, 248.0), Frame(256.0, 184.0)


@dataclass(frozen=True)
class Tick:
    """A place on an axis with its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A point that was measured, and what it says when pointed at."""

    x: float
    y: float
    radius: float
    label: str


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram; `beyond` where it lies behind the chart's rule."""

    x: float
    y: float
    width: float
    height: float
    label: str
    beyond: bool


@dataclass(frozen=True)
class Rule:
    """A vertical line with a label to its left or right."""

    x: float
    label: str
    anchor: str
    text_x: float


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes
    ----------
    key
        What its ids begin with; unique in the page.
    title, description
        What it is, and what it shows, for who cannot see it.
    x_label, y_label
        What the axes measure.
    bands, lines
        Polygons of intervals and polylines, as lists of points.
    guide
        A dashed line to compare with; empty for none.
    columns, rows
        The same as a table.
    """

    key: str
    title: str
    description: str
    x_label: str
    y_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bands: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    guide: str = ""
    marks: tuple[Mark, ...] = ()
    bars: tuple[Bar, ...] = ()
    rule: Rule | None = None
    frame: Frame = LARGE


Scale = Callable[[float], float]


def reliability_chart(calibration: Calibration, noun: str) -> Chart:
    """Return how often seeds were right, against how sure the model was of them."""
    x, y = _scale(0, 1, LARGE.left, LARGE.right), _share_scale(LARGE)
    most = max((b.n_seeds for b in calibration.bins), default=1)
    marks = tuple(
        Mark(
            x(b.confidence),
            y(b.accuracy),
            3 + 6 * math.sqrt(b.n_seeds / most),
            f"{b.n_seeds} {noun}s: {percent(b.confidence)} sure, {percent(b.accuracy)} right",
        )
        for b in calibration.bins
    )
    return Chart(
        key="reliability",
        title="How sure the model was, and how often it was right",
        description=f"Each circle is {noun}s of about the same confidence that were held out; the "
        f"larger, the more {noun}s. On the dashed line, confidence means what it says.",
        x_label="how sure it was",
        y_label="right",
        x_ticks=tuple(Tick(x(v), f"{100 * v:.0f} %") for v in _SHARES),
        y_ticks=_share_ticks(y),
        columns=(f"{noun}s", "sure", "right"),
        rows=tuple(
            (str(b.n_seeds), percent(b.confidence), percent(b.accuracy)) for b in calibration.bins
        ),
        guide=_points([(x(0), y(0)), (x(1), y(1))]),
        lines=(_points([(mark.x, mark.y) for mark in marks]),),
        marks=marks,
    )


def learning_chart(
    points: Sequence[LearningPoint], key: str, name: str, noun: str, frame: Frame = LARGE
) -> Chart:
    """Return accuracy, or a category's recall, by the number of seeds."""
    shares = [(p.n_seeds, p.score, p.interval) for p in points]
    return _curve(key, name, f"{noun}s a category", shares, frame)


def robustness_chart(curve: RobustnessCurve, key: str, name: str) -> Chart:
    """Return accuracy by how much the seeds were changed."""
    shares = [(p.level, p.accuracy, p.interval) for p in curve.points]
    return _curve(key, name, shown(curve.unit), shares, SMALL)


def novelty_chart(novelties: Sequence[float], threshold: float, noun: str) -> Chart:
    """Return how new held-out seeds, all of known categories, looked to the model."""
    low = min(*novelties, threshold) if novelties else threshold - 1
    high = max(*novelties, threshold) if novelties else threshold + 1
    high = high if high > low else low + 1
    step = (high - low) / _N_BINS
    counts = [0] * _N_BINS
    for novelty in novelties:
        counts[min(int((novelty - low) / step), _N_BINS - 1)] += 1
    x = _scale(low, high, LARGE.left, LARGE.right)
    y = _scale(0, max(*counts, 1), LARGE.bottom, LARGE.top)
    above = sum(novelty > threshold for novelty in novelties)
    at = x(threshold)
    on_left = at > LARGE.width / 2
    return Chart(
        key="novelty",
        title=f"How new the held-out {noun}s looked",
        description=f"{above} of {len(novelties)} {noun}s lie beyond the threshold.",
        x_label="familiar \N{RIGHTWARDS ARROW} new",
        y_label=f"{noun}s",
        x_ticks=(Tick(x(low), f"{low:.3g}"), Tick(x(high), f"{high:.3g}")),
        y_ticks=tuple(Tick(y(v), str(v)) for v in _count_ticks(max(counts))),
        columns=("novelty from", "to", f"{noun}s"),
        rows=tuple(
            (f"{low + i * step:.3g}", f"{low + (i + 1) * step:.3g}", str(n))
            for i, n in enumerate(counts)
            if n
        ),
        bars=tuple(
            _bar(n, low + i * step, step, threshold, x, y) for i, n in enumerate(counts) if n
        ),
        rule=Rule(
            at, "unknown from here", "end" if on_left else "start", at + (-5, 5)[not on_left]
        ),
    )


def _bar(n: int, start: float, step: float, threshold: float, x: Scale, y: Scale) -> Bar:
    return Bar(
        x(start) + 0.5,
        y(n),
        x(start + step) - x(start) - 1,
        y(0) - y(n),
        f"{n}, novelty {start:.3g} to {start + step:.3g}",
        beyond=start + step / 2 > threshold,
    )


def _curve(
    key: str,
    title: str,
    x_label: str,
    shares: Sequence[tuple[float, float, Interval]],
    frame: Frame,
) -> Chart:
    """Return shares with their intervals along a line."""
    levels = [level for level, _, _ in shares]
    low, high = min(levels, default=0.0), max(levels, default=1.0)
    x = _scale(low, high if high > low else low + 1, frame.left + 8, frame.right - 4)
    y = _share_scale(frame)
    upper = [(x(level), y(ends[1])) for level, _, ends in shares]
    lower = [(x(level), y(ends[0])) for level, _, ends in reversed(shares)]
    rows = tuple((f"{level:.4g}", percent(s), interval(ends)) for level, s, ends in shares)
    return Chart(
        key=key,
        title=title,
        description=f"right, by {x_label}: " + "; ".join(f"{r[1]} at {r[0]}" for r in rows),
        x_label=x_label,
        y_label="right",
        x_ticks=_apart([Tick(x(level), f"{level:.3g}") for level in levels]),
        y_ticks=_share_ticks(y),
        columns=(x_label, "right", "95 % interval"),
        frame=frame,
        rows=rows,
        bands=(_points(upper + lower),),
        lines=(_points([(x(level), y(share)) for level, share, _ in shares]),),
        marks=tuple(
            Mark(x(level), y(share), 3.5, f"{level:.4g}: {percent(share)} ({interval(ends)})")
            for level, share, ends in shares
        ),
    )


def _scale(low: float, high: float, start: float, end: float) -> Scale:
    return lambda value: round(start + (value - low) / (high - low) * (end - start), 1)


def _share_scale(frame: Frame) -> Scale:
    return _scale(0, 1, frame.bottom, frame.top)


def _share_ticks(y: Scale) -> tuple[Tick, ...]:
    return tuple(Tick(y(v), f"{100 * v:.0f} %") for v in _SHARES)


def _count_ticks(most: int) -> list[int]:
    step = max(1, math.ceil(most / 4))
    return list(range(0, most + 1, step))


def _apart(ticks: Sequence[Tick]) -> tuple[Tick, ...]:
    """Return the ticks whose labels do not touch; the last one is kept."""
    kept: list[Tick] = []
    for tick in reversed(ticks):
        if not kept or kept[-1].at - tick.at >= _TICK_GAP:
            kept.append(tick)
    return tuple(reversed(kept))


def _points(pairs: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in pairs)
