from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from mlforge_dna.kmers import Kmers
from mlforge_dna.modality import LETTERS, Dna
from mlforge_dna.mutation import Mutation

from mlforge.testing.extractors import EXTRACTOR_CHECKS, ExtractorCase
from mlforge.testing.modalities import check_modality
from mlforge.testing.techniques import TECHNIQUE_CHECKS, TechniqueCase

SEQUENCES = ["A", "GATTACA", "ACGT" * 50, "".join(np.random.default_rng(1).choice([*LETTERS], 999))]


def test_dna_holds_the_contract() -> None:
    check_modality(Dna(), SEQUENCES)


@pytest.mark.parametrize("check", EXTRACTOR_CHECKS, ids=lambda check: check.__name__)
def test_kmers_holds_the_contract(check: Callable[[ExtractorCase], None]) -> None:
    check(ExtractorCase(Kmers(), SEQUENCES))


@pytest.mark.parametrize("check", TECHNIQUE_CHECKS, ids=lambda check: check.__name__)
def test_mutation_holds_the_contract(check: Callable[[TechniqueCase], None]) -> None:
    check(TechniqueCase(Mutation, SEQUENCES))
