from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from mlforge.evaluation.records import LearningCurve, PhotoAdvice
from mlforge.report import ReportData
from mlforge.report.story import tell
from mlforge.report.views import category_names

MakeData = Callable[..., ReportData]


def with_recalls(data: ReportData, *recalls: float | None) -> ReportData:
    assert data.evaluation is not None
    scores = {
        code: dataclasses.replace(score, recall=recall)
        for (code, score), recall in zip(data.evaluation.per_category.items(), recalls, strict=True)
    }
    evaluation = dataclasses.replace(
        data.evaluation,
        per_category=scores,
        accuracy=0.86,
        accuracy_interval=(0.81, 0.901),
    )
    return dataclasses.replace(data, evaluation=evaluation)


def with_advice(data: ReportData, *advice: PhotoAdvice) -> ReportData:
    assert data.deep is not None
    assert data.deep.curve is not None
    curve = LearningCurve(data.deep.curve.overall, data.deep.curve.per_category, advice)
    return dataclasses.replace(data, deep=dataclasses.replace(data.deep, curve=curve))


def weak(data: ReportData) -> str:
    return tell(data, category_names(data)).weak


@pytest.fixture
def two(make_data: MakeData) -> ReportData:
    return make_data(n_categories=2, names=("Poodle", "Bulldog"), pictures=False)


def test_the_headline_says_the_figure_and_its_interval(two: ReportData) -> None:
    story = tell(with_recalls(two, 0.7, 0.9), category_names(two))
    assert story.headline == "Right 86 times in 100, between 81 and 90."


def test_the_weak_category_is_named_with_what_would_help(two: ReportData) -> None:
    advice = PhotoAdvice("category_01", 8, 0.1, (0.02, 0.2), "category_02")
    data = with_advice(with_recalls(two, 0.7, 0.95), advice)
    assert weak(data) == "Poodle is the weak one: 8 more photos would help most."


def test_advice_for_another_category_names_it(two: ReportData) -> None:
    advice = PhotoAdvice("category_02", 1, 0.1, (0.02, 0.2), "")
    data = with_advice(with_recalls(two, 0.7, 0.95), advice)
    assert weak(data) == "Poodle is the weak one: 1 more photo of Bulldog would help most."


def test_a_flat_curve_promises_nothing(two: ReportData) -> None:
    data = with_advice(with_recalls(two, 0.7, 0.95))
    assert weak(data) == "Poodle is the weak one: more photos would not help measurably."


def test_without_a_curve_no_number_of_photos_is_promised(two: ReportData) -> None:
    data = dataclasses.replace(with_recalls(two, 0.7, 0.7), deep=None)
    assert weak(data) == "Poodle and Bulldog are the weak ones."


def test_many_equally_weak_categories_are_counted(make_data: MakeData) -> None:
    data = with_recalls(make_data(n_categories=5, deep=False, pictures=False), *[0.5] * 5)
    assert weak(data) == "Category 1 and Category 2 are the weak ones, with 3 others."


def test_where_all_are_found_none_is_weak(two: ReportData) -> None:
    data = dataclasses.replace(with_recalls(two, 0.95, None), deep=None)
    assert weak(data) == ""


def test_groups_and_an_unscored_model_are_told(two: ReportData) -> None:
    assert two.evaluation is not None
    grouped = dataclasses.replace(two.evaluation, n_groups=7)
    story = tell(dataclasses.replace(two, evaluation=grouped), category_names(two))
    assert "24 photos" in story.basis
    assert "in 7 independent groups" in story.basis
    unscored = tell(dataclasses.replace(two, evaluation=None), {})
    assert unscored.headline == "Not scored yet."


def test_other_modalities_do_not_speak_of_photos(two: ReportData) -> None:
    data = dataclasses.replace(two, modality="series")
    assert "24 examples" in tell(data, category_names(data)).basis


def test_categories_of_one_name_are_told_apart(make_data: MakeData) -> None:
    data = make_data(n_categories=3, names=("Cup", "Cup", "Mug"), pictures=False)
    names = category_names(data)
    assert list(names.values()) == ["Cup (category_01)", "Cup (category_02)", "Mug"]
