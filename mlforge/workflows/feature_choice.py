"""Which extractors a training uses, or among which sets of them it chooses."""

from __future__ import annotations

from collections.abc import Sequence

from mlforge.core.reporting import Reporter
from mlforge.core.settings import DEFAULT_FEATURES, ProjectSettings
from mlforge.errors import ConfigError
from mlforge.extractors import EXTRACTORS, LearningExtractor
from mlforge.modalities import Modality

__all__ = ["AUTO_FEATURES", "feature_sets", "learning_extractors"]

AUTO_FEATURES = "auto"


def feature_sets(
    settings: ProjectSettings, modality: Modality, asked: Sequence[str], reporter: Reporter
) -> list[tuple[str, ...]]:
    """Return the extractors to use, by name; of several sets the best is to be chosen.

    Parameters
    ----------
    settings
        The project's settings.
    modality
        The kind of data.
    asked
        The extractors by name; ``("auto",)`` to choose among those of the settings that are fixed,
        each that learns, both, and each other one that the settings have a table for; those of the
        settings where empty.
    reporter
        Takes a warning where some cannot be chosen.

    Raises
    ------
    ConfigError
        If ``auto`` is not alone.
    """
    names = tuple(dict.fromkeys(asked or settings.features.use))
    if AUTO_FEATURES not in names:
        return [names]
    if len(names) > 1:
        raise ConfigError(
            "--features auto: chooses by itself; nothing can be added to it", "--features auto"
        )
    learning = learning_extractors(modality)
    learned = {extractor.name for extractor in learning}
    in_use = DEFAULT_FEATURES if AUTO_FEATURES in settings.features.use else settings.features.use
    fixed = tuple(name for name in in_use if name not in learned)
    sets = [fixed] if fixed else []
    sets += [(name,) for name in settings.features.parameters if name not in {*fixed, *learned}]
    for extractor in learning:
        if not extractor.available():
            reporter.warn(
                f"--features auto: {extractor.name} is left out: it needs "
                f"{', '.join(extractor.fits_with)}; install it with: {extractor.install_command()}"
            )
            continue
        sets.append((extractor.name,))
        if fixed:
            sets.append((*fixed, extractor.name))
    if not sets:
        raise ConfigError("--features auto: there is nothing to choose from", "--features NAME")
    return sets


def learning_extractors(modality: Modality) -> list[type[LearningExtractor]]:
    """Return the extractors that learn from examples of a modality."""
    return [
        extractor
        for extractor in EXTRACTORS.components(modality.name)
        if issubclass(extractor, LearningExtractor)
        and (modality.offers_arrays or not extractor.needs_arrays)
    ]
