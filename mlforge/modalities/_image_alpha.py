"""The transparency of image files: which part of a picture its own file says there is."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlforge.modalities._image_file import (
    Format,
    Pixels,
    guarded,
    in_bands,
    load,
    plain,
    shrink,
    upright,
)

__all__ = ["read_alpha"]

_OPAQUE = 255


def read_alpha(data: bytes, size: int) -> Pixels | None:
    """Decode how opaque each pixel of a picture is, scaled as `read` scales it.

    Returns
    -------
    ndarray of uint8, or None
        ``height x width``, 255 where opaque; None where all of the picture is.

    Raises
    ------
    SampleError
        Whatever is wrong with the bytes.
    """
    return guarded(_read_alpha, data, size)


def _read_alpha(kind: Format, data: bytes, size: int) -> Pixels | None:
    loaded = load(kind, data, size)
    picture = loaded.picture
    if picture.mode.startswith("I;16"):
        transparent = picture.info.get("transparency")
        if transparent is None:
            return None
        alpha = np.where(np.asarray(picture) == transparent, 0, 255).astype(np.uint8)
    elif picture.has_transparency_data:
        alpha = in_bands(picture, size, lambda band, by: _opacity(kind, band, by))
    else:
        return None
    alpha = np.ascontiguousarray(upright(shrink(alpha, *loaded.fitted), loaded.orientation))
    return alpha if alpha.min() < _OPAQUE else None


def _opacity(kind: Format, band: Any, factor: int) -> Pixels:
    return np.array(plain(kind, band).getchannel("A").reduce(factor), np.uint8)
