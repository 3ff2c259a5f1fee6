from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from mlforge_nearest_centroid import NearestCentroid

from mlforge.models import Model
from mlforge.testing.models import MODEL_CHECKS


@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__)
def test_nearest_centroid_holds_the_contract(check: Callable[[type[Model]], None]) -> None:
    check(NearestCentroid)


def test_an_example_between_two_centroids_is_as_likely_one_as_the_other() -> None:
    model = NearestCentroid()
    features = np.array([[0, 0], [0, 2], [4, 0], [4, 2]], np.float32)
    model.fit(features, np.array([0, 0, 1, 1]), np.random.default_rng(0))
    assert model.predict_proba(np.array([[2, 1]], np.float32)).tolist() == [[0.5, 0.5]]
    assert model.predict_proba(np.array([[1, 1]], np.float32))[0].argmax() == 0
