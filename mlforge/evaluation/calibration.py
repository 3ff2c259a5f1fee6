"""Temperature scaling: one number that makes probabilities mean what they say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlforge.evaluation.intervals import Z95
from mlforge.evaluation.records import Calibration, ReliabilityBin

__all__ = ["cross_calibrated", "final_temperature", "fit_temperature", "measure", "scale"]

# No probability that a model gives is taken for impossible or certain.
_FLOOR = 1e-6
_BOUNDS = (0.1, 10.0)
# Fewer seeds say nothing of calibration, and a bin of fewer nothing of its accuracy.
_FEWEST, _PER_BIN, _MOST_BINS = 20, 15, 10
_N_RESAMPLES = 400


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


def final_temperature(
    probabilities: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], share: float
) -> float:
    r"""Return the temperature for the model that learned from all seeds.

    It is right more often than the models of the folds, so it may be bolder: their temperature is
    multiplied by :math:`\sqrt{share}`, which by simulation (``benchmarks/truth.py``) closes the
    gap between its confidence and its accuracy.

    Parameters
    ----------
    probabilities, labels
        As for `fit_temperature`.
    share
        The share of the groups that the models of the folds learned from.
    """
    bold = fit_temperature(probabilities, labels) * float(np.sqrt(share))
    return round(max(bold, _BOUNDS[0]), 4)


def cross_calibrated(
    probabilities: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    fold: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Return out-of-fold probabilities, those of each fold scaled as the other folds ask for.

    Parameters
    ----------
    probabilities
        ``n_seeds x n_categories``.
    labels
        The true categories by number, ``n_seeds``.
    fold
        The test fold of each seed, ``n_seeds``; with one fold alone nothing is scaled.
    """
    scaled = probabilities.copy()
    for number in np.unique(fold):
        held = fold == number
        if not held.all():
            temperature = fit_temperature(probabilities[~held], labels[~held])
            scaled[held] = scale(probabilities[held], temperature)
    return scaled


def measure(
    confidence: npt.NDArray[np.float64],
    right: npt.NDArray[np.bool_],
    group_of: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> Calibration | None:
    r"""Measure how far confidence is from accuracy: the expected calibration error, debiased.

    The seeds are put into bins of equal number by their confidence. The mean distance between
    confidence and accuracy in a bin is too large by chance alone: what it would be in the mean if
    the accuracy of each bin varied as :math:`s_b^2 = p_b (1 - p_b) / n_b` tells by how much.

    .. math:: \sum_b \frac{n_b}{n} \left(2 d_b - E|N(d_b, s_b^2)|\right),
        \quad d_b = |c_b - p_b|

    Parameters
    ----------
    confidence
        The probability of the first answer, ``n_seeds``.
    right
        Whether it was right, ``n_seeds``.
    group_of
        The group of each seed by number, ``n_seeds``: groups are resampled for the interval.
    rng
        Draws the resamples.

    Returns
    -------
    Calibration or None
        None where there are fewer than 20 groups.

    References
    ----------
    A. Kumar, P. Liang, T. Ma (2019), Verified uncertainty calibration, Advances in neural
    information processing systems 32.
    """
    n_groups = len(np.unique(group_of))
    if n_groups < _FEWEST:
        return None
    order = np.argsort(confidence, kind="stable")
    n_bins = int(np.clip(len(order) // _PER_BIN, 1, _MOST_BINS))
    bin_of = np.empty(len(order), np.int64)
    bin_of[order] = np.arange(len(order)) * n_bins // len(order)
    sums = np.zeros((int(group_of.max()) + 1, n_bins, 3))
    values = np.stack([np.ones(len(right)), confidence, right], axis=1)
    np.add.at(sums, (group_of, bin_of), values)
    sums = sums[sums[:, :, 0].sum(axis=1) > 0]
    total = sums.sum(axis=0)
    error = max(0.0, float(_debiased(total[None])[0]))
    weights = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=_N_RESAMPLES)
    resampled = _debiased(np.tensordot(weights.astype(float), sums, axes=1))
    half = Z95 * float(resampled.std())
    bins = tuple(ReliabilityBin(float(c / n), float(r / n), round(n)) for n, c, r in total)
    return Calibration(error, (max(0.0, error - half), min(1.0, error + half)), bins)


def _debiased(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the error of each table of bins, ``n x n_bins x (count, confidence, right)``."""
    from scipy.special import ndtr

    counts = np.maximum(sums[..., 0], 1e-9)
    means, shares = sums[..., 1] / counts, sums[..., 2] / counts
    distance = np.abs(means - shares)
    spread = np.sqrt(np.maximum(shares * (1 - shares), 1e-12) / counts)
    ratio = distance / spread
    folded = spread * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + distance * (
        1 - 2 * ndtr(-ratio)
    )
    share_of = sums[..., 0] / sums[..., 0].sum(axis=-1, keepdims=True)
    errors: npt.NDArray[np.float64] = (share_of * (2 * distance - folded)).sum(axis=-1)
    return errors
