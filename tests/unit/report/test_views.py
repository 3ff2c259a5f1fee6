from __future__ import annotations

import dataclasses
from collections.abc import Callable

from mlforge.evaluation.records import TechniqueEffect
from mlforge.report import CategoryCard, ReportData
from mlforge.report.photos import make_album
from mlforge.report.views import (
    advice_lines,
    category_names,
    category_rows,
    confusion_matrix,
    suspicions,
    technique_rows,
    unsafe_lines,
)

MakeData = Callable[..., ReportData]


def test_the_weakest_category_stands_first_and_the_unscored_last(make_data: MakeData) -> None:
    data = make_data(n_categories=4, pictures=False)
    assert data.evaluation is not None
    scores = dict(data.evaluation.per_category)
    scores["category_02"] = dataclasses.replace(
        scores["category_02"], recall=None, recall_interval=None, precision=None
    )
    scores["category_04"] = dataclasses.replace(scores["category_04"], recall=0.1)
    evaluation = dataclasses.replace(
        data.evaluation, per_category=scores, unscored=("category_02",)
    )
    rows = category_rows(evaluation, category_names(data), "photo")
    assert [rows[0].code, rows[-1].code] == ["category_04", "category_02"]
    assert rows[-1].note == "one group only: cannot be scored"
    assert rows[-1].bar.share is None


def test_each_count_of_the_matrix_leads_to_its_photos(make_data: MakeData) -> None:
    data = make_data(pictures=False)
    assert data.evaluation is not None
    names = category_names(data)
    album = make_album(data, data.evaluation, names)
    matrix = confusion_matrix(data.evaluation, names, album)
    counts = tuple(tuple(cell.n_seeds for cell in cells) for _, cells in matrix.rows)
    assert counts == data.evaluation.confusion
    for _, cells in matrix.rows:
        for cell in cells:
            assert bool(cell.target) == bool(cell.n_seeds)
            assert (cell.level == 0) == (cell.n_seeds == 0)


def test_the_line_that_turns_a_technique_off_keeps_the_others_as_they_are(
    make_data: MakeData,
) -> None:
    data = make_data(pictures=False)
    assert data.deep is not None
    card = CategoryCard(
        "left",
        "Left",
        3,
        3,
        9,
        0.8,
        ({"name": "rotation"}, {"name": "flip"}, {"name": "b", "p": 1}),
    )
    effects = (
        TechniqueEffect("right", "flip", -0.2, (-0.3, -0.1), False, ("left", "up"), ("left",)),
        TechniqueEffect("left", "rotation", 0.1, (0.0, 0.2), True, ("left",), ()),
    )
    deep = dataclasses.replace(data.deep, techniques=effects)
    assert unsafe_lines(deep, (card,)) == [
        ("categories/left/config.json", '"techniques": ["rotation", {"name": "b", "p": 1}]')
    ]
    flip, rotation = technique_rows(deep, {"left": "Turn left"})
    assert (flip["technique"], flip["category"], flip["through"]) == ("flip", "right", "Turn left")
    assert rotation["technique"] == "rotation"


def test_advice_says_how_many_of_what_and_what_it_would_bring(make_data: MakeData) -> None:
    data = make_data(names=("Stop", "Yield"), n_categories=2, pictures=False)
    assert advice_lines(data.deep, category_names(data), "photo") == [
        (
            "8 more photos of Stop: it would be found about 9 points more often (between 2 and "
            "16). Choose ones that could be mistaken for Yield."
        )
    ]


def test_seeds_to_look_at_are_sorted_by_reason_the_most_pressing_first(
    make_data: MakeData,
) -> None:
    data = make_data(names=("Stop", "Yield"), n_categories=2)
    found = suspicions(data, category_names(data))
    assert found is not None
    assert [s.title for s in found] == ["Perhaps mislabelled", "Harmful", "Alone", "Nothing new"]
    assert found[0].seeds[0].looks_like == "Yield"
    assert found[0].seeds[0].strength == "90\xa0%"
    assert suspicions(dataclasses.replace(data, deep=None), {}) is None
