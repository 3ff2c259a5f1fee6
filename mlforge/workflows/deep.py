"""The costly diagnostics of a stored model, each kept as soon as it is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlforge.core.names import printable
from mlforge.core.randomness import Streams
from mlforge.core.reporting import Advance, Reporter
from mlforge.core.strict_json import parse_json
from mlforge.core.validation import validated
from mlforge.engines.local import LocalEngine
from mlforge.errors import ConfigError, DataError
from mlforge.evaluation.records import DeepEvaluation
from mlforge.models import MODELS
from mlforge.storage.files import make_folder, read_bytes, write_json
from mlforge.storage.locking import exclusive
from mlforge.workflows.dataset import project_dataset
from mlforge.workflows.deep_parts import (
    DeepInputs,
    blame,
    check_unknown,
    curve,
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
from mlforge.workflows.features import feature_matrix
from mlforge.workflows.model_choice import Candidate
from mlforge.workflows.predict import Predictor
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

    Each is written as soon as it is computed: an interrupted run goes on where it was.

    Raises
    ------
    DataError
        If the seeds, samples or configurations are not those that the version was trained on, or
        nothing could be scored.
    ArtifactError
        If there is no usable model.
    """
    chosen = workspace.artifacts.resolve(version)
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
    engine = LocalEngine()
    dataset = project_dataset(workspace, engine, reporter)
    scored = {seed.digest for seed in evaluation.seeds}
    if dataset.codes != evaluation.codes or not scored <= {f.digest for f in dataset.files}:
        raise DataError(
            f"{version}: the project's seeds are not those that it was trained on",
            "mlforge train, then evaluate the new version",
        )
    settings = workspace.settings
    data = training_data(
        dataset,
        feature_matrix(workspace, predictor.extractors, dataset.files, engine, reporter),
        Streams(("train", settings.train.seed)),
        n_folds=settings.train.folds,
        coverage=settings.predict.coverage,
    )
    model = MODELS.get(manifest["model"]["name"], where=printable(version))
    config = model.configured(manifest["model"]["parameters"], version).config
    inputs = DeepInputs(data, Candidate(model, config), evaluation, engine)
    makers = make_makers(workspace, predictor.extractors, dataset.codes)
    return [
        _Part("blame", 1, lambda advance: _stepped(blame(inputs), advance)),
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


def _stepped(value: Any, advance: Advance) -> Any:
    advance()
    return value
