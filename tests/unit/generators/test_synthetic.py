from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mlforge.core.category import CategoryConfig
from mlforge.core.digest import digest_bytes
from mlforge.core.randomness import Streams
from mlforge.core.validation import validated
from mlforge.errors import ConfigError
from mlforge.generators.image import _lettering
from mlforge.generators.image._canvas import contrast
from mlforge.generators.image._content import draw_content, parse_content
from mlforge.generators.image._lettering import Face, draw_lines, faces_for, fit
from mlforge.generators.image._shapes import SHAPES, shape_mask
from mlforge.generators.image._templates import LEAST_BOX, Style, draw_sheet
from mlforge.generators.image.synthetic import Synthetic, SyntheticConfig
from mlforge.modalities import MODALITIES

STREAMS = Streams(("samples", "config", "input"))
STYLES = ("document", "label", "sign", "shape")
INPUTS = {"document": "Invoice", "label": "FRAGILE", "sign": "30", "shape": "star"}


def synthetic(*inputs: str, augmentation: dict[str, Any] | None = None, **values: Any) -> Synthetic:
    category = validated(
        CategoryConfig,
        {
            "category_name": "Parcel",
            "category_code": "parcel",
            "sample_inputs": list(inputs),
            "augmentation_settings": augmentation or {"enable_augmentation": False},
        },
        "config.json",
    )
    config = validated(SyntheticConfig, values, "parameters")
    return Synthetic(category, MODALITIES.get("image")(), config)


def step(recipe: tuple[Any, ...], name: str) -> dict[str, Any]:
    (found,) = [dict(entry) for entry in recipe if entry.get("step") == name]
    return found


def pixels(generator: Synthetic, text: str, copy: int = 1) -> npt.NDArray[np.uint8]:
    example: npt.NDArray[np.uint8] = generator.generate([text], copy, STREAMS).example
    return example


@pytest.mark.parametrize("style", STYLES)
def test_every_style_gives_a_square_picture_with_something_to_see(style: str) -> None:
    text = INPUTS[style]
    generator = synthetic(text, style=style, size=128)
    for copy in range(1, 6):
        example = pixels(generator, text, copy)
        assert example.shape == (128, 128, 3)
        assert example.dtype == np.uint8
        assert generator.category.quality_thresholds.min_quality < MODALITIES.get(
            "image"
        )().quality(example)


@pytest.mark.parametrize("style", STYLES)
def test_another_process_gives_the_same_bytes_in_another_order(style: str) -> None:
    text = INPUTS[style]
    generator = synthetic(text, style=style, size=128)
    here = {copy: digest_bytes(pixels(generator, text, copy).tobytes()) for copy in (1, 2, 3)}
    category = generator.category.model_dump_json(by_alias=True)
    script = (
        "import json\n"
        "from mlforge.core.category import CategoryConfig\n"
        "from mlforge.core.digest import digest_bytes\n"
        "from mlforge.core.randomness import Streams\n"
        "from mlforge.generators.image.synthetic import Synthetic, SyntheticConfig\n"
        "from mlforge.modalities import MODALITIES\n"
        f"category = CategoryConfig.model_validate_json({category!r})\n"
        f"config = SyntheticConfig(style={style!r}, size=128)\n"
        "generator = Synthetic(category, MODALITIES.get('image')(), config)\n"
        f"made = [(c, generator.generate([{text!r}], c, Streams({STREAMS.path!r})))\n"
        "        for c in (3, 1, 2)]\n"
        "print(json.dumps({c: digest_bytes(g.example.tobytes()) for c, g in made}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=60, check=True
    )
    assert {int(copy): digest for copy, digest in json.loads(done.stdout).items()} == here


def test_copies_attempts_and_inputs_give_different_samples() -> None:
    generator = synthetic("one", "two", size=64)
    made = {
        generator.generate([text], copy, STREAMS, attempt).example.tobytes()
        for text in ("one", "two")
        for copy in (1, 2)
        for attempt in (0, 1)
    }
    assert len(made) == 8
    assert generator.limit_per_seed() is None


def test_the_text_stands_on_the_sheet_and_not_only_in_the_recipe() -> None:
    still: dict[str, Any] = {
        "wear": 0,
        "rotation": 0,
        "perspective": 0,
        "shot_noise": 0,
        "read_noise": 0,
    }
    generator = synthetic("I", "WWWW", **still, blur=0, jpeg_quality=[100, 100])
    one, other = pixels(generator, "I"), pixels(generator, "WWWW")
    changed = np.abs(one.astype(int) - other).max(axis=2) > 40
    assert 0.01 < changed.mean() < 0.5


