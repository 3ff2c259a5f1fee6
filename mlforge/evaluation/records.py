"""What an evaluation says, as plain values: stored in an artifact, shown, reported and compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "FEWEST_GROUPS",
    "Calibration",
    "CategoryScore",
    "DeepEvaluation",
    "Evaluation",
    "Interval",
    "LearningCurve",
    "LearningPoint",
    "PhotoAdvice",
    "ReliabilityBin",
    "RobustnessCurve",
    "RobustnessPoint",
    "SeedBlame",
    "SeedOutcome",
    "SetSummary",
    "TechniqueEffect",
    "UnknownCheck",
    "UnknownSummary",
]

FEWEST_GROUPS = 5
"""With fewer groups, how much they differ from each other is anybody's guess."""

Interval = tuple[float, float]
"""The lower and upper end of a 95 % interval."""


@dataclass(frozen=True)
class CategoryScore:
    """How well one category is found.

    Attributes
    ----------
    precision
        The share of its predictions that are right; None where it was never predicted.
    recall
        The share of its seeds that are found; None where it has no scored seed.
    n_seeds
        How many of its seeds were scored.
    n_groups
        How many independent groups these are.
    recall_interval
        The 95 % interval of the share that the final model finds; None where `recall` is None.
    """

    precision: float | None
    recall: float | None
    n_seeds: int
    n_groups: int = 0
    recall_interval: Interval | None = None


@dataclass(frozen=True)
class SeedOutcome:
    """What a model that never saw a seed, or any of its group, said of it.

    Attributes
    ----------
    file
        The seed as ``CODE/NAME``.
    digest
        The SHA-256 of its bytes.
    group
        Its group.
    code
        Its category.
    probabilities
        Calibrated, in the order of the evaluation's `codes`.
    novelty
        Its novelty score; higher is less like the training seeds. None where there is none.
    fold
        The fold that held it out.
    """

    file: str
    digest: str
    group: str
    code: str
    probabilities: tuple[float, ...]
    novelty: float | None
    fold: int


@dataclass(frozen=True)
class ReliabilityBin:
    """Seeds of about the same confidence: how often they were right.

    Attributes
    ----------
    confidence
        Their mean confidence.
    accuracy
        The share that was right.
    n_seeds
        How many they are.
    """

    confidence: float
    accuracy: float
    n_seeds: int


@dataclass(frozen=True)
class Calibration:
    """Whether probabilities mean what they say, measured on seeds that the calibration left out.

    Attributes
    ----------
    error, error_interval
        The expected calibration error, debiased, with its 95 % interval.
    bins
        The reliability diagram, by rising confidence; empty bins are left out.
    """

    error: float
    error_interval: Interval
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True)
class SetSummary:
    """Prediction sets: how many categories it takes to hold the right one so often.

    Attributes
    ----------
    coverage
        The coverage that was asked for.
    threshold
        A category is in the set where its probability is at least this; None where there are too
        few seeds for the coverage that was asked for.
    mean_size
        The mean number of categories in the sets of held-out seeds, each made with a threshold that
        the other folds set; None without a threshold, and where those folds have too few groups.
    n_needed
        How many groups the coverage asked for needs at least.
    held
        The share of these sets that held the right category; more than was asked for where the most
        probable category, which is always in, is right more often. None where `mean_size` is, and
        in artifacts of earlier versions.
    held_interval
        The 95 % interval of the share of unseen examples whose sets hold it.
    """

    coverage: float
    threshold: float | None
    mean_size: float | None
    n_needed: int
    held: float | None = None
    held_interval: Interval | None = None


@dataclass(frozen=True)
class UnknownSummary:
    """When an example counts as unknown.

    Attributes
    ----------
    threshold
        An example whose novelty is above this is unknown.
    rejected
        The share of held-out seeds, all known, that thresholds of the other folds reject.
    rejected_interval
        The 95 % interval of the share of unseen known examples that it rejects.
    """

    threshold: float
    rejected: float
    rejected_interval: Interval


@dataclass(frozen=True)
class Evaluation:
    """What out-of-fold predictions on held-out seeds say.

    Attributes
    ----------
    accuracy, accuracy_interval
        The share of unseen examples of the same kind that the final model is expected to get
        right, with its 95 % interval.
    held_out_accuracy
        The share of held-out seeds that the fold models, which saw fewer seeds, got right.
    leaky_accuracy
        What a random split of samples would have claimed; None where there are no samples.
    macro_f1, macro_f1_interval
        The mean over categories of the harmonic mean of precision and recall, expected of the
        final model like `accuracy`.
    per_category
        The score of each category by code.
    confusion
        Counts of held-out seeds, ``n_categories x n_categories``: rows are true, columns
        predicted.
    codes
        The categories in the order of `confusion`.
    n_seeds, n_groups
        How many seeds and independent groups were scored.
    n_folds
        In how many folds.
    unscored
        The codes of categories with one group, which cannot be scored.
    generated_only
        The codes of categories without seeds, scored on samples: no evidence of the real world.
    calibration, sets, unknown
        Calibration, prediction sets and unknown detection; None where there are too few seeds.
    seeds
        What was said of each scored seed.
    """

    accuracy: float
    accuracy_interval: Interval
    held_out_accuracy: float
    leaky_accuracy: float | None
    macro_f1: float
    macro_f1_interval: Interval
    per_category: Mapping[str, CategoryScore]
    confusion: tuple[tuple[int, ...], ...]
    codes: tuple[str, ...]
    n_seeds: int
    n_groups: int
    n_folds: int
    unscored: tuple[str, ...]
    generated_only: tuple[str, ...]
    calibration: Calibration | None
    sets: SetSummary | None
    unknown: UnknownSummary | None
    seeds: tuple[SeedOutcome, ...]

    @property
    def leak_gap(self) -> float | None:
        """How much more than the honest figure a random split of samples would have claimed."""
        if self.leaky_accuracy is None:
            return None
        return self.leaky_accuracy - self.held_out_accuracy

    @property
    def not_estimable(self) -> tuple[str, ...]:
        """The categories whose seeds are of too few groups to tell how those of others would fare.

        One speaker, one room: what a group has in common is seen only beside other groups. Where
        each seed is a group of its own, the interval says all that there is to say.
        """
        return tuple(
            code
            for code, score in self.per_category.items()
            if 0 < score.n_groups < min(score.n_seeds, FEWEST_GROUPS)
            and code not in self.generated_only
        )

    @property
    def evidence_codes(self) -> frozenset[str]:
        """The scored categories that have seeds; all where none has: what the figures are of."""
        scored = frozenset(code for code, score in self.per_category.items() if score.n_seeds)
        return scored.difference(self.generated_only) or scored

    @property
    def evidence(self) -> tuple[SeedOutcome, ...]:
        """What was said of the seeds of `evidence_codes`, not of samples beside them."""
        codes = self.evidence_codes
        return tuple(seed for seed in self.seeds if seed.code in codes)


