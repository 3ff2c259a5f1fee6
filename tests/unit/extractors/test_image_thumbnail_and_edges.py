from __future__ import annotations

import numpy as np
import pytest

from mlforge.errors import ConfigError
from mlforge.extractors.image.edges import Edges
from mlforge.extractors.image.thumbnail import Thumbnail


def test_thumbnail_keeps_where_things_are_and_in_which_colour() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[:20, 30:, 1] = 255
    extractor = Thumbnail.configured({"side": 2}, "test")
    found = dict(zip(extractor.names(), extractor.extract([image])[0], strict=True))
    assert max(found, key=lambda name: float(found[name])) == "thumbnail_0_1_g"
    assert len({float(v) for v in found.values()}) == 2


def test_thumbnail_of_less_contrast_and_more_light_is_almost_the_same() -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    dim = image // 2 + 100
    assert Thumbnail().extract([image]) == pytest.approx(Thumbnail().extract([dim]), abs=0.3)


def test_a_plain_picture_has_no_edges_and_is_far_from_all() -> None:
    features = Edges().extract([np.full((30, 50, 3), 77, np.uint8)])[0]
    assert not features[:64].any()
    assert (features[64:] == 1).all()


def test_edges_and_distances_follow_the_outline() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 255
    shares, distances = Edges().extract([image])[0].reshape(2, 8, 8)
    with_edge = np.flatnonzero(shares.any(axis=0))
    assert len(with_edge) == 1
    assert with_edge[0] in (3, 4)
    assert shares[:, with_edge[0]] == pytest.approx(np.full(8, 1 / 8))
    assert (distances[:, with_edge[0]] < 0.25).all()
    assert (distances[:, [0, 7]] > 0.9).all()
    assert distances == pytest.approx(np.tile(distances[0], (8, 1)), abs=1e-6)


def test_a_higher_threshold_leaves_weak_edges_out() -> None:
    image = np.full((64, 64, 3), 100, np.uint8)
    image[:, 32:] = 140
    low = Edges.configured({"weakest": 20, "strongest": 40}, "test").extract([image])[0]
    high = Edges.configured({"weakest": 600, "strongest": 900}, "test").extract([image])[0]
    assert low[:64].any()
    assert not high[:64].any()


def test_thresholds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ConfigError, match="weakest is above strongest"):
        Edges.configured({"weakest": 200, "strongest": 100}, "test")
