"""From a project on disk to the page."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import pytest

from mlforge import Project
from mlforge.errors import ArtifactError
from mlforge.evaluation.records import DeepEvaluation, SeedBlame
from mlforge.report import MAX_BYTES, ReportData, render
from mlforge.workflows.report import illustrated_page, report_data, seed_paths
from mlforge.workflows.seed_pictures import SeedPictures
from mlforge.workflows.train import TrainOptions
from mlforge.workflows.trained import stored_model

VERSION = "random_forest-0001"


def store_deep(project: Project, deep: DeepEvaluation) -> None:
    path = project.workspace.layout.deep_evaluation(VERSION)
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = project.artifacts.manifest(VERSION)["digest"]
    document = {"artifact": digest, "deep": dataclasses.asdict(deep)}
    path.write_text(json.dumps(document))


def data_of(project: Project) -> ReportData:
    workspace = project.workspace
    model = stored_model(workspace, VERSION)
    manifest = workspace.artifacts.manifest(VERSION)
    return report_data(workspace, model, manifest, [model])


def test_the_page_lies_among_the_artifacts_and_shows_every_seed(trained: Project) -> None:
    written = trained.report()
    assert written.file == trained.root / "artifacts" / "reports" / f"{VERSION}.html"
    page = written.file.read_text()
    assert written.n_bytes == len(page.encode()) < MAX_BYTES
    assert page.count("<img ") == 15
    assert written.computed == ()


def test_the_same_project_gives_the_same_page(trained: Project) -> None:
    first = trained.report().file.read_bytes()
    assert trained.report(VERSION).file.read_bytes() == first


def test_seeds_that_are_gone_are_told_and_the_rest_stays(trained: Project) -> None:
    seeds = sorted((trained.root / "categories" / "circle" / "seeds").iterdir())
    seeds[0].unlink()
    seeds[1].write_bytes(b"no picture any more")
    page = trained.report().file.read_text()
    assert page.count("<img ") == 13
    assert "2 photos can no longer be shown" in page


def test_a_removed_category_is_still_reported(trained: Project) -> None:
    trained.remove_category("circle")
    page = trained.report().file.read_text()
    assert page.count("<img ") == 11
    assert "4 photos can no longer be shown" in page


def test_data_card_tells_what_was_trained_on_and_what_changed_since(trained: Project) -> None:
    cards = {card.code: card for card in data_of(trained).categories}
    assert (cards["square"].n_seeds, cards["square"].n_samples) == (5, 8)
    assert cards["square"].n_groups == 5
    assert cards["square"].techniques[0]["name"] == "rotation"
    assert not any(card.changed for card in cards.values())
    config = trained.root / "categories" / "circle" / "config.json"
    config.write_text(config.read_text().replace('"rotation",', ""))
    changed = {card.code: card.changed for card in data_of(trained).categories}
    assert changed == {"circle": True, "square": False, "triangle": False}


def test_settings_stand_under_dotted_names(trained: Project) -> None:
    settings = data_of(trained).settings
    assert settings["train.folds"] == 3
    assert settings["image.size"] == 256
    assert settings["features.thumbnail.side"] == 8


def test_deep_results_are_shown_where_there_are_any(trained: Project) -> None:
    blame = (SeedBlame("circle/circle_0.png", "mislabelled", 0.9, "square"),)
    store_deep(trained, DeepEvaluation(VERSION, blame=blame))
    written = trained.report()
    assert written.computed == ("blame",)
    assert written.missing == ("curve", "techniques", "robustness", "unknown")
    assert "Perhaps mislabelled" in written.file.read_text()


def test_gates_of_the_project_are_answered(trained: Project) -> None:
    settings = trained.root / "mlforge.toml"
    text = settings.read_text().replace("[train]\n", '[train]\ngates = ["accuracy>=0.01"]\n')
    settings.write_text(text)
    assert "accuracy&gt;=0.01" in trained.report().file.read_text()


def test_a_manifest_that_describes_no_training_is_refused(trained: Project) -> None:
    workspace = trained.workspace
    model = stored_model(workspace, VERSION)
    manifest = {**workspace.artifacts.manifest(VERSION), "categories": ["circle"]}
    with pytest.raises(ArtifactError, match="does not describe a training"):
        report_data(workspace, model, manifest, [model])


def test_a_broken_category_costs_its_pictures_only(trained: Project) -> None:
    (trained.root / "categories" / "circle" / "config.json").write_text("{")
    paths = seed_paths(trained.workspace, trained.reporter)
    assert len(paths) == 11
    assert trained.report().n_bytes > 0


def test_an_artifact_carries_the_page_of_its_training(project: Project) -> None:
    result = project.train(TrainOptions(models=("random_forest", "logistic_regression"), workers=1))
    for model in result.models:
        page = project.artifacts.load(model.version).files["report.html"].decode()
        assert all(other.version in page for other in result.models), "beside the others"
        assert page.count("data:image/webp;base64,") >= 15, "each seed has its picture"


def test_maps_that_do_not_fit_are_left_out(
    trained: Project, make_data: Callable[..., ReportData]
) -> None:
    data = make_data(pictures=False)
    (first, *_) = data.activations
    huge = dataclasses.replace(first, picture=first.picture + bytes(MAX_BYTES))
    page = illustrated_page(
        dataclasses.replace(data, activations=(huge,)),
        SeedPictures(trained.workspace.modality, {}),
    )
    assert len(page.encode()) < MAX_BYTES
    assert "Where it looks" not in page


def test_names_that_grow_by_escaping_leave_cards_out_and_not_the_limit(
    trained: Project, make_data: Callable[..., ReportData]
) -> None:
    names = tuple(f"{n:02d}{'&' * 198}" for n in range(60))
    data = make_data(n_categories=60, n_seeds=25, wrong_share=1.0, names=names, pictures=False)
    assert len(render(data).encode()) > 2 * MAX_BYTES
    page = illustrated_page(data, SeedPictures(trained.workspace.modality, {}))
    assert MAX_BYTES / 4 < len(page.encode()) < MAX_BYTES
    cards = page.count("data-text=")
    assert f"{1500 - cards:,} more mistakes did not fit into this file." in page
