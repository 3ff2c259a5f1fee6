"""What a report is made from, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlforge.evaluation.choice import Tried
from mlforge.evaluation.gates import GateAnswer
from mlforge.evaluation.records import DeepEvaluation, Evaluation, Interval

__all__ = ["MAX_CARDS", "ActivationCard", "CategoryCard", "LeaderboardRow", "ReportData"]

MAX_CARDS = 1200
"""A page with more cards than this is slow to open, and nobody looks through it."""


@dataclass(frozen=True)
class CategoryCard:
    """What a model learned a category from.

    Attributes
    ----------
    code, name
        Its code, and its name for people.
    n_seeds, n_groups, n_samples
        How many seeds, independent groups of them (None where unknown) and samples there are.
    min_confidence
        A prediction of the category with less confidence is not reliable.
    techniques
        What varies its samples, as in ``config.json`` now: each with ``name`` and its parameters.
    changed
        Whether its configuration is another now than it was then.
    """

    code: str
    name: str
    n_seeds: int
    n_groups: int | None
    n_samples: int
    min_confidence: float
    techniques: tuple[Mapping[str, Any], ...] = ()
    changed: bool = False


@dataclass(frozen=True)
class LeaderboardRow:
    """A model of the same training.

    Attributes
    ----------
    version, model, features
        The artifact, its model and its extractors by name.
    accuracy, interval
        Its accuracy with the 95 % interval; None where nothing could be scored, the interval also
        where there are too few groups to tell.
    seconds
        How long its fits took.
    """

    version: str
    model: str
    features: tuple[str, ...]
    accuracy: float | None
    interval: Interval | None
    seconds: float


@dataclass(frozen=True)
class ActivationCard:
    """A seed, and where in it what was learned finds its category.

    Attributes
    ----------
    extractor
        What learned.
    code, file
        The seed's category and file, ``CODE/NAME``.
    probability
        Of its category, while the seed was held out.
    picture
        A JPEG, PNG or WebP picture of the seed beside its class-activation map.
    """

    extractor: str
    code: str
    file: str
    probability: float
    picture: bytes


@dataclass(frozen=True)
class ReportData:
    """Everything that a report shows.

    Attributes
    ----------
    project
        The name of the project's folder.
    version
        The artifact.
    created
        When it was trained, ISO 8601.
    modality
        The kind of data; it decides what the report calls an example.
    model, parameters
        The model by name, and its parameters.
    features
        The extractors by name.
    evaluation
        What held-out seeds say; None where nothing could be scored.
    deep
        The costly diagnostics; None where none was computed.
    categories
        What each category was learned from, in the order of their codes.
    leaderboard
        The models of the same training, best first.
    tried
        What the model was chosen from, best first; empty where nothing was chosen.
    gates
        The gates that were asked for, with their answers.
    libraries
        The version of each library that decides the result.
    environment
        Where it was trained: Python, platform.
    settings
        What the training was told, as dotted names with their values.
    activations
        Seeds with what speaks for their category; empty where nothing was learned.
    thumbnails
        A JPEG, PNG or WebP picture of a seed by its file, ``CODE/NAME``.
    missing
        The files of seeds that are no longer there, so that no picture can be made.
    max_cards
        How many wrong seeds are shown at most, and as many right ones.
    """

    project: str
    version: str
    created: str
    modality: str
    model: str
    parameters: Mapping[str, Any]
    features: tuple[str, ...]
    evaluation: Evaluation | None
    deep: DeepEvaluation | None
    categories: tuple[CategoryCard, ...]
    leaderboard: tuple[LeaderboardRow, ...] = ()
    tried: tuple[Tried, ...] = ()
    gates: tuple[GateAnswer, ...] = ()
    libraries: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    activations: tuple[ActivationCard, ...] = ()
    thumbnails: Mapping[str, bytes] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    max_cards: int = MAX_CARDS
