from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from mlforge_light.vignette import Vignette

from mlforge.testing.techniques import TECHNIQUE_CHECKS, TechniqueCase, image_examples


@pytest.mark.parametrize("check", TECHNIQUE_CHECKS, ids=lambda check: check.__name__)
def test_vignette_holds_the_contract(check: Callable[[TechniqueCase], None]) -> None:
    check(TechniqueCase(Vignette, image_examples()))


def test_corners_are_darker_than_the_middle() -> None:
    white = np.full((65, 65, 3), 255, np.uint8)
    varied, drawn = Vignette().apply(white, np.random.default_rng(1))
    assert varied[32, 32, 0] == 255
    assert varied[0, 0, 0] == round(255 * (1 - drawn["loss"])) < 255
