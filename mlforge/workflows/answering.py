"""Which model answers, by which name, and whether it knows what the project no longer has."""

from __future__ import annotations

from dataclasses import dataclass

from mlforge.errors import ArtifactError
from mlforge.storage.artifacts import ArtifactStore
from mlforge.storage.layout import Layout

__all__ = ["Answering", "answering", "default_answering"]


@dataclass(frozen=True)
class Answering:
    """The model that answers.

    Attributes
    ----------
    version
        Its version; None where none answers unless it is named.
    aliases
        The aliases that name it.
    gone
        The categories that it knows and the project does not have, where it has others of them.
    refusal
        Why none answers; empty where one does.
    """

    version: str | None
    aliases: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def name(self) -> str:
        """The version with its aliases, as messages call it."""
        return f"{self.version} ({', '.join(self.aliases)})" if self.aliases else str(self.version)


def default_answering(store: ArtifactStore) -> Answering:
    """Return what answers where no model is named."""
    try:
        return answering(store, store.resolve(None))
    except ArtifactError as error:
        return Answering(None, refusal=error.message)


def answering(store: ArtifactStore, version: str) -> Answering:
    """Return what there is to say of a version that answers.

    Raises
    ------
    ArtifactError
        If it is missing or damaged.
    """
    known = [category["code"] for category in store.manifest(version)["categories"]]
    aliases = store.aliases.read().values()
    named = tuple(sorted(alias.name for alias in aliases if alias.version == version))
    return Answering(version, named, _gone(store, known))


def _gone(store: ArtifactStore, known: list[str]) -> tuple[str, ...]:
    there = set(Layout(store.folder.parent).category_codes())
    # A model of other data altogether shares none, and misses none.
    return tuple(code for code in known if code not in there) if there & set(known) else ()
