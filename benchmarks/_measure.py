"""Timing whole processes in turn, so that a drifting machine harms both sides alike."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Comparison", "compare", "report"]


@dataclass(frozen=True)
class Comparison:
    """Two commands, timed in turn.

    Attributes
    ----------
    name
        What is compared.
    target
        The largest ratio that was promised.
    ratios
        Ours divided by theirs, pair by pair.
    ours, theirs
        Median seconds.
    """

    name: str
    target: float
    ratios: tuple[float, ...]
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """The median ratio."""
        return statistics.median(self.ratios)


def compare(
    name: str,
    target: float,
    ours: Sequence[str],
    theirs: Sequence[str],
    *,
    n_pairs: int = 7,
    environment: Mapping[str, str] | None = None,
) -> Comparison:
    """Run both commands in turn, after one uncounted pair, and compare pair by pair."""
    times: list[tuple[float, float]] = []
    for number in range(n_pairs + 1):
        pair = (_seconds(ours, environment), _seconds(theirs, environment))
        if number:
            times.append(pair)
    return Comparison(
        name,
        target,
        tuple(a / b for a, b in times),
        statistics.median(a for a, _ in times),
        statistics.median(b for _, b in times),
    )


def report(comparison: Comparison) -> None:
    """Print one line of the table."""
    low, high = min(comparison.ratios), max(comparison.ratios)
    verdict = "met" if comparison.ratio <= comparison.target else "NOT met"
    print(
        f"{comparison.name:<44} {comparison.ours:8.3f} s {comparison.theirs:8.3f} s   "
        f"ratio {comparison.ratio:5.2f} ({low:.2f} to {high:.2f}), "
        f"target {comparison.target:g}: {verdict}"
    )


def _seconds(command: Sequence[str], environment: Mapping[str, str] | None) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - start
