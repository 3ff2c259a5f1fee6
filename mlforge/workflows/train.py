"""Training: fit on folds, score on held-out seeds, fit on everything, store the artifact."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlforge.core.randomness import Streams
from mlforge.core.reporting import Reporter
from mlforge.engines.local import LocalEngine
from mlforge.errors import ArtifactError
from mlforge.evaluation.gates import GateAnswer, check_gate_categories
from mlforge.extractors import Extractor
from mlforge.storage.locking import exclusive
from mlforge.workflows.activation_cards import activation_cards
from mlforge.workflows.dataset import Dataset, folder_dataset, project_dataset
from mlforge.workflows.feature_choice import feature_sets, learning_extractors
from mlforge.workflows.feature_source import feature_source
from mlforge.workflows.features import make_extractors
from mlforge.workflows.fingerprint import fingerprint
from mlforge.workflows.fits import TrainingJob, n_steps, run_fits, used_features
from mlforge.workflows.gates import AskedGates, asked_gates, by_merit, judged, verdict
from mlforge.workflows.model_choice import plan_contests
from mlforge.workflows.pace import paced
from mlforge.workflows.packaging import Package, package
from mlforge.workflows.report import REPORT_FILE, illustrated_page, report_data
from mlforge.workflows.seed_pictures import SeedPictures
from mlforge.workflows.splits import training_data
from mlforge.workflows.trained import TrainedModel, best_first, stored_model, tried_in
from mlforge.workflows.workspace import Workspace

__all__ = ["TrainOptions", "TrainResult", "train"]


@dataclass(frozen=True)
class TrainOptions:
    """How `train` runs.

    Attributes
    ----------
    models
        The models by name; ``("all",)`` for every available one side by side, ``("auto",)`` for
        the best of them; those of ``mlforge.toml`` where empty.
    features
        The extractors by name; ``("auto",)`` for the best choice of them; those of
        ``mlforge.toml`` where empty.
    data
        A folder of class folders to train on instead of the project's categories.
    parameters
        ``MODEL.KEY=VALUE`` as given on the command line.
    force
        Train although nothing has changed.
    workers
        Fits side by side; one a processor where None.
    tune
        How many sets of parameters to try of each model; the given ones alone where None.
    gates
        What must hold, besides what ``mlforge.toml`` says.
    budget
        Seconds that one fit of what is learned may take; as long as its parameters say where None.
    """

    models: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    data: Path | None = None
    parameters: tuple[str, ...] = ()
    force: bool = False
    workers: int | None = None
    tune: int | None = None
    gates: tuple[str, ...] = ()
    budget: float | None = None


@dataclass(frozen=True)
class TrainResult:
    """What `train` did, best model first.

    Attributes
    ----------
    models
        The models: those that fail no gate first, of these the best by its evaluation first.
    gates
        The answers to the gates for the best of them.
    n_seeds, n_samples
        What they were trained on.
    codes
        The categories.
    seconds
        How long it took.
    unused
        Extractors that learn and that no model was trained with.
    report
        The page of the best of them; None where its artifact, of an earlier version, has none.
    data
        The folder that was trained on instead of the project's categories.
    """

    models: tuple[TrainedModel, ...]
    gates: tuple[GateAnswer, ...]
    n_seeds: int
    n_samples: int
    codes: tuple[str, ...]
    seconds: float
    unused: tuple[type[Extractor], ...] = ()
    report: Path | None = None
    data: Path | None = None

    @property
    def best(self) -> TrainedModel:
        """The model to use."""
        return self.models[0]


def train(workspace: Workspace, options: TrainOptions, reporter: Reporter) -> TrainResult:
    """Train models side by side, and store an artifact of each.

    Raises
    ------
    ConfigError
        If a model, an extractor, a parameter or a gate is wrong.
    DataError
        If there are fewer than two categories, or one has no seeds.
    """
    start = time.perf_counter()
    settings = workspace.settings
    sets = feature_sets(settings, workspace.modality, options.features, reporter)
    contests = plan_contests(settings, options.models, options.parameters, options.tune, sets)
    used = [n for contest in contests for c in contest.candidates for n in c.features]
    extractors = make_extractors(workspace, used, learning=True)
    engine = LocalEngine(options.workers, reporter)
    with exclusive(workspace.layout.artifacts):
        asked = asked_gates(workspace, (*settings.train.gates, *options.gates))
        dataset = (
            project_dataset(workspace, engine, reporter)
            if options.data is None
            else folder_dataset(workspace, options.data, engine, reporter)
        )
        for gate in asked.gates:
            check_gate_categories(gate, dataset.codes)
        _warn_of_few(dataset, options, reporter)
        extractors = paced(workspace, extractors, dataset, options.budget, engine, reporter)
        jobs = [
            TrainingJob(c.name, c.candidates, fingerprint(workspace, dataset, extractors, c))
            for c in contests
        ]
        wanted = {job.fingerprint for job in jobs}
        known = {} if options.force else _known(workspace, wanted)
        done = {j.fingerprint: known[j.fingerprint] for j in jobs if j.fingerprint in known}
        fresh = [job for job in jobs if job.fingerprint not in done]
        if fresh:
            made = _train(workspace, dataset, extractors, fresh, asked, engine, reporter)
            done |= {job.fingerprint: model for job, model in zip(fresh, made, strict=True)}
        ranked, answers = judged([done[job.fingerprint] for job in jobs], asked)
        trained = [done[job.fingerprint].version for job in fresh]
        if trained or not options.gates:
            _note_latest(workspace, ranked, answers, trained)
        else:
            workspace.artifacts.notes.note_answers(_told(answers))
    page = workspace.layout.models / ranked[0].version / REPORT_FILE
    return TrainResult(
        tuple(ranked),
        answers[ranked[0].version],
        dataset.n_seeds,
        len(dataset.files) - dataset.n_seeds,
        dataset.codes,
        time.perf_counter() - start,
        tuple(e for e in learning_extractors(workspace.modality) if e.name not in used),
        page if page.is_file() else None,
        options.data,
    )


def _note_latest(
    workspace: Workspace,
    ranked: Sequence[TrainedModel],
    answers: Mapping[str, Sequence[GateAnswer]],
    trained: Collection[str],
) -> None:
    """Note which models may answer from now on, best first.

    A gate withholds what it was asked of while that was trained; asked again later it is a
    question, and changes nothing.
    """
    notes = workspace.artifacts.notes
    withheld = {*notes.withheld(), *(v for v in trained if verdict(answers[v]) == "fail")}
    models = ranked if trained else by_merit(ranked, withheld)
    passed = [model.version for model in models if model.version not in withheld]
    failed = [model.version for model in models if model.version in withheld]
    notes.note_latest(passed, failed, _told(answers))


def _told(answers: Mapping[str, Sequence[GateAnswer]]) -> dict[str, list[dict[str, Any]]]:
    return {version: [asdict(a) for a in given] for version, given in answers.items()}


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
    asked: AskedGates,
    engine: LocalEngine,
    reporter: Reporter,
) -> list[TrainedModel]:
    settings = workspace.settings
    used = used_features(jobs)
    data = training_data(
        feature_source(
            workspace, [e for e in extractors if e.name in used], dataset, engine, reporter
        ),
        Streams(("train", settings.train.seed)),
        n_folds=settings.train.folds,
        coverage=settings.predict.coverage,
        choosing=any(len(job.candidates) > 1 for job in jobs),
    )
    with reporter.progress("training", n_steps(data, jobs)) as advance:
        fitted = run_fits(data, jobs, engine, advance)
    for job, model in zip(jobs, fitted, strict=True):
        if len(job.candidates) > 1 and not model.tried:
            reporter.warn(
                f"{job.name}: nothing could be measured, so that the first of "
                f"{len(job.candidates)} candidates was taken: {model.candidate.model.name}"
            )
    created = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    packages = [
        package(workspace, data, job, model, created)
        for job, model in zip(jobs, fitted, strict=True)
    ]
    versions = workspace.artifacts.next_versions([p.model for p in packages])
    models = [
        TrainedModel(
            version,
            p.model,
            model.candidate.features,
            model.evaluation,
            model.seconds,
            up_to_date=False,
            tried=tried_in(p.manifest),
        )
        for version, p, model in zip(versions, packages, fitted, strict=True)
    ]
    _store(workspace, dataset, packages, models, [m.extractors for m in fitted], asked)
    return models


def _store(
    workspace: Workspace,
    dataset: Dataset,
    packages: Sequence[Package],
    models: Sequence[TrainedModel],
    extractors: Sequence[Sequence[Extractor]],
    asked: AskedGates,
) -> None:
    """Store an artifact of each model, with a page that shows it beside the others."""
    seeds = {file.digest: file.path for file in dataset.files[: dataset.n_seeds]}
    pictures = SeedPictures(workspace.modality, seeds)
    ranked = best_first(models)
    for made, model, fitted in zip(packages, models, extractors, strict=True):
        data = report_data(
            workspace,
            model,
            made.manifest,
            ranked,
            gates=asked.answers(model.evaluation),
            activations=activation_cards(fitted, model.evaluation, pictures),
        )
        page = illustrated_page(data, pictures)
        files = {**made.files, REPORT_FILE: page.encode()}
        workspace.artifacts.save(made.model, made.manifest, files)
