from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlforge.core.digest import canonical_json
from mlforge.techniques import TECHNIQUES

LIMITS = {
    "blur": 0.1,
    "brightness": 1.0,
    "contrast": 1.0,
    "crop": 0.45,
    "noise_addition": 1.0,
    "occlusion": 0.9,
    "perspective": 0.2,
    "rotation": 180.0,
    "scaling": 0.9,
    "shadow": 1.0,
    "sharpen": 1.0,
    "shear": 40.0,
    "translation": 0.5,
}


@st.composite
def parameters(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    name = draw(st.sampled_from([*LIMITS, "color", "compression", "grayscale", "horizontal_flip"]))
    if name in LIMITS:
        return name, {"limit": draw(st.floats(0, LIMITS[name]))}
    if name == "color":
        return name, {"hue": draw(st.floats(0, 180)), "saturation": draw(st.floats(0, 1))}
    if name == "compression":
        return name, {"quality": sorted(draw(st.tuples(st.integers(1, 100), st.integers(1, 100))))}
    return name, {"probability": draw(st.floats(0, 1))}


@settings(max_examples=300, deadline=None)
@given(
    parameters(),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
)
def test_any_allowed_parameters_give_an_image_of_the_same_size_twice(
    chosen: tuple[str, dict[str, Any]], height: int, width: int, seed: int
) -> None:
    name, values = chosen
    technique = TECHNIQUES.get(name, "image").configured(values, "test")
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image.flags.writeable = False
    first, drawn = technique.apply(image, np.random.default_rng(seed))
    second, _ = technique.apply(image, np.random.default_rng(seed))
    assert first.shape == image.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, second)
    assert len(canonical_json(drawn)) < 600
