"""What the parts of mlforge hand to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Failure", "Prediction", "SampleRecord", "Seed", "Source"]


@dataclass(frozen=True)
class Seed:
    """An original example that a user supplied.

    Attributes
    ----------
    path
        The file.
    digest
        The SHA-256 of its bytes.
    group
        What ties it to seeds that are not independent of it; seeds of one group are never split
        across train and test.
    """

    path: Path
    digest: str
    group: str


@dataclass(frozen=True)
class Source:
    """What samples are made from: a seed, or one of a category's `sample_inputs`.

    Attributes
    ----------
    digest
        The SHA-256 of the seed's bytes, or of the input's UTF-8.
    name
        The seed's file name, or the input itself.
    path
        The seed's file; None for an input.
    """

    digest: str
    name: str
    path: Path | None = None


@dataclass(frozen=True)
class Failure:
    """One item that could not be used, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class SampleRecord:
    """A line of a category's sample manifest.

    Attributes
    ----------
    file
        The file's name in the samples folder; empty where no sample could be made.
    seed
        The digest of its seed.
    copy
        Its number among the samples of its seed, from 1.
    digest
        The SHA-256 of the file's bytes.
    n_bytes
        The file's size.
    quality
        The quality score, 0 to 1.
    recipe
        The steps that made it with the values that were drawn.
    failure
        Why there is no sample; empty where there is one.
    """

    file: str
    seed: str
    copy: int
    digest: str
    n_bytes: int
    quality: float
    recipe: tuple[Mapping[str, Any], ...]
    failure: str = ""


@dataclass(frozen=True)
class Prediction:
    """What a model says of one example.

    Attributes
    ----------
    file
        The example's file, as it was named.
    model
        The version of the artifact.
    prediction
        The code of the most probable category.
    category_name
        Its name for people.
    confidence
        Its probability, calibrated on held-out seeds.
    reliable
        Whether it is known and the confidence reaches the category's `min_confidence`; never of a
        model that was trained on too few seeds to tell what is unknown.
    known
        Whether the example is like those that the model learned from; where it is not,
        `prediction` is the least unlikely category and never reliable.
    prediction_set
        The codes that may be right, the most probable first: together they hold the right one as
        often as ``predict.coverage`` asked for.
    all_probabilities
        The probability of each category by its code, highest first.
    timestamp
        When the prediction was made: ISO 8601, UTC.
    """

    file: str
    model: str
    prediction: str
    category_name: str
    confidence: float
    reliable: bool
    known: bool
    prediction_set: tuple[str, ...]
    all_probabilities: Mapping[str, float]
    timestamp: str
