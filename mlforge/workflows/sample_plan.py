"""What samples a category is to have: a function of seeds, configuration and count alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from mlforge.core.digest import digest_json
from mlforge.core.names import printable, suggestion
from mlforge.core.records import Failure, SampleRecord, Seed
from mlforge.core.validation import validated
from mlforge.errors import ConfigError, DataError
from mlforge.generators import GENERATORS, Generator, GeneratorConfig
from mlforge.storage.manifest import read_manifest
from mlforge.workflows.workspace import Category, Workspace

__all__ = [
    "N_DIGITS",
    "SamplePlan",
    "keys_without_effect",
    "library_versions",
    "make_generator",
    "make_plan",
    "sample_digest",
]

DEFAULT_PER_SEED = 20
# So many digits of a seed's digest stand in the file names of its samples.
N_DIGITS = 8


@dataclass(frozen=True)
class SamplePlan:
    """What is to be done for one category.

    Attributes
    ----------
    category
        The category.
    generator
        Its generator, with its techniques.
    config_digest
        The digest of everything that shapes its samples besides their seeds.
    seeds
        Its seeds.
    n_wanted
        How many samples were asked for.
    missing
        The samples to make, each a seed and a copy number.
    kept
        The samples, and failures, that stay.
    n_removed
        How many samples are surplus or out of date.
    refused
        Files that cannot be seeds, and why.
    """

    category: Category
    generator: Generator
    config_digest: str
    seeds: tuple[Seed, ...]
    n_wanted: int
    missing: tuple[tuple[Seed, int], ...]
    kept: tuple[SampleRecord, ...]
    n_removed: int
    refused: tuple[Failure, ...]


def make_plan(
    workspace: Workspace, category: Category, count: int | None, *, keep: bool
) -> SamplePlan:
    """Compare what a category is to have with what there is.

    Parameters
    ----------
    count
        Samples of the category; 20 a seed where None.
    keep
        Whether samples that are there already stay.

    Raises
    ------
    ConfigError
        If the configuration is wrong.
    DataError
        If there are no seeds to make samples from.
    """
    generator = make_generator(workspace, category)
    found = workspace.seeds(category)
    if generator.needs_seeds and not found.seeds:
        raise DataError(
            f"category {category.code!r} has no seeds to make samples from",
            f"mlforge categories add {category.code} FILES...",
        )
    _refuse_like_digests(found.seeds)
    config_digest = _config_digest(workspace, category, generator)
    wanted = DEFAULT_PER_SEED * len(found.seeds) if count is None else count
    keys = _keys(found.seeds, wanted, generator.limit_per_seed())
    folder = workspace.layout.samples(category.code)
    manifest = read_manifest(folder)
    usable = {}
    if manifest and manifest.config == config_digest and keep:
        usable = {(r.seed, r.copy): r for r in manifest.records if _is_there(folder, r)}
    kept = tuple(usable[s.digest, copy] for s, copy in keys if (s.digest, copy) in usable)
    n_before = len(manifest.samples) if manifest else 0
    n_kept = sum(not record.failure for record in kept)
    return SamplePlan(
        category,
        generator,
        config_digest,
        found.seeds,
        wanted,
        tuple((s, copy) for s, copy in keys if (s.digest, copy) not in usable),
        kept,
        n_before - n_kept,
        found.refused,
    )


def sample_digest(workspace: Workspace, category: Category) -> str:
    """Return the digest of everything that shapes a category's samples besides their seeds."""
    return _config_digest(workspace, category, make_generator(workspace, category))


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


def library_versions(workspace: Workspace, generator: Generator) -> dict[str, str]:
    """Return the versions of the libraries that decide a sample's bytes."""
    versions = dict(workspace.modality.versions())
    for technique in generator.techniques:
        versions |= technique.versions()
    return versions


def _method(workspace: Workspace, category: Category) -> type[Generator]:
    where = f"categories/{category.code}/config.json: generation_settings.method"
    method = category.config.generation_settings.method
    return GENERATORS.get(method, workspace.modality.name, where)


def _keys(seeds: Sequence[Seed], count: int, limit: int | None) -> list[tuple[Seed, int]]:
    """Share `count` samples evenly among seeds: copy 1 of every seed, then copy 2, ..."""
    if not seeds:
        return []
    full, rest = divmod(count, len(seeds))
    keys = [(seed, copy) for copy in range(1, full + 1) for seed in seeds]
    keys += [(seed, full + 1) for seed in seeds[:rest]]
    return keys if limit is None else [key for key in keys if key[1] <= limit]


def _refuse_like_digests(seeds: Sequence[Seed]) -> None:
    """Raise `DataError` where two seeds would give their samples the same file names."""
    names: dict[str, str] = {}
    for seed in seeds:
        other = names.setdefault(seed.digest[:N_DIGITS], seed.path.name)
        if other != seed.path.name:
            raise DataError(
                f"the digests of {printable(other)!r} and {printable(seed.path.name)!r} begin with "
                f"the same {N_DIGITS} digits, by chance, and so would the names of their samples",
                "save one of the two pictures anew in another format",
            )


def _is_there(folder: Path, record: SampleRecord) -> bool:
    if record.failure:
        return True
    try:
        # Of the file itself: a link in its place is replaced, never followed.
        status = (folder / record.file).lstat()
    except OSError:
        return False
    return S_ISREG(status.st_mode) and status.st_size == record.n_bytes


def _config_digest(workspace: Workspace, category: Category, generator: Generator) -> str:
    techniques = [{"name": t.name, **t.parameters()} for t in generator.techniques]
    return digest_json(
        {
            "config": category.config.sample_digest(),
            "generator": generator.parameters(),
            "modality": [workspace.modality.name, workspace.modality.parameters()],
            "techniques": techniques,
            "versions": library_versions(workspace, generator),
        }
    )
