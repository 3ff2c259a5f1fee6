from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from mlforge.evaluation.records import SetSummary
from mlforge.report import MAX_BYTES, ReportData, render
from mlforge.report.page import SECTIONS
from mlforge.report.pictures import data_url, picture_files

MakeData = Callable[..., ReportData]

PAYLOADS = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "' onmouseover='alert(1)",
    "</style></script></title></textarea><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}",
    "<!--",
    "]]><b>bold</b>",
    "\u202ereversed\u2028\x00\x1b[31m",
    "\udcff.jpg",
)
VOID = {"meta", "img", "br", "input"}


class Page(HTMLParser):
    """What a page holds, by an HTML parser that is not the browser's."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.raw: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.elements.append((tag, values))
        if "id" in values:
            self.ids.append(values["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"script", "style"}:
            self.raw[self.open[-1]] = data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [values for name, values in self.elements if name == tag]


def names_of(page: Page) -> list[str]:
    return [tag for tag, _ in page.elements]


def test_a_page_has_every_section_in_reading_order(make_data: MakeData) -> None:
    page = Page(render(make_data()))
    assert [i for i in page.ids if i in dict(SECTIONS)] == [key for key, _ in SECTIONS]
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))


def test_where_it_looks_is_shown_of_models_that_have_learned_their_features(
    make_data: MakeData,
) -> None:
    data = make_data(names=("Cup & saucer",))
    page = Page(render(data))
    shown = [image for image in page.all("img") if "where its category" in image.get("alt", "")]
    assert [image["src"] for image in shown] == [data_url(c.picture) for c in data.activations]
    assert "behind learned finds" in page.text
    plain = Page(render(dataclasses.replace(data, activations=())))
    assert "activation" not in plain.ids
    assert "Where it looks" not in plain.text


def test_every_link_within_the_page_leads_somewhere(make_data: MakeData) -> None:
    page = Page(render(make_data(n_categories=8)))
    links = [a["href"] for a in page.all("a")]
    assert links
    assert {link.removeprefix("#") for link in links} <= set(page.ids)


def test_only_the_pages_own_style_and_script_are_allowed(make_data: MakeData) -> None:
    page = Page(render(make_data()))
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.raw[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "img-src data:;" in policy
    assert "unsafe" not in policy


def test_nothing_is_loaded_from_elsewhere(make_data: MakeData) -> None:
    page = Page(render(make_data()))
    addresses = [v for _, values in page.elements for k, v in values.items() if k in LOADING]
    assert addresses
    assert all(a.startswith(("#", "data:image/webp;base64,")) for a in addresses)
    assert "url(" not in page.raw["style"].replace("url(#hatch)", "")
    assert "http" not in page.raw["script"]


LOADING = {"src", "href", "srcset", "action", "data", "poster", "background", "xlink:href"}


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("n_categories", [2, 61])
def test_no_text_becomes_markup(make_data: MakeData, payload: str, n_categories: int) -> None:
    """The payload stands in every field that a project or an artifact brings."""
    wishes = {"n_categories": n_categories, "n_seeds": 2, "pictures": False}
    harmless = Page(render(make_data(**wishes, names=("name",), text="text")))
    hostile = Page(render(make_data(**wishes, names=(payload,), text=payload)))
    assert names_of(hostile) == names_of(harmless)
    attributes = [sorted(values) for _, values in hostile.elements]
    assert attributes == [sorted(values) for _, values in harmless.elements]
    for tag, values in hostile.elements:
        assert not any(name.startswith("on") or name == "style" for name in values)
        loads = dict(values)
        if tag == "img":
            assert loads.pop("src").startswith("data:image/webp;base64,")
        assert all(loads[k].startswith("#") for k in LOADING & loads.keys())


@pytest.mark.parametrize("deep", [False, True])
def test_hostile_codes_and_versions_stay_text(make_data: MakeData, deep: bool) -> None:
    data = make_data(n_categories=3, pictures=False, activations=False, deep=deep)
    assert data.evaluation is not None
    payload = PAYLOADS[1]
    codes = (payload, *data.evaluation.codes[1:])
    evaluation = dataclasses.replace(
        data.evaluation,
        codes=codes,
        per_category=dict(zip(codes, data.evaluation.per_category.values(), strict=True)),
        seeds=tuple(
            dataclasses.replace(seed, code=codes[data.evaluation.codes.index(seed.code)])
            for seed in data.evaluation.seeds
        ),
        unscored=(payload,),
    )
    page = Page(render(dataclasses.replace(data, evaluation=evaluation, version=payload)))
    assert page.all("img") == []
    assert payload in page.text


def test_invisible_characters_are_shown(make_data: MakeData) -> None:
    page = render(make_data(names=("a\u202eb",), text="a\u202eb"))
    assert "\u202e" not in page
    assert "a\\u202eb" in page


@pytest.mark.parametrize("n_categories", [2, 40, 61])
def test_any_number_of_categories_makes_a_whole_page(
    make_data: MakeData, n_categories: int
) -> None:
    page = Page(render(make_data(n_categories=n_categories, n_seeds=5)))
    assert page.open == []
    assert f"Category {n_categories}" in page.text


def test_a_matrix_that_nobody_could_read_becomes_a_list(make_data: MakeData) -> None:
    page = Page(render(make_data(n_categories=61, n_seeds=5, pictures=False)))
    assert not any("matrix" in table.get("class", "") for table in page.all("table"))
    assert "What is mixed up most" in page.text


def test_without_samples_there_is_no_leak_gap(make_data: MakeData) -> None:
    assert "a random split claims" in Page(render(make_data())).text
    assert "a random split" not in Page(render(make_data(n_samples=0))).text


def test_what_is_not_computed_names_the_command(make_data: MakeData) -> None:
    page = Page(render(make_data(deep=False)))
    command = "mlforge evaluate --deep --model random_forest-0001"
    assert page.text.count(command) == 5
    assert command not in Page(render(make_data())).text


def test_parts_that_are_computed_show_beside_parts_that_are_not(make_data: MakeData) -> None:
    data = make_data()
    assert data.deep is not None
    some = dataclasses.replace(data.deep, curve=None, blame=())
    text = Page(render(dataclasses.replace(data, deep=some))).text
    assert text.count("mlforge evaluate --deep --model") == 1
    assert "No photo stands out." in text


def test_nothing_scored_is_said_and_the_rest_is_shown(make_data: MakeData) -> None:
    page = Page(render(dataclasses.replace(make_data(deep=False), evaluation=None)))
    assert "Not scored yet." in page.text
    assert "rotation, flip" in page.text
    assert page.open == []


def test_too_few_seeds_for_calibration_sets_and_unknown_is_said(make_data: MakeData) -> None:
    data = make_data()
    assert data.evaluation is not None
    few = dataclasses.replace(data.evaluation, calibration=None, sets=None, unknown=None)
    text = Page(render(dataclasses.replace(data, evaluation=few))).text
    assert text.count("There are too few photos") == 3


def test_sets_that_could_not_be_measured_are_shown_without_figures(make_data: MakeData) -> None:
    data = make_data()
    assert data.evaluation is not None
    few = dataclasses.replace(data.evaluation, sets=SetSummary(0.9, 0.21, None, 9))
    text = Page(render(dataclasses.replace(data, evaluation=few))).text
    assert "Whether it does takes more photos to tell. A category is in the set from" in text


def test_charts_have_a_title_and_a_description(make_data: MakeData) -> None:
    page = Page(render(make_data()))
    charts = [svg for svg in page.all("svg") if svg.get("class") == "chart"]
    # Calibration, novelty, the learning curve of all and of five categories, five conditions.
    assert len(charts) == 13
    for chart in charts:
        assert set(chart["aria-labelledby"].split()) <= set(page.ids)
    assert all(
        "aria-label" in s or "aria-labelledby" in s or "aria-hidden" in s for s in page.all("svg")
    )


def test_every_picture_has_a_text(make_data: MakeData) -> None:
    pictures = Page(render(make_data())).all("img")
    assert len(pictures) > 40
    assert all(picture["alt"] for picture in pictures)


def test_what_is_no_picture_is_not_shown_as_one(make_data: MakeData) -> None:
    data = make_data()
    script = b"<svg onload='alert(1)'/>"
    broken = dict.fromkeys(data.thumbnails, script)
    looked = tuple(dataclasses.replace(card, picture=script) for card in data.activations)
    page = Page(render(dataclasses.replace(data, thumbnails=broken, activations=looked)))
    assert page.all("img") == []


def test_samples_of_a_category_without_seeds_are_no_mistakes(make_data: MakeData) -> None:
    data = make_data(wrong_share=1.0, n_categories=3, activations=False, deep=False)
    assert data.evaluation is not None
    invented = data.evaluation.codes[0]
    scores = dataclasses.replace(data.evaluation, generated_only=(invented,), n_seeds=24)
    mixed = dataclasses.replace(data, evaluation=scores)
    page = Page(render(mixed))
    assert "24 of 24 photos it had not seen were named wrong" in page.text
    assert f"{invented}/" not in page.text
    assert not any(file.startswith(f"{invented}/") for file, _ in picture_files(mixed))


def test_seeds_of_too_few_groups_are_said_to_tell_nothing_of_others(make_data: MakeData) -> None:
    data = make_data(n_categories=3)
    scores = data.evaluation
    assert scores is not None
    code = scores.codes[0]
    assert "not estimable" not in Page(render(data)).text
    one = dataclasses.replace(scores.per_category[code], n_groups=2)
    few = dataclasses.replace(scores, per_category={**scores.per_category, code: one})
    text = Page(render(dataclasses.replace(data, evaluation=few))).text
    assert "of Category 1 would fare is not estimable from these groups" in text
    assert "for other groups not estimable from these: 12 photos of 2 groups" in text


@pytest.mark.parametrize(
    ("n_categories", "why"),
    [(2, "With two categories, none can play"), (3, "there are too few independent photos")],
)
def test_why_unknown_things_could_not_be_measured_is_the_real_reason(
    make_data: MakeData, n_categories: int, why: str
) -> None:
    data = make_data(n_categories=n_categories)
    assert data.deep is not None
    none = dataclasses.replace(data, deep=dataclasses.replace(data.deep, unknown=()))
    assert why in Page(render(none)).text


def test_a_page_full_of_mistakes_stays_within_its_size(make_data: MakeData) -> None:
    data = make_data(n_categories=40, n_seeds=100, wrong_share=0.9, pictures=False)
    text = render(data)
    assert len(text.encode()) < MAX_BYTES
    assert re.search(r"[\d,]+ more mistakes did not fit into this file", text)


@pytest.mark.parametrize(("fore", "back"), [("ink", "paper"), ("soft", "paper"), ("ink", "card"),
                                            ("soft", "card"), ("accent", "paper"), ("bad", "card"),
                                            ("bad", "paper"), ("good", "card"), ("ink", "r5"),
                                            ("ink", "w5"), ("ink", "track")])  # fmt: skip
def test_text_stands_out_in_light_and_dark(make_data: MakeData, fore: str, back: str) -> None:
    style = Page(render(make_data(n_categories=2, n_seeds=2))).raw["style"]
    light, dark = style.split("@media screen and (prefers-color-scheme: dark)", 1)
    for theme in (light, dark):
        assert contrast(colour(theme, fore), colour(theme, back)) >= 4.5


def colour(style: str, name: str) -> str:
    match = re.search(rf"--{name}: (#[0-9a-f]{{6}});", style)
    assert match is not None
    return match[1]


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of WCAG 2."""
    low, high = sorted(luminance(c) for c in (first, second))
    return (high + 0.05) / (low + 0.05)


def luminance(hexadecimal: str) -> float:
    parts = [int(hexadecimal[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
