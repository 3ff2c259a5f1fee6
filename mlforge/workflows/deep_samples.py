"""The diagnostics that take changed examples: label-safety of techniques, and robustness."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from mlforge.extractors import Extractor, LearningExtractor
from mlforge.generators import Generator
from mlforge.modalities import Modality
from mlforge.storage.files import read_bytes
from mlforge.workflows.deep_parts import DeepInputs
from mlforge.workflows.feature_source import Features
from mlforge.workflows.model_fit import PartModel, fit_part
from mlforge.workflows.sample_recipe import make_generator
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

    def users(self, technique: str) -> list[str]:
        """Return the codes of the categories that use a technique."""
        return [
            code
            for code, generator in self.generators.items()
            if generator and technique in [t.name for t in generator.techniques]
        ]


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

    Every category that is scored is looked at: the samples of one can spoil another. Fresh samples
    are made of each seed for it, the same draws with the technique and without.
    """
    if not makers.techniques:
        return ()
    rows = np.sort(np.concatenate([fold.test for fold in inputs.folds]))
    dataset = inputs.data.dataset
    labels = dataset.labels[rows]
    said_with = _said(inputs, makers, None, advance)
    effects = []
    for technique in makers.techniques:
        said_without = _said(inputs, makers, technique, advance)
        for number in np.unique(labels).tolist():
            own = labels == number
            lost = own & (said_without == number) & (said_with != number)
            effects.append(
                technique_effect(
                    dataset.codes[number],
                    technique,
                    said_with[own] == number,
                    said_without[own] == number,
                    group_numbers([dataset.groups[row] for row in rows[own]]),
                    users=makers.users(technique),
                    taken_for=[dataset.codes[other] for other in np.unique(said_with[lost])],
                )
            )
    return tuple(sorted(effects, key=lambda effect: (effect.interval[1], effect.effect)))


def _said(
    inputs: DeepInputs, makers: Makers, left_out: str | None, advance: Advance
) -> npt.NDArray[np.int64]:
    """Return what held-out seeds are taken for after learning from samples without a technique.

    Sorted by row, as all results of folds are.
    """
    data, dataset = inputs.data, inputs.data.dataset
    origin, seen = _fresh_samples(inputs, makers, left_out, advance)
    lighter = tuple(
        tuple(t for t in techniques if t.name != left_out) for techniques in data.source.techniques
    )
    source = dataclasses.replace(data.source, techniques=lighter)

    def run(fold: Split) -> npt.NDArray[np.int64]:
        kept = fold.train[fold.train < dataset.n_seeds]
        chosen = np.isin(origin, kept)
        features = inputs.fit_features(kept, fold.test, "technique", fold.number, source=source)
        fresh = _features_of(features, [part[chosen] for part in seen])
        model = fit_part(
            inputs.candidate,
            np.concatenate([features.of(kept), fresh]),
            np.concatenate([dataset.labels[kept], dataset.labels[origin[chosen]]]),
            len(dataset.codes),
            # The same draws with every technique and without: only the samples differ.
            data.streams.rng("deep", "technique", fold.number),
        )
        advance()
        said: npt.NDArray[np.int64] = model.probabilities(features.of(fold.test)).argmax(axis=1)
        return said

    results = np.concatenate(list(inputs.engine.map_threads(run, inputs.folds)))
    order = np.argsort(np.concatenate([fold.test for fold in inputs.folds]))
    return results[order]


def _fresh_samples(
    inputs: DeepInputs, makers: Makers, left_out: str | None, advance: Advance
) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[Any]]]:
    """Return the seed, by row, of fresh samples, and what each extractor sees of them."""
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
    return np.concatenate(origins), [np.concatenate(seen) for seen in zip(*parts, strict=True)]


def _make_samples(chunk: _SampleChunk) -> list[npt.NDArray[Any]]:
    """Make samples, and return what each extractor sees of them; run by a worker."""
    examples = []
    for path, digest in chunk.seeds:
        seed = chunk.modality.decode(read_bytes(path))
        streams = Streams(("deep", digest))
        for number in range(_COPIES):
            made = chunk.generator.apply_techniques(seed, streams.rng("copy", number))
            examples.append(made.example)
    return _seen(chunk.extractors, examples)


def _seen(extractors: Sequence[Extractor], examples: Sequence[Any]) -> list[npt.NDArray[Any]]:
    """Return each extractor's features; of one that learns, the examples as it takes them."""
    return [
        np.stack([e.reduced(example) for example in examples])
        if isinstance(e, LearningExtractor)
        else e.extract(examples)
        for e in extractors
    ]


def _features_of(features: Features, seen: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    """Return the joined features of what was seen, by extractors that are fitted."""
    return np.hstack(
        [
            extractor.extract(list(part)) if isinstance(extractor, LearningExtractor) else part
            for extractor, part in zip(features.extractors, seen, strict=True)
        ]
    )


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
    by_fold = inputs.by_fold

    def fit(fold: Split) -> _FoldModel:
        model = inputs.fit(by_fold[fold.number], fold.train, "robustness", fold.number)
        advance()
        return _FoldModel(fold, by_fold[fold.number], model)

    models = list(inputs.engine.map_threads(fit, inputs.folds))
    changed = _changed_seeds(inputs, makers, advance)
    curves = []
    start = 1
    for change in changes:
        points = [_robustness_point(inputs, models, changed, 0, 0.0)]
        for step, level in enumerate(change.levels):
            points.append(_robustness_point(inputs, models, changed, start + step, level))
        start += len(change.levels)
        curves.append(RobustnessCurve(change.name, change.unit, tuple(points)))
    return tuple(curves)


@dataclass(frozen=True)
class _FoldModel:
    """A model that a fold's seeds were held out from, and what gives its features."""

    fold: Split
    features: Features
    model: PartModel


def _changed_seeds(inputs: DeepInputs, makers: Makers, advance: Advance) -> list[npt.NDArray[Any]]:
    """Return what each extractor sees of every seed unchanged and in every change.

    ``n_seeds x n_changes x ...`` each.
    """
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
    return [np.concatenate(seen) for seen in zip(*parts, strict=True)]


def _change_seeds(chunk: _ChangeChunk) -> list[npt.NDArray[Any]]:
    """Change seeds, and return what each extractor sees of them; run by a worker."""
    changes = chunk.modality.graded_changes()
    rows = []
    for path in chunk.seeds:
        seed = chunk.modality.decode(read_bytes(path))
        examples = [seed]
        for change in changes:
            examples += [change.apply(seed, level) for level in change.levels]
        rows.append(_seen(chunk.extractors, examples))
    return [np.stack(seen) for seen in zip(*rows, strict=True)]


def _robustness_point(
    inputs: DeepInputs,
    models: Sequence[_FoldModel],
    changed: Sequence[npt.NDArray[Any]],
    change: int,
    level: float,
) -> RobustnessPoint:
    dataset = inputs.data.dataset
    rows = np.concatenate([made.fold.test for made in models])
    said = []
    for made in models:
        features = _features_of(made.features, [seen[made.fold.test, change] for seen in changed])
        said.append(made.model.probabilities(features).argmax(axis=1))
    chosen = dataset.are_evidence(rows)
    right = (np.concatenate(said) == dataset.labels[rows])[chosen]
    group_of = group_numbers([dataset.groups[row] for row in rows[chosen]])
    accuracy = float(right.mean())
    interval = wilson_interval(accuracy, effective_groups(right, group_of) / FIT_VARIANCE)
    return RobustnessPoint(level, accuracy, interval)
