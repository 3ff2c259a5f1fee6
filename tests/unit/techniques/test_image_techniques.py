from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mlforge.errors import ConfigError
from mlforge.techniques import TECHNIQUES, Drawn

Pixels = npt.NDArray[np.uint8]

GEOMETRIC = ("rotation", "scaling", "translation", "shear", "perspective", "crop")
WITH_LIMIT = (
    *GEOMETRIC,
    "brightness",
    "contrast",
    "blur",
    "sharpen",
    "noise_addition",
    "shadow",
    "occlusion",
)


def apply(name: str, image: Pixels, seed: int = 0, **parameters: Any) -> tuple[Pixels, Drawn]:
    technique = TECHNIQUES.get(name, "image").configured(parameters, "test")
    result, drawn = technique.apply(image, np.random.default_rng(seed))
    return np.asarray(result), drawn


def photo(height: int = 60, width: int = 90) -> Pixels:
    rng = np.random.default_rng(5)
    coarse = rng.integers(40, 200, (6, 9, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height)), np.uint8)


@pytest.mark.parametrize("name", WITH_LIMIT)
@pytest.mark.parametrize("limit", [-0.1, 1000.0, "0.1", None, [0.1, 0.2]])
def test_a_limit_out_of_range_is_refused_with_its_name(name: str, limit: object) -> None:
    with pytest.raises(ConfigError, match="limit"):
        apply(name, photo(), limit=limit)


@pytest.mark.parametrize("name", ["horizontal_flip", "vertical_flip", "grayscale"])
@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_a_probability_out_of_range_is_refused(name: str, probability: float) -> None:
    with pytest.raises(ConfigError, match="probability"):
        apply(name, photo(), probability=probability)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("color", {"hue": -1}),
        ("color", {"saturation": 1.5}),
        ("occlusion", {"holes": 0}),
        ("compression", {"quality": [0, 50]}),
        ("compression", {"quality": [50, 101]}),
        ("compression", {"quality": 50}),
    ],
)
def test_other_parameters_out_of_range_are_refused(name: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(parameters))):
        apply(name, photo(), **parameters)


def test_a_quality_range_upside_down_is_refused() -> None:
    with pytest.raises(ConfigError, match="lowest quality 90 is above the highest 40"):
        apply("compression", photo(), quality=[90, 40])


@pytest.mark.parametrize("name", [*WITH_LIMIT, "color"])
def test_a_limit_of_zero_changes_nothing(name: str) -> None:
    zero = {"hue": 0, "saturation": 0} if name == "color" else {"limit": 0}
    for seed in range(4):
        result, _ = apply(name, photo(), seed, **zero)
        np.testing.assert_array_equal(result, photo())


@pytest.mark.parametrize("name", GEOMETRIC)
def test_geometry_leaves_no_foreign_border(name: str) -> None:
    white = np.full((40, 50, 3), 255, np.uint8)
    for seed in range(10):
        result, _ = apply(name, white, seed, limit=0.2)
        np.testing.assert_array_equal(result, white)


def test_rotation_turns_counterclockwise_by_the_recorded_angle() -> None:
    image = np.zeros((101, 101, 3), np.uint8)
    image[50, 90] = 255
    image = np.asarray(cv2.dilate(image, np.ones((5, 5))), np.uint8)
    for seed in range(5):
        result, drawn = apply("rotation", image, seed, limit=180)
        y, x = np.argwhere(result[..., 0] > 128).mean(axis=0) - 50
        assert np.degrees(np.arctan2(-y, x)) == pytest.approx(drawn["angle"], abs=2)


def test_scaling_multiplies_the_size_by_the_recorded_factor() -> None:
    image = np.zeros((101, 101, 3), np.uint8)
    image[40:61, 40:61] = 255
    factors = []
    for seed in range(20):
        result, drawn = apply("scaling", image, seed, limit=0.5)
        side = np.sqrt((result[..., 0] / 255).sum())
        assert side / 21 == pytest.approx(drawn["factor"], abs=0.02)
        factors.append(drawn["factor"])
    assert min(factors) < 0.8
    assert max(factors) > 1.2


