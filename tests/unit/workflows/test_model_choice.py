"""Choosing models and parameters within the folds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlforge import Project
from mlforge.core.settings import ProjectSettings
from mlforge.workflows.model_choice import plan_contests
from mlforge.workflows.train import TrainOptions, TrainResult

ONE = ["logistic_regression"]
HAND_MADE = [("hog", "color")]
SETS = [*HAND_MADE, ("learned",), ("hog", "color", "learned")]


def train(project: Project, **options: Any) -> TrainResult:
    return project.train(TrainOptions(**{"workers": 1, **options}))


def test_tuning_tries_the_given_parameters_and_more_keep_the_first() -> None:
    settings = ProjectSettings()
    sets = {
        n: [c.config for c in plan_contests(settings, ONE, [], n, HAND_MADE)[0].candidates]
        for n in (2, 4, 100)
    }
    assert [len(found) for found in sets.values()] == [2, 4, 5], "no more than there are"
    assert sets[4][:2] == sets[2]
    assert sets[100][:4] == sets[4]


def test_a_parameter_that_is_given_is_not_tuned() -> None:
    given = ["logistic_regression.C=0.5"]
    (contest,) = plan_contests(ProjectSettings(), ONE, given, 9, HAND_MADE)
    assert [candidate.config.C for candidate in contest.candidates] == [0.5]


def test_each_model_is_tried_on_each_set_of_features() -> None:
    models = ["random_forest", "logistic_regression"]
    contests = plan_contests(ProjectSettings(), models, [], None, SETS)
    assert [[c.features for c in contest.candidates] for contest in contests] == [SETS, SETS]


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("neural_network", []),
        ("ensemble", ['ensemble.members=["random_forest", "neural_network"]']),
    ],
)
def test_a_network_takes_what_it_learned_whatever_was_asked_for(
    model: str, parameters: list[str]
) -> None:
    (contest,) = plan_contests(ProjectSettings(), [model], parameters, None, SETS)
    assert [candidate.features for candidate in contest.candidates] == [("learned",)]


def tried_by_auto(parameters: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    (contest,) = plan_contests(ProjectSettings(), ["auto"], parameters, None, SETS)
    names = ("logistic_regression", "neural_network")
    return [(c.model.name, c.features) for c in contest.candidates if c.model.name in names]


@pytest.mark.neural
def test_auto_tries_the_network_and_not_its_last_layer_a_second_time() -> None:
    pytest.importorskip("torch", reason="needs the extra neural: PyTorch is not installed")
    linear = [("logistic_regression", features) for features in SETS]
    network = ("neural_network", ("learned",))
    assert tried_by_auto([]) == [linear[0], linear[2], network]
    other = tried_by_auto(["logistic_regression.C=0.5"])
    assert other == [*linear, network], "with other parameters it is another model"


def test_what_is_asked_for_by_name_is_trained_though_it_is_the_same() -> None:
    models = ["logistic_regression", "neural_network"]
    contests = plan_contests(ProjectSettings(), models, [], None, [("learned",)])
    assert [contest.name for contest in contests] == models


def test_auto_keeps_one_model_and_says_what_it_was_chosen_from(generated: Project) -> None:
    (generated.root / "mlforge.toml").write_text(
        (generated.root / "mlforge.toml").read_text()
        + "\n[models.extra_trees]\nn_estimators = 10\n[models.xgboost]\nn_estimators = 5\n"
    )
    (model,) = train(generated, models=("auto",)).models
    manifest = generated.artifacts.manifest(model.version)
    tried = manifest["chosen_from"]
    assert tried["asked"] == "auto"
    accuracies = {c["name"]: c["held_out_accuracy"] for c in tried["candidates"]}
    assert {"random_forest", "xgboost", "logistic_regression", "svm"} <= set(accuracies)
    assert accuracies[model.model] == max(accuracies.values())
    assert model.evaluation is not None
    assert model.evaluation.held_out_accuracy <= max(accuracies.values())
    (again,) = train(generated, models=("auto",)).models
    assert again.up_to_date


def test_what_tuning_chose_is_what_is_stored_and_reproduced(generated: Project) -> None:
    (model,) = train(generated, models=("logistic_regression",), tune=3).models
    manifest = generated.artifacts.manifest(model.version)
    candidates = manifest["chosen_from"]["candidates"]
    assert len(candidates) == 3
    best = max(c["held_out_accuracy"] for c in candidates)
    chosen = [c for c in candidates if c["parameters"] == manifest["model"]["parameters"]]
    assert [c["held_out_accuracy"] for c in chosen] == [best]
    (other,) = train(generated, models=("logistic_regression",)).models
    assert not other.up_to_date, "without tuning it is another training"
    assert generated.artifacts.manifest(other.version)["chosen_from"] is None
    metrics = json.loads(generated.artifacts.load(model.version).files["metrics.json"])
    assert metrics["evaluation"]["accuracy"] == pytest.approx(
        model.evaluation.accuracy if model.evaluation else None
    )
