"""The model ensemble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from annotated_types import MinLen

from mlforge.core.component import ComponentConfig
from mlforge.models import MODELS, Model
from mlforge.models._graph import GraphBuilder
from mlforge.models._libraries import seed_from

__all__ = ["Ensemble"]


@dataclass(frozen=True, kw_only=True)
class EnsembleConfig(ComponentConfig):
    """The parameters of ensemble."""

    members: Annotated[tuple[str, ...], MinLen(2)] = ("extra_trees", "svm")
    """The models that vote, each with its default parameters."""

    def __post_init__(self) -> None:
        """Check what types cannot say."""
        if Ensemble.name in self.members:
            raise ValueError("an ensemble cannot be a member of an ensemble")
        if len(set(self.members)) < len(self.members):
            raise ValueError("a model can be a member only once")


class Ensemble(Model):
    """Average of the probabilities of several different models.

    Models that err in different ways make up for each other.
    """

    name: ClassVar[str] = "ensemble"
    # The largest that a member may have.
    tolerance: ClassVar[float] = 1e-4
    Config: ClassVar[type[ComponentConfig]] = EnsembleConfig

    def __init__(self, config: ComponentConfig | None = None) -> None:
        super().__init__(config)
        where = "models.ensemble.members"
        self._members = [MODELS.get(name, where=where)() for name in self.config.members]

    @property
    def features(self) -> tuple[str, ...]:
        """All that its members take, whatever was asked for."""
        return tuple(dict.fromkeys(n for member in self._members for n in member.features))

    def fit(
        self,
        features: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> None:
        """Fit every member to the training examples."""
        self._n_features = features.shape[1]
        self._n_categories = int(labels.max()) + 1
        for member in self._members:
            member.fit(features, labels, np.random.default_rng(seed_from(rng)))

    def predict_proba(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return probabilities, ``n_examples x n_categories``, whose rows sum to 1."""
        votes = [member.predict_proba(features) for member in self._members]
        mean: npt.NDArray[np.float64] = np.mean(votes, axis=0)
        return mean

    def to_onnx(self) -> bytes:
        """Return all members and their vote as one serialized ONNX graph.

        Raises
        ------
        ConfigError
            If the graph of a member, made elsewhere, cannot be joined with the others.
        """
        graph = GraphBuilder(self._n_features)
        votes = [
            graph.cast(graph.include(member.name, member.to_onnx()), np.float64)
            for member in self._members
        ]
        share = graph.constant(1 / len(votes))
        probabilities = graph.add("Mul", graph.add("Sum", *votes), share)
        return graph.finish(probabilities, self._n_categories)

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries of all models, each of which may be a member."""
        found = super().versions()
        for component in MODELS.components():
            if component is not cls:
                found |= component.versions()
        return found
