"""Packaging: turning what a training gives into the files of an artifact."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from mlforge.core.arrays import array_to_bytes
from mlforge.evaluation.records import Evaluation
from mlforge.extractors import LearningExtractor
from mlforge.storage.artifacts import StoredArtifact
from mlforge.workflows.dataset import Dataset
from mlforge.workflows.fits import FittedModel, TrainingJob
from mlforge.workflows.golden import golden_files
from mlforge.workflows.lessons import technique_versions
from mlforge.workflows.provenance import data_facts, environment, portable, training_settings
from mlforge.workflows.splits import TrainingData
from mlforge.workflows.workspace import Workspace

__all__ = ["GRAPH_FILE", "METRICS_FILE", "Package", "category_entries", "package"]

METRICS_FILE = "metrics.json"
GRAPH_FILE = "model.onnx"


def category_entries(dataset: Dataset) -> list[dict[str, Any]]:
    """Return what prediction needs to know of each category."""
    return [
        {
            "code": config.category_code,
            "name": config.category_name,
            "min_confidence": config.quality_thresholds.min_confidence,
        }
        for config in dataset.categories
    ]


@dataclass(frozen=True)
class Package:
    """What an artifact is made of before it is stored.

    Attributes
    ----------
    model
        The model's name.
    manifest
        What describes it, but for its version and files.
    files
        Its files by name.
    """

    model: str
    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]


def package(
    workspace: Workspace,
    data: TrainingData,
    job: TrainingJob,
    fitted: FittedModel,
    created: str,
) -> Package:
    """Return what one model's artifact is made of."""
    evaluation = fitted.evaluation
    metrics = {
        "evaluation": None if evaluation is None else dataclasses.asdict(evaluation),
        "seconds": fitted.seconds,
    }
    files = {GRAPH_FILE: fitted.graph, METRICS_FILE: json.dumps(metrics, indent=1).encode()}
    described = []
    for extractor in fitted.extractors:
        state = {f"{extractor.name}.{name}": blob for name, blob in extractor.state().items()}
        files |= state
        described.append(
            {
                "name": extractor.name,
                "revision": extractor.revision,
                "parameters": portable(extractor.parameters()),
                "state": {name.removeprefix(f"{extractor.name}."): name for name in state},
            }
        )
    modality, model = workspace.modality, fitted.candidate.model
    novelty = {f"novelty.{k}": array_to_bytes(v) for k, v in (fitted.novelty or {}).items()}
    files |= novelty
    manifest = {
        "created": created,
        "fingerprint": job.fingerprint,
        "model": {"name": model.name, "parameters": dataclasses.asdict(fitted.candidate.config)},
        "modality": {"name": modality.name, "parameters": modality.parameters()},
        "extractors": described,
        "categories": category_entries(data.dataset),
        "temperature": fitted.temperature,
        "set_threshold": evaluation.sets.threshold if evaluation and evaluation.sets else None,
        "unknown": _unknown_entry(evaluation, novelty),
        "chosen_from": _tried(job, fitted),
        "n_features": sum(len(extractor.names()) for extractor in fitted.extractors),
        "n_seeds": data.dataset.n_seeds,
        "n_samples": len(data.dataset.files) - data.dataset.n_seeds,
        "data": data_facts(data.dataset),
        "settings": training_settings(workspace),
        "versions": _library_versions(workspace, data, fitted),
        "environment": environment(fitted.extractors),
    }
    unproven = StoredArtifact(model.name, manifest, files)
    files |= golden_files(data.dataset, modality, unproven)
    return Package(model.name, manifest, files)


def _unknown_entry(
    evaluation: Evaluation | None, novelty: Mapping[str, bytes]
) -> dict[str, Any] | None:
    """Return what tells unknown examples: a threshold, and the files of the score's arrays."""
    if evaluation is None or evaluation.unknown is None:
        return None
    state = {name.removeprefix("novelty."): name for name in novelty}
    return {"threshold": evaluation.unknown.threshold, "state": state}


def _tried(job: TrainingJob, fitted: FittedModel) -> dict[str, Any] | None:
    """Return what the model was chosen from; None where there was nothing to choose."""
    if not fitted.tried:
        return None
    candidates = [
        {
            "name": candidate.model.name,
            "parameters": dataclasses.asdict(candidate.config),
            "features": list(candidate.features),
            "held_out_accuracy": accuracy,
        }
        for candidate, accuracy in fitted.tried
    ]
    return {"asked": job.name, "candidates": candidates}


def _library_versions(
    workspace: Workspace, data: TrainingData, fitted: FittedModel
) -> dict[str, str]:
    versions = {name: metadata.version(name) for name in ("mlforge", "onnxruntime")}
    versions |= {**workspace.modality.versions(), **fitted.candidate.model.versions()}
    for extractor in fitted.extractors:
        versions |= extractor.versions()
    if any(isinstance(extractor, LearningExtractor) for extractor in fitted.extractors):
        versions |= technique_versions(data.source.techniques)
    return dict(sorted(versions.items()))
