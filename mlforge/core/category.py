"""The schema of a category's ``config.json``."""

from __future__ import annotations

import datetime as dt
from importlib.resources import files
from typing import Annotated, Any, Self

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mlforge.core.digest import digest_json
from mlforge.core.names import check_code
from mlforge.core.units import parse_size
from mlforge.errors import ConfigError

__all__ = [
    "SCHEMA_FILE",
    "AugmentationSettings",
    "CategoryConfig",
    "GenerationSettings",
    "QualityThresholds",
    "TechniqueSpec",
    "config_schema",
]

SCHEMA_FILE = "category.schema.json"
DEFAULT_TECHNIQUES = (
    "rotation",
    "scaling",
    "translation",
    "brightness",
    "contrast",
    "noise_addition",
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class TechniqueSpec(BaseModel):
    """A technique with parameters of its own: ``{"name": "brightness", "limit": 0.2}``."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    name: str
    """The technique's name; `mlforge techniques list` shows them all."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters beside the name."""
        return dict(self.model_extra or {})


class GenerationSettings(_Section):
    """How samples are made."""

    method: str = "augmentation"
    """The generator; `mlforge generators list` shows them all."""
    api_endpoint: str | None = None
    """The service that the method `api` calls."""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"quality": "high", "format": "png"})
    """The generator's parameters; keys that it does not know are kept, with a warning."""


class QualityThresholds(_Section):
    """What is good enough."""

    min_quality: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Samples whose quality score falls below are drawn again, at most 10 times, then left out."""
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.8
    """A prediction of this category with less confidence is not reliable."""
    max_file_size: Annotated[str | int, Field(union_mode="left_to_right")] = "25MB"
    """Larger seeds are refused; larger samples are encoded smaller, or left out."""
    min_duration: Annotated[float, Field(ge=0)] | None = None
    """Shortest example in seconds, for audio and series."""
    max_duration: Annotated[float, Field(gt=0)] | None = None
    """Longest example in seconds, for audio and series."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        parse_size(self.max_file_size)
        shortest, longest = self.min_duration, self.max_duration
        if shortest is not None and longest is not None and shortest > longest:
            raise ValueError(f"min_duration {shortest} is above max_duration {longest}")
        return self

    @property
    def max_bytes(self) -> int:
        """`max_file_size` in bytes."""
        return parse_size(self.max_file_size)


def _as_spec(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class AugmentationSettings(_Section):
    """How samples are varied."""

    enable_augmentation: bool = True
    """False: no sample passes through the techniques."""
    augmentation_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of samples that pass through the techniques, as far as one untouched copy a seed
    at the most allows: below 1, each copy stays untouched with the chance that is left, until one
    copy of the seed has."""
    techniques: tuple[
        Annotated[TechniqueSpec, BeforeValidator(_as_spec, str | TechniqueSpec)], ...
    ] = Field(default_factory=lambda: tuple(TechniqueSpec(name=n) for n in DEFAULT_TECHNIQUES))
    """The techniques in the order in which they are applied: names, or objects with parameters."""


class Metadata(BaseModel):
    """What people note about a category; it has no effect on results, and takes any key."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    description: str = ""
    """What the category shows."""
    source: str = ""
    """Where the seeds come from."""
    version: str = "1.0"
    """The user's own version of the category."""
    created_date: str = Field(default_factory=lambda: dt.datetime.now(dt.UTC).date().isoformat())
    """When the category was made."""
    tags: tuple[str, ...] = ()
    """Free words."""


class CategoryConfig(_Section):
    """A category: its names, how its samples are made, and what is good enough."""

    schema_: str | None = Field(default=None, alias="$schema")
    """The JSON Schema that editors check this file against."""
    category_name: Annotated[str, Field(min_length=1, max_length=200)]
    """The name for people."""
    category_code: str
    """The name of the folder and the label in predictions."""
    generation_settings: GenerationSettings = GenerationSettings()
    """How samples are made."""
    sample_inputs: tuple[str, ...] = Field(
        default=(), validation_alias=AliasChoices("sample_inputs", "sample_texts")
    )
    """What synthetic and api generation start from (also read as `sample_texts`)."""
    quality_thresholds: QualityThresholds = QualityThresholds()
    """What is good enough."""
    augmentation_settings: AugmentationSettings = AugmentationSettings()
    """How samples are varied."""
    group_pattern: str | None = None
    """Where a seed's group stands in its file name: `"*_{group}_*"` finds `jackson` in
    `7_jackson_32.png`. `*` is any text; not a regular expression."""
    target: float | None = None
    """The number to predict, when the task is regression by category."""
    metadata: Metadata = Field(default_factory=Metadata)
    """Notes; no effect on results."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            check_code(self.category_code, "category_code")
        except ConfigError as error:
            raise ValueError(f"{error.message} ({error.hint})") from None
        if self.group_pattern is not None and self.group_pattern.count("{group}") != 1:
            raise ValueError("group_pattern must hold {group} exactly once, as in '*_{group}_*'")
        return self

    def sample_digest(self) -> str:
        """Return the digest of the keys that shape samples; the others may change freely."""
        return digest_json(
            {
                "generation": self.generation_settings.model_dump(mode="json"),
                "inputs": list(self.sample_inputs),
                "min_quality": self.quality_thresholds.min_quality,
                "max_bytes": self.quality_thresholds.max_bytes,
                "augmentation": self.augmentation_settings.model_dump(mode="json"),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return the configuration with every default filled in, as it stands in a file.

        Examples
        --------
        >>> cup = CategoryConfig(category_name="Cup", category_code="cup")
        >>> cup.to_json()["augmentation_settings"]["techniques"][0]
        'rotation'
        """
        values = self.model_dump(mode="json", by_alias=True)
        if values["$schema"] is None:
            del values["$schema"]
        values["augmentation_settings"]["techniques"] = [
            {"name": spec.name, **spec.parameters} if spec.parameters else spec.name
            for spec in self.augmentation_settings.techniques
        ]
        return values


def config_schema() -> str:
    """Return the JSON Schema of ``config.json``, as it ships with the package for editors."""
    return files("mlforge.core").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")
