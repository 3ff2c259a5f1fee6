"""The report of a model: gather what is known of it, and write one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from mlforge.core.digest import digest_json
from mlforge.core.reporting import Reporter
from mlforge.core.validation import validated
from mlforge.errors import ArtifactError, MlforgeError
from mlforge.evaluation.gates import GateAnswer
from mlforge.evaluation.records import DeepEvaluation, Evaluation
from mlforge.report import (
    MAX_BYTES,
    ActivationCard,
    CategoryCard,
    LeaderboardRow,
    ReportData,
    render,
    with_pictures,
)
from mlforge.storage.artifact_manifest import AGAIN
from mlforge.storage.files import make_folder, write_text
from mlforge.workflows.activation_cards import activation_cards
from mlforge.workflows.deep import stored_deep
from mlforge.workflows.feature_choice import learning_extractors
from mlforge.workflows.gates import asked_gates
from mlforge.workflows.predict import Predictor
from mlforge.workflows.seed_pictures import SeedPictures
from mlforge.workflows.trained import TrainedModel, best_first, stored_model
from mlforge.workflows.workspace import Workspace

__all__ = [
    "REPORT_FILE",
    "WrittenReport",
    "illustrated_page",
    "report",
    "report_data",
    "seed_paths",
]

REPORT_FILE = "report.html"
"""The page in an artifact: what was known when it was made."""

_PARTS = tuple(field.name for field in fields(DeepEvaluation) if field.name != "version")
# What the page may grow by where pictures take the place of words.
_MARGIN = 20_000


@dataclass(frozen=True)
class WrittenReport:
    """A report on disk.

    Attributes
    ----------
    version
        The model that it is about.
    file
        The page.
    n_bytes
        Its size.
    computed, missing
        Which of the costly diagnostics it shows, and which were not computed yet.
    """

    version: str
    file: Path
    n_bytes: int
    computed: tuple[str, ...]
    missing: tuple[str, ...]


def report(workspace: Workspace, name: str | None, reporter: Reporter) -> WrittenReport:
    """Write the report of a model, with everything that was computed so far.

    Gates are answered as `train` last answered them for this model, and those of
    ``mlforge.toml`` that it did not know as of now.

    Parameters
    ----------
    name
        The version or alias; the one that `predict` would use where None, or the best of the
        newest `train` where a gate withholds it.

    Raises
    ------
    ArtifactError
        If there is no such model, or what is stored of it is damaged.
    ConfigError
        If a gate is wrong.
    """
    version = workspace.artifacts.subject(name)
    model = stored_model(workspace, version)
    manifest = workspace.artifacts.manifest(version)
    deep = stored_deep(workspace, version)
    others = _same_training(workspace, manifest)
    answers = _gate_answers(workspace, model)
    paths = seed_paths(workspace, reporter)
    activations = _activations(workspace, model, paths, reporter)
    data = report_data(workspace, model, manifest, others, deep, answers, activations)
    page = illustrated_page(data, SeedPictures(workspace.modality, paths))
    file = workspace.layout.report(version)
    make_folder(file.parent)
    write_text(file, page)
    computed = tuple(p for p in _PARTS if deep is not None and getattr(deep, p) is not None)
    missing = tuple(part for part in _PARTS if part not in computed)
    return WrittenReport(version, file, len(page.encode()), computed, missing)


def report_data(
    workspace: Workspace,
    model: TrainedModel,
    manifest: Mapping[str, Any],
    others: Sequence[TrainedModel],
    deep: DeepEvaluation | None = None,
    gates: Sequence[GateAnswer] = (),
    activations: Sequence[ActivationCard] = (),
) -> ReportData:
    """Return what a report shows of a model, without pictures.

    Parameters
    ----------
    manifest
        What its artifact's ``manifest.json`` holds, or will hold.
    others
        The models of the same training, itself included, best first.
    deep
        The costly diagnostics, where there are any.
    gates
        The gates that were asked for, with their answers.
    activations
        Seeds with what speaks for their category.

    Raises
    ------
    ArtifactError
        If the manifest does not describe a training.
    """
    try:
        return ReportData(
            project=workspace.root.resolve().name,
            version=model.version,
            created=str(manifest["created"]),
            modality=str(manifest["modality"]["name"]),
            model=model.model,
            parameters=dict(manifest["model"]["parameters"]),
            features=model.features,
            evaluation=model.evaluation,
            deep=deep,
            categories=tuple(
                _card(workspace, model.evaluation, manifest, entry)
                for entry in manifest["categories"]
            ),
            leaderboard=tuple(_row(other) for other in others),
            tried=model.tried,
            gates=tuple(gates),
            libraries=_texts(manifest["versions"]),
            environment=_texts(manifest.get("environment", {})),
            settings=_settings(manifest),
            activations=tuple(activations),
        )
    # Its digests are right, and yet somebody else may have written it.
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{model.version}: its manifest does not describe a training", AGAIN
        ) from error


def illustrated_page(data: ReportData, pictures: SeedPictures) -> str:
    """Return the page with as many pictures of the seeds as fit into it."""
    seeds = data.evaluation.seeds if data.evaluation else ()
    digests = {seed.file: seed.digest for seed in seeds}
    fitting, budget = _without_what_does_not_fit(data)
    return render(
        with_pictures(
            fitting, lambda file, side: pictures.load(digests.get(file, ""), side), budget
        )
    )


def _without_what_does_not_fit(data: ReportData) -> tuple[ReportData, int]:
    """Return what a page without pictures of seeds has room for, and how many bytes these may take.

    How long names grow by escaping shows only on the page.
    """
    room = MAX_BYTES - _MARGIN
    while (n_bytes := len(render(data).encode())) > room and (data.activations or data.max_cards):
        if data.activations:
            data = replace(data, activations=())
        else:
            data = replace(data, max_cards=data.max_cards // 2)
    return data, room - n_bytes


def seed_paths(workspace: Workspace, reporter: Reporter) -> dict[str, Path]:
    """Return the file of each of the project's seeds by its digest."""
    paths: dict[str, Path] = {}
    for code in workspace.layout.category_codes():
        try:
            seeds = workspace.seeds(workspace.category(code)).seeds
        except MlforgeError as error:
            reporter.warn(f"{code}: its seeds are not shown: {error.message}")
            continue
        paths |= {seed.digest: seed.path for seed in seeds}
    return paths