def test_translation_shifts_whole_pixels_to_where_it_says() -> None:
    image = photo(50, 80)
    for seed in range(10):
        result, drawn = apply("translation", image, seed, limit=0.2)
        x, y = drawn["x"], drawn["y"]
        assert abs(x) <= 16
        assert abs(y) <= 10
        moved = result[max(y, 0) : 50 + min(y, 0), max(x, 0) : 80 + min(x, 0)]
        origin = image[max(-y, 0) : 50 + min(-y, 0), max(-x, 0) : 80 + min(-x, 0)]
        np.testing.assert_array_equal(moved, origin)


def test_shear_leans_lines_by_the_recorded_angles() -> None:
    image = np.zeros((101, 101, 3), np.uint8)
    image[:, 50] = 255
    for seed in range(5):
        result, drawn = apply("shear", image, seed, limit=20)
        rows, columns = np.nonzero(result[..., 0] > 128)
        slope = np.polyfit(rows, columns, 1)[0]
        assert np.degrees(np.arctan(slope)) == pytest.approx(drawn["x"], abs=1)


def test_perspective_moves_a_corner_by_the_recorded_share() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[:50, :100] = 255
    result, drawn = apply("perspective", image, seed=3, limit=0.1)
    corners = np.array(drawn["corners"])
    assert corners.shape == (4, 2)
    assert np.abs(corners).max() <= 0.1
    assert not np.array_equal(result, image)
    # The right and lower sides stay in view: the quadrant stays about a quarter.
    assert 0.15 < (result > 128).mean() < 0.35


@pytest.mark.parametrize(("name", "axis"), [("horizontal_flip", 1), ("vertical_flip", 0)])
def test_a_flip_mirrors_about_half_of_the_time_and_says_when(name: str, axis: int) -> None:
    flipped = []
    for seed in range(60):
        result, drawn = apply(name, photo(), seed)
        expected = np.flip(photo(), axis) if drawn["flipped"] else photo()
        np.testing.assert_array_equal(result, expected)
        flipped.append(drawn["flipped"])
    assert 15 < sum(flipped) < 45


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_grayscale_follows_its_probability(probability: float) -> None:
    for seed in range(10):
        result, drawn = apply("grayscale", photo(), seed, probability=probability)
        is_gray = np.array_equal(result[..., 0], result[..., 2])
        assert drawn["gray"] == is_gray == (probability == 1.0)


def test_crop_keeps_the_recorded_box() -> None:
    image = photo(100, 100)
    for seed in range(5):
        result, drawn = apply("crop", image, seed, limit=0.3)
        left, top, right, bottom = drawn["box"]
        assert 0 <= left <= 30
        assert 70 <= bottom <= 100
        kept = cv2.resize(image[top:bottom, left:right], (100, 100))
        np.testing.assert_array_equal(result, kept)


def test_brightness_multiplies_by_the_recorded_factor() -> None:
    for seed in range(5):
        result, drawn = apply("brightness", photo(), seed, limit=0.2)
        assert 0.8 <= drawn["factor"] <= 1.2
        np.testing.assert_allclose(result, photo() * drawn["factor"], atol=1)


def test_contrast_keeps_the_mean_and_multiplies_the_spread() -> None:
    for seed in range(5):
        result, drawn = apply("contrast", photo(), seed, limit=0.2)
        assert result.mean() == pytest.approx(photo().mean(), abs=3)
        assert result.std() == pytest.approx(photo().std() * drawn["factor"], rel=0.03)


def test_color_turns_the_hue_by_the_recorded_degrees() -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200
    for seed in range(5):
        result, drawn = apply("color", red, seed, hue=40, saturation=0)
        hue = 2.0 * cv2.cvtColor(result, cv2.COLOR_RGB2HSV)[0, 0, 0]
        assert (hue - drawn["hue"] + 180) % 360 - 180 == pytest.approx(0, abs=3)


