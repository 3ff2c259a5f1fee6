"""Trained models: what was noted of each artifact when it was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlforge.core.reporting import Reporter
from mlforge.errors import ArtifactError
from mlforge.evaluation.records import Evaluation
from mlforge.evaluation.scores import from_json
from mlforge.workflows.packaging import METRICS_FILE
from mlforge.workflows.workspace import Workspace

__all__ = ["TrainedModel", "best_first", "stored_model", "stored_models"]


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
    """

    version: str
    model: str
    features: tuple[str, ...]
    evaluation: Evaluation | None
    seconds: float
    up_to_date: bool


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
    try:
        return TrainedModel(
            version,
            manifest["model"]["name"],
            tuple(extractor["name"] for extractor in manifest["extractors"]),
            _evaluation(metrics["evaluation"], manifest["schema"]),
            metrics["seconds"],
            up_to_date=True,
        )
    # Its digests are right, and yet somebody else may have written it.
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{version}: its manifest or metrics do not describe a training",
            "mlforge train --force",
        ) from error


def _evaluation(values: Mapping[str, Any] | None, schema: str) -> Evaluation | None:
    if values is None:
        return None
    if schema == _FIRST_SCHEMA:
        values = {**_NOT_KNOWN_THEN, "held_out_accuracy": values["accuracy"], **values}
    return from_json(values)


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
