"""Which models to train, with which parameters, or among which candidates to choose."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from mlforge.core.randomness import Streams
from mlforge.core.settings import ProjectSettings
from mlforge.errors import ConfigError
from mlforge.models import MODELS, Model

__all__ = ["AUTO", "Candidate", "Contest", "plan_contests"]

ALL = "all"
AUTO = "auto"
_FOLDS_TO_CHOOSE = 3


@dataclass(frozen=True)
class Candidate:
    """A model with its parameters.

    Attributes
    ----------
    model
        Its component.
    config
        Its parameters.
    features
        The extractors whose features it learns from, by name.
    """

    model: type[Model]
    config: Any
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contest:
    """Candidates of which one is to be kept.

    Attributes
    ----------
    name
        What was asked for: a model's name, or ``auto``.
    candidates
        One where nothing is to be chosen.
    """

    name: str
    candidates: tuple[Candidate, ...]


def plan_contests(
    settings: ProjectSettings,
    asked: Sequence[str],
    parameters: Sequence[str],
    tune: int | None,
    feature_sets: Sequence[tuple[str, ...]],
) -> list[Contest]:
    """Return what is to be trained, one model from each contest.

    Parameters
    ----------
    settings
        The project's settings.
    asked
        The models by name, ``all`` for every available one side by side, ``auto`` for the best of
        them; those of the settings where empty. ``all`` and ``auto`` leave out what takes other
        features than were asked for.
    parameters
        ``MODEL.KEY=VALUE`` as given on the command line.
    tune
        How many sets of parameters to try of each model, the given ones among them; none but these
        where None.
    feature_sets
        The extractors to learn from; of several sets the best is chosen.

    Raises
    ------
    ConfigError
        If a model or a parameter is unknown or wrong.
    """
    # Also of those that are not trained: a wrong key would be found when nobody expects it.
    for name, values in settings.models.items():
        MODELS.get(name, where="mlforge.toml: [models]").configured(
            values, f"mlforge.toml: [models.{name}]"
        )
    given = _parameters(parameters)
    where = "--model" if asked else "mlforge.toml: train.models"
    names = list(dict.fromkeys(asked or settings.train.models))
    for name in names:
        if name not in (ALL, AUTO):
            MODELS.get(name, where=where)
    available = [component.name for component in MODELS.components() if component.available()]
    named = [name for name in names if name not in (ALL, AUTO)]
    everything = available if {ALL, AUTO} & set(names) else []
    entries = {
        name: _candidates(settings, name, given.pop(name, {}), tune, feature_sets)
        for name in dict.fromkeys((*everything, *named))
    }
    asked_for = {name for features in feature_sets for name in features}
    fitting = [n for n in everything if asked_for.issuperset(entries[n][0].features)]
    single = list(dict.fromkeys((*fitting, *named))) if ALL in names else named
    if given:
        unused = next(iter(given))
        MODELS.get(unused, where="--param")
        raise ConfigError(
            f"--param {unused}.{next(iter(given[unused]))}: {unused} is not trained",
            f"add --model {unused}",
        )
    contests = [Contest(name, entries[name]) for name in single]
    if AUTO in names:
        contests.append(Contest(AUTO, _distinct([c for name in fitting for c in entries[name]])))
    if settings.train.folds < _FOLDS_TO_CHOOSE and any(len(c.candidates) > 1 for c in contests):
        raise ConfigError(
            f"mlforge.toml: train.folds = {settings.train.folds}: choosing needs at least "
            f"{_FOLDS_TO_CHOOSE}",
            "set folds = 5, or name one model and its parameters",
        )
    return contests


def _distinct(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Return candidates without those that another one is the same as."""
    covered = {(c.model.same_as, c.config, c.features) for c in candidates}
    return tuple(c for c in candidates if (c.model.name, c.config, c.features) not in covered)


def _candidates(
    settings: ProjectSettings,
    name: str,
    given: Mapping[str, Any],
    tune: int | None,
    feature_sets: Sequence[tuple[str, ...]],
) -> tuple[Candidate, ...]:
    """Return a model with its parameters, and beside it what is to be tried, by feature sets."""
    component = MODELS.get(name)
    fixed = {**settings.models.get(name, {}), **given}
    where = f"parameters of {name}"
    sets = [fixed]
    if tune is not None:
        # Each set is a function of its number alone: more of them keep the first ones.
        rng = Streams(("tune", settings.train.seed)).rng(name)
        space = {k: v for k, v in component.search_space().items() if k not in fixed}
        drawn = [dict(zip(space, values, strict=True)) for values in product(*space.values())]
        order = rng.permutation(len(drawn))
        sets += [{**fixed, **drawn[i]} for i in order]
    made = {model.config: model for model in (component.configured(v, where) for v in sets)}
    # What was drawn may be what was given.
    distinct = list(islice(made.values(), tune or 1))
    return tuple(
        Candidate(component, model.config, features)
        for model in distinct
        for features in ([model.features] if model.features else feature_sets)
    )


def _parameters(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read ``MODEL.KEY=VALUE``; a value is JSON where it can be read as such, else text."""
    parameters: dict[str, dict[str, Any]] = {}
    for text in texts:
        target, equals, value = text.partition("=")
        model, dot, key = target.partition(".")
        if not (equals and dot and model and key):
            raise ConfigError(
                f"--param {text}: not of the form MODEL.KEY=VALUE",
                "write for example: --param random_forest.n_estimators=500",
            )
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            parsed = value
        parameters.setdefault(model, {})[key] = parsed
    return parameters