@dataclass(frozen=True)
class LearningPoint:
    """Accuracy, or a category's recall, with so many seeds.

    Attributes
    ----------
    n_seeds
        The mean number of training seeds a category.
    score, interval
        The figure with its 95 % interval.
    """

    n_seeds: float
    score: float
    interval: Interval


@dataclass(frozen=True)
class PhotoAdvice:
    """What more seeds of a category would bring.

    Attributes
    ----------
    code
        The category.
    n_more
        How many more seeds.
    gain, interval
        The recall that they are expected to add, with its 95 % interval.
    confused_with
        The category that its seeds are most often taken for; empty where none is.
    """

    code: str
    n_more: int
    gain: float
    interval: Interval
    confused_with: str


@dataclass(frozen=True)
class LearningCurve:
    """How accuracy grows with seeds.

    Attributes
    ----------
    overall
        Accuracy, by rising number of seeds.
    per_category
        Recall of each category by code.
    advice
        What to photograph next, the greatest gain first; empty where more seeds would not help
        measurably.
    """

    overall: tuple[LearningPoint, ...]
    per_category: Mapping[str, tuple[LearningPoint, ...]]
    advice: tuple[PhotoAdvice, ...]


@dataclass(frozen=True)
class SeedBlame:
    """A seed that should be looked at.

    Attributes
    ----------
    file
        The seed as ``CODE/NAME``.
    kind
        ``mislabelled``: it looks like another category. ``hurts``: without it others are
        recognized better. ``redundant``: without it nothing changes. ``alone``: it holds its
        category up alone.
    score
        How strongly, from 0 to 1.
    looks_like
        The category that it looks like; empty where it is its own.
    """

    file: str
    kind: str
    score: float
    looks_like: str


@dataclass(frozen=True)
class TechniqueEffect:
    """What a technique does to a category: held-out recall with it, minus without it.

    It may be another category's samples that do it: what is flipped to the left is taken for left.

    Attributes
    ----------
    code
        The category that is found more or less often, whether or not it uses the technique.
    technique
        The technique.
    effect, interval
        The difference with its 95 % interval; below 0 it harms.
    safe
        Whether the interval leaves open that it does not harm.
    users
        The categories whose samples are made with it.
    to_change
        Those of them that it is to be taken out of; none where it is safe.
    """

    code: str
    technique: str
    effect: float
    interval: Interval
    safe: bool
    users: tuple[str, ...]
    to_change: tuple[str, ...]


@dataclass(frozen=True)
class RobustnessPoint:
    """Accuracy on held-out seeds that were changed so much."""

    level: float
    accuracy: float
    interval: Interval


@dataclass(frozen=True)
class RobustnessCurve:
    """Accuracy against one graded change.

    Attributes
    ----------
    condition
        The change, such as ``blur``.
    unit
        What its levels are measured in.
    points
        By rising level; the first is the unchanged seed.
    """

    condition: str
    unit: str
    points: tuple[RobustnessPoint, ...]


@dataclass(frozen=True)
class UnknownCheck:
    """One category held out in turn as a stand-in for what is unknown.

    Attributes
    ----------
    code
        The category.
    auroc
        How well novelty tells its seeds from held-out seeds of the others: 0.5 is chance.
    false_accepted, interval
        The share of its seeds that would be taken for known, with its 95 % interval.
    n_seeds
        How many seeds it has.
    """

    code: str
    auroc: float
    false_accepted: float
    interval: Interval
    n_seeds: int


@dataclass(frozen=True)
class DeepEvaluation:
    """The costly diagnostics of one artifact; each part is None until it was computed.

    Attributes
    ----------
    version
        The artifact.
    unknown
        Unknown detection, one category held out in turn; empty with two categories, and where too
        few groups would be left.
    """

    version: str
    curve: LearningCurve | None = None
    blame: tuple[SeedBlame, ...] | None = None
    techniques: tuple[TechniqueEffect, ...] | None = None
    robustness: tuple[RobustnessCurve, ...] | None = None
    unknown: tuple[UnknownCheck, ...] | None = None
