"""Bringing features to one scale, and to fewer dimensions, before a fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlforge.models._graph import GraphBuilder
from mlforge.models._libraries import seed_from

__all__ = ["Projection", "Scaling", "fit_projection", "fit_scaling"]

# Of the strongest component's deviation; float32 keeps seven digits.
_WEAKEST = 1e-5


@dataclass(frozen=True)
class Scaling:
    """Features with their mean taken away, divided by a spread.

    Attributes
    ----------
    mean, spread
        ``n_features`` each; the spread is above 0.
    """

    mean: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]

    def apply(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the scaled features."""
        return (features - self.mean) / self.spread

    def add_to(self, graph: GraphBuilder) -> str:
        """Add the same to `graph` and return the name of the result, float64."""
        values = graph.cast(graph.features, np.float64)
        centred = graph.add("Sub", values, graph.constant(self.mean))
        return graph.add("Div", centred, graph.constant(self.spread))


def fit_scaling(features: npt.NDArray[np.float32]) -> Scaling:
    """Learn means and spreads.

    A feature's spread is ``sqrt(s**2 + (2 m)**2)``, with its standard deviation `s` and the median
    `m` of those of all features that vary. So no kind of feature outweighs the others by its unit,
    as with the usual division by `s`, and yet a feature that hardly ever varies, such as a rare bin
    of a histogram, does not become as loud as the rest.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    deviation = features.std(axis=0, dtype=np.float64)
    # Rounding of the mean gives constant features a deviation just above 0.
    deviation[features.min(axis=0) == features.max(axis=0)] = 0
    varying = deviation[deviation > 0]
    floor = 2 * float(np.median(varying)) if varying.size else 1.0
    return Scaling(mean, np.hypot(deviation, floor))


@dataclass(frozen=True)
class Projection:
    """Scaled features turned onto their principal components.

    Results and directions are float32, computed in float64: a fit on the results and a graph of it
    then see the same numbers.

    Attributes
    ----------
    scaling
        How features are scaled first.
    directions
        ``n_features x n_components``.
    """

    scaling: Scaling
    directions: npt.NDArray[np.float32]

    def apply(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the components, ``n_examples x n_components``."""
        scaled = self.scaling.apply(features)
        return (scaled @ self.directions.astype(np.float64)).astype(np.float32)

    def add_to(self, graph: GraphBuilder) -> str:
        """Add the same to `graph` and return the name of the result, float32."""
        directions = graph.cast(graph.constant(self.directions), np.float64)
        projected = graph.add("MatMul", self.scaling.add_to(graph), directions)
        return graph.cast(projected, np.float32)


def fit_projection(
    features: npt.NDArray[np.float32], n_components: int, rng: np.random.Generator
) -> Projection:
    """Learn at most `n_components` principal components of the scaled features.

    Components that hardly vary are left out: what they would hold is rounding.

    References
    ----------
    N. Halko, P.-G. Martinsson, J. A. Tropp, "Finding structure with randomness", SIAM Review 53
    (2011) 217-288.
    """
    from sklearn.decomposition import PCA

    n_examples, n_features = features.shape
    scaling = fit_scaling(features)
    seed = seed_from(rng)
    scaled = scaling.apply(features).astype(np.float32)
    if not (features != features[0]).any():
        return Projection(scaling, np.zeros((n_features, 1), np.float32))
    n_components = min(n_components, n_examples - 1, n_features)
    fitted = PCA(n_components, random_state=seed).fit(scaled)
    deviation = np.sqrt(fitted.explained_variance_)
    directions = fitted.components_[deviation > _WEAKEST * deviation.max()].T
    return Projection(scaling, np.ascontiguousarray(directions, dtype=np.float32))
