"""The base of every component: modality, technique, generator, extractor, model."""

from __future__ import annotations

import dataclasses
import importlib.util
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, get_type_hints

from mlforge.core.extras import install_command
from mlforge.core.validation import validated
from mlforge.errors import MissingExtraError

__all__ = ["Component", "ComponentConfig", "is_installed"]

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
    "multiple_of": lambda value, unit: bool(value % unit == 0),
}


@dataclass(frozen=True, kw_only=True)
class ComponentConfig:
    """The base of every component's parameters: a frozen dataclass that Pydantic validates.

    A subclass repeats ``@dataclass(frozen=True, kw_only=True)``, annotates each parameter with its
    range (``Annotated[float, Ge(0)]`` from `annotated_types`), gives it a default, and puts its
    description in a string below it. Rules between parameters go into ``__post_init__``, which
    raises `ValueError`. Values that come from an artifact were validated when it was made;
    `mlforge predict` looks at their ranges alone and never imports Pydantic.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "use_attribute_docstrings": True}

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> Self:
        """Return the parameters that an artifact holds.

        Raises
        ------
        TypeError, ValueError
            If one is unknown or out of range: somebody else may have written them.
        """
        # JSON has lists where a configuration has tuples.
        config = cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
        for name, hint in get_type_hints(cls, include_extras=True).items():
            value = getattr(config, name)
            if getattr(hint, "__origin__", hint) is int and type(value) is not int:
                raise TypeError(f"{name} is no integer")
            for limit in getattr(hint, "__metadata__", ()):
                if not _is_within(value, limit):
                    raise ValueError(f"{name} is out of range")
        return config


def _is_within(value: Any, limit: Any) -> bool:
    """Return whether a value is within a limit of `annotated_types`; others hold nothing here."""
    bounds = [(getattr(limit, name, None), compare) for name, compare in _COMPARE.items()]
    return all(
        isinstance(value, int | float) and compare(value, bound)
        for bound, compare in bounds
        if bound is not None
    )


class Component:
    """A named part that registries hold and configuration selects.

    The first line of the class's docstring is its summary in listings. A component's module
    imports only NumPy, OpenCV and the standard library at its top; anything heavier is imported
    where it is used, so that listing components is quick and needs no extra.

    Attributes
    ----------
    name
        The name in configuration and on the command line: ``[a-z][a-z0-9_]*``.
    modality
        The kind of data it works on; None for any.
    extra
        The extra of the package that brings what it needs; None where it needs no extra.
    requires
        The modules that the extra brings.
    fits_with
        Those of them that only fitting needs: what was fitted is used without them.
    distribution
        What to install to get the extra: a plugin names its own distribution.
    Config
        Its parameters.
    """

    name: ClassVar[str]
    modality: ClassVar[str | None] = None
    extra: ClassVar[str | None] = None
    requires: ClassVar[tuple[str, ...]] = ()
    fits_with: ClassVar[tuple[str, ...]] = ()
    distribution: ClassVar[str] = "mlforge"
    Config: ClassVar[type[ComponentConfig]] = ComponentConfig

    def __init__(self, config: ComponentConfig | None = None) -> None:
        self.require_available()
        self.config: Any = self.Config() if config is None else config

    @classmethod
    def configured(cls, values: Mapping[str, Any], where: str) -> Self:
        """Make the component from parameters that a person wrote.

        Raises
        ------
        ConfigError
            If a parameter is unknown, of the wrong type or out of range; it names `where` and key.
        MissingExtraError
            If what the component needs is not installed.
        """
        return cls(validated(cls.Config, dict(values), where))

    @classmethod
    def summary(cls) -> str:
        """Return the first line of the docstring."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]

    @classmethod
    def available(cls) -> bool:
        """Return whether everything that the component needs is installed, for fitting too."""
        return all(is_installed(module) for module in (*cls.requires, *cls.fits_with))

    @classmethod
    def install_command(cls) -> str:
        """Return the command that installs what the component needs."""
        return install_command(cls.distribution, cls.extra)

    @classmethod
    def require_available(cls) -> None:
        """Raise `MissingExtraError` unless the component, once fitted, can be used."""
        cls.require_modules(cls.requires)

    @classmethod
    def require_modules(cls, modules: Sequence[str]) -> None:
        """Raise `MissingExtraError` unless these modules, which the extra brings, are installed."""
        missing = ", ".join(module for module in modules if not is_installed(module))
        if missing:
            raise MissingExtraError(
                f"{cls.name!r} needs {missing}, which is not installed", cls.install_command()
            )

    def parameters(self) -> dict[str, Any]:
        """Return the parameters as JSON-like values."""
        return dataclasses.asdict(self.config)


def is_installed(module: str) -> bool:
    """Return whether a module could be imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        # A part of a package that is not there.
        return False
