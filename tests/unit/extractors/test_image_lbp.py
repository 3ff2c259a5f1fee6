from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mlforge.errors import ConfigError
from mlforge.extractors.image._canvas import grey
from mlforge.extractors.image.lbp import NEIGHBOURS, Lbp


def slowly(brightness: npt.NDArray[np.uint8], radius: int) -> npt.NDArray[np.float64]:
    """Return the roots of the shares of patterns in the whole picture, pixel by pixel."""
    uniform = [
        p for p in range(256) if sum((p >> k) % 2 != (p >> (k + 1) % 8) % 2 for k in range(8)) <= 2
    ]
    counts = np.zeros(59)
    inside = range(radius, len(brightness) - radius)
    for y in inside:
        for x in inside:
            around = [
                brightness[y + radius * down, x + radius * right] for down, right in NEIGHBOURS
            ]
            pattern = sum(int(n >= brightness[y, x]) << k for k, n in enumerate(around))
            counts[uniform.index(pattern) if pattern in uniform else 58] += 1
    return np.asarray(np.sqrt(counts / counts.sum()))


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_features_are_those_of_a_pixel_by_pixel_calculation(radius: int) -> None:
    image = np.random.default_rng(radius).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    extractor = Lbp.configured({"size": 32, "grid": 1, "radius": radius}, "test")
    assert extractor.extract([image])[0] == pytest.approx(slowly(grey(image), radius), abs=1e-6)


def test_each_cell_holds_shares_of_its_own() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:20, :20] = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    cells = Lbp().extract([image])[0].reshape(9, 59)
    assert (cells**2).sum(axis=1) == pytest.approx(np.ones(9), abs=1e-5)
    plain = cells[8]
    assert np.array_equal(plain, cells[5])
    assert not np.allclose(cells[0], plain, atol=0.5)


def test_a_plain_cell_has_one_pattern_only() -> None:
    cells = Lbp().extract([np.full((9, 9, 3), 50, np.uint8)])[0].reshape(9, 59)
    assert (cells[:, 57] == 1).all()
    assert np.count_nonzero(cells) == 9


def test_a_brighter_picture_is_described_as_before() -> None:
    level = np.random.default_rng(0).integers(0, 200, (64, 64, 1), dtype=np.uint8)
    image = level.repeat(3, axis=2)
    assert np.array_equal(Lbp().extract([image]), Lbp().extract([image + 55]))


def test_a_radius_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigError, match="radius"):
        Lbp.configured({"radius": 9}, "test")
