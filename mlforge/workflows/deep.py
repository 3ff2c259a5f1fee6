"""The costly diagnostics of a stored model, each kept as soon as it is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mlforge.core.digest import digest_json
from mlforge.core.names import printable
from mlforge.core.randomness import Streams
from mlforge.core.reporting import Advance, Reporter
from mlforge.core.strict_json import parse_json
from mlforge.core.validation import validated
from mlforge.engines.local import LocalEngine
from mlforge.errors import ArtifactError, ConfigError, DataError
from mlforge.evaluation.records import DeepEvaluation, Evaluation
from mlforge.models import MODELS
from mlforge.storage.artifact_manifest import AGAIN
from mlforge.storage.files import make_folder, read_bytes, write_json
from mlforge.storage.locking import exclusive
from mlforge.workflows.dataset import Dataset, project_dataset
from mlforge.workflows.deep_parts import (
    DeepInputs,
    blame,
    check_unknown,
    curve,
    n_blame_steps,
    n_curve_fits,
    n_unknown_fits,
)
from mlforge.workflows.deep_samples import (
    make_makers,
    n_robustness_steps,
    n_technique_steps,
    robustness,
    technique_effects,
)
from mlforge.workflows.feature_source import feature_source
from mlforge.workflows.model_choice import Candidate
from mlforge.workflows.predict import Predictor
from mlforge.workflows.provenance import (
    changed_configs,
    changed_data,
    changed_settings,
    data_facts,
    training_settings,
)
from mlforge.workflows.splits import training_data
from mlforge.workflows.trained import stored_model
from mlforge.workflows.workspace import Workspace

__all__ = ["evaluate_deep", "stored_deep"]

SCHEMA = "mlforge.deep/1"
_MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class _Part:
    """One diagnostic: the key it is kept under, how many steps it takes, and how it is made."""

    key: str
    n_steps: int
    make: Callable[[Advance], Any]


def evaluate_deep(workspace: Workspace, version: str | None, reporter: Reporter) -> DeepEvaluation:
    """Compute the diagnostics of a version that are not there yet, and return all.

    Each is written as soon as it is computed: an interrupted run goes on where it was, on the same
    data or not at all.

    Raises
    ------
    DataError
        If the seeds, samples, configurations or settings are not those that the version was
        trained with, or nothing could be scored.
    ArtifactError
        If there is no usable model.
    """
    chosen = workspace.artifacts.subject(version)
    with exclusive(workspace.layout.artifacts):
        parts = _parts(workspace, chosen, reporter)
        done = stored_deep(workspace, chosen) or DeepEvaluation(chosen)
        for part in parts:
            if getattr(done, part.key) is not None:
                continue
            with reporter.progress(_TITLES[part.key], part.n_steps) as advance:
                done = dataclasses.replace(done, **{part.key: part.make(advance)})
            _store(workspace, done)
    return done


_TITLES = {
    "curve": "learning curve",
    "unknown": "unknown categories",
    "blame": "seeds",
    "techniques": "techniques",
    "robustness": "robustness",
}


def stored_deep(workspace: Workspace, version: str) -> DeepEvaluation | None:
    """Return the diagnostics of a version that were computed; None where there are none.

    What cannot be read, or belongs to another artifact of that name, counts as not computed.
    """
    path = workspace.layout.deep_evaluation(version)
    if not path.is_file():
        return None
    try:
        document = parse_json(read_bytes(path), path.name, _MAX_BYTES)
        if document["artifact"] != workspace.artifacts.manifest(version)["digest"]:
            return None
        return validated(DeepEvaluation, document["deep"], path.name)
    except (ConfigError, KeyError, TypeError):
        return None


def _store(workspace: Workspace, deep: DeepEvaluation) -> None:
    path = workspace.layout.deep_evaluation(deep.version)
    make_folder(path.parent)
    artifact = workspace.artifacts.manifest(deep.version)["digest"]
    document = {"schema": SCHEMA, "artifact": artifact, "deep": dataclasses.asdict(deep)}
    write_json(path, document)


def _parts(workspace: Workspace, version: str, reporter: Reporter) -> list[_Part]:
    """Prepare the diagnostics of a version, the quick ones first."""
    predictor = Predictor.load(workspace.artifacts, version)
    manifest = workspace.artifacts.manifest(version)
    evaluation = stored_model(workspace, version).evaluation
    if evaluation is None:
        raise DataError(
            f"{version}: nothing of it could be scored", "add seeds, then: mlforge train"
        )
    for extractor in predictor.extractors:
        extractor.require_modules(extractor.fits_with)
    engine = LocalEngine(reporter=reporter)
    dataset = project_dataset(workspace, engine, reporter)
    _require_unchanged(workspace, version, manifest, evaluation, dataset)
    settings = workspace.settings
    source = feature_source(workspace, predictor.extractors, dataset, engine, reporter)
    data = training_data(
        source,
        Streams(("train", settings.train.seed)),
        n_folds=settings.train.folds,
        coverage=settings.predict.coverage,
    )
    model = MODELS.get(manifest["model"]["name"], where=printable(version))
    config = model.configured(manifest["model"]["parameters"], version).config
    candidate = Candidate(model, config, source.names)
    inputs = DeepInputs(data, candidate, evaluation, engine)
    makers = make_makers(workspace, predictor.extractors, dataset.codes)
    return [
        _Part("blame", n_blame_steps(inputs), lambda advance: blame(inputs, advance)),
        _Part("curve", n_curve_fits(inputs), lambda advance: curve(inputs, advance)),
        _Part("unknown", n_unknown_fits(inputs), lambda advance: check_unknown(inputs, advance)),
        _Part(
            "robustness",
            n_robustness_steps(inputs, makers),
            lambda advance: robustness(inputs, makers, advance),
        ),
        _Part(
            "techniques",
            n_technique_steps(inputs, makers),
            lambda advance: technique_effects(inputs, makers, advance),
        ),
    ]


def _require_unchanged(
    workspace: Workspace,
    version: str,
    manifest: Mapping[str, Any],
    evaluation: Evaluation,
    dataset: Dataset,
) -> None:
    """Raise `DataError` unless the project is what a version was trained on."""
    scored = {seed.digest for seed in evaluation.seeds}
    changes: tuple[str, ...] = ()
    if "data" in manifest:
        changes = _changes(workspace, version, manifest, dataset)
    # Made before artifacts said what they were made from.
    elif dataset.codes != evaluation.codes or not scored <= {f.digest for f in dataset.files}:
        changes = ("other seeds",)
    if changes:
        told = printable("; ".join(changes))
        raise DataError(
            f"{version}: the project is not what it was trained on: {told}",
            "mlforge train, then evaluate the new version",
        )


def _changes(
    workspace: Workspace, version: str, manifest: Mapping[str, Any], dataset: Dataset
) -> tuple[str, ...]:
    """Return what is not as it was when a version was trained."""
    facts, modality = data_facts(dataset), workspace.modality
    now = {"name": modality.name, "parameters": modality.parameters()}
    try:
        same_modality = digest_json(manifest["modality"]) == digest_json(now)
        return (
            *changed_data(manifest["data"], facts),
            *changed_configs(manifest["data"], facts),
            *changed_settings(manifest["settings"], training_settings(workspace)),
            *(() if same_modality else (f"{modality.name}: other parameters",)),
        )
    # Its digests are right, and yet somebody else may have written it.
    except (AttributeError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{version}: its manifest does not describe a training", AGAIN
        ) from error