@pytest.mark.parametrize("style", ["document", "label", "sign"])
def test_ink_can_always_be_read_on_its_paper(style: str) -> None:
    generator = synthetic("Text", style=style, size=128)
    for copy in range(1, 60):
        sheet = step(generator.generate(["Text"], copy, STREAMS).recipe, "sheet")
        assert contrast(tuple(sheet["ink"]), tuple(sheet["paper"])) >= 4.45


def test_all_layouts_of_all_styles_are_drawn() -> None:
    layouts = {
        step(generator.generate([INPUTS[style]], copy, STREAMS).recipe, "sheet")["layout"]
        for style in STYLES
        for generator in [synthetic(INPUTS[style], style=style, size=128)]
        for copy in range(1, 40)
    }
    assert layouts == {
        *("text", "letter", "form", "ruled"),
        *("plain", "border", "band", "bar_code"),
        *("rectangle", "rounded", "circle", "diamond"),
        "bare",
    }


def test_line_breaks_are_kept_and_long_lines_wrapped() -> None:
    generator = synthetic(
        "a\nb\nc", "the quick brown fox jumps over the lazy dog", style="document"
    )
    assert step(generator.generate(["a\nb\nc"], 1, STREAMS).recipe, "text")["n_lines"] == 3
    long = generator.generate(["the quick brown fox jumps over the lazy dog"], 1, STREAMS)
    assert step(long.recipe, "text")["n_lines"] > 1


def test_wrapping_keeps_every_word_and_stays_inside_the_box() -> None:
    text = "the quick brown fox jumps over the lazy dog 東京都 again"
    for face in faces_for(text):
        fitted = fit(text, face, 120, 90, 6)
        assert fitted is not None
        lines, size = fitted
        joined = " ".join(line.text for line in lines)
        assert joined.replace(" ", "") == text.replace(" ", "")
        mask = draw_lines(lines, face, size, (20, 30, 120, 90), "centre", (150, 160))
        rows, columns = np.nonzero(mask > 128)
        assert columns.min() >= 18
        assert columns.max() <= 142
        assert rows.min() >= 26
        assert rows.max() <= 124


def test_text_is_set_as_large_as_its_box_allows() -> None:
    (face, *_) = faces_for("word")
    small, large = fit("word", face, 60, 60, 6), fit("word", face, 120, 120, 6)
    assert small is not None
    assert large is not None
    assert large[1] > 1.7 * small[1]
    assert fit("word", face, 10, 10, 6) is None


@pytest.mark.parametrize("style", STYLES)
def test_no_sheet_has_less_room_than_its_style_promises(style: Style) -> None:
    sheets = [draw_sheet(style, np.random.default_rng(number), 64) for number in range(400)]
    room = np.array([sheet.box[2:] for sheet in sheets]) / 64
    least = np.array(LEAST_BOX[style])
    assert (room.min(axis=0) >= least - 1e-12).all()
    assert (room.min(axis=0) < 1.05 * least).all(), "promises less than there is"


@pytest.mark.parametrize("style", ["document", "label", "sign"])
def test_as_many_lines_as_are_taken_fit_every_sheet(style: Style) -> None:
    # The first line takes its size, each other one 1.2 of it.
    most = 1 + int((LEAST_BOX[style][1] * 128 / 9.0 - 1) / 1.2)
    content = parse_content("\n".join(["AAA"] * most), style, 128, 9.0, "x")
    with pytest.raises(ConfigError, match=rf"characters in {most + 1} lines, .* too long to be"):
        parse_content("\n".join(["AAA"] * (most + 1)), style, 128, 9.0, "x")
    for number in range(200):
        rng = np.random.default_rng(number)
        draw_content(content, draw_sheet(style, rng, 128), 9.0, rng)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Snow \N{SNOWMAN}", r"U\+2603, snowman"),
        ("\N{GRINNING FACE}", r"U\+1F600"),
        ("\N{HEBREW LETTER SHIN}", "right to left"),
        ("bell\x07", r"U\+0007"),
        ("x\N{COMBINING ACUTE ACCENT}", r"U\+0301"),
        (" \n ", "holds no text"),
        ("W" * 400, "too long to be read"),
        ("word " * 3000, "too long to be read"),
    ],
)
def test_text_that_cannot_be_shown_is_refused_where_it_stands(text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=rf"(?s)parcel/config.json: sample_inputs\[1\].*{named}"):
        synthetic("fine", text)


def test_an_accent_of_two_characters_is_one_letter() -> None:
    generator = synthetic("Cafe\N{COMBINING ACUTE ACCENT}")
    recipe = generator.generate(["Cafe\N{COMBINING ACUTE ACCENT}"], 1, STREAMS).recipe
    assert step(recipe, "text")["text"] == "Caf\N{LATIN SMALL LETTER E WITH ACUTE}"


