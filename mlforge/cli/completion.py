"""What the shell completes: category codes, versions and component names. Quick, never failing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import typer

__all__ = [
    "aliases",
    "category_codes",
    "examples",
    "extractor_names",
    "generator_names",
    "modality_names",
    "model_names",
    "technique_names",
    "versions",
]


def _root(context: typer.Context) -> Path:
    from mlforge.storage.layout import find_root

    return find_root(Path(context.params.get("project") or "."))


def _quietly(names: Callable[[], Iterable[str]], incomplete: str) -> list[str]:
    try:
        return [name for name in names() if name.startswith(incomplete)]
    # A broken project or plugin must not print into the line that somebody is typing.
    except Exception:  # noqa: BLE001 - see above
        return []


def category_codes(context: typer.Context, incomplete: str) -> list[str]:
    """Return the project's category codes."""

    def names() -> Iterable[str]:
        from mlforge.storage.layout import Layout

        return Layout(_root(context)).category_codes()

    return _quietly(names, incomplete)


def versions(context: typer.Context, incomplete: str) -> list[str]:
    """Return the versions of the project's models, and the aliases."""

    def names() -> Iterable[str]:
        from mlforge.storage.artifacts import ArtifactStore

        store = ArtifactStore(_root(context) / "artifacts")
        return [*store.versions(), *store.aliases.read()]

    return _quietly(names, incomplete)


def aliases(context: typer.Context, incomplete: str) -> list[str]:
    """Return the aliases of the project's models."""

    def names() -> Iterable[str]:
        from mlforge.storage.aliases import Aliases

        return Aliases(_root(context) / "artifacts").read()

    return _quietly(names, incomplete)


def _registered(kind: str, incomplete: str, *more: str) -> list[str]:
    def names() -> Iterable[str]:
        from mlforge.core.component import Component
        from mlforge.core.registry import Registry

        # The kind's own registry would do the same and import what all its components need.
        return [*Registry(kind, Component).registered(), *more]

    return _quietly(names, incomplete)


def model_names(incomplete: str) -> list[str]:
    """Return the names of models, ``all`` and ``auto``."""
    return _registered("model", incomplete, "all", "auto")


def extractor_names(incomplete: str) -> list[str]:
    """Return the names of extractors, and ``auto``."""
    return _registered("extractor", incomplete, "auto")


def technique_names(incomplete: str) -> list[str]:
    """Return the names of techniques."""
    return _registered("technique", incomplete)


def generator_names(incomplete: str) -> list[str]:
    """Return the names of generators."""
    return _registered("generator", incomplete)


def modality_names(incomplete: str) -> list[str]:
    """Return the names of modalities."""
    return _registered("modality", incomplete)


def examples(incomplete: str) -> list[str]:
    """Return the names of the example projects."""

    def names() -> Iterable[str]:
        from mlforge.examples import EXAMPLES

        return EXAMPLES

    return _quietly(names, incomplete)
