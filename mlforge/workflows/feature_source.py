"""Where the features of a training come from: once for all splits, or learned anew for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlforge.core.category import CategoryConfig
from mlforge.core.randomness import Streams
from mlforge.core.reporting import Reporter
from mlforge.engines.local import LocalEngine
from mlforge.extractors import Extractor, LearningExtractor, TrainingSet
from mlforge.generators import GENERATORS
from mlforge.techniques import apply_in_turn
from mlforge.workflows.dataset import Dataset
from mlforge.workflows.features import feature_matrix, reduced_examples
from mlforge.workflows.lessons import Techniques, category_techniques
from mlforge.workflows.workspace import Workspace

__all__ = ["FeatureSource", "Features", "feature_source"]

_CHUNK = 64


@dataclass(frozen=True, eq=False)
class Features:
    """The features of the examples of one split.

    Attributes
    ----------
    extractors
        What gave them; those that learn are fitted to the training part of the split.
    parts
        By extractor, ``n_examples x n_features`` each. Of an extractor that learns, the rows that
        are not of the split are 0.
    seconds
        How long fitting those that learn took.
    """

    extractors: tuple[Extractor, ...]
    parts: Mapping[str, npt.NDArray[np.float32]]
    seconds: float = 0.0

    def of(self, rows: npt.NDArray[np.intp], names: Sequence[str] = ()) -> npt.NDArray[np.float32]:
        """Return the features of some examples, ``n_rows x n_features``.

        Parameters
        ----------
        rows
            The examples.
        names
            The extractors whose features are joined, in this order; all where empty.
        """
        return np.hstack([self.parts[name][rows] for name in names or self.parts])

    def beside(self, others: Features) -> Features:
        """Return these features and others of the same split."""
        return Features(
            (*self.extractors, *others.extractors),
            {**self.parts, **others.parts},
            self.seconds + others.seconds,
        )

    def chosen(self, names: Sequence[str]) -> list[Extractor]:
        """Return the extractors with these names, in this order."""
        by_name = {extractor.name: extractor for extractor in self.extractors}
        return [by_name[name] for name in names]


@dataclass(frozen=True, eq=False)
class FeatureSource:
    """What gives the features of every split.

    Attributes
    ----------
    extractors
        All of them, in order.
    fixed
        The features of those that do not learn, by name, ``n_examples x n_features`` each.
    reduced
        The examples as each of those that learn takes them, by name, ``n_examples`` each.
    dataset
        The seeds and samples.
    techniques
        Those of each category, by its number.
    """

    extractors: tuple[Extractor, ...]
    fixed: Mapping[str, npt.NDArray[np.float32]]
    reduced: Mapping[str, npt.NDArray[Any]]
    dataset: Dataset
    techniques: Techniques

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the extractors."""
        return tuple(extractor.name for extractor in self.extractors)

    def n_steps(self, names: Collection[str]) -> int:
        """Return how many steps `fit` reports for the extractors with these names."""
        return sum(e.n_steps for e in self.extractors if e.name in names)

    def fit(
        self,
        train: npt.NDArray[np.intp],
        rows: npt.NDArray[np.intp],
        streams: Streams,
        advance: Callable[[], None],
        names: Collection[str] | None = None,
    ) -> Features:
        """Fit what learns to training rows, and return the features of `rows`.

        Parameters
        ----------
        train
            The rows to learn from.
        rows
            The rows that will be asked for, those of `train` among them.
        streams
            The only source of randomness; each extractor draws from its own.
        advance
            Called `n_steps` times.
        names
            The extractors; all where None.
        """
        start = time.perf_counter()
        extractors, parts = [], {}
        for extractor in self.extractors:
            if names is not None and extractor.name not in names:
                continue
            if isinstance(extractor, LearningExtractor):
                rng = streams.rng(extractor.name)
                extractor = extractor.fit(self.training_set(extractor.name, train), rng, advance)
                parts[extractor.name] = self._extracted(extractor, rows)
            else:
                parts[extractor.name] = self.fixed[extractor.name]
            extractors.append(extractor)
        return Features(tuple(extractors), parts, time.perf_counter() - start)

    def _extracted(
        self, extractor: Extractor, rows: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.float32]:
        values = np.zeros((len(self.dataset.files), len(extractor.names())), np.float32)
        reduced = self.reduced[extractor.name]
        # In parts: fits side by side would each hold a copy of everything.
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            values[part] = extractor.extract(list(reduced[part]))
        return values

    def training_set(self, name: str, train: npt.NDArray[np.intp]) -> TrainingSet:
        """Return what the extractor with that name learns from, of some training rows."""
        dataset, reduced = self.dataset, self.reduced[name]
        kept = self._lessons(train)

        def vary(place: int, rng: np.random.Generator) -> Any:
            row = int(kept[place])
            example, label = reduced[row], int(dataset.labels[row])
            settings = dataset.categories[label].augmentation_settings
            if not self._is_seed(row) or rng.random() >= settings.augmentation_ratio:
                return example
            return apply_in_turn(self.techniques[label], example, rng)[0]

        # Views, not copies.
        examples = [reduced[row] for row in kept]
        return TrainingSet(examples, dataset.labels[kept], len(dataset.codes), vary)

    def _lessons(self, train: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Return the training rows to learn from; of a category without a lesson all its rows.

        A random split of all examples may leave a category its samples, and no seed.
        """
        is_lesson = np.array([self._is_lesson(row) for row in train.tolist()], np.bool_)
        labels = self.dataset.labels[train]
        return train[is_lesson | ~np.isin(labels, labels[is_lesson])]

    def _is_seed(self, row: int) -> bool:
        code = self.dataset.codes[self.dataset.labels[row]]
        return row < self.dataset.n_seeds and code not in self.dataset.generated_only

    def _is_lesson(self, row: int) -> bool:
        """Return whether a row is learned from: a seed, or a sample that holds what none does."""
        return self._is_seed(row) or not _varies_only(
            self.dataset.categories[self.dataset.labels[row]]
        )


def feature_source(
    workspace: Workspace,
    extractors: Sequence[Extractor],
    dataset: Dataset,
    engine: LocalEngine,
    reporter: Reporter,
) -> FeatureSource:
    """Extract what is the same for all splits, and prepare what is learned for each.

    Raises
    ------
    DataError
        If a file is gone, was changed since its digest was taken, or cannot be decoded.
    """
    fixed, start = {}, 0
    still = [e for e in extractors if not isinstance(e, LearningExtractor)]
    if still:
        matrix = feature_matrix(workspace, still, dataset.files, engine, reporter)
        for extractor in still:
            stop = start + len(extractor.names())
            fixed[extractor.name] = matrix[:, start:stop]
            start = stop
    learning = [e for e in extractors if isinstance(e, LearningExtractor)]
    reduced = reduced_examples(workspace, learning, dataset.files, engine, reporter)
    techniques = category_techniques(dataset, workspace.modality)
    return FeatureSource(tuple(extractors), fixed, reduced, dataset, techniques)


def _varies_only(config: CategoryConfig) -> bool:
    return GENERATORS.get(config.generation_settings.method).varies_only
