"""The page: templates, style and script put into one file with a strict content security policy."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from mlforge.report import views
from mlforge.report.charts import novelty_chart, reliability_chart
from mlforge.report.data import ReportData
from mlforge.report.photos import make_album
from mlforge.report.story import deep_command, noun_of, tell
from mlforge.report.words import (
    counted,
    duration,
    interval,
    percent,
    points,
    shown,
    times,
    value_text,
)

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["MAX_BYTES", "SECTIONS", "render"]

MAX_BYTES = 3_000_000
"""A report is smaller than this."""

_TEMPLATES = files("mlforge.report").joinpath("templates")


def render(data: ReportData) -> str:
    """Return the report as one HTML document that needs nothing else.

    Every text of the project goes through the template engine's escaping. Style and script are
    allowed by their hashes alone, and nothing but ``data:`` pictures may be loaded.

    References
    ----------
    W3C (2018), Content Security Policy Level 3, https://www.w3.org/TR/CSP3/.
    """
    style, script = _text("style.css"), _text("script.js")
    policy = (
        f"default-src 'none'; style-src 'sha256-{_sha256(style)}'; "
        f"script-src 'sha256-{_sha256(script)}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    page = _environment().get_template("report.html")
    return page.render(style=style, script=script, policy=policy, **_content(data))


def _content(data: ReportData) -> dict[str, Any]:
    names, noun, scores = views.category_names(data), noun_of(data), data.evaluation
    activations = views.activation_rows(data, names)
    shared = {
        "data": data,
        "names": names,
        "noun": noun,
        "story": tell(data, names),
        "deep": data.deep,
        "deep_command": deep_command(data),
        "curves": views.curve_charts(data.deep, names, noun),
        "advice": views.advice_lines(data.deep, names, noun),
        "robustness": views.robustness_charts(data.deep),
        "suspicions": views.suspicions(data, names),
        "scores": scores,
        "activations": activations,
        "n_scored": len({seed.code for seed in scores.evidence}) if scores else 0,
        "sections": [(key, title) for key, title in SECTIONS if key != "activation" or activations],
    }
    if data.deep is not None and data.deep.techniques is not None:
        shared["techniques"] = views.technique_rows(data.deep, names)
        shared["unsafe"] = views.unsafe_lines(data.deep, data.categories)
    return shared | _scored(data, names, noun)


def _scored(data: ReportData, names: dict[str, str], noun: str) -> dict[str, Any]:
    scores = data.evaluation
    if scores is None:
        return {}
    album = make_album(data, scores, names)
    content: dict[str, Any] = {
        "album": album,
        "rows": views.category_rows(scores, names, noun),
        "matrix": views.confusion_matrix(scores, names, album),
    }
    if scores.calibration is not None:
        content["reliability"] = reliability_chart(scores.calibration, noun)
    if scores.unknown is not None:
        novelties = [seed.novelty for seed in scores.evidence if seed.novelty is not None]
        content["novelty"] = novelty_chart(novelties, scores.unknown.threshold, noun)
    return content


SECTIONS = (
    ("categories", "Category by category"),
    ("confusion", "What is taken for what"),
    ("mistakes", "Every mistake"),
    ("activation", "Where it looks"),
    ("confidence", "Can you believe its confidence?"),
    ("sets", "When one answer is not enough"),
    ("unknown", "Things it never saw"),
    ("more", "What to add next"),
    ("robustness", "Bad light, blur, tilt"),
    ("techniques", "Do variations keep the label?"),
    ("blame", "Seeds to look at"),
    ("leaderboard", "Models side by side"),
    ("data", "What it learned from"),
    ("settings", "Settings and versions"),
)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "counted": counted,
        "duration": duration,
        "interval": interval,
        "percent": percent,
        "points": points,
        "shown": shown,
        "times": times,
        "value_text": value_text,
    }
    return environment


@cache
def _text(name: str) -> str:
    return _TEMPLATES.joinpath(name).read_text(encoding="utf-8")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