def _gate_answers(workspace: Workspace, model: TrainedModel) -> tuple[GateAnswer, ...]:
    """Return the answers of the newest `train`, and those to what is demanded since."""
    told = tuple(
        validated(GateAnswer, answer, "artifacts/latest.json: answers")
        for answer in workspace.artifacts.notes.latest_answers(model.version)
    )
    known = {answer.gate for answer in told}
    since = [gate for gate in workspace.settings.train.gates if gate not in known]
    return told + asked_gates(workspace, since).answers(model.evaluation)


def _activations(
    workspace: Workspace, model: TrainedModel, paths: Mapping[str, Path], reporter: Reporter
) -> Sequence[ActivationCard]:
    """Return seeds with where a model on learned features finds their category."""
    learning = {extractor.name for extractor in learning_extractors(workspace.modality)}
    if not learning & set(model.features):
        return ()
    try:
        predictor = Predictor.load(workspace.artifacts, model.version)
        seen = SeedPictures(predictor.modality, paths)
        return activation_cards(predictor.extractors, model.evaluation, seen)
    # All else on the page needs no more than what is told of the model.
    except MlforgeError as error:
        reporter.warn(f"{model.version}: where it looks is not shown: {error.message}")
        return ()


def _same_training(workspace: Workspace, manifest: Mapping[str, Any]) -> list[TrainedModel]:
    """Return the models of the training that a manifest comes from, best first."""
    models = []
    for version in workspace.artifacts.versions():
        try:
            if workspace.artifacts.manifest(version).get("created") == manifest.get("created"):
                models.append(stored_model(workspace, version))
        except ArtifactError:
            # A damaged model is no part of a comparison; its own report says what is wrong.
            continue
    return best_first(models)


def _row(model: TrainedModel) -> LeaderboardRow:
    scores = model.evaluation
    return LeaderboardRow(
        model.version,
        model.model,
        model.features,
        scores.accuracy if scores else None,
        scores.accuracy_interval if scores and not scores.not_estimable else None,
        model.seconds,
    )


def _card(
    workspace: Workspace,
    scores: Evaluation | None,
    manifest: Mapping[str, Any],
    entry: Mapping[str, Any],
) -> CategoryCard:
    code = str(entry["code"])
    data = manifest.get("data", {})
    counts = data.get("categories", {}).get(code, {})
    score = scores.per_category.get(code) if scores else None
    techniques, digest = _techniques(workspace, code)
    return CategoryCard(
        code=code,
        name=str(entry["name"]),
        n_seeds=int(counts.get("n_seeds", score.n_seeds if score else 0)),
        n_groups=score.n_groups if score and score.n_groups else None,
        n_samples=int(counts.get("n_samples", 0)),
        min_confidence=float(entry["min_confidence"]),
        techniques=techniques,
        changed=data.get("configs", {}).get(code, digest) != digest,
    )


def _techniques(workspace: Workspace, code: str) -> tuple[tuple[Mapping[str, Any], ...], str]:
    """Return a category's techniques as they are now, and the digest of its configuration."""
    try:
        config = workspace.category(code).config
    except MlforgeError:
        return (), ""
    specs = config.augmentation_settings.techniques
    return tuple({"name": s.name, **s.parameters} for s in specs), digest_json(config.to_json())


def _settings(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a training under dotted names."""
    tables = dict(manifest.get("settings", {}))
    tables[manifest["modality"]["name"]] = manifest["modality"]["parameters"]
    for extractor in manifest["extractors"]:
        tables[f"features.{extractor['name']}"] = extractor["parameters"]
    return {f"{table}.{key}": v for table, values in tables.items() for key, v in values.items()}


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in values.items()}
