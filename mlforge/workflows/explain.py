"""Explaining a prediction: which regions and features spoke for it, and which seeds are like it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlforge.core.records import Prediction
from mlforge.core.reporting import Reporter
from mlforge.engines.local import LocalEngine
from mlforge.errors import ArtifactError, MlforgeError
from mlforge.extractors import activation_maps
from mlforge.modalities import Region
from mlforge.storage.files import make_folder, write_bytes
from mlforge.workflows.explanation_picture import PICTURE_SIDE, explanation_picture
from mlforge.workflows.features import ExampleFile, feature_matrix
from mlforge.workflows.predict import Predictor
from mlforge.workflows.workspace import Workspace

__all__ = [
    "ActivationMap",
    "Explainer",
    "Explanation",
    "FeatureEffect",
    "NearSeed",
    "RegionEffect",
    "picture_paths",
]

_BATCH = 16
_N_BACKGROUND = 32
_N_NEAR = 5
# All orders of up to four extractors are looked at; of more, so many and their reverses.
_N_ORDERS = 12
_MAX_ENUMERATED = 4
_LONGEST_STEM = 60


@dataclass(frozen=True)
class RegionEffect:
    """What a part of the example does for the prediction.

    Attributes
    ----------
    region
        The part.
    effect
        By how much hiding it lowers the probability of the predicted category.
    """

    region: Region
    effect: float


@dataclass(frozen=True)
class FeatureEffect:
    """What an extractor's features do for the prediction.

    Attributes
    ----------
    extractor
        The extractor.
    effect
        Its share of the difference between the confidence and the baseline.
    """

    extractor: str
    effect: float


@dataclass(frozen=True)
class ActivationMap:
    """Where in an example what an extractor learned speaks for the prediction.

    Attributes
    ----------
    extractor
        The extractor.
    rows
        The map from top to bottom, ``height x width``: above 0 for what speaks for it, in units of
        the last layer that its network was trained with.
    """

    extractor: str
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class NearSeed:
    """A seed like the example.

    Attributes
    ----------
    category
        Its category's code.
    file
        Its file, relative to the project.
    distance
        How far its features are: 0 are the same, 1 is the mean distance of two seeds.
    """

    category: str
    file: str
    distance: float


@dataclass(frozen=True)
class Explanation:
    """Why a model says what it says of one example.

    Attributes
    ----------
    prediction
        What it says.
    regions
        The regions, the one that speaks for it most first.
    baseline
        The mean probability of the predicted category over seeds of all categories; None where
        there are no seeds.
    features
        The extractors, the one that speaks for it most first; their effects sum to the confidence
        less the baseline. None where there are no seeds.
    nearest_seeds
        The seeds most like it, the nearest first.
    activations
        A map of each extractor that has learned and has one.
    notes
        What could not be said, and why.
    """

    prediction: Prediction
    regions: tuple[RegionEffect, ...]
    baseline: float | None
    features: tuple[FeatureEffect, ...]
    nearest_seeds: tuple[NearSeed, ...]
    activations: tuple[ActivationMap, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Seeds:
    """The project's seeds of the model's categories, and their features."""

    codes: tuple[str, ...]
    files: tuple[str, ...]
    features: npt.NDArray[np.float32]


class Explainer:
    """Explains what a model predicts.

    Parameters
    ----------
    predictor
        The model.
    workspace
        The project whose seeds it is compared with.
    reporter
        Takes progress where features of seeds are not cached.
    """

    def __init__(self, predictor: Predictor, workspace: Workspace, reporter: Reporter) -> None:
        self.predictor = predictor
        self._workspace = workspace
        self._reporter = reporter

    def explain(self, example: Any, file: str) -> Explanation:
        """Explain the prediction of a decoded example; `file` is what the prediction calls it."""
        prediction = self.predictor.predict_example(example, file)
        target = self.predictor.codes.index(prediction.prediction)
        regions = self._regions(example, target)
        seeds, note = self._seeds
        notes = [note] if note else []
        if not regions:
            notes.append(f"the modality {self.predictor.modality.name} cannot hide regions")
        maps, unmapped = self._activations(example, target)
        notes += unmapped
        if seeds is None:
            return Explanation(prediction, regions, None, (), (), maps, tuple(notes))
        row = self.predictor.features([example])[0]
        baseline, features = self._features(row, target, seeds)
        nearest = _nearest(self._slices, row, seeds)
        return Explanation(prediction, regions, baseline, features, nearest, maps, tuple(notes))

    def save_picture(self, explanation: Explanation, example: Any, path: Path) -> None:
        """Write a PNG of the example beside its regions, red where they speak for the prediction.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        make_folder(path.parent)
        picture = self.predictor.modality.thumbnail(example, PICTURE_SIDE)
        effects = [(found.region.box, found.effect) for found in explanation.regions]
        said = explanation.prediction
        maps = {a.extractor: np.array(a.rows, np.float32) for a in explanation.activations}
        write_bytes(
            path,
            explanation_picture(picture, effects, said.prediction, said.confidence, maps),
        )

    def _regions(self, example: Any, target: int) -> tuple[RegionEffect, ...]:
        """Hide each region in turn; a batch of examples is in memory at a time."""
        whole = float(self.predictor.probabilities([example])[0, target])
        found: list[RegionEffect] = []
        occlusions = self.predictor.modality.occlusions(example)
        while batch := list(itertools.islice(occlusions, _BATCH)):
            hidden = self.predictor.probabilities([example for _, example in batch])[:, target]
            found += [
                RegionEffect(region, round(whole - float(value), 6))
                for (region, _), value in zip(batch, hidden, strict=True)
            ]
        return tuple(sorted(found, key=lambda effect: -effect.effect))

    def _activations(
        self, example: Any, target: int
    ) -> tuple[tuple[ActivationMap, ...], list[str]]:
        """Return the maps, and what could not be said."""
        try:
            maps = activation_maps(self.predictor.extractors, example, target)
        # The answer does not rest on them.
        except ArtifactError as error:
            return (), [f"where it was found cannot be shown: {error.message}"]
        found = tuple(
            # Doubles: of a float32, four digits would be written as seventeen.
            ActivationMap(name, tuple(map(tuple, each.astype(np.float64).round(4).tolist())))
            for name, each in maps.items()
        )
        return found, []

    def _features(
        self, row: npt.NDArray[np.float32], target: int, seeds: _Seeds
    ) -> tuple[float, tuple[FeatureEffect, ...]]:
        r"""Share the difference to the baseline out among the extractors, by Shapley values.

        .. math:: \phi_e = \frac{1}{|R|} \sum_{r \in R}
                  v(P_e^r \cup \{e\}) - v(P_e^r)

        where :math:`R` are orders of the extractors, :math:`P_e^r` those before :math:`e`, and
        :math:`v(S)` the mean probability over seeds whose features in :math:`S` are replaced by
        those of the example.

        References
        ----------
        E. Štrumbelj, I. Kononenko (2014), Explaining prediction models and individual predictions
        with feature contributions, Knowledge and Information Systems 41.
        """
        background = seeds.features[_spread(seeds.codes)]
        known: dict[frozenset[str], float] = {}

        def value(extractors: frozenset[str]) -> float:
            if extractors not in known:
                mixed = background.copy()
                for name in extractors:
                    mixed[:, self._slices[name]] = row[self._slices[name]]
                known[extractors] = float(self.predictor.from_features(mixed)[:, target].mean())
            return known[extractors]

        totals = dict.fromkeys(self._slices, 0.0)
        orders = _orders(tuple(self._slices))
        for order in orders:
            before: frozenset[str] = frozenset()
            for name in order:
                totals[name] += value(before | {name}) - value(before)
                before |= {name}
        effects = [FeatureEffect(n, round(total / len(orders), 6)) for n, total in totals.items()]
        effects.sort(key=lambda effect: -effect.effect)
        return round(value(frozenset()), 6), tuple(effects)

    @cached_property
    def _slices(self) -> dict[str, slice]:
        """Where each extractor's features stand in a row."""
        slices, start = {}, 0
        for extractor in self.predictor.extractors:
            stop = start + len(extractor.names())
            slices[extractor.name] = slice(start, stop)
            start = stop
        return slices

    @cached_property
    def _seeds(self) -> tuple[_Seeds | None, str]:
        """The seeds and nothing, or nothing and why."""
        try:
            return self._read_seeds()
        # Explaining helps with a prediction; a project that is in a bad way must not prevent it.
        except MlforgeError as error:
            return None, f"not compared with the project's seeds: {error.message}"

    def _read_seeds(self) -> tuple[_Seeds | None, str]:
        workspace, modality = self._workspace, self.predictor.modality
        wanted = set(self.predictor.codes) & set(workspace.layout.category_codes())
        if not wanted:
            return None, "the project has no seeds of the model's categories to compare with"
        ours = (workspace.modality.name, workspace.modality.parameters())
        if ours != (modality.name, modality.parameters()):
            return None, (
                f"not compared with the project's seeds: [{modality.name}] of mlforge.toml has "
                "changed since the model was trained"
            )
        found = [
            (category.code, seed)
            for category in workspace.select(tuple(sorted(wanted)))
            for seed in workspace.seeds(category).seeds
        ]
        if not found:
            return None, "the project has no seeds of the model's categories to compare with"
        files = [ExampleFile(seed.path, seed.digest) for _, seed in found]
        features = feature_matrix(
            workspace,
            self.predictor.extractors,
            files,
            LocalEngine(reporter=self._reporter),
            self._reporter,
        )
        paths = tuple(str(seed.path.relative_to(workspace.root)) for _, seed in found)
        return _Seeds(tuple(code for code, _ in found), paths, features), ""


