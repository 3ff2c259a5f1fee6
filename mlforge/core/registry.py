"""Registries: which components there are, ours and those of installed plugins."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import Generic, TypeVar

from mlforge.core.component import Component
from mlforge.core.names import suggestion
from mlforge.errors import ConfigError

__all__ = ["Broken", "Registry"]

C = TypeVar("C", bound=Component)


@dataclass(frozen=True)
class Broken:
    """A registered component that could not be loaded."""

    name: str
    source: str
    reason: str


@dataclass(frozen=True)
class _Source(Generic[C]):
    """A place that offers a component under a name."""

    name: str
    distribution: str
    load: Callable[[], object]


class Registry(Generic[C]):
    """The components of one kind, found through the entry points of installed packages.

    An entry point of the group ``mlforge.<kind>s`` names either one class
    (``gradient = "my_package:Gradient"``; the entry point's name is the component's) or a package
    (``image = "my_package.extractors"``), each public module of which holds one component of the
    same name as the module. mlforge registers its own components in the second way, so adding one
    is adding one file.

    Parameters
    ----------
    kind
        The word for one component in messages, such as ``extractor``.
    base
        The class that every component of the kind derives from.
    """

    def __init__(self, kind: str, base: type[C]) -> None:
        self.kind = kind
        self.base = base
        self.group = f"mlforge.{'modalities' if kind == 'modality' else kind + 's'}"

    def names(self, modality: str | None = None) -> list[str]:
        """Return the names of all components that load and work on `modality`, sorted."""
        return sorted(component.name for component in self.components(modality))

    def registered(self) -> list[str]:
        """Return the names of everything that is registered, sorted; nothing is loaded."""
        return sorted({source.name for source in self._sources})

    def components(self, modality: str | None = None) -> list[type[C]]:
        """Return all components that load and work on `modality`, sorted by name."""
        found = [c for c in self.load_all() if not isinstance(c, Broken) and _serves(c, modality)]
        return sorted(found, key=lambda component: component.name)

    def broken(self) -> list[Broken]:
        """Return what is registered but could not be loaded, with the reason."""
        return [item for item in self.load_all() if isinstance(item, Broken)]

    def get(self, name: str, modality: str | None = None, where: str = "") -> type[C]:
        """Return the component with that name.

        Raises
        ------
        ConfigError
            If there is none for the modality (the hint holds the nearest name and all names), if
            its plugin cannot be loaded, or if two packages offer it.
        """
        prefix = f"{where}: " if where else ""
        found: dict[type[C], str] = {}
        for source in self._sources:
            if source.name != name:
                continue
            component = self._load(source)
            if isinstance(component, Broken):
                raise ConfigError(
                    f"{prefix}{self.kind} {name!r} from {source.distribution} cannot be loaded: "
                    f"{component.reason}",
                    f"mend or uninstall {source.distribution}",
                )
            if _serves(component, modality):
                found[component] = source.distribution
        if len(found) > 1:
            owners = " and ".join(sorted(found.values()))
            raise ConfigError(
                f"{prefix}two packages offer the {self.kind} {name!r}: {owners}",
                "uninstall one of them",
            )
        if not found:
            of = f" for {modality}" if modality else ""
            raise ConfigError(
                f"{prefix}unknown {self.kind} {name!r}{of}", suggestion(name, self.names(modality))
            )
        return next(iter(found))

    def origin(self, component: type[C]) -> str:
        """Return the distribution that registers `component`."""
        for source in self._sources:
            if source.name == component.name and self._load(source) is component:
                return source.distribution
        return component.distribution

    def load_all(self) -> Iterator[type[C] | Broken]:
        """Load everything that is registered, one after the other."""
        for source in self._sources:
            yield self._load(source)

    def _load(self, source: _Source[C]) -> type[C] | Broken:
        try:
            component = source.load()
        # A plugin is somebody else's code: whatever it raises is its fault, not a crash of ours.
        except (Exception, SystemExit) as error:  # noqa: BLE001 - see above
            return Broken(source.name, source.distribution, f"{type(error).__name__}: {error}")
        if not isinstance(component, type) or not issubclass(component, self.base):
            reason = f"{component!r} is not a {self.base.__name__}"
            return Broken(source.name, source.distribution, reason)
        if getattr(component, "name", None) != source.name:
            reason = f"its class is named {getattr(component, 'name', None)!r}"
            return Broken(source.name, source.distribution, reason)
        return component

    @cached_property
    def _sources(self) -> list[_Source[C]]:
        return [source for point in _entry_points(self.group) for source in self._expand(point)]

    def _expand(self, point: metadata.EntryPoint) -> Iterator[_Source[C]]:
        distribution = point.dist.name if point.dist else point.value
        if ":" in point.value:
            yield _Source(point.name, distribution, point.load)
            return
        try:
            spec = importlib.util.find_spec(point.value)
        # Finding a package imports those above it: a stranger's code again.
        except (Exception, SystemExit) as error:  # noqa: BLE001 - see above
            failure = error
            yield _Source(point.name, distribution, lambda: _raise(failure))
            return
        locations = spec.submodule_search_locations if spec else None
        if locations is None:
            absent = ImportError(f"there is no package {point.value!r}")
            yield _Source(point.name, distribution, lambda: _raise(absent))
            return
        for module in pkgutil.iter_modules(locations):
            if not module.name.startswith("_") and not module.ispkg:
                path = f"{point.value}.{module.name}"
                yield _Source(module.name, distribution, self._module_loader(path))

    def _module_loader(self, path: str) -> Callable[[], object]:
        def load() -> object:
            module = importlib.import_module(path)
            for value in vars(module).values():
                is_component = isinstance(value, type) and issubclass(value, self.base)
                if is_component and value.__module__ == path:
                    return value
            raise ImportError(f"{path} holds no {self.base.__name__}")

        return load


def _entry_points(group: str) -> list[metadata.EntryPoint]:
    return sorted(metadata.entry_points(group=group), key=lambda point: (point.name, point.value))


def _serves(component: type[Component], modality: str | None) -> bool:
    return modality is None or component.modality in (None, modality)


def _raise(error: BaseException) -> object:
    raise error
