"""Temperature scaling: one number that makes probabilities mean what they say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["fit_temperature", "scale"]

# No probability that a model gives is taken for impossible or certain.
_FLOOR = 1e-6
_BOUNDS = (0.1, 10.0)


def scale(probabilities: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    r"""Return probabilities at another temperature: sharper below 1, flatter above.

    .. math:: q_k = \frac{p_k^{1/T}}{\sum_j p_j^{1/T}}

    The order of the categories stays.

    Parameters
    ----------
    probabilities
        ``n_examples x n_categories``; rows sum to 1.
    temperature
        Above 0; 1 changes nothing.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger (2017), On calibration of modern neural networks,
    International Conference on Machine Learning.

    Examples
    --------
    >>> scale(np.array([[0.6, 0.4]]), 0.5).round(3)
    array([[0.692, 0.308]])
    """
    logits = np.log(np.clip(probabilities, _FLOOR, 1.0)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    scaled: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return scaled


def fit_temperature(probabilities: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> float:
    """Return the temperature at which out-of-fold probabilities fit the labels best.

    The labels are smoothed by one part in ``n_seeds + 2``, as in Platt scaling: a few seeds that
    are all right are no evidence that the model is never wrong.

    Parameters
    ----------
    probabilities
        Out-of-fold, ``n_seeds x n_categories``.
    labels
        The true categories by number, ``n_seeds``.

    References
    ----------
    J. Platt (1999), Probabilistic outputs for support vector machines, in: Advances in large
    margin classifiers.
    """
    from scipy.optimize import minimize_scalar

    n_seeds, n_categories = probabilities.shape
    doubt = 1.0 / (n_seeds + 2)
    targets = np.full(probabilities.shape, doubt / max(n_categories - 1, 1))
    targets[np.arange(n_seeds), labels] = 1.0 - doubt

    def loss(log_temperature: float) -> float:
        scaled = scale(probabilities, float(np.exp(log_temperature)))
        return float(-(targets * np.log(np.clip(scaled, _FLOOR, 1.0))).sum())

    bounds = tuple(float(np.log(bound)) for bound in _BOUNDS)
    best = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return round(float(np.exp(best.x)), 4)