def picture_paths(names: Sequence[str], folder: Path) -> list[Path]:
    """Return where the picture of each file goes; never on a file of `names`, never two on one.

    Examples
    --------
    >>> [path.name for path in picture_paths(["a/x.jpg", "b/x.jpg", "-"], Path("why"))]
    ['x-explained.png', 'x-explained-2.png', 'stdin-explained.png']
    """
    taken = {Path(name).resolve() for name in names}
    paths = []
    for name in names:
        stem = "stdin" if name == "-" else Path(name).stem[:_LONGEST_STEM]
        numbers = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
        candidates = (folder / f"{stem}-explained{number}.png" for number in numbers)
        path = next(path for path in candidates if path.resolve() not in taken)
        taken.add(path.resolve())
        paths.append(path)
    return paths


def _spread(codes: Sequence[str]) -> list[int]:
    """Return rows of some seeds of each category, the same ones every time."""
    by_code: dict[str, list[int]] = {}
    for row, code in enumerate(codes):
        by_code.setdefault(code, []).append(row)
    n_each = max(1, _N_BACKGROUND // len(by_code))
    return [row for rows in by_code.values() for row in rows[:n_each]]


def _orders(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return orders of the extractors, each with its reverse; the same ones every time."""
    if len(names) <= _MAX_ENUMERATED:
        return list(itertools.permutations(names))
    rng = np.random.default_rng(0)
    drawn = [tuple(str(n) for n in rng.permutation(names)) for _ in range(_N_ORDERS)]
    return [order for one in drawn for order in (one, one[::-1])]


def _nearest(
    slices: Mapping[str, slice], row: npt.NDArray[np.float32], seeds: _Seeds
) -> tuple[NearSeed, ...]:
    """Return the seeds with the most similar features, each extractor counting alike.

    Features are measured in their standard deviations over the seeds. The mean square of the
    difference of two seeds is then 2, by which distances are divided.
    """
    squares = np.zeros(len(seeds.codes))
    for part in slices.values():
        block = seeds.features[:, part]
        spread = block.std(axis=0)
        varies = spread > 0
        if varies.any():
            apart = (block[:, varies] - row[part][varies]) / spread[varies]
            squares += (apart**2).mean(axis=1)
    distances = np.sqrt(squares / (2 * len(slices)))
    return tuple(
        NearSeed(seeds.codes[i], seeds.files[i], round(float(distances[i]), 4))
        for i in np.argsort(distances, kind="stable")[:_N_NEAR]
    )
