from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from mlforge_gradient_profile import GradientProfile

from mlforge.testing.extractors import EXTRACTOR_CHECKS, ExtractorCase, awkward_images


@pytest.mark.parametrize("check", EXTRACTOR_CHECKS, ids=lambda check: check.__name__)
def test_gradient_profile_holds_the_contract(check: Callable[[ExtractorCase], None]) -> None:
    check(ExtractorCase(GradientProfile(), awkward_images()))


def test_bars_show_across_and_not_down() -> None:
    bars = np.zeros((64, 64, 3), np.uint8)
    bars[:, ::8] = 255
    down, across = GradientProfile().extract([bars]).reshape(2, -1)
    assert down.max() == 0
    assert across.max() > 0
