from __future__ import annotations

import cv2
import numpy as np

from mlforge.examples import ExampleCategory, ExampleFile, example_categories


def _grey(file: ExampleFile) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    pixels = cv2.imdecode(np.frombuffer(file.data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    assert pixels.shape == (64, 64, 3)
    assert np.array_equal(pixels[..., 0], pixels[..., 2])
    return np.asarray(pixels[..., 0], dtype=np.float32)


def test_the_categories_are_the_ten_digits_in_order(digits: tuple[ExampleCategory, ...]) -> None:
    assert [category.code for category in digits] == [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    ]  # fmt: skip


def test_digits_are_dark_on_light_grey_pictures(digits: tuple[ExampleCategory, ...]) -> None:
    for category in digits:
        for file in category.seeds:
            grey = _grey(file)
            assert grey[0].min() > 200, file.name
            assert grey.min() < 80, file.name
            assert np.median(grey) > grey.mean(), file.name


def test_a_picture_shows_what_scikit_learn_has_at_its_number(
    digits: tuple[ExampleCategory, ...],
) -> None:
    from sklearn.datasets import load_digits

    data = load_digits()
    for digit, category in enumerate(digits):
        for file in (*category.seeds, *category.held_out):
            index = int(file.name.removesuffix(".png").rsplit("_", 1)[1])
            assert data.target[index] == digit
            ink = 1 - _grey(file) / 255
            inside = cv2.resize(ink, (10, 10), interpolation=cv2.INTER_AREA)[1:9, 1:9]
            likeness = np.corrcoef(np.ravel(inside), data.images[index].ravel())[0, 1]
            assert likeness > 0.95, file.name


def test_seeds_are_spread_over_the_whole_set_of_writers(
    digits: tuple[ExampleCategory, ...],
) -> None:
    for category in digits:
        numbers = sorted(int(f.name[:-4].rsplit("_", 1)[1]) for f in category.seeds)
        assert numbers[0] < 250
        assert numbers[-1] > 1547
        assert np.diff(numbers).max() < 350


def test_twice_the_same_call_gives_the_same_bytes(digits: tuple[ExampleCategory, ...]) -> None:
    assert tuple(example_categories("digits", n_held_out=1)) == digits
