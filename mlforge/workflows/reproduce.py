"""Reproducing a model: training it again from what its artifact says, and comparing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mlforge.core.reporting import Reporter
from mlforge.core.settings import ProjectSettings
from mlforge.core.validation import validated
from mlforge.engines.local import LocalEngine
from mlforge.errors import ArtifactError
from mlforge.storage.artifacts import ArtifactStore, StoredArtifact
from mlforge.storage.files import TEMPORARY_PREFIX, remove_tree
from mlforge.storage.locking import exclusive
from mlforge.workflows.dataset import folder_dataset, project_dataset
from mlforge.workflows.golden import GOLDEN_PREFIX, golden_difference
from mlforge.workflows.packaging import METRICS_FILE
from mlforge.workflows.provenance import changed_configs, changed_data, data_facts, portable
from mlforge.workflows.report import REPORT_FILE
from mlforge.workflows.train import TrainOptions, train
from mlforge.workflows.workspace import Workspace

__all__ = ["Reproduction", "reproduce"]

_CALIBRATION = ("temperature", "set_threshold", "unknown")
_SUFFIX = "-reproduce"


@dataclass(frozen=True)
class Reproduction:
    """What training a model again gives.

    Attributes
    ----------
    version
        The version that was to be reproduced.
    verdict
        ``same``: graph, state of the extractors and what tells unknown examples are the same byte
        for byte, and so is its calibration, which does not count where the model was chosen: it
        then comes from all that it was chosen from.
        ``differs``: it was trained again and came out otherwise. ``data changed``: it was not
        trained, since the seeds or samples are not those it was trained on.
    reasons
        What is not as it was: categories, libraries, the machine.
    difference
        The largest difference of a probability on the golden examples; None where there are none
        or it was not trained.
    """

    version: str
    verdict: str
    reasons: tuple[str, ...]
    difference: float | None


@dataclass(frozen=True)
class _Past(Workspace):
    """The project with the settings that an artifact was made with; what it trains goes elsewhere.

    Attributes
    ----------
    manifest
        What the artifact's manifest says.
    """

    manifest: Mapping[str, Any]

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """A store of its own, beside the project's."""
        return ArtifactStore(self.layout.artifacts / f"{TEMPORARY_PREFIX}{os.getpid()}{_SUFFIX}")

    @cached_property
    def settings(self) -> ProjectSettings:
        """What the manifest says; of parameters that it tells without their path, today's."""
        manifest = self.manifest
        now = Workspace(self.root).settings
        features: dict[str, Any] = {"use": [item["name"] for item in manifest["extractors"]]}
        for item in manifest["extractors"]:
            current = now.features.parameters.get(item["name"], {})
            features[item["name"]] = _with_paths(item["parameters"], current)
        model, modality = manifest["model"], manifest["modality"]
        values = {
            **manifest["settings"],
            # What was demanded of the model decides nothing here.
            "train": {**manifest["settings"]["train"], "gates": ()},
            "modality": modality["name"],
            modality["name"]: modality["parameters"],
            "features": features,
            "models": {model["name"]: model["parameters"]},
        }
        return validated(ProjectSettings, values, "manifest.json: settings")


def reproduce(
    workspace: Workspace,
    version: str,
    reporter: Reporter,
    *,
    data: Path | None = None,
    workers: int | None = None,
) -> Reproduction:
    """Train a model again from what its artifact says, and compare.

    Parameters
    ----------
    workspace
        The project.
    version
        The version.
    reporter
        Takes warnings and progress.
    data
        The folder that it was trained on, where that was not the project's categories.
    workers
        Fits side by side; one a processor where None.

    Raises
    ------
    ArtifactError
        If the artifact is damaged, or does not say what it was made from.
    DataError
        If there are no seeds any more.
    """
    artifact = workspace.artifacts.load(version)
    manifest = artifact.manifest
    if not isinstance(manifest.get("data"), dict) or not isinstance(manifest.get("settings"), dict):
        raise ArtifactError(
            f"{version}: made before artifacts said what they were made from", "mlforge train"
        )
    past = _Past(workspace.root, manifest)
    try:
        changed = _changed_data(past, reporter, LocalEngine(workers, reporter), data)
        if changed:
            return Reproduction(version, "data changed", changed, None)
        again = _train(past, reporter, data, workers)
        return _compared(artifact, again)
    # Its digests are right, and yet somebody else may have written it.
    except (AttributeError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{version}: its manifest does not describe a training", "mlforge train"
        ) from error


def _train(
    past: _Past, reporter: Reporter, data: Path | None, workers: int | None
) -> StoredArtifact:
    with exclusive(past.layout.artifacts):
        # What a run that was killed left; one that is training holds the lock.
        for rest in past.layout.artifacts.glob(f"{TEMPORARY_PREFIX}*{_SUFFIX}"):
            remove_tree(rest)
    name = past.manifest["model"]["name"]
    options = TrainOptions(models=(name,), data=data, force=True, workers=workers)
    try:
        result = train(past, options, reporter)
        return past.artifacts.load(result.models[0].version)
    finally:
        remove_tree(past.artifacts.folder)


def _compared(artifact: StoredArtifact, again: StoredArtifact) -> Reproduction:
    calibration = () if artifact.manifest.get("chosen_from") else _CALIBRATION
    same = _lasting(artifact) == _lasting(again) and all(
        artifact.manifest.get(key) == again.manifest.get(key) for key in calibration
    )
    difference = golden_difference(artifact, again)
    if same:
        return Reproduction(artifact.version, "same", (), difference)
    reasons = tuple(_changed_surroundings(artifact.manifest, again.manifest))
    unknown = ("nothing that is noted has changed: this training does not repeat itself",)
    return Reproduction(artifact.version, "differs", reasons or unknown, difference)


def _lasting(artifact: StoredArtifact) -> dict[str, bytes]:
    """Return the files that say what an artifact predicts, and not when it was trained."""
    told = {METRICS_FILE, REPORT_FILE}
    return {
        name: data
        for name, data in artifact.files.items()
        if name not in told and not name.startswith(GOLDEN_PREFIX)
    }


def _changed_data(
    past: _Past, reporter: Reporter, engine: LocalEngine, data: Path | None
) -> tuple[str, ...]:
    """Return what is not as it was, category by category."""
    dataset = (
        project_dataset(past, engine, reporter)
        if data is None
        else folder_dataset(past, data, engine, reporter)
    )
    return changed_data(past.manifest["data"], data_facts(dataset))


def _changed_surroundings(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    reasons = [*changed_configs(then["data"], now["data"])]
    for section in ("versions", "environment"):
        for name in sorted({*then[section], *now[section]}):
            old, new = then[section].get(name), now[section].get(name)
            if old == new:
                continue
            reasons.append(
                "mlforge's own code is another"
                if name == "code"
                else f"{name}: {old or 'none'} then, {new or 'none'} now"
            )
    return reasons


def _with_paths(parameters: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters, with the path of today where only a file's name was kept."""
    today = portable(current)
    return {
        key: current[key] if key in current and today[key] == value else value
        for key, value in parameters.items()
    }
