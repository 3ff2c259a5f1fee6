"""The diagnostics that take changed examples: label-safety of techniques, and robustness."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlforge.core.randomness import Streams
from mlforge.core.reporting import Advance
from mlforge.evaluation.effects import technique_effect
from mlforge.evaluation.intervals import (
    FIT_VARIANCE,
    effective_groups,
    group_numbers,
    wilson_interval,
)
from mlforge.evaluation.records import RobustnessCurve, RobustnessPoint, TechniqueEffect
from mlforge.extractors import Extractor
from mlforge.generators import Generator
from mlforge.modalities import Modality
from mlforge.storage.files import read_bytes
from mlforge.workflows.deep_parts import DeepInputs
from mlforge.workflows.features import extract_features
from mlforge.workflows.fits import PartModel, fit_part
from mlforge.workflows.sample_plan import make_generator
from mlforge.workflows.splits import Split
from mlforge.workflows.workspace import Workspace

__all__ = [
    "Makers",
    "make_makers",
    "n_robustness_steps",
    "n_technique_steps",
    "robustness",
    "technique_effects",
]

# So many fresh samples of each seed stand for what a technique gives.
_COPIES = 5
_CHUNK = 8


@dataclass(frozen=True)
class Makers:
    """What makes changed examples.

    Attributes
    ----------
    modality, extractors
        As for training.
    generators
        The generator of each category by code; None where it makes nothing from seeds.
    """

    modality: Modality
    extractors: tuple[Extractor, ...]
    generators: Mapping[str, Generator | None]

    @property
    def techniques(self) -> list[str]:
        """The techniques that some category uses."""
        used = {t.name for g in self.generators.values() if g for t in g.techniques}
        return sorted(used)


def make_makers(
    workspace: Workspace, extractors: Sequence[Extractor], codes: Sequence[str]
) -> Makers:
    """Make what makes changed examples from a project's configuration."""
    generators: dict[str, Generator | None] = {}
    for code in codes:
        generator = make_generator(workspace, workspace.category(code))
        generators[code] = generator if generator.needs_seeds and generator.techniques else None
    return Makers(workspace.modality, tuple(extractors), generators)


@dataclass(frozen=True)
class _SampleChunk:
    """Seeds of one category whose fresh samples one worker makes; paths, not pixels."""

    modality: Modality
    extractors: tuple[Extractor, ...]
    generator: Generator
    seeds: tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class _ChangeChunk:
    """Seeds that one worker changes in every way."""

    modality: Modality
    extractors: tuple[Extractor, ...]
    seeds: tuple[Path, ...]


def n_technique_steps(inputs: DeepInputs, makers: Makers) -> int:
    """Return how many steps `technique_effects` reports."""
    if not makers.techniques:
        return 0
    return (len(makers.techniques) + 1) * (inputs.data.dataset.n_seeds + len(inputs.folds))


def technique_effects(
    inputs: DeepInputs, makers: Makers, advance: Advance
) -> tuple[TechniqueEffect, ...]:
    """Compare held-out recall with each technique and without it, by category.

    Fresh samples are made of each seed for it, the same draws with the technique and without.
    """
    if not makers.techniques:
        return ()
    rows = np.sort(np.concatenate([fold.test for fold in inputs.folds]))
    dataset = inputs.data.dataset
    labels = dataset.labels[rows]
    with_all = _right(inputs, makers, None, advance)
    effects = []
    for technique in makers.techniques:
        without = _right(inputs, makers, technique, advance)
        for number, code in enumerate(dataset.codes):
            generator = makers.generators[code]
            own = labels == number
            if generator and own.any() and technique in [t.name for t in generator.techniques]:
                groups = group_numbers([dataset.groups[row] for row in rows[own]])
                effects.append(
                    technique_effect(code, technique, with_all[own], without[own], groups)
                )
    return tuple(sorted(effects, key=lambda effect: (effect.interval[1], effect.effect)))


def _right(
    inputs: DeepInputs, makers: Makers, left_out: str | None, advance: Advance
) -> npt.NDArray[np.bool_]:
    """Return whether each held-out seed is right after learning from samples without a technique.

    Sorted by row, as all results of folds are.
    """
    data, dataset = inputs.data, inputs.data.dataset
    origin, features = _fresh_samples(inputs, makers, left_out, advance)

    def run(fold: Split) -> npt.NDArray[np.bool_]:
        kept = fold.train[fold.train < dataset.n_seeds]
        chosen = np.isin(origin, kept)
        model = fit_part(
            inputs.candidate,
            np.concatenate([data.features[kept], features[chosen]]),
            np.concatenate([dataset.labels[kept], dataset.labels[origin[chosen]]]),
            len(dataset.codes),
            # The same draws with every technique and without: only the samples differ.
            data.streams.rng("deep", "technique", fold.number),
        )
        advance()
        said = model.probabilities(data.features[fold.test]).argmax(axis=1)
        right: npt.NDArray[np.bool_] = said == dataset.labels[fold.test]
        return right

    results = np.concatenate(list(inputs.engine.map_threads(run, inputs.folds)))
    order = np.argsort(np.concatenate([fold.test for fold in inputs.folds]))
    return results[order]


