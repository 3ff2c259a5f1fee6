"""The base of every component: modality, technique, generator, extractor, model."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from mlforge.core.validation import validated
from mlforge.errors import MissingExtraError

__all__ = ["Component", "ComponentConfig"]


@dataclass(frozen=True, kw_only=True)
class ComponentConfig:
    """The base of every component's parameters: a frozen dataclass that Pydantic validates.

    A subclass repeats ``@dataclass(frozen=True, kw_only=True)``, annotates each parameter with its
    range (``Annotated[float, Ge(0)]`` from `annotated_types`), gives it a default, and puts its
    description in a string below it. Rules between parameters go into ``__post_init__``, which
    raises `ValueError`. Values that come from an artifact were validated when it was made, so
    `mlforge predict` makes the dataclass directly and never imports Pydantic.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "use_attribute_docstrings": True}


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
    distribution
        What to install to get the extra: a plugin names its own distribution.
    Config
        Its parameters.
    """

    name: ClassVar[str]
    modality: ClassVar[str | None] = None
    extra: ClassVar[str | None] = None
    requires: ClassVar[tuple[str, ...]] = ()
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
        """Return whether everything that the component needs is installed."""
        return all(_installed(module) for module in cls.requires)

    @classmethod
    def install_command(cls) -> str:
        """Return the command that installs what the component needs."""
        extra = f"[{cls.extra}]" if cls.extra else ""
        return f'python -m pip install "{cls.distribution}{extra}"'

    @classmethod
    def require_available(cls) -> None:
        """Raise `MissingExtraError` unless the component can be used."""
        if not cls.available():
            missing = ", ".join(m for m in cls.requires if not _installed(m))
            raise MissingExtraError(
                f"{cls.name!r} needs {missing}, which is not installed", cls.install_command()
            )

    def parameters(self) -> dict[str, Any]:
        """Return the parameters as JSON-like values."""
        return dataclasses.asdict(self.config)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        # A part of a package that is not there.
        return False
