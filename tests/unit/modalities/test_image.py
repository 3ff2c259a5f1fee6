"""Encoding, scoring, comparing and showing pictures."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import PIL
import pytest

from mlforge.errors import ConfigError
from mlforge.modalities import MODALITIES
from mlforge.modalities.image import Image

Pixels = npt.NDArray[np.uint8]
DEFAULT_THRESHOLD = 0.2


def drawn(seed: int, height: int = 200, width: int = 256) -> Pixels:
    """A picture of shapes on a shaded ground with a little noise: about a photograph."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    shade = rng.uniform(60, 160) + rng.uniform(-0.3, 0.3) * x + rng.uniform(-0.3, 0.3) * y
    picture = np.repeat(shade[:, :, None], 3, axis=2)
    picture = np.ascontiguousarray(np.clip(picture, 0, 255).astype(np.uint8))
    for _ in range(12):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        radius = int(rng.integers(width // 32, width // 4))
        colour = [int(c) for c in rng.integers(0, 256, 3)]
        if rng.random() < 0.5:
            cv2.circle(picture, centre, radius, colour, -1)
        else:
            corner = (centre[0] + radius, centre[1] + radius // 2)
            cv2.rectangle(picture, centre, corner, colour, -1)
    noisy = picture + rng.normal(0, 3, picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def blurred(picture: Pixels, share: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), max(picture.shape) * share), np.uint8)


def distance(one: Pixels, other: Pixels) -> int:
    image = Image()
    bits = np.unpackbits(image.fingerprint(one) ^ image.fingerprint(other))
    return int(bits.sum())


def test_it_is_registered_with_its_size() -> None:
    assert MODALITIES.get("image") is Image
    assert Image().parameters() == {"size": 256}
    assert Image.configured({"size": 64}, "mlforge.toml: image").parameters() == {"size": 64}


@pytest.mark.parametrize("size", [15, 2049, "big"])
def test_a_size_out_of_range_is_refused_by_its_path(size: object) -> None:
    with pytest.raises(ConfigError, match="image"):
        Image.configured({"size": size}, "mlforge.toml: image")


def test_png_gives_the_pixels_back() -> None:
    assert np.array_equal(Image().decode(Image().encode(drawn(1), "png", "low")), drawn(1))


@pytest.mark.parametrize("file_format", ["jpg", "webp"])
def test_lossy_formats_keep_colours_and_grow_with_quality(file_format: str) -> None:
    sizes = []
    errors = []
    for quality in ("low", "medium", "high"):
        data = Image().encode(drawn(1), file_format, quality)
        sizes.append(len(data))
        errors.append(float(np.abs(Image().decode(data).astype(int) - drawn(1)).mean()))
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 4


@pytest.mark.parametrize("file_format", ["png", "jpg", "webp"])
def test_suffix_and_bytes_agree(file_format: str) -> None:
    begins = {"png": b"\x89PNG", "jpg": b"\xff\xd8\xff", "webp": b"RIFF"}[file_format]
    assert Image().encode(drawn(1), file_format, 80).startswith(begins)


@pytest.mark.parametrize(("word", "level"), [("low", 70), ("medium", 85), ("high", 95)])
def test_quality_words_stand_for_numbers(word: str, level: int) -> None:
    image = Image()
    assert image.encode(drawn(1), "jpg", word) == image.encode(drawn(1), "jpg", level)


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'jpgg'") as caught:
        Image().encode(drawn(1), "jpgg", "high")
    assert "did you mean 'jpg'? known: jpg, png, webp" in caught.value.hint


@pytest.mark.parametrize("quality", ["best", 0, 101, -1, True])
def test_an_unknown_quality_is_refused(quality: str | int) -> None:
    with pytest.raises(ConfigError, match="quality") as caught:
        Image().encode(drawn(1), "png", quality)
    assert "low, medium, high" in caught.value.hint


@pytest.mark.parametrize("value", [0, 90, 255])
def test_a_flat_picture_has_no_quality(value: int) -> None:
    assert Image().quality(np.full((200, 100, 3), value, np.uint8)) == 0


def test_a_flat_picture_with_a_little_noise_has_almost_no_quality() -> None:
    noise = np.random.default_rng(0).normal(90, 1, (100, 100, 3)).astype(np.uint8)
    assert Image().quality(noise) < 0.05


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("side", [64, 256, 1024])
def test_ordinary_pictures_pass_and_blurred_or_black_ones_do_not(seed: int, side: int) -> None:
    picture = drawn(seed, side * 3 // 4, side)
    image = Image()
    assert image.quality(picture) > DEFAULT_THRESHOLD + 0.1
    assert image.quality(blurred(picture, 0.05)) < DEFAULT_THRESHOLD
    assert image.quality((picture * 0.05).astype(np.uint8)) < DEFAULT_THRESHOLD


def test_a_drawing_in_two_colours_passes() -> None:
    picture = np.full((128, 128, 3), 255, np.uint8)
    cv2.circle(picture, (60, 60), 30, (0, 0, 0), 2)
    assert Image().quality(picture) > DEFAULT_THRESHOLD


def test_quality_falls_as_blur_grows() -> None:
    scores = [Image().quality(blurred(drawn(2), share)) for share in (0.002, 0.005, 0.01, 0.02)]
    assert scores == sorted(scores, reverse=True)


def test_fingerprint_is_255_bits_in_32_bytes() -> None:
    bits = Image().fingerprint(drawn(1))
    assert bits.shape == (32,)
    assert bits.dtype == np.uint8
    assert np.unpackbits(bits)[255] == 0
    assert np.unpackbits(bits).sum() == 127


@pytest.mark.parametrize("seed", range(5))
def test_near_duplicates_share_almost_all_bits(seed: int) -> None:
    picture = drawn(seed)
    image = Image()
    half = np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    brighter = np.clip(picture.astype(int) * 1.1, 0, 255).astype(np.uint8)
    assert distance(picture, picture) == 0
    assert distance(picture, half.astype(np.uint8)) <= 24
    assert distance(picture, image.decode(image.encode(picture, "jpg", 50))) <= 24
    assert distance(picture, brighter) <= 24


def test_different_pictures_share_about_half_of_their_bits() -> None:
    pictures = [drawn(seed) for seed in range(12)]
    distances = [distance(a, b) for i, a in enumerate(pictures) for b in pictures[:i]]
    assert min(distances) > 60
    assert 100 < float(np.median(distances)) < 140


def test_a_mirrored_picture_is_a_different_picture() -> None:
    assert distance(drawn(1), np.ascontiguousarray(drawn(1)[:, ::-1])) > 60


@pytest.mark.parametrize("side", [1, 32, 96, 600])
@pytest.mark.parametrize("shape", [(100, 200), (200, 100), (64, 64), (1, 50), (50, 1)])
def test_thumbnail_shows_the_whole_picture_in_the_middle(side: int, shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), (255, 0, 0), np.uint8)
    thumbnail = Image().thumbnail(picture, side)
    assert thumbnail.shape == (side, side, 3)
    assert thumbnail.dtype == np.uint8
    red = (thumbnail == (255, 0, 0)).all(axis=2)
    grey = (thumbnail == (128, 128, 128)).all(axis=2)
    assert (red | grey).all()
    rows, columns = np.nonzero(red)
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert max(height, width) == side
    assert height == max(1, round(side * shape[0] / max(shape)))
    assert width == max(1, round(side * shape[1] / max(shape)))
    assert abs(int(rows.min()) - (side - 1 - int(rows.max()))) <= 1
    assert abs(int(columns.min()) - (side - 1 - int(columns.max()))) <= 1


def test_versions_name_the_libraries_that_decide_the_pixels() -> None:
    assert Image.versions() == {
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
    }
