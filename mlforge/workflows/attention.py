"""Where in examples what was learned finds the categories: class-activation maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mlforge.evaluation.records import Evaluation, SeedOutcome
from mlforge.extractors import Extractor, LearningExtractor
from mlforge.report import AttentionCard
from mlforge.workflows.explanation_picture import activation_picture
from mlforge.workflows.seed_pictures import SeedPictures

__all__ = ["activation_maps", "attention_cards"]

# The categories with the lowest recall, which have the most to tell.
_MAX_CATEGORIES = 18
_SIDE = 128


def activation_maps(
    extractors: Sequence[Extractor], example: Any, category: int
) -> Mapping[str, npt.NDArray[np.float32]]:
    """Return the map of each extractor that has learned and has one, by its name.

    Parameters
    ----------
    example
        A decoded example.
    category
        The category that is looked for, by number.
    """
    found = {
        extractor.name: extractor.activation_map(example, category)
        for extractor in extractors
        if isinstance(extractor, LearningExtractor)
    }
    return {name: each for name, each in found.items() if each is not None}


def attention_cards(
    extractors: Sequence[Extractor], scores: Evaluation | None, pictures: SeedPictures
) -> tuple[AttentionCard, ...]:
    """Return seeds of each category with what speaks for it; none where nothing was learned.

    Of each category there are two: the one that was told most surely while it was held out, and the
    one that was told least surely.
    """
    learned = [e for e in extractors if isinstance(e, LearningExtractor)]
    if scores is None or not learned:
        return ()
    recall = {c: s.recall for c, s in scores.per_category.items() if s.recall is not None}
    weakest = sorted(recall, key=lambda code: (recall[code], code))[:_MAX_CATEGORIES]
    cards = []
    for code in sorted(weakest):
        number = scores.codes.index(code)
        seeds = sorted(
            (seed for seed in scores.evidence if seed.code == code),
            key=lambda seed: (-seed.probabilities[number], seed.file),
        )
        for seed in dict.fromkeys([*seeds[:1], *seeds[-1:]]):
            cards += _cards(learned, seed, number, pictures)
    return tuple(cards)


def _cards(
    extractors: Sequence[LearningExtractor],
    seed: SeedOutcome,
    number: int,
    pictures: SeedPictures,
) -> list[AttentionCard]:
    example = pictures.example(seed.digest)
    if example is None:
        return []
    picture = pictures.modality.thumbnail(example, _SIDE)
    return [
        AttentionCard(
            extractor=name,
            code=seed.code,
            file=seed.file,
            probability=seed.probabilities[number],
            picture=pictures.encode(np.hstack([picture, activation_picture(picture, found)])),
        )
        for name, found in activation_maps(extractors, example, number).items()
    ]
