from __future__ import annotations

import numpy as np
import pytest

from mlforge.extractors.image._canvas import cell_of_each_pixel, contrast, grey, overlap, squared


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (3, 200), (200, 3), (64, 64), (9, 9)])
def test_a_picture_of_any_shape_becomes_a_square_of_the_same_colour(shape: tuple[int, int]) -> None:
    square = squared(np.full((*shape, 3), (10, 120, 250), np.uint8), 16)
    assert square.shape == (16, 16, 3)
    assert square.dtype == np.uint8
    assert (square == (10, 120, 250)).all()


def test_a_picture_of_the_right_size_stays_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert np.array_equal(squared(image, 16), image)


def test_fine_stripes_are_averaged_even_where_the_other_side_grows() -> None:
    stripes = np.zeros((4, 400, 3), np.uint8)
    stripes[:, ::2] = 200
    assert abs(squared(stripes, 40).astype(int) - 100).max() <= 1


def test_each_pixel_is_shared_out_completely_between_cells() -> None:
    for side, grid in ((56, 7), (56, 4), (17, 5), (16, 2)):
        shares = overlap(side, grid)
        assert shares.shape == (grid, side)
        assert shares.sum(axis=0) == pytest.approx(np.ones(side), abs=1e-6)


def test_cells_cover_the_picture_row_by_row() -> None:
    assert cell_of_each_pixel(4, 2).tolist() == [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
        [2, 2, 3, 3],
        [2, 2, 3, 3],
    ]


def test_contrast_of_something_flat_is_zero() -> None:
    assert not contrast(np.full((5, 5), 0.7, np.float32), 0.05).any()


def test_contrast_has_mean_zero_and_deviation_just_below_one() -> None:
    values = contrast(np.random.default_rng(0).random(1000, np.float32), 0.05)
    assert values.mean() == pytest.approx(0, abs=1e-6)
    assert 0.8 < values.std() < 1


def test_grey_weighs_green_most_and_smooths_single_pixels() -> None:
    red, green, blue = (np.full((5, 5, 3), np.eye(3)[c] * 255, np.uint8) for c in range(3))
    assert grey(green)[2, 2] > grey(red)[2, 2] > grey(blue)[2, 2]
    spot = np.zeros((5, 5, 3), np.uint8)
    spot[2, 2] = 160
    assert grey(spot)[2, 2] == 40
