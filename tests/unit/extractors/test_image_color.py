from __future__ import annotations

import numpy as np
import pytest

from mlforge.extractors.image.color import Color


def features(
    image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], **p: object
) -> dict[str, float]:
    extractor = Color.configured(p, "test")
    return dict(zip(extractor.names(), extractor.extract([image])[0].tolist(), strict=True))


def test_a_plain_red_picture_is_in_one_bin_with_moments_of_red() -> None:
    found = features(np.full((5, 9, 3), (255, 0, 0), np.uint8))
    assert {name for name, value in found.items() if value} == {"color_0_2_2", "color_mean_r"}
    assert found["color_0_2_2"] == 1
    assert found["color_mean_r"] == 1


def test_half_red_and_half_blue_share_the_histogram() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:32, :, 0] = 255
    image[32:, :, 2] = 255
    found = features(image, hue_bins=3, saturation_bins=1, value_bins=1)
    assert found["color_0_0_0"] == pytest.approx(0.5**0.5)
    assert found["color_2_0_0"] == pytest.approx(0.5**0.5)
    assert found["color_1_0_0"] == 0


def test_squared_histogram_adds_up_to_one() -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 50, 3), dtype=np.uint8)
    extractor = Color()
    shares = extractor.extract([image])[0][: 8 * 3 * 3]
    assert (shares**2).sum() == pytest.approx(1)


def test_moments_are_mean_deviation_and_root_of_the_third_moment() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    image[..., 1] //= 3
    image[:8, :, 2] = 0
    found = features(image)
    pixels = image.reshape(-1, 3) / 255
    centred = pixels - pixels.mean(axis=0)
    for channel, name in enumerate("rgb"):
        assert found[f"color_mean_{name}"] == pytest.approx(pixels[:, channel].mean(), abs=1e-6)
        deviation = centred[:, channel].std()
        assert found[f"color_deviation_{name}"] == pytest.approx(deviation, abs=1e-6)
        skewness = np.cbrt((centred[:, channel] ** 3).mean())
        assert found[f"color_skewness_{name}"] == pytest.approx(skewness, abs=1e-4)


def test_where_a_colour_is_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    shuffled = rng.permutation(image.reshape(-1, 3)).reshape(image.shape)
    extractor = Color()
    assert np.array_equal(extractor.extract([image]), extractor.extract([shuffled]))
