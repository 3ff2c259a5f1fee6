"""The recipe of a category's samples: everything that shapes them besides their sources."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from mlforge.core.category import CategoryConfig, QualityThresholds
from mlforge.core.digest import digest_json
from mlforge.core.names import printable, suggestion
from mlforge.core.validation import validated
from mlforge.errors import ConfigError
from mlforge.generators import GENERATORS, Generator, GeneratorConfig
from mlforge.modalities import Modality
from mlforge.workflows.workspace import Category, Workspace

__all__ = ["Recipe", "keys_without_effect", "make_generator", "make_recipe", "sample_digest"]


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes a category's samples besides their sources.

    Attributes
    ----------
    generator
        The generator, with its techniques.
    config
        The digest of the configuration and of the revisions of the code. Draws depend on it, and
        not on the libraries: another version of one that computes the same gives the same samples.
    versions
        The versions of the libraries that decide a sample's bytes.
    """

    generator: Generator
    config: str
    versions: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The digest of everything; samples that were made with another one are out of date."""
        return self.digest_with(self.versions)

    def digest_with(self, versions: Mapping[str, str]) -> str:
        """Return what `digest` would be with other versions of the libraries."""
        return digest_json({"config": self.config, "versions": dict(versions)})


def make_recipe(workspace: Workspace, category: Category) -> Recipe:
    """Return everything that shapes a category's samples besides their sources.

    Raises
    ------
    ConfigError
        If the configuration is wrong.
    """
    generator = make_generator(workspace, category)
    modality = workspace.modality
    versions = {**modality.versions(), **generator.versions()}
    if generator.needs_seeds:
        versions |= workspace.seed_versions(category)
    for technique in generator.techniques:
        versions |= technique.versions()
    config = digest_json(
        {
            "config": _shaping_config(category.config, generator, modality).sample_digest(),
            "generator": [generator.revision, generator.shaping_parameters()],
            "modality": [modality.name, modality.parameters()],
            "techniques": [[t.name, t.revision, t.parameters()] for t in generator.techniques],
        }
    )
    return Recipe(generator, config, versions)


def _shaping_config(
    config: CategoryConfig, generator: Generator, modality: Modality
) -> CategoryConfig:
    """Return a configuration with what shapes none of its samples as it is by default."""
    parameters = generator.shaping_parameters()
    defaults = dataclasses.asdict(generator.Config())
    # A parameter that is written out is no other one than the same by default.
    written = {
        key: value
        for key, value in parameters.items()
        if key in ("quality", "format") or value != defaults[key]
    }
    settings, thresholds = config.generation_settings, config.quality_thresholds
    endpoint = settings.api_endpoint if generator.takes_endpoint else None
    if modality.most_bytes is not None and thresholds.max_bytes >= modality.most_bytes:
        most = QualityThresholds().max_file_size
        thresholds = thresholds.model_copy(update={"max_file_size": most})
    generation = {"api_endpoint": endpoint, "parameters": written}
    return config.model_copy(
        update={
            "generation_settings": settings.model_copy(update=generation),
            "quality_thresholds": thresholds,
            # Inputs are sources: a new one leaves the samples of the others as they are.
            "sample_inputs": (),
        }
    )


def sample_digest(workspace: Workspace, category: Category) -> str:
    """Return the digest of everything that shapes a category's samples besides their sources."""
    return make_recipe(workspace, category).digest


def make_generator(workspace: Workspace, category: Category) -> Generator:
    """Make a category's generator from its configuration.

    Raises
    ------
    ConfigError
        If the method, a parameter or a technique is unknown or wrong.
    """
    settings = category.config.generation_settings
    where = f"categories/{category.code}/config.json: generation_settings"
    component = _method(workspace, category)
    component.require_available()
    known = component.Config.__dataclass_fields__
    values = {key: value for key, value in settings.parameters.items() if key in known}
    config = validated(component.Config, values, f"{where}.parameters")
    if not isinstance(config, GeneratorConfig):
        raise ConfigError(f"{where}.method: the Config of {component.name!r} is no GeneratorConfig")
    formats = workspace.modality.formats
    if config.format is not None and config.format not in formats:
        raise ConfigError(
            f"{where}.parameters.format: unknown format {config.format!r}",
            suggestion(config.format, formats),
        )
    return component(category.config, workspace.modality, config)


def keys_without_effect(workspace: Workspace, category: Category) -> list[str]:
    """Return a sentence for each key of a configuration that has no effect here."""
    config = category.config
    generator = _method(workspace, category)
    known = generator.Config.__dataclass_fields__
    sentences = [
        f"generation_settings.parameters.{printable(key)}: not known to {generator.name}; no effect"
        for key in config.generation_settings.parameters
        if key not in known
    ]
    thresholds = config.quality_thresholds
    if not workspace.modality.has_duration:
        sentences += [
            f"quality_thresholds.{key}: no effect on {workspace.modality.name}s"
            for key in ("min_duration", "max_duration")
            if getattr(thresholds, key) is not None
        ]
    if config.target is not None:
        sentences.append("target: no effect in classification")
    if config.generation_settings.api_endpoint is not None and not generator.takes_endpoint:
        sentences.append(f"generation_settings.api_endpoint: no effect with {generator.name}")
    if config.sample_inputs and not generator.takes_inputs:
        sentences.append(f"sample_inputs: no effect with {generator.name}")
    return [f"categories/{category.code}/config.json: {sentence}" for sentence in sentences]


def _method(workspace: Workspace, category: Category) -> type[Generator]:
    where = f"categories/{category.code}/config.json: generation_settings.method"
    method = category.config.generation_settings.method
    return GENERATORS.get(method, workspace.modality.name, where)
