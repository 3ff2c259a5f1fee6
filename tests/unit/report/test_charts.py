from __future__ import annotations

from itertools import pairwise

import pytest

from mlforge.evaluation.records import (
    Calibration,
    LearningPoint,
    ReliabilityBin,
    RobustnessCurve,
    RobustnessPoint,
)
from mlforge.report.charts import (
    LARGE,
    SMALL,
    learning_chart,
    novelty_chart,
    reliability_chart,
    robustness_chart,
)


def test_a_perfectly_honest_model_lies_on_the_dashed_line() -> None:
    bins = tuple(ReliabilityBin(share, share, 5) for share in (0.0, 0.5, 1.0))
    chart = reliability_chart(Calibration(0.0, (0.0, 0.0), bins), "photo")
    assert chart.lines[0].split()[0] == chart.guide.split()[0]
    assert chart.lines[0].split()[-1] == chart.guide.split()[-1]
    assert chart.rows == (("5", "0\xa0%", "0\xa0%"), ("5", "50\xa0%", "50\xa0%"),
                          ("5", "100\xa0%", "100\xa0%"))  # fmt: skip


def test_more_seeds_rise_to_the_right_and_better_is_higher() -> None:
    points = [LearningPoint(n, s, (s - 0.1, s + 0.1)) for n, s in ((5, 0.4), (10, 0.6), (20, 0.7))]
    chart = learning_chart(points, "curve", "All", "photo")
    assert [m.x for m in chart.marks] == sorted(m.x for m in chart.marks)
    assert [m.y for m in chart.marks] == sorted((m.y for m in chart.marks), reverse=True)
    assert chart.x_label == "photos a category"


@pytest.mark.parametrize("levels", [(), (0.0,), (0.0, 0.0), (0.0, 1e-9), tuple(range(100))])
def test_any_levels_stay_within_the_frame(levels: tuple[float, ...]) -> None:
    points = tuple(RobustnessPoint(level, 0.5, (0.0, 1.0)) for level in levels)
    chart = robustness_chart(RobustnessCurve("blur", "pixels", points), "r", "blur")
    for mark in chart.marks:
        assert SMALL.left <= mark.x <= SMALL.right
        assert SMALL.top <= mark.y <= SMALL.bottom
    places = [tick.at for tick in chart.x_ticks]
    assert all(b - a >= 26 for a, b in pairwise(places))


@pytest.mark.parametrize("novelties", [[], [1.0], [1.0] * 50, [0.0, 1e9], [-1.0, 2.0, 3.0]])
@pytest.mark.parametrize("threshold", [-5.0, 1.0, 2.5])
def test_a_histogram_counts_every_seed_and_stays_within_the_frame(
    novelties: list[float], threshold: float
) -> None:
    chart = novelty_chart(novelties, threshold, "photo")
    assert sum(int(row[2]) for row in chart.rows) == len(novelties)
    assert chart.rule is not None
    assert LARGE.left <= chart.rule.x <= LARGE.right
    for bar in chart.bars:
        assert LARGE.left <= bar.x <= bar.x + bar.width <= LARGE.right
        assert LARGE.top <= bar.y <= bar.y + bar.height <= LARGE.bottom + 0.1


def test_bars_beyond_the_threshold_are_marked() -> None:
    chart = novelty_chart([float(n) for n in range(24)], 11.9, "photo")
    assert [bar.beyond for bar in chart.bars] == [False] * 12 + [True] * 12
    assert chart.description == "12 of 24 photos lie beyond the threshold."
