"""How unlike the training examples an example is, from its features alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

__all__ = ["Novelty"]

_Floats = npt.NDArray[np.float32]

# More examples than these cost time and tell no more of what is usual (measured on digits and
# hand signs with 20 samples a seed).
_MOST_EXAMPLES = 600
_N_NEIGHBOURS = 3
_MOST_COMPONENTS = 256
_SHRINKAGE = 0.2
# Directions between the categories, of which there are one fewer than categories, and the widest
# ones within them: with two categories, one direction alone would not tell what lies beside it.
_MOST_BETWEEN, _WITHIN = 48, 8
# The projection holds at most so many numbers: 600 kB.
_MOST_NUMBERS = 150_000
_TINY = 1e-6


class Novelty:
    r"""The distance to the nearest training examples where categories differ most.

    Features are standardized, brought to length 1, and projected on the directions that separate
    the categories (linear discriminants) and the widest ones beside them, whitened by the shrunk
    covariance within the categories. The novelty is the mean distance to the three nearest
    training examples.

    .. math:: S = (1 - \lambda) S_w + \lambda \frac{\operatorname{tr} S_w}{r} I, \quad
        \nu(x) = \frac{1}{3} \sum_{j \in N_3(x)} \lVert P^T (z(x) - z_j) \rVert

    Parameters
    ----------
    centre, scale
        What features are standardized with, ``n_features``.
    projection
        ``n_features x n_directions``.
    references
        The training examples, projected, ``n_references x n_directions``.

    References
    ----------
    J. H. Friedman (1989), Regularized discriminant analysis, Journal of the American Statistical
    Association 84, 165-175. Y. Sun, Y. Ming, X. Zhu, Y. Li (2022), Out-of-distribution detection
    with deep nearest neighbors, International Conference on Machine Learning.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> features = rng.normal(size=(40, 6)).astype(np.float32)
    >>> labels = np.repeat([0, 1], 20)
    >>> features[labels == 1, 0] += 9
    >>> novelty = Novelty.fit(features, labels, rng)
    >>> strange = features[:1] + np.float32([0, 60, 0, 0, 0, 0])
    >>> bool(novelty.score(strange)[0] > novelty.score(features).max())
    True
    """

    def __init__(
        self, centre: _Floats, scale: _Floats, projection: _Floats, references: _Floats
    ) -> None:
        self._centre = centre
        self._scale = scale
        self._projection = projection
        self._references = references
        # Converted once: a single prediction would spend most of its time on it.
        self._wide_projection = projection.astype(np.float64)
        self._wide_references = np.ascontiguousarray(references.T, np.float64)
        self._reference_squares = (self._wide_references**2).sum(axis=0)

    @classmethod
    def fit(
        cls,
        features: _Floats,
        labels: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> Novelty:
        """Learn what is usual.

        Parameters
        ----------
        features
            Of the training examples, ``n_examples x n_features``, finite.
        labels
            Their categories by number, ``n_examples``.
        rng
            Draws the examples to learn from where there are many.
        """
        rows = _balanced(labels, _MOST_EXAMPLES, rng)
        chosen, labels = features[rows].astype(np.float64), labels[rows]
        centre, spread = chosen.mean(axis=0), chosen.std(axis=0)
        # A feature that hardly varies here must not drown the others when it does elsewhere.
        floor = max(float(np.quantile(spread, 0.25)), _TINY * float(spread.max()))
        scale = np.maximum(spread, floor) if floor > 0 else np.ones_like(spread)
        units = _unit((chosen - centre) / scale)
        projection = _directions(units, labels).astype(np.float32)
        references = (units @ projection).astype(np.float32)
        return cls(centre.astype(np.float32), scale.astype(np.float32), projection, references)

    def score(self, features: _Floats) -> npt.NDArray[np.float64]:
        """Return the novelty of each example, at least 0; higher is less like the training ones.

        Parameters
        ----------
        features
            ``n_examples x n_features``.
        """
        units = _unit(((features - self._centre) / self._scale).astype(np.float64))
        points = units @ self._wide_projection
        squares = (
            (points**2).sum(axis=1)[:, None]
            + self._reference_squares
            - 2 * points @ self._wide_references
        )
        n_nearest = min(_N_NEIGHBOURS, len(self._references))
        nearest = np.partition(squares, n_nearest - 1, axis=1)[:, :n_nearest]
        distances: npt.NDArray[np.float64] = np.sqrt(np.maximum(nearest, 0)).mean(axis=1)
        return distances

    def state(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return what `restore` needs, less than 1 MB: arrays of float32 by name."""
        return {
            "centre": self._centre,
            "scale": self._scale,
            "projection": self._projection,
            "references": self._references,
        }

    @classmethod
    def restore(cls, state: Mapping[str, npt.NDArray[np.float32]]) -> Novelty:
        """Return the novelty whose state this is.

        Raises
        ------
        KeyError
            If an array is missing.
        ValueError
            If the arrays do not fit each other.
        """
        centre, scale = state["centre"], state["scale"]
        projection, references = state["projection"], state["references"]
        fits = (
            centre.ndim == 1
            and centre.shape == scale.shape
            and projection.ndim == references.ndim == 2
            and len(projection) == len(centre)
            and projection.shape[1] == references.shape[1]
            and len(references) > 0
            and all(np.isfinite(array).all() for array in state.values())
            and bool((scale > 0).all())
        )
        if not fits:
            raise ValueError("the arrays of the novelty score do not fit each other")
        return cls(centre, scale, projection, references)


