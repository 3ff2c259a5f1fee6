"""Fitting one model to examples, as the graph that ships: what is measured is what is used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlforge.core.onnx_graph import OnnxGraph
from mlforge.errors import ArtifactError
from mlforge.models import Model
from mlforge.workflows.model_choice import Candidate

__all__ = ["PartModel", "fit_graph", "fit_part"]

# The exported graph is compared with the model itself on so many training examples.
_N_COMPARED = 2000


def fit_graph(
    candidate: Candidate,
    features: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> bytes:
    """Fit a candidate to examples of every category, and return its serialized graph.

    Raises
    ------
    ArtifactError
        If the graph differs from the model.
    """
    model = candidate.model(candidate.config)
    model.fit(features, labels, rng)
    graph = model.to_onnx()
    _check_graph(model, graph, features[:_N_COMPARED])
    return graph


@dataclass(frozen=True, eq=False)
class PartModel:
    """A model that was fitted to a part of the examples, as the graph that would ship.

    Attributes
    ----------
    graph
        The graph; None where the part holds a single category.
    present
        The categories of the part, by number.
    n_categories
        How many categories there are in all.
    """

    graph: OnnxGraph | None
    present: npt.NDArray[np.int64]
    n_categories: int

    def probabilities(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return probabilities, ``n_examples x n_categories``; 0 for what it never saw."""
        values = np.zeros((len(features), self.n_categories))
        values[:, self.present] = 1.0 if self.graph is None else self.graph.run(features)
        return values


def fit_part(
    candidate: Candidate,
    features: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    n_categories: int,
    rng: np.random.Generator,
) -> PartModel:
    """Fit a candidate to a part of the examples, which may lack categories.

    Parameters
    ----------
    features, labels
        Of the part.
    n_categories
        How many categories there are in all.
    """
    present, numbers = np.unique(labels, return_inverse=True)
    if len(present) == 1:
        return PartModel(None, present, n_categories)
    model = candidate.model(candidate.config)
    model.fit(features, numbers.astype(np.int64), rng)
    # What ships is a graph, and so it is graphs that are measured.
    return PartModel(OnnxGraph(model.to_onnx(), candidate.model.name), present, n_categories)


def _check_graph(model: Model, graph: bytes, features: npt.NDArray[np.float32]) -> None:
    """Compare the exported graph with the model itself."""
    exported = OnnxGraph(graph, model.name).run(features)
    difference = float(np.abs(exported - model.predict_proba(features)).max())
    if not difference <= model.tolerance:
        raise ArtifactError(
            f"{model.name}: the exported graph differs from the model by {difference:.2g}, "
            f"more than {model.tolerance:.0e}; nothing was stored",
            "please report this with the output of: mlforge doctor",
        )
