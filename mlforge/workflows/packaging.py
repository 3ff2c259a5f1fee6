"""Packaging: turning what a training gives into the files of an artifact."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from mlforge.extractors import Extractor
from mlforge.workflows.dataset import Dataset
from mlforge.workflows.fits import FittedModel, TrainingData, TrainingJob
from mlforge.workflows.workspace import Workspace

__all__ = ["GRAPH_FILE", "METRICS_FILE", "category_entries", "store_artifact"]

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


def store_artifact(
    workspace: Workspace,
    data: TrainingData,
    extractors: Sequence[Extractor],
    job: TrainingJob,
    fitted: FittedModel,
    created: str,
) -> str:
    """Store one model's artifact and return its version."""
    evaluation = fitted.evaluation
    metrics = {
        "evaluation": None if evaluation is None else dataclasses.asdict(evaluation),
        "seconds": fitted.seconds,
    }
    files = {GRAPH_FILE: fitted.graph, METRICS_FILE: json.dumps(metrics, indent=1).encode()}
    described = []
    for extractor in extractors:
        state = {f"{extractor.name}.{name}": blob for name, blob in extractor.state().items()}
        files |= state
        described.append(
            {
                "name": extractor.name,
                "revision": extractor.revision,
                "parameters": extractor.parameters(),
                "state": {name.removeprefix(f"{extractor.name}."): name for name in state},
            }
        )
    modality = workspace.modality
    manifest = {
        "created": created,
        "fingerprint": job.fingerprint,
        "model": {"name": job.model.name, "parameters": dataclasses.asdict(job.config)},
        "modality": {"name": modality.name, "parameters": modality.parameters()},
        "extractors": described,
        "categories": category_entries(data.dataset),
        "temperature": fitted.temperature,
        "n_features": int(data.features.shape[1]),
        "n_seeds": data.dataset.n_seeds,
        "n_samples": len(data.dataset.files) - data.dataset.n_seeds,
        "versions": _library_versions(modality.versions(), job.model.versions(), extractors),
    }
    return workspace.artifacts.save(job.model.name, manifest, files)


def _library_versions(
    modality: Mapping[str, str], model: Mapping[str, str], extractors: Sequence[Extractor]
) -> dict[str, str]:
    versions = {"mlforge": metadata.version("mlforge"), **modality, **model}
    for extractor in extractors:
        versions |= extractor.versions()
    return dict(sorted(versions.items()))
