from __future__ import annotations

from collections.abc import Callable

import pytest
from mlforge_framed import Framed

from mlforge.modalities.image import Image
from mlforge.testing.generators import GENERATOR_CHECKS, GeneratorCase
from mlforge.testing.techniques import image_examples


@pytest.mark.parametrize("check", GENERATOR_CHECKS, ids=lambda check: check.__name__)
def test_framed_holds_the_contract(check: Callable[[GeneratorCase], None]) -> None:
    # No larger than what the modality decodes to: that is all that a generator ever meets.
    seeds = [image for image in image_examples() if max(image.shape) <= 256]
    check(GeneratorCase(Framed, Image(), seeds))
