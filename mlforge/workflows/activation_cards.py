"""Which seeds a report shows with where what was learned finds their category."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlforge.evaluation.records import Evaluation, SeedOutcome
from mlforge.extractors import Extractor, LearningExtractor, activation_maps
from mlforge.report import ActivationCard
from mlforge.workflows.explanation_picture import activation_picture
from mlforge.workflows.seed_pictures import SeedPictures

__all__ = ["MAX_CATEGORIES", "activation_cards"]

MAX_CATEGORIES = 18
"""Of more categories, those with the lowest recall are shown: they have the most to tell."""
_SIDE = 128


def activation_cards(
    extractors: Sequence[Extractor], scores: Evaluation | None, pictures: SeedPictures
) -> tuple[ActivationCard, ...]:
    """Return seeds of each category with what speaks for it; none where nothing was learned.

    Of each category there are two: the one that was told most surely while it was held out, and the
    one that was told least surely.

    Parameters
    ----------
    extractors
        Those of the model.
    scores
        What held-out seeds say of it.
    pictures
        The seeds, as the model sees them.
    """
    learned = [e for e in extractors if isinstance(e, LearningExtractor)]
    if scores is None or not learned:
        return ()
    by_code: dict[str, list[SeedOutcome]] = {}
    for seed in scores.evidence:
        by_code.setdefault(seed.code, []).append(seed)
    weakest = sorted(by_code, key=lambda code: (scores.per_category[code].recall or 0.0, code))
    cards = []
    for code in sorted(weakest[:MAX_CATEGORIES]):
        number = scores.codes.index(code)
        seeds = sorted(by_code[code], key=lambda s: (-s.probabilities[number], s.file))
        for seed in dict.fromkeys((seeds[0], seeds[-1])):
            cards += _cards(learned, seed, number, pictures)
    return tuple(cards)


def _cards(
    extractors: Sequence[LearningExtractor],
    seed: SeedOutcome,
    number: int,
    pictures: SeedPictures,
) -> list[ActivationCard]:
    example = pictures.example(seed.digest)
    if example is None:
        return []
    picture = pictures.modality.thumbnail(example, _SIDE)
    return [
        ActivationCard(
            extractor=name,
            code=seed.code,
            file=seed.file,
            probability=seed.probabilities[number],
            picture=pictures.encode(np.hstack([picture, activation_picture(picture, found)])),
        )
        for name, found in activation_maps(extractors, example, number).items()
    ]