def test_only_fonts_that_have_all_characters_are_used() -> None:
    assert Face("aileron") in faces_for("Stop")
    assert Face("aileron") not in faces_for("Caf\N{LATIN SMALL LETTER E WITH ACUTE}")


def test_without_outline_fonts_the_stroke_fonts_set_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    strokes = tuple(Face(name) for name in _lettering._STROKE_FONTS)
    monkeypatch.setattr(_lettering, "_FACES", strokes)
    faces_for.cache_clear()
    try:
        assert faces_for("Stop!") == strokes
        assert faces_for("\N{LATIN SMALL LETTER E WITH ACUTE}") == ()
        fitted = fit("Stop", strokes[0], 100, 50, 8)
        assert fitted is not None
        mask = draw_lines(*fitted[:1], strokes[0], fitted[1], (0, 0, 100, 50), "left", (50, 100))
        assert mask.any()
    finally:
        faces_for.cache_clear()


def test_an_unknown_shape_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"sample_inputs\[0\]: unknown shape 'triangel'") as info:
        synthetic("shape:triangel")
    assert "'triangle'" in info.value.hint


def test_a_shape_can_be_drawn_on_every_sheet_and_its_prefix_left_out_in_its_own_style() -> None:
    for style in STYLES:
        recipe = (
            synthetic("shape:heart", style=style, size=64)
            .generate(["shape:heart"], 1, STREAMS)
            .recipe
        )
        assert step(recipe, "shape")["shape"] == "heart"
    plain = synthetic("heart", style="shape", size=64)
    assert step(plain.generate(["heart"], 1, STREAMS).recipe, "shape")["shape"] == "heart"


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_shape_lies_within_its_circle_and_looks_like_no_other(name: str) -> None:
    mask = shape_mask(name, (50, 50), 36, 0, (100, 100))
    rows, columns = np.nonzero(mask > 0.5)
    assert min(rows.min(), columns.min()) >= 5
    assert max(rows.max(), columns.max()) <= 95
    for other in set(SHAPES) - {name}:
        difference = np.abs(mask - shape_mask(other, (50, 50), 36, 0, (100, 100)))
        assert difference.sum() > 0.04 * mask.sum()


def test_an_outlined_shape_is_empty_inside() -> None:
    mask = shape_mask("circle", (50, 50), 30, 4, (100, 100))
    assert mask[50, 50] == 0
    assert mask[50, 20] > 0.9


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"scale": [0.9, 0.8]}, "scale begins at 0.9, above its end 0.8"),
        ({"jpeg_quality": [90, 20]}, "jpeg_quality begins at 90"),
        ({"light_gain": [1.2, 1.0]}, "light_gain begins at 1.2"),
        ({"style": "poster"}, "style"),
        ({"backgrounds": ["marble"]}, "backgrounds"),
        ({"backgrounds": []}, "backgrounds"),
        ({"size": 8}, "size"),
        ({"wear": 1.5}, "wear"),
    ],
)
def test_wrong_parameters_are_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        synthetic("Text", **values)


def test_a_size_above_that_of_the_modality_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"parameters.size: 512 is above the 256 pixels"):
        synthetic("Text", size=512)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("style", "sign"),
        ("size", 100),
        ("scale", [0.4, 0.5]),
        ("rotation", 30),
        ("perspective", 0.15),
        ("wear", 0.0),
        ("backgrounds", ["plain"]),
        ("shadow", 0.0),
        ("light_fall", 0.0),
        ("light_warmth", 0.0),
        ("light_gain", [1.0, 1.0]),
        ("blur", 0.03),
        ("shot_noise", 0.3),
        ("read_noise", 0.3),
        ("jpeg_quality", [10, 10]),
    ],
)
def test_every_parameter_changes_samples(key: str, value: Any) -> None:
    usual, other = synthetic("Text"), synthetic("Text", **{key: value})
    for copy in (1, 2, 3):
        assert not np.array_equal(pixels(usual, "Text", copy), pixels(other, "Text", copy))


def test_the_ratio_is_the_share_of_samples_that_pass_through_the_techniques() -> None:
    settings = {"augmentation_ratio": 0.3, "techniques": ["horizontal_flip"]}
    generator = synthetic("shape:star", augmentation=settings, size=32)
    recipes = [generator.generate(["shape:star"], copy, STREAMS).recipe for copy in range(300)]
    varied = ["technique" in recipe[-1] for recipe in recipes]
    assert np.mean(varied) == pytest.approx(0.3, abs=0.08)


def test_opencv_threads_make_no_difference() -> None:
    generator = synthetic("Text")
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        one = pixels(generator, "Text")
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(one, pixels(generator, "Text"))
