"""Techniques that move every pixel by one matrix."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from mlforge.techniques import Drawn
from mlforge.techniques.image._image import BORDER, ImageTechnique, shortened

__all__ = ["AffineTechnique", "about_centre"]

_Matrix = npt.NDArray[np.float64]


class AffineTechnique(ImageTechnique):
    """A technique that moves every pixel by one matrix.

    Several in a row are one matrix, so that the picture is resampled, and loses sharpness, once.
    """

    family = "affine"

    @abstractmethod
    def matrix(self, height: int, width: int, rng: np.random.Generator) -> tuple[_Matrix, Drawn]:
        """Return where pixels go, and the values that were drawn.

        Parameters
        ----------
        height, width
            The size of the image in pixels.
        rng
            The only source of randomness.

        Returns
        -------
        matrix
            float64, ``3 x 3``: it takes ``(x, y, 1)`` of the image to that of the result.
        drawn
            The values in a person's terms.
        """

    def apply(
        self, example: npt.NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], Drawn]:
        """Return the moved image and the values that were drawn for it."""
        moved, (drawn,) = self.apply_run([self], example, rng)
        return moved, drawn

    @classmethod
    def apply_run(
        cls, run: Sequence[Self], example: npt.NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], list[Drawn]]:
        """Move the image once by the product of all matrices."""
        height, width = example.shape[:2]
        whole, draws = np.eye(3), []
        for technique in run:
            matrix, drawn = technique.matrix(height, width, rng)
            whole = matrix @ whole
            draws.append(shortened(drawn))
        moved = cv2.warpAffine(
            example, whole[:2], (width, height), flags=cv2.INTER_LINEAR, borderMode=BORDER
        )
        return np.asarray(moved, np.uint8), draws


def about_centre(linear: npt.ArrayLike, height: int, width: int) -> _Matrix:
    """Return the ``3 x 3`` matrix of a linear map, ``2 x 2``, that leaves the centre in place.

    Examples
    --------
    >>> about_centre([[2, 0], [0, 2]], 11, 21) @ (10, 5, 1)
    array([10.,  5.,  1.])
    """
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = centre - matrix[:2, :2] @ centre
    return matrix