def test_color_draws_a_saturation_that_grays_or_deepens() -> None:
    pale = np.full((8, 8, 3), (150, 110, 110), np.uint8)
    for seed in range(5):
        result, drawn = apply("color", pale, seed, hue=0, saturation=1)
        before, after = (np.ptp(p[0, 0].astype(int)) for p in (pale, result))
        assert after == pytest.approx(before * drawn["saturation"], abs=2)


def test_blur_is_as_strong_on_a_small_image_as_on_a_large_one() -> None:
    for side in (100, 400):
        deviations = [
            apply("blur", photo(side, side // 2), seed, limit=0.02)[1]["sigma"]
            for seed in range(20)
        ]
        assert 0.7 * 0.02 * side < max(deviations) <= 0.02 * side * 1.001


def test_blur_spreads_a_point_by_the_recorded_deviation() -> None:
    point = np.zeros((61, 61, 3), np.uint8)
    point[30, 30] = 255
    wide = np.asarray(cv2.dilate(point, np.ones((9, 9))), np.uint8)
    result, drawn = apply("blur", wide, seed=2, limit=0.06)
    row = result[30, :, 0].astype(float)
    positions = np.arange(61) - 30
    variance = (row * positions**2).sum() / row.sum()
    assert variance - (9**2 - 1) / 12 == pytest.approx(drawn["sigma"] ** 2, rel=0.15)


def test_sharpen_raises_the_difference_of_neighbours() -> None:
    image = photo()
    result, drawn = apply("sharpen", image, seed=1, limit=0.5)
    assert 0 < drawn["share"] <= 0.5
    before, after = (np.abs(np.diff(p.astype(int), axis=1)).mean() for p in (image, result))
    assert after > before


def test_compression_draws_from_the_whole_range_and_loses_more_at_low_quality() -> None:
    drawn = [apply("compression", photo(), seed, quality=[10, 12])[1] for seed in range(30)]
    assert {d["quality"] for d in drawn} == {10, 11, 12}
    loss = [
        np.abs(apply("compression", photo(), quality=[q, q])[0].astype(int) - photo()).mean()
        for q in (5, 95)
    ]
    assert loss[0] > loss[1]


def test_noise_has_the_recorded_deviation_and_no_mean() -> None:
    gray = np.full((200, 200, 3), 128, np.uint8)
    result, drawn = apply("noise_addition", gray, seed=4, limit=0.1)
    noise = result.astype(float) - 128
    assert noise.std() == pytest.approx(drawn["deviation"] * 255, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.3)
    channels = np.corrcoef(noise.reshape(-1, 3).T)
    assert np.abs(channels - np.eye(3)).max() < 0.02


def test_noise_does_not_wrap_around_at_black_and_white() -> None:
    for level in (0, 255):
        flat = np.full((50, 50, 3), level, np.uint8)
        result, _ = apply("noise_addition", flat, seed=4, limit=0.1)
        assert np.abs(result.astype(int) - level).max() < 128


def test_occlusion_covers_the_recorded_boxes_and_nothing_else() -> None:
    image = photo(100, 100)
    for seed in range(10):
        result, drawn = apply("occlusion", image, seed, holes=3, limit=0.3)
        assert 1 <= len(drawn["boxes"]) <= 3
        outside = np.ones((100, 100), bool)
        for left, top, right, bottom in drawn["boxes"]:
            assert right - left <= 30
            assert bottom - top <= 30
            outside[top:bottom, left:right] = False
        np.testing.assert_array_equal(result[outside], image[outside])
        assert not np.array_equal(result, image)


def test_shadow_darkens_one_part_by_the_recorded_share() -> None:
    flat = np.full((80, 80, 3), 200, np.uint8)
    for seed in range(10):
        result, drawn = apply("shadow", flat, seed, limit=0.5)
        dark = 200 * (1 - drawn["darkness"])
        assert set(np.unique(result)) <= {200, int(dark), int(dark) + 1}
        assert (result == 200).any()
        assert len(drawn["corners"]) == 3


def test_drawn_numbers_are_short() -> None:
    _, drawn = apply("rotation", photo())
    assert len(str(abs(drawn["angle"])).replace(".", "").lstrip("0")) <= 6
