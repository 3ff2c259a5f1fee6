"""Real handwritten digits, which come with scikit-learn.

References
----------
E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, 1998: its test set, written by 13 people, 8 x 8 pixels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from mlforge.core.category import CategoryConfig
from mlforge.errors import ConfigError
from mlforge.examples._example import ExampleCategory, ExampleFile

__all__ = ["N_SEEDS", "categories"]

N_SEEDS = 12
"""Seeds of each category."""

_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SIDE = 64
_FULL_INK = 16
_PAPER, _INK = 244, 24
_TECHNIQUES = ("rotation", "scaling", "translation", "brightness", "contrast", "noise_addition")


def categories(n_held_out: int) -> Iterator[ExampleCategory]:
    """Yield each digit's category with its seeds and `n_held_out` more pictures.

    Raises
    ------
    ConfigError
        If scikit-learn has fewer pictures of a digit than asked for.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    for digit, code in enumerate(_NAMES):
        order = _spread(np.flatnonzero(data.target == digit))
        n_left = len(order) - N_SEEDS
        if n_held_out > n_left:
            raise ConfigError(
                f"digits: {n_held_out} pictures of {code} held out, but only {n_left} are left",
                f"ask for at most {n_left}",
            )
        files = tuple(_file(code, index, data.images) for index in order[: N_SEEDS + n_held_out])
        yield ExampleCategory(_config(digit, code), files[:N_SEEDS], files[N_SEEDS:])


def _spread(positions: npt.NDArray[np.intp]) -> list[int]:
    """Return the positions in an order whose every stretch covers them all evenly.

    The people wrote one after another, so neighbours are by one hand. Multiples of the golden
    ratio, taken without their whole parts, leave no large gaps.
    """
    golden = (np.sqrt(5) - 1) / 2
    order = np.argsort(np.arange(len(positions)) * golden % 1, kind="stable")
    return [int(position) for position in positions[order]]


def _file(code: str, index: int, images: npt.NDArray[np.float64]) -> ExampleFile:
    """Return one digit as PNG, dark on light: 64 x 64 pixels, RGB."""
    import cv2

    ink = np.pad(images[index] / _FULL_INK, 1).astype(np.float32)
    smooth = np.asarray(cv2.resize(ink, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC))
    grey = _PAPER + (_INK - _PAPER) * np.clip(smooth, 0, 1)
    pixels = np.repeat(np.round(grey).astype(np.uint8)[..., None], 3, axis=2)
    _, data = cv2.imencode(".png", pixels)
    return ExampleFile(f"{code}_{index:04d}.png", data.tobytes())


def _config(digit: int, code: str) -> CategoryConfig:
    return CategoryConfig.model_validate(
        {
            "category_name": code.capitalize(),
            "category_code": code,
            "quality_thresholds": {"min_confidence": 0.6},
            "augmentation_settings": {"techniques": _TECHNIQUES},
            "metadata": {
                "description": f"A handwritten {digit}.",
                "source": "scikit-learn's load_digits (UCI, Alpaydin and Kaynak 1998)",
                "created_date": "2026-11-23",
                "tags": ("digit", "handwriting"),
            },
        }
    )