def _fresh_samples(
    inputs: DeepInputs, makers: Makers, left_out: str | None, advance: Advance
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return the seed, by row, and the features of fresh samples."""
    dataset = inputs.data.dataset
    chunks, origins = [], []
    for number, code in enumerate(dataset.codes):
        rows = np.flatnonzero(dataset.labels[: dataset.n_seeds] == number)
        generator = makers.generators[code]
        if generator is None:
            advance(len(rows))
            continue
        lighter = copy.copy(generator)
        lighter.techniques = [t for t in generator.techniques if t.name != left_out]
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            seeds = tuple((dataset.files[row].path, dataset.files[row].digest) for row in part)
            chunks.append(_SampleChunk(makers.modality, makers.extractors, lighter, seeds))
            origins.append(np.repeat(part, _COPIES))
    parts = []
    for chunk, outcome in zip(chunks, inputs.engine.map(_make_samples, chunks), strict=True):
        parts.append(outcome.unwrap())
        advance(len(chunk.seeds))
    return np.concatenate(origins), np.concatenate(parts)


def _make_samples(chunk: _SampleChunk) -> npt.NDArray[np.float32]:
    """Make samples and extract their features; run by a worker."""
    examples = []
    for path, digest in chunk.seeds:
        seed = chunk.modality.decode(read_bytes(path))
        streams = Streams(("deep", digest))
        for number in range(_COPIES):
            made = chunk.generator.apply_techniques(seed, streams.rng("copy", number))
            examples.append(made.example)
    return extract_features(chunk.extractors, examples)


def n_robustness_steps(inputs: DeepInputs, makers: Makers) -> int:
    """Return how many steps `robustness` reports."""
    if not makers.modality.graded_changes():
        return 0
    return inputs.data.dataset.n_seeds + len(inputs.folds)


def robustness(inputs: DeepInputs, makers: Makers, advance: Advance) -> tuple[RobustnessCurve, ...]:
    """Measure accuracy on held-out seeds that are changed more and more."""
    changes = makers.modality.graded_changes()
    if not changes:
        return ()
    models = list(
        inputs.engine.map_threads(lambda fold: _fold_model(inputs, fold, advance), inputs.folds)
    )
    changed = _changed_seeds(inputs, makers, advance)
    curves = []
    start = 1
    for change in changes:
        points = [_robustness_point(inputs, models, changed[:, 0], 0.0)]
        for step, level in enumerate(change.levels):
            points.append(_robustness_point(inputs, models, changed[:, start + step], level))
        start += len(change.levels)
        curves.append(RobustnessCurve(change.name, change.unit, tuple(points)))
    return tuple(curves)


def _fold_model(inputs: DeepInputs, fold: Split, advance: Advance) -> PartModel:
    model = inputs.fit(fold.train, "robustness", fold.number)
    advance()
    return model


def _changed_seeds(inputs: DeepInputs, makers: Makers, advance: Advance) -> npt.NDArray[np.float32]:
    """Return the features of every seed unchanged and in every change, seeds first."""
    dataset = inputs.data.dataset
    paths = [file.path for file in dataset.files[: dataset.n_seeds]]
    chunks = [
        _ChangeChunk(makers.modality, makers.extractors, tuple(paths[start : start + _CHUNK]))
        for start in range(0, len(paths), _CHUNK)
    ]
    parts = []
    for chunk, outcome in zip(chunks, inputs.engine.map(_change_seeds, chunks), strict=True):
        parts.append(outcome.unwrap())
        advance(len(chunk.seeds))
    return np.concatenate(parts)


def _change_seeds(chunk: _ChangeChunk) -> npt.NDArray[np.float32]:
    """Change seeds and extract their features; run by a worker."""
    changes = chunk.modality.graded_changes()
    rows = []
    for path in chunk.seeds:
        seed = chunk.modality.decode(read_bytes(path))
        examples = [seed]
        for change in changes:
            examples += [change.apply(seed, level) for level in change.levels]
        rows.append(extract_features(chunk.extractors, examples))
    return np.stack(rows)


def _robustness_point(
    inputs: DeepInputs,
    models: Sequence[PartModel],
    features: npt.NDArray[np.float32],
    level: float,
) -> RobustnessPoint:
    dataset = inputs.data.dataset
    rows = np.concatenate([fold.test for fold in inputs.folds])
    said = [
        model.probabilities(features[fold.test]).argmax(axis=1)
        for model, fold in zip(models, inputs.folds, strict=True)
    ]
    right = np.concatenate(said) == dataset.labels[rows]
    group_of = group_numbers([dataset.groups[row] for row in rows])
    accuracy = float(right.mean())
    interval = wilson_interval(accuracy, effective_groups(right, group_of) / FIT_VARIANCE)
    return RobustnessPoint(level, accuracy, interval)
