"""Made-up report data: any number of categories, names of any kind, with and without the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from mlforge.evaluation.gates import GateAnswer
from mlforge.evaluation.records import (
    Calibration,
    CategoryScore,
    DeepEvaluation,
    Evaluation,
    LearningCurve,
    LearningPoint,
    PhotoAdvice,
    ReliabilityBin,
    RobustnessCurve,
    RobustnessPoint,
    SeedBlame,
    SeedOutcome,
    SetSummary,
    TechniqueEffect,
    UnknownCheck,
    UnknownSummary,
)
from mlforge.report import ActivationCard, CategoryCard, LeaderboardRow, ReportData

MakeData = Callable[..., ReportData]


@dataclass(frozen=True)
class Made:
    """What made-up data holds."""

    n_categories: int = 5
    n_seeds: int = 12
    wrong_share: float = 0.2
    names: tuple[str, ...] = ()
    deep: bool = True
    pictures: bool = True
    activations: bool = True
    n_samples: int = 240
    text: str = ""
    codes: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        codes = tuple(f"category_{n + 1:02d}" for n in range(self.n_categories))
        object.__setattr__(self, "codes", codes)

    def name(self, number: int) -> str:
        return self.names[number % len(self.names)] if self.names else f"Category {number + 1}"

    def said(self, otherwise: str) -> str:
        """Return the text that is to stand in every field, if there is one."""
        return self.text or otherwise


def _picture(number: int, side: int) -> bytes:
    rng = np.random.default_rng(number)
    colours = rng.integers(40, 220, (3, 3, 3), dtype=np.uint8)
    pixels = cv2.resize(colours, (side, side), interpolation=cv2.INTER_CUBIC)
    return bytes(cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, 75])[1])


def _seeds(made: Made) -> tuple[SeedOutcome, ...]:
    rng = np.random.default_rng(7)
    seeds = []
    for number, code in enumerate(made.codes):
        for copy in range(made.n_seeds):
            logits = rng.normal(0, 0.6, made.n_categories)
            top = number
            if rng.random() < made.wrong_share:
                top = int((number + 1 + rng.integers(0, 2)) % made.n_categories)
            logits[top] = logits.max() + rng.uniform(0.1, 4)
            shares = np.exp(logits) / np.exp(logits).sum()
            seeds.append(
                SeedOutcome(
                    file=f"{code}/{made.said('photo')}_{copy:02d}.jpg",
                    digest=f"{number:032x}{copy:032x}",
                    group=f"{code}-{copy}",
                    code=code,
                    probabilities=tuple(float(share) for share in shares),
                    novelty=float(rng.gamma(4, 1)),
                    fold=copy % 5,
                )
            )
    return tuple(seeds)


def _evaluation(made: Made) -> Evaluation:
    seeds = _seeds(made)
    n = made.n_categories
    confusion = np.zeros((n, n), int)
    for seed in seeds:
        confusion[made.codes.index(seed.code), int(np.argmax(seed.probabilities))] += 1
    accuracy = float(np.trace(confusion) / max(len(seeds), 1))
    scores = {}
    for number, code in enumerate(made.codes):
        recall = float(confusion[number, number] / made.n_seeds)
        named = int(confusion[:, number].sum())
        precision = float(confusion[number, number] / named) if named else None
        ends = (max(0.0, recall - 0.2), min(1.0, recall + 0.15))
        scores[code] = CategoryScore(precision, recall, made.n_seeds, made.n_seeds, ends)
    bins = ((0.3, 0.35, 9), (0.5, 0.42, 14), (0.7, 0.74, 20), (0.93, 0.96, 41))
    return Evaluation(
        accuracy=accuracy,
        accuracy_interval=(max(0.0, accuracy - 0.07), min(1.0, accuracy + 0.06)),
        held_out_accuracy=max(0.0, accuracy - 0.01),
        leaky_accuracy=min(1.0, accuracy + 0.12) if made.n_samples else None,
        macro_f1=accuracy,
        macro_f1_interval=(max(0.0, accuracy - 0.07), min(1.0, accuracy + 0.06)),
        per_category=scores,
        confusion=tuple(tuple(int(v) for v in row) for row in confusion),
        codes=made.codes,
        n_seeds=len(seeds),
        n_groups=len(seeds),
        n_folds=5,
        unscored=(),
        generated_only=(),
        calibration=Calibration(0.041, (0.012, 0.08), tuple(ReliabilityBin(*b) for b in bins)),
        sets=SetSummary(0.9, 0.21, 1.43, 9),
        unknown=UnknownSummary(8.2, 0.05, (0.02, 0.11)),
        seeds=seeds,
    )


def _deep(made: Made, seeds: tuple[SeedOutcome, ...]) -> DeepEvaluation:
    first, second = made.codes[0], made.codes[1]
    levels = ((3.0, 0.52), (6.0, 0.68), (9.0, 0.77), (12.0, 0.82))
    points = tuple(LearningPoint(n, s, (s - 0.09, s + 0.07)) for n, s in levels)
    kinds = ("mislabelled", "hurts", "redundant", "alone")
    return DeepEvaluation(
        version="random_forest-0001",
        curve=LearningCurve(
            overall=points,
            per_category=dict.fromkeys(made.codes, points),
            advice=(PhotoAdvice(first, 8, 0.09, (0.02, 0.16), second),),
        ),
        blame=tuple(
            SeedBlame(seed.file, kind, 0.9 - n / 10, second if n == 0 else "")
            for n, (kind, seed) in enumerate(zip(kinds, seeds[::7], strict=False))
        ),
        techniques=(
            TechniqueEffect(first, made.said("rotation"), 0.06, (0.01, 0.11), True, (first,), ()),
            TechniqueEffect(
                first, made.said("flip"), -0.21, (-0.33, -0.09), False, (first,), (first,)
            ),
        ),
        robustness=tuple(
            RobustnessCurve(
                made.said(condition),
                made.said(unit),
                tuple(
                    RobustnessPoint(
                        x, max(0.05, 0.85 - x * d), (max(0.0, 0.78 - x * d), 0.92 - x * d)
                    )
                    for x in (0.0, 1.0, 2.0, 4.0)
                ),
            )
            for condition, unit, d in (
                ("blur", "pixels", 0.12),
                ("brightness", "stops", 0.05),
                ("rotation", "degrees", 0.03),
                ("compression", "JPEG quality lost", 0.02),
                ("noise", "grey levels", 0.09),
            )
        ),
        unknown=tuple(
            UnknownCheck(code, 0.91, 0.12, (0.05, 0.24), made.n_seeds) for code in made.codes
        ),
    )


@pytest.fixture(scope="session")
def make_data() -> MakeData:
    """Make report data; the arguments are the fields of `Made`."""

    def make(**wishes: object) -> ReportData:
        made = Made(**wishes)  # type: ignore[arg-type]  # the fields of Made, as a test names them
        evaluation = _evaluation(made)
        files = [seed.file for seed in evaluation.seeds]
        pictures = {file: _picture(n, 160) for n, file in enumerate(files)} if made.pictures else {}
        techniques = ({"name": made.said("rotation")}, {"name": made.said("flip"), "p": 0.5})
        return ReportData(
            project=made.said("signs"),
            version="random_forest-0001",
            created=made.said("2026-11-23T10:00:00.000+00:00"),
            modality="image",
            model=made.said("random_forest"),
            parameters={made.said("n_estimators"): made.said("200")},
            features=(made.said("hog"), made.said("color")),
            evaluation=evaluation,
            deep=_deep(made, evaluation.seeds) if made.deep else None,
            categories=tuple(
                CategoryCard(
                    code, made.name(n), made.n_seeds, made.n_seeds, made.n_samples, 0.8, techniques
                )
                for n, code in enumerate(made.codes)
            ),
            leaderboard=(
                LeaderboardRow(
                    "random_forest-0001", "random_forest", ("hog",), 0.82, (0.75, 0.88), 3.2
                ),
                LeaderboardRow(made.said("svm-0001"), "svm", (made.said("hog"),), None, None, 75.0),
            ),
            gates=(
                GateAnswer(
                    made.said("accuracy>=0.9"),
                    "inconclusive",
                    0.8,
                    (0.7, 0.9),
                    made.said("too few"),
                    40,
                ),
                GateAnswer(
                    made.said("accuracy>=0.5"), "pass", 0.8, (0.7, 0.9), made.said("no doubt"), None
                ),
            ),
            libraries={made.said("numpy"): made.said("2.1.0")},
            environment={made.said("python"): made.said("3.11.2")},
            settings={made.said("seed"): 42, "features.hog": {made.said("cell"): 8}},
            activations=tuple(
                ActivationCard(
                    made.said("learned"), seed.code, seed.file, 0.97, _picture(number, 64)
                )
                for number, seed in enumerate(evaluation.seeds[: 3 if made.activations else 0])
            ),
            thumbnails=pictures,
        )

    return make
