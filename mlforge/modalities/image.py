"""The image modality: photographs, drawings and scans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import cv2
import numpy as np
import numpy.typing as npt
import PIL
from annotated_types import Ge, Le

from mlforge.core.component import ComponentConfig, is_installed
from mlforge.core.names import suggestion
from mlforge.errors import ConfigError
from mlforge.modalities import GradedChange, Modality, Oddity, Pairs, Region
from mlforge.modalities._heif_header import codec
from mlforge.modalities._image_alpha import read_alpha
from mlforge.modalities._image_changes import CHANGES
from mlforge.modalities._image_file import Pixels, fitted, read, shrink
from mlforge.modalities._image_look import FIGURES, fingerprint, measure, near_pairs, oddities
from mlforge.modalities._image_regions import occlusions

__all__ = ["Image"]

_QUALITY_WORDS = {"low": 70, "medium": 85, "high": 95}

# JPEG codes noise least well: at worst in 4.9 bytes a pixel.
_PIXEL_BYTES, _HEADER_BYTES = 5, 4096

# Where each term of `quality` reaches one half.
_HALF_SHARPNESS = 50.0
_HALF_CONTRAST = 8.0
_HALF_INFORMATION = 0.5
_QUALITY_SIDE = 256

_NEUTRAL_GREY = 128


class Image(Modality):
    """Pictures: JPEG, PNG, WebP, BMP, TIFF, HEIC and AVIF, as 8-bit RGB.

    An example is a C-contiguous array of uint8, ``height x width x 3``, RGB.

    How a file becomes an example:

    - The first bytes decide the format, not the file's name. At most 100 megapixels (HEIC and
      AVIF 64, WebP 50, run-length BMP 16) and 16,384 pixels a side, checked before any pixel is
      decoded.
    - HEIC needs the extra ``heic``; AVIF is read by Pillow itself.
    - The orientation is applied, once: that of EXIF, or that of the file's own header in HEIC and
      AVIF, where EXIF has no say.
    - The longest side is scaled down by area to `size`. Smaller pictures keep their size: scaling
      up adds bytes and time, and no information.
    - 16-bit (and 12-bit) grey and colour are scaled to 8 bit by dropping the low bits, never
      clipped.
    - 1-bit, grey, palette, YCbCr and CMYK (with Adobe's inversion in JPEG) become RGB. Colour
      profiles are ignored.
    - Transparency, whether an alpha channel, a transparent palette entry or a transparent colour,
      is laid over white.
    - Of an animation or a file of several pages, the first frame or page.
    - TIFF of floating point, signed or 32-bit numbers is refused: it says nothing about which
      number is white. CIE Lab is refused.
    - Truncated files are refused, never filled up. A JPEG with damage in its middle decodes as far
      as it can, as everywhere else; a PNG with damage anywhere is refused by its checksums.
    """

    name = "image"
    modality = "image"
    offers_arrays: ClassVar[bool] = True
    suffixes: ClassVar[tuple[str, ...]] = (
        ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif",
    )  # fmt: skip
    formats: ClassVar[tuple[str, ...]] = ("png", "jpg", "webp")
    figures: ClassVar[tuple[str, ...]] = FIGURES

    @dataclass(frozen=True, kw_only=True)
    class Config(ComponentConfig):
        """Parameters of the image modality."""

        size: Annotated[int, Ge(16), Le(2048)] = 256
        """The longest side in pixels that pictures are scaled down to."""

    def decode(self, data: bytes) -> Pixels:
        """Turn a file's bytes into RGB pixels; see the class for the rules.

        Returns
        -------
        ndarray of uint8
            C-contiguous, ``height x width x 3``, the longest side at most `size`.

        Raises
        ------
        SampleError
            If the bytes are not a complete picture of a known format within the limits.
        """
        return read(data, self.config.size)

    def decode_layer(self, data: bytes) -> Pixels:
        """Turn a file's bytes into what `decode` gives and, where the file has it, transparency.

        Returns
        -------
        ndarray of uint8
            Where any pixel is not opaque: C-contiguous, ``height x width x 4``, the fourth being
            how opaque each pixel is, and the colours laid over white as those of `decode` are.
            Otherwise what `decode` gives.

        Raises
        ------
        SampleError
            See `decode`.
        """
        colors = self.decode(data)
        alpha = read_alpha(data, self.config.size)
        return colors if alpha is None else np.dstack([colors, alpha])

    def encode(self, example: Pixels, file_format: str, quality: str | int) -> bytes:
        """Turn RGB pixels into a file's bytes; the same pixels give the same bytes.

        Parameters
        ----------
        example
            uint8, ``height x width x 3``, RGB.
        file_format
            ``"png"`` (lossless), ``"jpg"`` or ``"webp"``.
        quality
            ``"low"`` (70), ``"medium"`` (85), ``"high"`` (95), or 1 to 100; PNG takes no notice.

        Raises
        ------
        ConfigError
            If the format or the quality is unknown.
        """
        level = _quality_level(quality)
        options = {
            "png": [],
            "jpg": [cv2.IMWRITE_JPEG_QUALITY, level],
            "webp": [cv2.IMWRITE_WEBP_QUALITY, level],
        }
        if file_format not in options:
            raise ConfigError(
                f"unknown image format {file_format!r}", suggestion(file_format, self.formats)
            )
        bgr = cv2.cvtColor(example, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(f".{file_format}", bgr, options[file_format])
        return data.tobytes()

    @property
    def most_bytes(self) -> int:
        """More than a picture of noise takes in any format at the best quality."""
        return _HEADER_BYTES + _PIXEL_BYTES * int(self.config.size) ** 2

    def quality(self, example: Pixels) -> float:
        """Return how much there is to see, from 0 (a flat surface) to 1.

        On the grey picture, scaled down to at most 256 pixels a side, the product of three terms,
        each ``x / (x + half)``, so that any one of them at zero makes the whole zero:

        - sharpness: x is the variance of the Laplacian, half is 50;
        - contrast: x is the standard deviation in grey levels, half is 8;
        - information: x is the entropy of the grey levels in bits, half is 0.5.

        Ordinary photographs score about 0.4 to 0.8, strongly blurred or almost black ones below
        0.15.
        Noise is sharp, so that a noisy picture scores no lower than a clean one.

        References
        ----------
        J. L. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a comparative
        study", ICPR 2000 (variance of the Laplacian, LAPV).

        Examples
        --------
        >>> Image().quality(np.full((32, 32, 3), 90, np.uint8))
        0.0
        """
        grey = np.asarray(cv2.cvtColor(example, cv2.COLOR_RGB2GRAY), np.uint8)
        grey = shrink(grey, *fitted(grey.shape[1], grey.shape[0], _QUALITY_SIDE))
        sharpness = float(cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))[1][0, 0]) ** 2
        contrast = float(cv2.meanStdDev(grey)[1][0, 0])
        share = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(float) / grey.size
        share = share[share > 0]
        # Adding 0.0 turns the -0.0 of a flat picture into 0.0.
        information = float(-(share * np.log2(share)).sum()) + 0.0
        return (
            sharpness / (sharpness + _HALF_SHARPNESS)
            * contrast / (contrast + _HALF_CONTRAST)
            * information / (information + _HALF_INFORMATION)
        )  # fmt: skip

    def fingerprint(self, example: Pixels) -> npt.NDArray[np.uint8]:
        """Return what near-duplicates share, in 225 bytes.

        - 255 bits of shape: the grey picture is squeezed to 64 x 64; of its discrete cosine
          transform, the 16 x 16 lowest frequencies without the constant are compared with their
          median.
        - 1,536 bits of colour: the picture is averaged over 8 x 8 cells; each channel, in standard
          deviations from the mean of all, is written as so many of 8 bits as it has passed steps.
        - 8 bits of detail: small pictures, and enlarged ones, have fewer frequencies than there are
          bits of shape.

        References
        ----------
        C. Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010
        (DCT-based hash).
        """
        return fingerprint(example)

    def near_pairs(self, fingerprints: npt.NDArray[np.uint8]) -> Iterator[Pairs]:
        """Yield all pairs of near-duplicates, each once.

        Near are pictures that differ in at most 40 bits of shape (fewer where both have little
        detail, in proportion to it) and in at most 70 bits of colour; the distance is the larger
        of the two shares. Rescaled, recompressed, blurred, a little darker or brighter
        copies are at 0.1 to 0.6, copies with 2 % cut off at each edge at 0.5 to 1. Flat pictures
        are near to nothing: they have no shape to tell them by.
        """
        return near_pairs(fingerprints)

    def measure(self, example: Pixels) -> dict[str, float]:
        """Return the figures by which a picture can stand out.

        - ``sharpness``: the root of mean squared Laplacian over mean squared gradient, per pixel,
          after a blur of 0.7 pixels against noise; it does not depend on contrast. Sharp pictures
          have 0.7 to 1.4, those blurred by 1 % of their side about 0.3;
        - ``brightness`` and ``contrast``: mean and standard deviation of the grey levels;
        - ``darkest`` and ``brightest``: grey levels, leaving out 0.5 % of the pixels;
        - ``side``: the longest, in pixels, after scaling to `size`;
        - ``elongation``: the long side over the short one.
        """
        return measure(example)

    def check(
        self, figures: Mapping[str, float], peers: Mapping[str, npt.NDArray[np.float64]]
    ) -> tuple[Oddity, ...]:
        """Return what stands out in a picture among those of its category.

        A picture stands out where a figure is beyond a fixed limit that the category's median is
        well within, or beyond a share of the median and more than 4 standard deviations (estimated
        by the median absolute deviation, of logarithms) from it. Of fewer than 5 pictures, only
        the limits count.

        =============  ===================================  ====================
        finding        limit                                share of the median
        =============  ===================================  ====================
        blurred        sharpness below 0.3                  below 0.6
        dark           brightest below 60                   brightness below 0.4
        bright         darkest above 200                    255 - brightness below 0.3
        low_contrast   contrast below 8                     below 0.35
        odd_size       longest side below 32 pixels         below 0.4
        odd_aspect     elongation above 4                   above 2
        =============  ===================================  ====================
        """
        return tuple(oddities(figures, peers))

    def graded_changes(self) -> tuple[GradedChange, ...]:
        """Return what cameras, light and networks do to pictures."""
        return CHANGES

    def occlusions(self, example: Pixels) -> Iterator[tuple[Region, Pixels]]:
        """Yield windows of 0.3 x 0.3 of the picture, each with the picture without it."""
        return occlusions(example)

    def thumbnail(self, example: Pixels, side: int) -> Pixels:
        """Return the whole picture on a square of neutral grey, ``side x side x 3``."""
        width, height = fitted(example.shape[1], example.shape[0], side)
        if (width, height) == example.shape[1::-1]:
            # Nothing to scale down: a smaller picture is enlarged to fill the square.
            scale = side / max(width, height)
            width, height = (max(1, round(length * scale)) for length in (width, height))
            scaled = cv2.resize(example, (width, height), interpolation=cv2.INTER_LINEAR)
        else:
            scaled = shrink(example, width, height)
        square = np.full((side, side, 3), _NEUTRAL_GREY, np.uint8)
        top, left = (side - height) // 2, (side - width) // 2
        square[top : top + height, left : left + width] = scaled
        return square

    def resized(self, example: Pixels, side: int) -> Pixels:
        """Return the whole picture on a square of neutral grey, as `thumbnail` does."""
        return example if example.shape == (side, side, 3) else self.thumbnail(example, side)

    def to_array(self, example: Pixels) -> npt.NDArray[np.float32]:
        """Return a resized picture's red, green and blue, 0 to 1."""
        return np.multiply(example, np.float32(1 / 255), dtype=np.float32)

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the versions of Pillow (decodes), OpenCV (scales, encodes) and NumPy."""
        return {
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "pillow": PIL.__version__,
        }

    @classmethod
    def versions_for(cls, start: bytes) -> dict[str, str]:
        """Return the version of pillow-heif for HEIC pictures, where it is installed."""
        if codec(start) != "heic" or not is_installed("pillow_heif"):
            return {}
        from importlib import metadata

        return {"pillow-heif": metadata.version("pillow-heif")}


def _quality_level(quality: str | int) -> int:
    level = _QUALITY_WORDS.get(quality) if isinstance(quality, str) else quality
    if level is None or isinstance(level, bool) or not 1 <= level <= 100:
        raise ConfigError(
            f"image quality {quality!r} is not a quality", "use low, medium, high, or 1 to 100"
        )
    return level
