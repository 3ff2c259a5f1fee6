"""Splits: what each fit learns from and what it is scored on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from mlforge.core.randomness import Streams
from mlforge.evaluation.estimate import halving_folds
from mlforge.evaluation.folds import Folds, inner_blocks, make_folds
from mlforge.evaluation.leakage import random_split
from mlforge.workflows.dataset import Dataset
from mlforge.workflows.feature_source import FeatureSource

__all__ = ["Purpose", "Split", "TrainingData", "training_data"]


class Purpose(Enum):
    """What a fit is for."""

    FOLD = auto()
    """To score held-out seeds."""
    INNER = auto()
    """To choose among candidates: tests several folds, so that each has a choice without it."""
    HALF = auto()
    """To score them again after learning from half of the seeds: how much do more of them help?"""
    LEAK = auto()
    """To learn what a random split of samples would have claimed."""
    FINAL = auto()
    """To be stored."""


@dataclass(frozen=True, eq=False)
class Split:
    """What a fit learns from and what it is scored on.

    Attributes
    ----------
    purpose, number
        What it is for, and its number among those of this purpose.
    train, test
        Rows of the examples.
    """

    purpose: Purpose
    number: int
    train: npt.NDArray[np.intp]
    test: npt.NDArray[np.intp]

    @property
    def rows(self) -> npt.NDArray[np.intp]:
        """All of its rows."""
        return np.union1d(self.train, self.test)


@dataclass(frozen=True)
class TrainingData:
    """What all jobs share.

    Attributes
    ----------
    dataset
        The seeds and samples.
    source
        What gives the features of each split.
    folds
        The test fold of each seed.
    splits
        All that is fitted of each model.
    streams
        The only source of randomness.
    coverage
        How often prediction sets are to hold the right category.
    """

    dataset: Dataset
    source: FeatureSource
    folds: Folds
    splits: tuple[Split, ...]
    streams: Streams
    coverage: float

    def of(self, purpose: Purpose) -> list[Split]:
        """Return the splits for one purpose, in the order of their numbers."""
        return [split for split in self.splits if split.purpose is purpose]


def training_data(
    source: FeatureSource,
    streams: Streams,
    *,
    n_folds: int,
    coverage: float,
    choosing: bool = False,
) -> TrainingData:
    """Divide the examples into all the splits that a training needs.

    Parameters
    ----------
    source
        What gives the features of each split.
    streams
        The only source of randomness.
    n_folds
        How many folds to make at most.
    coverage
        How often prediction sets are to hold the right category.
    choosing
        Whether there are candidates to choose from.
    """
    dataset = source.dataset
    labels = dataset.labels[: dataset.n_seeds]
    folds = make_folds(labels, dataset.groups, n_folds, streams.rng("folds"))
    everything = np.arange(len(dataset.labels))
    splits = [Split(Purpose.FINAL, 0, everything, everything[:0])]
    splits += _fold_splits(dataset, folds, Purpose.FOLD, [(n,) for n in range(folds.n_folds)])
    if choosing:
        splits += _fold_splits(dataset, folds, Purpose.INNER, inner_blocks(folds.n_folds))
    if folds.n_folds:
        halves = halving_folds(labels, dataset.groups, streams.rng("halves"))
        if halves is not None:
            each = [(number,) for number in range(halves.n_folds)]
            splits += _fold_splits(dataset, halves, Purpose.HALF, each)
        if len(dataset.labels) > dataset.n_seeds:
            tested = random_split(dataset.labels, streams.rng("leak"))
            splits.append(Split(Purpose.LEAK, 0, everything[~tested], everything[tested]))
    return TrainingData(dataset, source, folds, tuple(splits), streams, coverage)


def _fold_splits(
    dataset: Dataset, folds: Folds, purpose: Purpose, blocks: Sequence[tuple[int, ...]]
) -> list[Split]:
    """Return a split for each block of folds, which it tests.

    Of their groups nothing is trained on: no sample, and no seed that is never tested.
    """
    return [
        Split(
            purpose,
            number,
            np.flatnonzero(~np.isin(dataset.of_seeds(folds.left_out), block)),
            np.flatnonzero(np.isin(folds.fold, block)),
        )
        for number, block in enumerate(blocks)
    ]
