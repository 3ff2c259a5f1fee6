"""Trained models: what was noted of each artifact when it was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlforge.core.reporting import Reporter
from mlforge.core.strict_json import is_number
from mlforge.errors import ArtifactError
from mlforge.evaluation.choice import Tried
from mlforge.evaluation.records import Evaluation
from mlforge.evaluation.stored import from_json
from mlforge.storage.artifact_manifest import remedy
from mlforge.workflows.packaging import METRICS_FILE
from mlforge.workflows.workspace import Workspace

__all__ = [
    "TrainedModel",
    "best_first",
    "stored_model",
    "stored_models",
    "trained_model",
    "tried_in",
]

_MOST_SECONDS = 1e9
_FIRST_SCHEMA = "mlforge.artifact/1"
_NOT_KNOWN_THEN: Mapping[str, Any] = {
    "leaky_accuracy": None,
    "generated_only": (),
    "calibration": None,
    "sets": None,
    "unknown": None,
    "seeds": (),
}


@dataclass(frozen=True)
class TrainedModel:
    """One trained model.

    Attributes
    ----------
    version
        The artifact.
    model
        The model's name.
    features
        The extractors by name.
    evaluation
        What held-out seeds say; None where no category can be scored.
    seconds
        How long its fits took.
    up_to_date
        Whether it was there already, made from the same inputs.
    tried
        What it was chosen from, itself included, best first; empty where nothing was chosen.
    """

    version: str
    model: str
    features: tuple[str, ...]
    evaluation: Evaluation | None
    seconds: float
    up_to_date: bool
    tried: tuple[Tried, ...] = ()


def best_first(models: Iterable[TrainedModel]) -> list[TrainedModel]:
    """Return models in the order of their accuracy; those that could not be scored last."""
    return sorted(models, key=lambda m: -m.evaluation.accuracy if m.evaluation else 0.0)


def stored_model(workspace: Workspace, version: str) -> TrainedModel:
    """Return what was noted of an artifact when it was trained.

    Raises
    ------
    ArtifactError
        If it is missing or damaged.
    """
    manifest = workspace.artifacts.manifest(version)
    metrics = workspace.artifacts.read_json(version, METRICS_FILE)
    return trained_model(version, manifest, metrics)


def trained_model(version: str, manifest: Mapping[str, Any], metrics: Any) -> TrainedModel:
    """Return what manifest and metrics of an artifact say of its training.

    Raises
    ------
    ArtifactError
        If the metrics are not those of a training.
    """
    try:
        evaluation = _evaluation(metrics["evaluation"], manifest)
        seconds = _seconds(metrics["seconds"])
    # Its digests are right, and yet somebody else may have written it.
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{version}/{METRICS_FILE}: does not describe a training", remedy(manifest)
        ) from error
    return TrainedModel(
        version,
        manifest["model"]["name"],
        tuple(extractor["name"] for extractor in manifest["extractors"]),
        evaluation,
        seconds,
        up_to_date=True,
        tried=tried_in(manifest),
    )


def tried_in(manifest: Mapping[str, Any]) -> tuple[Tried, ...]:
    """Return what a model was chosen from, as its manifest notes it, best first."""
    chosen_from = manifest.get("chosen_from") or {"candidates": ()}
    tried = [
        Tried(
            candidate["name"],
            dict(candidate["parameters"]),
            # Artifacts of before features were chosen do not say.
            tuple(candidate.get("features") or ()),
            candidate["held_out_accuracy"],
        )
        for candidate in chosen_from["candidates"]
    ]
    return tuple(sorted(tried, key=lambda candidate: -candidate.accuracy))


def _seconds(value: Any) -> float:
    if not is_number(value, 0, _MOST_SECONDS):
        raise ValueError("not how long a training takes")
    return float(value)


def _evaluation(values: Mapping[str, Any] | None, manifest: Mapping[str, Any]) -> Evaluation | None:
    if values is None:
        return None
    if manifest["schema"] == _FIRST_SCHEMA:
        values = {**_NOT_KNOWN_THEN, "held_out_accuracy": values["accuracy"], **values}
    evaluation = from_json(values)
    if evaluation.codes != tuple(category["code"] for category in manifest["categories"]):
        raise ValueError("an evaluation of other categories")
    return evaluation


def stored_models(workspace: Workspace, reporter: Reporter) -> list[TrainedModel]:
    """Return what was noted of each artifact: those of the newest `train` first, best first.

    A damaged one is left out with a warning.
    """
    store = workspace.artifacts
    latest = store.latest()
    older = [version for version in reversed(store.versions()) if version not in latest]
    models = []
    for version in [*latest, *older]:
        try:
            models.append(stored_model(workspace, version))
        except ArtifactError as error:
            reporter.warn(f"left out: {error.message}")
    return models
