"""Which models to train, with which parameters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mlforge.core.settings import ProjectSettings
from mlforge.errors import ConfigError
from mlforge.models import MODELS, Model

__all__ = ["choose_models"]


def choose_models(
    settings: ProjectSettings, asked: Sequence[str], parameters: Sequence[str]
) -> list[tuple[type[Model], Any]]:
    """Return each model asked for, with its parameters.

    Parameters
    ----------
    settings
        The project's settings.
    asked
        The models by name, ``all`` for every available one; those of the settings where empty.
    parameters
        ``MODEL.KEY=VALUE`` as given on the command line.

    Raises
    ------
    ConfigError
        If a model or a parameter is unknown or wrong.
    """
    for name in settings.models:
        MODELS.get(name, where="mlforge.toml: [models]")
    given = _parameters(parameters)
    names = list(dict.fromkeys(asked or settings.train.models))
    if "all" in names:
        for name in names:
            if name != "all":
                MODELS.get(name, where="--model")
        names = [component.name for component in MODELS.components() if component.available()]
    chosen = []
    for name in names:
        component = MODELS.get(name, where="--model" if asked else "mlforge.toml: models")
        values = {**settings.models.get(name, {}), **given.pop(name, {})}
        configured = component.configured(values, f"parameters of {name}")
        chosen.append((component, configured.config))
    if given:
        unused = next(iter(given))
        MODELS.get(unused, where="--param")
        raise ConfigError(f"--param {unused}....: {unused} is not trained", f"add --model {unused}")
    return chosen


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
