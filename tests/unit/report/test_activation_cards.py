"""Which seeds a report shows with where what was learned finds their category."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mlforge.evaluation.records import Evaluation, SeedOutcome
from mlforge.extractors import Extractor
from mlforge.modalities import MODALITIES
from mlforge.workflows.activation_cards import MAX_CATEGORIES, activation_cards
from mlforge.workflows.seed_pictures import SeedPictures
from tests.learning import LearnsNothing
from tests.unit.report.conftest import MakeData

IMAGE = MODALITIES.get("image")()


class Learns(LearnsNothing):
    """Finds categories of an even number everywhere, and is against all others."""

    def activation_map(self, example: Any, category: int) -> npt.NDArray[np.float32]:
        found = np.zeros((4, 4), np.float32)
        found[1:3, 1:3] = 5 if category % 2 == 0 else -5
        return found


@pytest.fixture
def evaluation(make_data: MakeData) -> Evaluation:
    scores = make_data(n_categories=4, n_seeds=6).evaluation
    assert scores is not None
    return scores


@pytest.fixture
def pictures(evaluation: Evaluation, tmp_path: Path) -> SeedPictures:
    """Return grey pictures of all seeds."""
    file = tmp_path / "grey.png"
    file.write_bytes(cv2.imencode(".png", np.full((40, 40, 3), 128, np.uint8))[1].tobytes())
    return SeedPictures(IMAGE, {seed.digest: file for seed in evaluation.seeds})


def own(evaluation: Evaluation, seed: SeedOutcome) -> float:
    return seed.probabilities[evaluation.codes.index(seed.code)]


def test_of_each_category_the_surest_seed_and_the_least_sure_one_are_shown(
    evaluation: Evaluation, pictures: SeedPictures
) -> None:
    cards = activation_cards([Learns()], evaluation, pictures)
    expected = []
    for code in evaluation.codes:
        ranked = sorted(
            (seed for seed in evaluation.seeds if seed.code == code),
            key=lambda seed: own(evaluation, seed),
        )
        expected += [
            (code, ranked[place].file, own(evaluation, ranked[place])) for place in (-1, 0)
        ]
    assert [(card.code, card.file, card.probability) for card in cards] == expected


def test_the_map_is_that_of_the_seeds_own_category(
    evaluation: Evaluation, pictures: SeedPictures
) -> None:
    for card in activation_cards([Learns()], evaluation, pictures):
        found = cv2.imdecode(np.frombuffer(card.picture, np.uint8), cv2.IMREAD_COLOR)
        assert found is not None
        height, width = found.shape[:2]
        assert width == 2 * height
        blue, _, red = found[height // 2, 3 * width // 4].astype(int)
        assert (red > blue) == (evaluation.codes.index(card.code) % 2 == 0)
        assert np.ptp(found[height // 2, width // 4].astype(int)) < 10


def test_a_category_of_one_seed_is_shown_once(
    evaluation: Evaluation, pictures: SeedPictures
) -> None:
    first = evaluation.codes[0]
    of_first = [seed for seed in evaluation.seeds if seed.code == first]
    fewer = tuple(seed for seed in evaluation.seeds if seed not in of_first[1:])
    cards = activation_cards([Learns()], dataclasses.replace(evaluation, seeds=fewer), pictures)
    assert [card.file for card in cards if card.code == first] == [of_first[0].file]


def test_samples_that_stand_for_seeds_are_not_shown(
    evaluation: Evaluation, pictures: SeedPictures
) -> None:
    invented = evaluation.codes[1]
    scores = dataclasses.replace(evaluation, generated_only=(invented,))
    cards = activation_cards([Learns()], scores, pictures)
    assert {card.code for card in cards} == set(evaluation.codes) - {invented}


def test_of_many_categories_the_weakest_are_shown(make_data: MakeData, tmp_path: Path) -> None:
    scores = make_data(n_categories=30, n_seeds=6, wrong_share=0.4).evaluation
    assert scores is not None
    file = tmp_path / "grey.png"
    file.write_bytes(cv2.imencode(".png", np.full((40, 40, 3), 128, np.uint8))[1].tobytes())
    seen = SeedPictures(IMAGE, {seed.digest: file for seed in scores.seeds})
    shown = {card.code for card in activation_cards([Learns()], scores, seen)}
    assert len(shown) == MAX_CATEGORIES
    recall = {code: score.recall or 0.0 for code, score in scores.per_category.items()}
    assert max(recall[code] for code in shown) <= min(recall[c] for c in recall.keys() - shown)


def test_a_seed_that_is_gone_is_not_shown(evaluation: Evaluation) -> None:
    assert activation_cards([Learns()], evaluation, SeedPictures(IMAGE, {})) == ()


def test_what_has_not_learned_has_nothing_to_show(
    evaluation: Evaluation, pictures: SeedPictures
) -> None:
    class Plain(Extractor):
        name = "plain"

        def names(self) -> list[str]:
            return ["plain_it"]

        def extract(self, examples: Any) -> npt.NDArray[np.float32]:
            return np.zeros((len(examples), 1), np.float32)

    assert activation_cards([Plain()], evaluation, pictures) == ()
    assert activation_cards([Learns()], None, pictures) == ()
