"""Seeds drawn again and again from many labelled pictures, with what models say of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlforge.evaluation.estimate import halving_folds
from mlforge.evaluation.folds import Folds, make_folds
from mlforge.evaluation.novelty import Novelty
from mlforge.evaluation.scores import HeldOut, Measured, evaluate
from mlforge.examples import example_categories
from mlforge.extractors import EXTRACTORS
from mlforge.modalities import MODALITIES
from mlforge.models import MODELS

__all__ = [
    "Draw",
    "Pictures",
    "category_files",
    "draw",
    "folder_files",
    "novelties",
    "pictures_of",
]

_FEATURES = ("hog", "color", "lbp", "thumbnail")
_N_FOLDS = 5
_CHUNK = 64

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures as features.

    Attributes
    ----------
    name
        What they show.
    features
        ``n_examples x n_features``, by the default extractors.
    labels
        ``n_examples``, from 0.
    """

    name: str
    features: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]

    @property
    def n_categories(self) -> int:
        """How many categories there are."""
        return int(self.labels.max()) + 1

    def choose(
        self, n_seeds: int, rng: np.random.Generator, left_out: int | None = None
    ) -> npt.NDArray[np.int64]:
        """Return the rows of so many seeds of each category but one, in order of category."""
        return np.concatenate(
            [
                rng.permutation(np.flatnonzero(self.labels == number))[:n_seeds]
                for number in range(self.n_categories)
                if number != left_out
            ]
        )


@dataclass(frozen=True)
class Draw:
    """One draw of seeds.

    Attributes
    ----------
    measured
        What mlforge says from the seeds.
    labels, probabilities
        Of the pictures that are no seeds: the truth, and what the final model says before its
        temperature, ``n_unseen`` and ``n_unseen x n_categories``.
    """

    measured: Measured
    labels: npt.NDArray[np.int64]
    probabilities: _Floats

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether the final model is right on each unseen picture."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.labels)

    @property
    def weights(self) -> _Floats:
        """Weights of the unseen pictures: each category counts the same, as among the seeds."""
        weights = 1.0 / np.bincount(self.labels)[self.labels]
        return np.asarray(weights / weights.sum())


def category_files(name: str, n_each: int) -> list[list[bytes]]:
    """Return so many pictures of each category of an example that comes with mlforge."""
    categories = example_categories(name, n_held_out=n_each - 12)
    return [[file.data for file in (*c.seeds, *c.held_out)] for c in categories]


def folder_files(root: Path) -> list[list[bytes]]:
    """Return the pictures of a folder of class folders, or of several such folders side by side."""
    suffixes = {".jpg", ".jpeg", ".png"}
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in suffixes)
    codes = sorted({path.parent.name for path in paths})
    return [[path.read_bytes() for path in paths if path.parent.name == code] for code in codes]


def pictures_of(name: str, files: Sequence[Sequence[bytes]]) -> Pictures:
    """Return the pictures of each category as features."""
    labels = np.repeat(np.arange(len(files)), [len(category) for category in files])
    return Pictures(name, _extract(data for category in files for data in category), labels)


def draw(pictures: Pictures, n_seeds: int, number: int, n_trees: int) -> Draw:
    """Draw seeds, evaluate on them as `train` does, and ask the final model about the others."""
    rng = np.random.default_rng([2026, n_seeds, number])
    rows = pictures.choose(n_seeds, rng)
    unseen = np.setdiff1d(np.arange(len(pictures.labels)), rows)
    labels, groups = pictures.labels[rows], [str(row) for row in rows]

    def fit(train: npt.NDArray[np.int64]) -> Callable[[npt.NDArray[np.int64]], _Floats]:
        component = MODELS.get("random_forest")
        model = component(component.Config(n_estimators=n_trees))  # type: ignore[call-arg] # of a forest
        model.fit(pictures.features[train], pictures.labels[train], rng)
        return lambda rows: model.predict_proba(pictures.features[rows])

    def held_out(folds: Folds) -> HeldOut:
        said = np.zeros((len(rows), pictures.n_categories))
        for fold in range(folds.n_folds):
            tested = folds.fold == fold
            said[tested] = fit(rows[~tested])(rows[tested])
        return HeldOut(labels, said, groups, folds.fold, files=groups, digests=groups)

    halves = halving_folds(labels, groups, rng)
    measured = evaluate(
        held_out(make_folds(labels, groups, _N_FOLDS, rng)),
        None if halves is None else held_out(halves),
        [str(number) for number in range(pictures.n_categories)],
        rng,
    )
    return Draw(measured, pictures.labels[unseen], fit(rows)(unseen))


def novelties(
    pictures: Pictures, n_seeds: int, number: int, left_out: int
) -> tuple[_Floats, _Floats]:
    """Return the novelty of unseen pictures of the known categories, and of one never seen."""
    rng = np.random.default_rng([2027, n_seeds, number, left_out])
    rows = pictures.choose(n_seeds, rng, left_out)
    novelty = Novelty.fit(pictures.features[rows], pictures.labels[rows], rng)
    unseen = np.setdiff1d(np.arange(len(pictures.labels)), rows)
    scores = novelty.score(pictures.features[unseen])
    strange = pictures.labels[unseen] == left_out
    return scores[~strange], scores[strange]


def _extract(files: Iterable[bytes]) -> npt.NDArray[np.float32]:
    modality = MODALITIES.get("image")()
    extractors = [EXTRACTORS.get(name, "image")() for name in _FEATURES]
    examples = [modality.decode(data) for data in files]
    parts = [
        np.hstack([extractor.extract(examples[at : at + _CHUNK]) for extractor in extractors])
        for at in range(0, len(examples), _CHUNK)
    ]
    return np.concatenate(parts)
