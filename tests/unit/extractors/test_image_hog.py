from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mlforge.errors import ConfigError
from mlforge.extractors.image.hog import Hog

SMALL = {"size": 16, "cell": 8, "levels": 1}


def hog(**parameters: object) -> Hog:
    return Hog.configured(parameters, "test")


def picture(rows: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    return np.repeat(np.asarray(rows, np.uint8)[..., None], 3, axis=2)


def by_direction(extractor: Hog, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return how much there is of each direction, all cells together."""
    features = extractor.extract([image])[0]
    return np.asarray(features.reshape(-1, extractor.config.orientations).sum(axis=0))


def slowly(image: npt.NDArray[np.uint8], orientations: int) -> npt.NDArray[np.float64]:
    """Return one block of 2 x 2 cells, pixel by pixel, for a picture of 16 x 16."""
    roots = np.pad(np.sqrt(image.astype(float)), ((1, 1), (1, 1), (0, 0)), mode="edge")
    cells = np.zeros((2, 2, orientations))
    for y in range(16):
        for x in range(16):
            right = roots[y + 1, x + 2] - roots[y + 1, x]
            down = roots[y + 2, x + 1] - roots[y, x + 1]
            steepest = int(np.argmax(right**2 + down**2))
            slope = np.array([right[steepest], down[steepest]])
            turn = np.arctan2(slope[1], slope[0]) / (2 * np.pi) % 1 * orientations
            lower = int(turn) % orientations
            along_y, along_x = (np.clip((p + 0.5) / 8 - 0.5, 0, 1) for p in (y, x))
            for cy, wy in ((0, 1 - along_y), (1, along_y)):
                for cx, wx in ((0, 1 - along_x), (1, along_x)):
                    weight = np.hypot(*slope) * wy * wx
                    cells[cy, cx, lower] += weight * (1 - turn % 1)
                    cells[cy, cx, (lower + 1) % orientations] += weight * (turn % 1)
    block = cells.ravel()
    return np.minimum(block / np.sqrt(block @ block + (0.3 * 8 * 8) ** 2), 0.2)


@pytest.mark.parametrize("seed", range(5))
def test_features_are_those_of_a_pixel_by_pixel_calculation(seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    features = hog(**SMALL).extract([image])[0]
    # OpenCV's angles are good to a third of a degree.
    assert features == pytest.approx(slowly(image, 9), abs=2e-3)


def test_a_plain_picture_has_no_directions() -> None:
    assert not hog().extract([picture(np.full((30, 40), 99))]).any()


def test_brightness_that_rises_to_the_right_is_direction_zero() -> None:
    ramp = picture(np.tile(np.arange(16) ** 2, (16, 1)))
    shares = by_direction(hog(**SMALL), ramp)
    assert shares[0] > 0
    assert shares[1:] == pytest.approx(np.zeros(8), abs=0.01 * float(shares[0]))


def test_brightness_that_rises_downwards_is_a_quarter_turn() -> None:
    ramp = picture(np.tile(np.arange(16) ** 2, (16, 1)).T)
    shares = by_direction(hog(**SMALL, orientations=8), ramp)
    assert shares.argmax() == 2
    assert np.delete(shares, 2) == pytest.approx(np.zeros(7), abs=0.01 * float(shares[2]))


def test_signed_directions_tell_a_picture_from_its_negative_and_unsigned_do_not() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    image[:, 8:] = 255
    negative = 255 - image
    signed, unsigned = hog(**SMALL), hog(**SMALL, signed=False)
    assert not np.allclose(signed.extract([image]), signed.extract([negative]))
    assert unsigned.extract([image]) == pytest.approx(unsigned.extract([negative]), abs=1e-3)


def test_an_edge_between_two_colours_of_one_brightness_is_seen() -> None:
    image = np.full((16, 16, 3), (76, 76, 76), np.uint8)
    image[:, 8:] = (255, 0, 0)
    assert hog(**SMALL).extract([image]).max() > 0.1


def test_a_picture_enlarged_is_described_as_before() -> None:
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    larger = np.kron(image, np.ones((3, 3, 1), np.uint8))
    assert hog().extract([larger]) == pytest.approx(hog().extract([image]), abs=1e-6)


def test_half_the_contrast_is_described_almost_as_before() -> None:
    image = np.random.default_rng(0).integers(0, 2, (56, 56, 1), dtype=np.uint8).repeat(3, axis=2)
    strong, weak = hog().extract([image * 240])[0], hog().extract([image * 60])[0]
    assert strong == pytest.approx(weak, abs=0.02)


def test_a_second_level_adds_coarser_blocks_after_the_fine_ones() -> None:
    image = np.random.default_rng(0).integers(0, 256, (56, 56, 3), dtype=np.uint8)
    fine, both = (hog(levels=levels).extract([image])[0] for levels in (1, 2))
    coarse = hog(cell=16, levels=1).extract([image])[0]
    assert np.array_equal(both, np.concatenate([fine, coarse]))


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"size": 16, "cell": 16}, "less than two cells"),
        ({"size": 56, "cell": 8, "levels": 4}, "levels"),
        ({"size": 256, "cell": 4}, "more than 20000"),
        ({"cell": 2}, "cell"),
        ({"orientations": 9.5}, "orientations"),
        ({"cells": 8}, "cells: unknown key"),
    ],
)
def test_parameters_that_cannot_be_are_refused(parameters: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        hog(**parameters)


def test_the_size_that_the_message_asks_for_is_enough() -> None:
    with pytest.raises(ConfigError, match="at least 33"):
        hog(size=32, cell=16, levels=2)
    assert hog(size=33, cell=16, levels=2).names()
