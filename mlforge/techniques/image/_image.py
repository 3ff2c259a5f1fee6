"""What all techniques for images share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from mlforge.techniques import Drawn, Technique

__all__ = ["BORDER", "ImageTechnique", "shortened"]

BORDER = cv2.BORDER_REPLICATE
"""How a picture goes on beyond its edge. Reflection would invent things, such as a sixth finger."""

_DIGITS = 6


class ImageTechnique(Technique):
    """A technique for images: uint8, height x width x 3, RGB; the size stays what it was."""

    modality = "image"

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of the libraries that decide what `apply` gives."""
        return {"numpy": np.__version__, "opencv": cv2.__version__}


def shortened(values: Mapping[str, Any]) -> Drawn:
    """Return drawn values as JSON values, numbers with 6 significant digits.

    Examples
    --------
    >>> shortened({"angle": np.float64(7.123456789), "box": np.array([1, 2]), "flipped": True})
    {'angle': 7.12346, 'box': [1, 2], 'flipped': True}
    """
    return {name: _shortened(value) for name, value in values.items()}


def _shortened(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_shortened(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    return value
