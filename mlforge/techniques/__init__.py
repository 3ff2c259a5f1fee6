"""Techniques: single augmentation steps, by modality."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar, Self

import numpy as np

from mlforge.core.category import CategoryConfig
from mlforge.core.component import Component
from mlforge.core.registry import Registry

__all__ = ["TECHNIQUES", "Drawn", "Technique", "apply_in_turn", "techniques_of"]

Drawn = dict[str, Any]
"""The values that a technique drew for one example, JSON-like."""


class Technique(Component):
    """One augmentation step.

    In its default range it keeps the label: a person would still call the result by the seed's
    name. One that cannot promise this for every kind of picture (a flip turns a left arrow into
    a right one) sets `keeps_labels` to False and is in no default list.

    Attributes
    ----------
    keeps_labels
        Whether the default range keeps the label of whatever the example shows.
    family
        Techniques of one family that stand in a row are applied together, by `apply_run`; empty
        for a technique that is applied by itself.
    revision
        Raised whenever the code gives other examples from the same draws.
    """

    modality: ClassVar[str]
    family: ClassVar[str] = ""
    keeps_labels: ClassVar[bool] = True
    revision: ClassVar[int] = 1

    @abstractmethod
    def apply(self, example: Any, rng: np.random.Generator) -> tuple[Any, Drawn]:
        """Return a varied example and the values that were drawn for it.

        Parameters
        ----------
        example
            An example of the modality; it is never changed.
        rng
            The only source of randomness: the same state gives the same bytes.
        """

    @classmethod
    def apply_run(
        cls, run: Sequence[Self], example: Any, rng: np.random.Generator
    ) -> tuple[Any, list[Drawn]]:
        """Apply several techniques in turn, as `apply` does; a family may do it in one go.

        Parameters
        ----------
        run
            Techniques that stand in a row, at least one, all of this family.
        """
        draws = []
        for technique in run:
            example, drawn = technique.apply(example, rng)
            draws.append(drawn)
        return example, draws

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `apply` gives."""
        return {}


TECHNIQUES: Registry[Technique] = Registry("technique", Technique)


def techniques_of(category: CategoryConfig, modality: str) -> list[Technique]:
    """Return a category's techniques in their order; none where it switches them off.

    Raises
    ------
    ConfigError
        If one is unknown, or a parameter is wrong.
    """
    settings = category.augmentation_settings
    techniques: list[Technique] = []
    for index, spec in enumerate(settings.techniques if settings.enable_augmentation else ()):
        where = (
            f"categories/{category.category_code}/config.json: "
            f"augmentation_settings.techniques[{index}]"
        )
        technique = TECHNIQUES.get(spec.name, modality, where)
        techniques.append(technique.configured(spec.parameters, where))
    return techniques


def apply_in_turn(
    techniques: Sequence[Technique], example: Any, rng: np.random.Generator
) -> tuple[Any, tuple[Mapping[str, Any], ...]]:
    """Pass an example through techniques in their order, and return it with its recipe."""
    recipe: list[Mapping[str, Any]] = []
    for _, members in groupby(techniques, key=lambda t: t.family or t.name):
        run = list(members)
        example, draws = run[0].apply_run(run, example, rng)
        recipe += [{"technique": t.name, **d} for t, d in zip(run, draws, strict=True)]
    return example, tuple(recipe)
