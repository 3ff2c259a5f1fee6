"""Encoding, scoring, comparing, checking and showing pictures."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
import PIL
import pytest

from mlforge.errors import ConfigError
from mlforge.modalities import MODALITIES
from mlforge.modalities.image import Image

Pixels = npt.NDArray[np.uint8]
Change = Callable[[Pixels], Pixels]
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


def clipped(values: npt.NDArray[np.float64]) -> Pixels:
    return np.clip(values, 0, 255).astype(np.uint8)


def scaled(picture: Pixels, share: float) -> Pixels:
    small = cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def cut(picture: Pixels, share: float) -> Pixels:
    top, left = (round(length * share) for length in picture.shape[:2])
    return np.ascontiguousarray(picture[top : len(picture) - top, left : picture.shape[1] - left])


def saved_again(picture: Pixels, quality: int) -> Pixels:
    image = Image()
    again: Pixels = image.decode(image.encode(picture, "jpg", quality))
    return again


def near(pictures: Sequence[Pixels]) -> dict[tuple[int, int], float]:
    image = Image()
    prints = np.stack([image.fingerprint(picture) for picture in pictures])
    return {
        (one, other): distance
        for pairs in image.near_pairs(prints)
        for one, other, distance in zip(
            pairs.one.tolist(), pairs.other.tolist(), pairs.distance.tolist(), strict=True
        )
    }


def strokes(seed: int) -> Pixels:
    """Something written: 8 x 8 pixels, enlarged to 64 x 64."""
    rng = np.random.default_rng(seed)
    tiny = np.zeros((8, 8), np.uint8)
    points = [(int(x), int(y)) for x, y in rng.integers(1, 7, (4, 2))]
    for one, other in itertools.pairwise(points):
        cv2.line(tiny, one, other, 255, 1)
    large = cv2.resize(tiny, (64, 64), interpolation=cv2.INTER_CUBIC)
    return np.repeat(np.asarray(large, np.uint8)[:, :, None], 3, axis=2)


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


@pytest.mark.parametrize("size", [16, 256, 2048])
def test_noise_takes_fewer_bytes_than_the_most_that_are_named(size: int) -> None:
    image = Image(Image.Config(size=size))
    noise = np.random.default_rng(size).choice(np.array([0, 255], np.uint8), (size, size, 3))
    assert max(len(image.encode(noise, name, 100)) for name in image.formats) < image.most_bytes


def test_versions_name_the_libraries_that_decide_the_pixels() -> None:
    assert Image.versions() == {
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
    }


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture.copy(),
        lambda picture: scaled(picture, 0.5),
        lambda picture: scaled(picture, 0.3),
        lambda picture: saved_again(picture, 30),
        lambda picture: clipped(picture * 1.1),
        lambda picture: clipped(picture * 0.7),
        lambda picture: blurred(picture, 0.008),
        lambda picture: cut(picture, 0.01),
    ],
    ids=["same", "half", "third", "recompressed", "brighter", "darker", "blurred", "cut"],
)
def test_a_picture_saved_anew_is_a_near_duplicate(seed: int, change: Change) -> None:
    assert list(near([drawn(seed), change(drawn(seed))])) == [(0, 1)]


def test_the_same_pixels_are_at_no_distance_and_a_cut_copy_is_further() -> None:
    picture = drawn(1)
    distances = near([picture, picture, cut(picture, 0.01)])
    assert distances[0, 1] == 0
    assert 0 < distances[0, 2] == distances[1, 2] <= 1


def test_different_pictures_are_no_near_duplicates() -> None:
    assert near([drawn(seed) for seed in range(40)]) == {}


def test_a_mirrored_picture_is_a_different_picture() -> None:
    assert near([drawn(1), np.ascontiguousarray(drawn(1)[:, ::-1])]) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((220, 40, 30), (30, 40, 220)),
        ((40, 200, 60), (230, 150, 30)),
        ((20, 20, 20), (30, 40, 220)),
    ],
)
def test_the_same_shape_in_another_colour_is_a_different_picture(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    pictures = []
    for colour in (one, other):
        picture = np.full((96, 96, 3), 120, np.uint8)
        cv2.circle(picture, (44, 50), 26, colour, -1)
        cv2.rectangle(picture, (60, 10), (80, 30), colour, -1)
        pictures.append(picture)
    assert near(pictures) == {}


def test_flat_pictures_are_near_to_nothing() -> None:
    assert near([np.full((64, 64, 3), value, np.uint8) for value in (0, 90, 90, 255)]) == {}


def test_small_writing_is_not_merged_for_having_little_detail() -> None:
    pictures = {strokes(seed).tobytes(): strokes(seed) for seed in range(300)}
    assert len(near(list(pictures.values()))) <= 3


def test_pairs_are_found_beyond_a_block() -> None:
    pictures = [np.random.default_rng(seed).integers(0, 255, (16, 16, 3)) for seed in range(600)]
    pictures.append(pictures[3])
    assert list(near([picture.astype(np.uint8) for picture in pictures])) == [(3, 600)]


def kinds(picture: Pixels, others: Sequence[Pixels]) -> list[str]:
    """Return the findings of a picture in a category of it and others."""
    image = Image()
    figures = [image.measure(each) for each in (picture, *others)]
    peers = {name: np.array([each[name] for each in figures]) for name in image.figures}
    return [oddity.kind for oddity in image.check(figures[0], peers)]


OTHERS = [drawn(seed) for seed in range(1, 12)]


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_found_in_ordinary_pictures(seed: int) -> None:
    assert kinds(drawn(seed), [drawn(other) for other in range(12) if other != seed]) == []


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda picture: blurred(picture, 0.02), "blurred"),
        (lambda picture: clipped(picture * 0.1), "dark"),
        (lambda picture: clipped(picture * 0.15 + 210), "bright"),
        (lambda picture: clipped(picture * 0.04 + 110), "low_contrast"),
        (lambda picture: scaled(picture, 0.25), "odd_size"),
        (lambda picture: np.ascontiguousarray(picture[90:115]), "odd_aspect"),
    ],
)
def test_what_stands_out_is_found_by_its_kind(change: Change, kind: str) -> None:
    assert kind in kinds(change(drawn(0)), OTHERS)
    # 64 pixels are small only where others are larger.
    assert (kind in kinds(change(drawn(0)), [])) == (kind != "odd_size")


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: blurred(picture, 0.02),
        lambda picture: clipped(picture * 0.2),
        lambda picture: clipped(picture * 0.2 + 200),
        lambda picture: scaled(picture, 0.1),
        lambda picture: np.ascontiguousarray(picture[90:115]),
    ],
    ids=["blurred", "dark", "bright", "small", "long"],
)
def test_what_all_pictures_of_a_category_are_is_its_nature(change: Change) -> None:
    assert kinds(change(drawn(0)), [change(other) for other in OTHERS]) == []


def test_a_tiny_picture_is_small_without_any_others() -> None:
    assert "odd_size" in kinds(scaled(drawn(0), 0.1), [])


def test_messages_and_fixes_are_for_people() -> None:
    image = Image()
    figures = image.measure(np.full((8, 60, 3), 5, np.uint8))
    peers = {name: np.array([value]) for name, value in figures.items()}
    oddities = image.check(figures, peers)
    assert [oddity.kind for oddity in oddities] == ["dark", "odd_aspect"]
    assert "7.5 times" in oddities[1].message
    assert all(oddity.fix for oddity in oddities)
