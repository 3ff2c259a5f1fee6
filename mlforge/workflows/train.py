"""Training: fit on folds, score on held-out seeds, fit on everything, store the artifact."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from mlforge.core.digest import digest_bytes, digest_json
from mlforge.core.randomness import Streams
from mlforge.core.reporting import Reporter
from mlforge.engines.local import LocalEngine
from mlforge.errors import ArtifactError
from mlforge.evaluation.folds import make_folds
from mlforge.evaluation.scores import Evaluation, from_json
from mlforge.extractors import Extractor
from mlforge.models import Model
from mlforge.storage.locking import exclusive
from mlforge.workflows.dataset import Dataset, folder_dataset, project_dataset
from mlforge.workflows.features import feature_matrix, make_extractors
from mlforge.workflows.fits import FittedModel, TrainingData, TrainingJob, n_fits, run_fits
from mlforge.workflows.model_choice import choose_models
from mlforge.workflows.workspace import Workspace

__all__ = ["TrainOptions", "TrainResult", "TrainedModel", "stored_model", "stored_models", "train"]

METRICS_FILE = "metrics.json"
GRAPH_FILE = "model.onnx"


@dataclass(frozen=True)
class TrainOptions:
    """How `train` runs.

    Attributes
    ----------
    models
        The models by name; ``("all",)`` for every available one; those of ``mlforge.toml`` where
        empty.
    features
        The extractors by name; those of ``mlforge.toml`` where empty.
    data
        A folder of class folders to train on instead of the project's categories.
    parameters
        ``MODEL.KEY=VALUE`` as given on the command line.
    force
        Train although nothing has changed.
    workers
        Fits side by side; one a processor where None.
    """

    models: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    data: Path | None = None
    parameters: tuple[str, ...] = ()
    force: bool = False
    workers: int | None = None


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


@dataclass(frozen=True)
class TrainResult:
    """What `train` did, best model first.

    Attributes
    ----------
    models
        The models, the best by its evaluation first.
    n_seeds, n_samples
        What they were trained on.
    codes
        The categories.
    seconds
        How long it took.
    """

    models: tuple[TrainedModel, ...]
    n_seeds: int
    n_samples: int
    codes: tuple[str, ...]
    seconds: float

    @property
    def best(self) -> TrainedModel:
        """The model with the highest accuracy on held-out seeds."""
        return self.models[0]


def train(workspace: Workspace, options: TrainOptions, reporter: Reporter) -> TrainResult:
    """Train models side by side, and store an artifact of each.

    Raises
    ------
    ConfigError
        If a model, an extractor or a parameter is wrong.
    DataError
        If there are fewer than two categories, or one has no seeds.
    """
    start = time.perf_counter()
    models = choose_models(workspace.settings, options.models, options.parameters)
    extractors = make_extractors(workspace, options.features)
    engine = LocalEngine(options.workers)
    with exclusive(workspace.layout.artifacts):
        dataset = (
            project_dataset(workspace, reporter)
            if options.data is None
            else folder_dataset(workspace, options.data, reporter)
        )
        _warn_of_few(dataset, options, reporter)
        jobs = [
            TrainingJob(m, c, _fingerprint(workspace, dataset, extractors, m, c)) for m, c in models
        ]
        wanted = {job.fingerprint for job in jobs}
        known = {} if options.force else _known(workspace, wanted)
        done = {j.fingerprint: known[j.fingerprint] for j in jobs if j.fingerprint in known}
        fresh = [job for job in jobs if job.fingerprint not in done]
        if fresh:
            made = _train(workspace, dataset, extractors, fresh, engine, reporter)
            done |= {job.fingerprint: model for job, model in zip(fresh, made, strict=True)}
        ranked = sorted((done[job.fingerprint] for job in jobs), key=_rank)
        workspace.artifacts.note_latest([model.version for model in ranked])
    return TrainResult(
        tuple(ranked),
        dataset.n_seeds,
        len(dataset.files) - dataset.n_seeds,
        dataset.codes,
        time.perf_counter() - start,
    )


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
            None if metrics["evaluation"] is None else from_json(metrics["evaluation"]),
            metrics["seconds"],
            up_to_date=True,
        )
    # Its digests are right, and yet somebody else may have written it.
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{version}: its manifest or metrics do not describe a training",
            "mlforge train --force",
        ) from error


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


def _rank(model: TrainedModel) -> tuple[float, float]:
    """Return what sorts the best first; equals stay in the order in which they were asked for."""
    evaluation = model.evaluation
    if evaluation is None:
        return 0.0, 0.0
    return -evaluation.accuracy, -evaluation.macro_f1


def _warn_of_few(dataset: Dataset, options: TrainOptions, reporter: Reporter) -> None:
    labels = dataset.labels[: dataset.n_seeds].tolist()
    for number, code in enumerate(dataset.codes):
        groups = [g for g, label in zip(dataset.groups, labels, strict=True) if label == number]
        if len(groups) == 1:
            reporter.warn(f"{code}: one seed only; it is trained on, but it cannot be scored")
        elif len(set(groups)) == 1:
            reporter.warn(
                f"{code}: its {len(groups)} seeds are one group; they are trained on, but the "
                "category cannot be scored"
            )
    if options.data is None and len(dataset.files) == dataset.n_seeds:
        reporter.warn(
            "training on the seeds alone; varied samples usually help: mlforge samples generate"
        )


def _fingerprint(
    workspace: Workspace,
    dataset: Dataset,
    extractors: Sequence[Extractor],
    model: type[Model],
    config: Any,
) -> str:
    """Return the digest of everything that decides what a training gives."""
    # SciPy fits the temperature; a release of mlforge may mend anything between.
    versions = {name: metadata.version(name) for name in ("mlforge", "scipy")}
    versions |= dict(workspace.modality.versions()) | model.versions()
    for extractor in extractors:
        versions |= extractor.versions()
    settings = workspace.settings.train
    return digest_json(
        {
            "model": [model.name, dataclasses.asdict(config)],
            "extractors": [_extractor_entry(extractor) for extractor in extractors],
            "modality": [workspace.modality.name, workspace.modality.parameters()],
            "categories": _category_entries(dataset),
            "examples": [file.digest for file in dataset.files],
            "labels": dataset.labels.tolist(),
            "origins": dataset.seed_index.tolist(),
            "groups": list(dataset.groups),
            "train": [settings.seed, settings.folds],
            "versions": versions,
        }
    )


def _extractor_entry(extractor: Extractor) -> list[Any]:
    state = {name: digest_bytes(data) for name, data in extractor.state().items()}
    return [extractor.name, extractor.revision, extractor.parameters(), state]


def _category_entries(dataset: Dataset) -> list[dict[str, Any]]:
    """Return what prediction needs to know of each category."""
    return [
        {
            "code": config.category_code,
            "name": config.category_name,
            "min_confidence": config.quality_thresholds.min_confidence,
        }
        for config in dataset.categories
    ]


def _known(workspace: Workspace, wanted: Collection[str]) -> dict[str, TrainedModel]:
    """Return the stored models that were made from what is `wanted`, by its fingerprint."""
    known = {}
    for version in workspace.artifacts.versions():
        try:
            fingerprint = str(workspace.artifacts.manifest(version).get("fingerprint"))
            if fingerprint in wanted:
                workspace.artifacts.load(version)
                known[fingerprint] = stored_model(workspace, version)
        except ArtifactError:
            # A damaged artifact does not stand for its inputs: they are trained on again.
            continue
    return known


def _train(
    workspace: Workspace,
    dataset: Dataset,
    extractors: Sequence[Extractor],
    jobs: Sequence[TrainingJob],
    engine: LocalEngine,
    reporter: Reporter,
) -> list[TrainedModel]:
    features = feature_matrix(workspace, extractors, dataset.files, engine, reporter)
    settings = workspace.settings.train
    streams = Streams(("train", settings.seed))
    labels = dataset.labels[: dataset.n_seeds]
    folds = make_folds(labels, dataset.groups, settings.folds, streams.rng("folds"))
    data = TrainingData(dataset, features, folds, streams)
    with reporter.progress("training", n_fits(data, jobs)) as advance:
        fitted = run_fits(data, jobs, engine, advance)
    created = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    return [
        _store(workspace, data, extractors, job, model, created)
        for job, model in zip(jobs, fitted, strict=True)
    ]


def _store(
    workspace: Workspace,
    data: TrainingData,
    extractors: Sequence[Extractor],
    job: TrainingJob,
    fitted: FittedModel,
    created: str,
) -> TrainedModel:
    """Store one model's artifact."""
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
        "categories": _category_entries(data.dataset),
        "temperature": fitted.temperature,
        "n_features": int(data.features.shape[1]),
        "n_seeds": data.dataset.n_seeds,
        "n_samples": len(data.dataset.files) - data.dataset.n_seeds,
        "versions": _library_versions(modality.versions(), job.model.versions(), extractors),
    }
    version = workspace.artifacts.save(job.model.name, manifest, files)
    names = tuple(extractor.name for extractor in extractors)
    return TrainedModel(
        version, job.model.name, names, evaluation, fitted.seconds, up_to_date=False
    )


def _library_versions(
    modality: Mapping[str, str], model: Mapping[str, str], extractors: Sequence[Extractor]
) -> dict[str, str]:
    versions = {"mlforge": metadata.version("mlforge"), **modality, **model}
    for extractor in extractors:
        versions |= extractor.versions()
    return dict(sorted(versions.items()))
