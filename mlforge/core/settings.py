"""The schema of a project's ``mlforge.toml``."""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mlforge.core.strict_json import MAX_DEPTH
from mlforge.core.validation import validated
from mlforge.errors import ConfigError

__all__ = ["DEFAULT_FEATURES", "ProjectSettings", "parse_settings", "settings_template"]

DEFAULT_FEATURES = ("hog", "color", "lbp", "thumbnail")


# Comments too: a quote in one begins no string. One without an end is taken to the end in one pass.
_TOML_STRING = re.compile(
    r""""{3}(?:[^"\\]|\\.|"(?!""))*+(?:"{3})?|\'{3}(?:[^']|'(?!\'\'))*+(?:\'{3})?"""
    r"""|"(?:[^"\\\n]|\\.)*+"?|\'[^\'\n]*+\'?|\#[^\n]*+""",
    re.DOTALL,
)
_KEY_PART = re.compile(r"[\w-]++")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class TrainSettings(_Section):
    """The table ``[train]``."""

    models: Annotated[tuple[str, ...], Field(min_length=1)] = ("random_forest",)
    """The models that `mlforge train` trains without `--model`."""
    seed: Annotated[int, Field(ge=0)] = 42
    """Where every random draw of training starts."""
    folds: Annotated[int, Field(ge=2, le=50)] = 5
    """How many parts the seeds are split into for the evaluation; fewer where there are few."""
    gates: tuple[str, ...] = ()
    """What must hold for a model to be used, such as `accuracy>=0.9`; `--gate` adds to it."""


class PredictSettings(_Section):
    """The table ``[predict]``."""

    coverage: Annotated[float, Field(ge=0.5, le=0.99)] = 0.9
    """How often prediction sets are to hold the right category."""


class FeatureSettings(BaseModel):
    """The table ``[features]``, with one table of parameters for each extractor beside ``use``."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    use: Annotated[tuple[str, ...], Field(min_length=1)] = DEFAULT_FEATURES
    """The extractors whose features are joined."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of each extractor that has any."""
        return dict(self.model_extra or {})


class ProjectSettings(BaseModel):
    """A project's settings; every key is optional.

    The tables named after a modality (``[image]``) hold its parameters.
    """

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    modality: str = "image"
    """The kind of data."""
    task: Literal["classification"] = "classification"
    """What is predicted."""
    features: FeatureSettings = FeatureSettings()
    """Which features are used."""
    train: TrainSettings = TrainSettings()
    """How models are trained."""
    predict: PredictSettings = PredictSettings()
    """What predictions say."""
    models: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """The parameters of each model, such as ``[models.random_forest]``."""

    @property
    def tables(self) -> dict[str, Any]:
        """The tables that mlforge itself does not know: those of modalities."""
        return dict(self.model_extra or {})


def parse_settings(data: bytes, where: str) -> ProjectSettings:
    r"""Read ``mlforge.toml``.

    Raises
    ------
    ConfigError
        If it is not TOML, or a key is unknown or wrong. Whether the tables of modalities,
        extractors and models are right is checked where those are made.

    Examples
    --------
    >>> parse_settings(b"[train]\nfolds = 3", "mlforge.toml").train.folds
    3
    """
    try:
        text = data.decode("utf-8-sig")
        _check_depth(text, where)
        values = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: not UTF-8 at byte {error.start}", "save it as UTF-8") from None
    except RecursionError:
        raise ConfigError(f"{where}: nested too deeply") from None
    # Beside its own error, the parser lets through that of a number with too many digits.
    except ValueError as error:
        raise ConfigError(f"{where}: not valid TOML: {error}", "mend that line") from None
    return validated(ProjectSettings, values, where)


def _check_depth(text: str, where: str) -> None:
    """Refuse keys of so many dotted parts that parsing them takes ages."""
    keys = _KEY_PART.sub("k", _TOML_STRING.sub("k", text)).replace(" ", "").replace("\t", "")
    if "k." * MAX_DEPTH in keys:
        raise ConfigError(
            f"{where}: nested too deeply: a key of more than {MAX_DEPTH} parts", "shorten that key"
        )


def settings_template(modality: str) -> str:
    """Return a ``mlforge.toml`` with every key at its default, as a comment where it may stay.

    Examples
    --------
    >>> parse_settings(settings_template("image").encode(), "mlforge.toml") == ProjectSettings()
    True
    """
    defaults = ProjectSettings()
    features = ", ".join(f'"{name}"' for name in defaults.features.use)
    models = ", ".join(f'"{name}"' for name in defaults.train.models)
    return f"""\
# Settings of this mlforge project. Every key is optional; what is commented out is the default.

modality = "{modality}"

# [image]
# size = 256                # longest side in pixels; larger pictures are scaled down

# [features]
# use = [{features}]        # see: mlforge features list
# [features.hog]            # parameters of one extractor
# cell = 8

# [train]
# models = [{models}]       # see: mlforge models available
# seed = {defaults.train.seed}
# folds = {defaults.train.folds}
# gates = []                # such as "accuracy>=0.9"; see: mlforge train --help

# [predict]
# coverage = {defaults.predict.coverage}            # how often prediction sets hold the right one

# [models.random_forest]    # parameters of one model
# n_estimators = 200
"""