def _unit(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: npt.NDArray[np.float64] = rows / np.where(lengths > 0, lengths, 1.0)
    return units


def _balanced(
    labels: npt.NDArray[np.int64], n_most: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Return at most `n_most` rows, of each category in turn, so that small ones stay whole."""
    if len(labels) <= n_most:
        return np.arange(len(labels))
    shuffled = rng.permutation(len(labels))
    turn = np.empty(len(labels), np.int64)
    for category in np.unique(labels):
        members = shuffled[labels[shuffled] == category]
        turn[members] = np.arange(len(members))
    return np.sort(shuffled[np.argsort(turn[shuffled], kind="stable")[:n_most]])


def _directions(
    units: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return the projection, ``n_features x n_directions``."""
    n_examples, n_features = units.shape
    basis = _principal(units - units.mean(axis=0))
    if basis.shape[1] == 0:
        return np.zeros((n_features, 1))
    points = (units - units.mean(axis=0)) @ basis
    present, category = np.unique(labels, return_inverse=True)
    means = np.stack([points[category == number].mean(axis=0) for number in range(len(present))])
    within = points - means[category]
    covariance = within.T @ within / max(n_examples - len(present), 1)
    typical = float(np.trace(covariance)) / len(covariance)
    if typical <= 0:
        # Each category is one example over and over: nothing to whiten with.
        covariance, typical = np.eye(len(covariance)), 1.0
    shrunk = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * typical * np.eye(len(covariance))
    values, vectors = np.linalg.eigh(shrunk)
    whiten = vectors / np.sqrt(values)
    n_most = max(_MOST_NUMBERS // n_features, _WITHIN)
    between = _rows_of((means - means.mean(axis=0)) @ whiten, min(_MOST_BETWEEN, n_most))
    white = points @ whiten
    beside = _rows_of(white - white @ between.T @ between, _WITHIN)
    turned = np.vstack([between, beside])[:n_most]
    projection: npt.NDArray[np.float64] = basis @ whiten @ turned.T
    return projection


def _principal(centred: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the leading principal directions, ``n_features x n_components``."""
    if len(centred) > centred.shape[1]:
        values, vectors = np.linalg.eigh(centred.T @ centred)
        kept = _leading(values)
        return vectors[:, kept]
    values, vectors = np.linalg.eigh(centred @ centred.T)
    kept = _leading(values)
    principal: npt.NDArray[np.float64] = centred.T @ vectors[:, kept] / np.sqrt(values[kept])
    return principal


def _leading(values: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Return which of the rising eigenvalues count, the largest first."""
    order = np.argsort(-values)[:_MOST_COMPONENTS]
    return order[values[order] > 1e-9 * max(float(values.max()), _TINY)]


def _rows_of(matrix: npt.NDArray[np.float64], n_most: int) -> npt.NDArray[np.float64]:
    """Return orthonormal directions that the rows span, the widest first."""
    _, lengths, directions = np.linalg.svd(matrix, full_matrices=False)
    kept = lengths > 1e-9 * max(float(lengths.max(initial=0.0)), _TINY)
    return np.asarray(directions[kept][:n_most])
