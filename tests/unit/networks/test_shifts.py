from __future__ import annotations

import numpy as np
import pytest

from mlforge.networks.plan import STRIDE
from mlforge.networks.shifts import shifted, stitched


@pytest.mark.parametrize("side", [STRIDE, 3 * STRIDE])
def test_stitched_maps_say_at_each_place_what_a_network_sees_there(side: int) -> None:
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    shifts = shifted(np.stack([y, 1000 * x], axis=2))
    assert shifts.shape[1:] == (side, side, 2)
    # A network that sees the very middle of each of its places.
    middle = slice(STRIDE // 2 - 1, None, STRIDE), slice(STRIDE // 2, None, STRIDE)
    seen = shifts[:, *middle, :].sum(axis=3)
    found = stitched(seen)
    finer = found.shape[0] // (side // STRIDE)
    assert finer > 1
    step = STRIDE // finer
    places = np.arange(side // step) * step + step / 2
    np.testing.assert_allclose(
        found, (places - 1)[:, None] + 1000 * places[None, :], rtol=0, atol=0
    )


def test_beyond_the_borders_there_is_nothing_in_particular() -> None:
    shifts = shifted(np.zeros((STRIDE, STRIDE, 1), np.float32))
    assert set(np.unique(shifts).tolist()) == {0.0, 0.5}
