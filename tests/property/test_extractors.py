from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlforge.extractors import EXTRACTORS, Extractor
from mlforge.extractors.image.hog import Hog

NAMES = ("color", "edges", "hog", "lbp", "thumbnail")
Image = npt.NDArray[np.uint8]

sides = st.integers(1, 90)
pictures = st.tuples(sides, sides).flatmap(lambda s: arrays(np.uint8, (*s, 3)))
few_levels = st.tuples(sides, sides).flatmap(
    lambda s: arrays(np.uint8, (*s, 3), elements=st.sampled_from([0, 1, 254, 255]))
)


def made(name: str) -> Extractor:
    return EXTRACTORS.get(name, "image")()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(image=pictures | few_levels)
def test_features_of_any_picture_are_finite_within_bounds_and_repeatable(
    name: str, image: Image
) -> None:
    extractor = made(name)
    before = image.tobytes()
    features = extractor.extract([image])
    assert features.shape == (1, len(extractor.names()))
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert abs(features).max() <= (20 if name == "thumbnail" else 1)
    assert image.tobytes() == before
    assert made(name).extract([image]).tobytes() == features.tobytes()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(images=st.lists(pictures, min_size=2, max_size=4), data=st.data())
def test_rows_follow_their_pictures_in_any_order(
    name: str, images: list[Image], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(images))))
    extractor = made(name)
    rows = extractor.extract(images)
    shuffled = extractor.extract([images[place] for place in order])
    assert np.array_equal(shuffled, rows[order])


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(16, 256),
    cell=st.integers(4, 64),
    levels=st.integers(1, 3),
    orientations=st.integers(4, 36),
    signed=st.booleans(),
)
def test_hog_with_any_parameters_gives_the_features_it_names_or_refuses_them(**values: Any) -> None:
    try:
        extractor = Hog(Hog.Config(**values))
    except ValueError:
        return
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert extractor.extract([image]).shape == (1, len(extractor.names()))
