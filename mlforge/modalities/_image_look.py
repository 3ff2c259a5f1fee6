"""What a picture looks like, in a few figures: to find what stands out and what comes twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import cv2
import numpy as np
import numpy.typing as npt

from mlforge.modalities import Oddity, Pairs

__all__ = ["FIGURES", "fingerprint", "measure", "near_pairs", "oddities"]

Pixels = npt.NDArray[np.uint8]
Figures = Mapping[str, float]
Peers = Mapping[str, npt.NDArray[np.float64]]

FIGURES = ("sharpness", "brightness", "contrast", "darkest", "brightest", "side", "elongation")

_PICTURE_SIDE = 64
_HASH_SIDE = 16
_HASH_BYTES = 32
# So many of the 255 bits are set where no two frequencies tie, as in every picture of something.
_HASH_SET = 127
_GRID_SIDE = 8
# In standard deviations of the picture, so that brightness and contrast drop out.
_GRID_STEPS = np.linspace(-1.75, 1.75, 8, dtype=np.float32)
_GRID_FLOOR = 8.0
_HASH_LIMIT = 40
_GRID_LIMIT = 70
# Of the pictures that have as many pixels as their fingerprint needs, and of those frequencies that
# are above so much of all together, the share in enlarged and in full ones.
_FULL_SIDE = 32
_PRESENT = 0.004
_SPARSE_SHARE, _FULL_SHARE = 0.3, 0.75
_LEAST_FULLNESS = 0.1
_BLOCK = 256

_NOISE_SIGMA = 0.7
_PERCENTILES = (0.5, 99.5)
_MIN_PEERS = 5
_OUTLYING = 4.0
_CLEARLY = 0.8
# Turns the median absolute deviation of normal numbers into their standard deviation.
_MAD_TO_SIGMA = 1.4826

_BLURRED, _BLURRED_SHARE = 0.3, 0.6
_DARK, _DARK_SHARE = 60.0, 0.4
_BRIGHT, _BRIGHT_SHARE = 200.0, 0.3
_FLAT, _FLAT_SHARE = 8.0, 0.35
_SMALL, _SMALL_SHARE = 32.0, 0.4
_LONG, _LONG_RATIO = 4.0, 2.0
_WHITE = 255.0
_MAX_BYTE = 255


def fingerprint(picture: Pixels) -> Pixels:
    """Return the hash of the shape, the colours and the detail; see `Image.fingerprint`."""
    side = (_PICTURE_SIDE, _PICTURE_SIDE)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, side, interpolation=cv2.INTER_AREA).astype(np.float32)
    waves = np.asarray(cv2.dct(small), np.float32)[:_HASH_SIDE, :_HASH_SIDE].ravel()[1:]
    shape = np.packbits(waves > np.median(waves))
    colours = cv2.resize(picture, side, interpolation=cv2.INTER_AREA)
    grid = (_GRID_SIDE, _GRID_SIDE)
    cells = cv2.resize(colours, grid, interpolation=cv2.INTER_AREA).astype(np.float32)
    relative = (cells - cells.mean()) / (cells.std() + _GRID_FLOOR)
    coarse = np.packbits(relative.ravel()[:, None] > _GRID_STEPS)
    return np.concatenate([shape, coarse, _fullness(waves, max(picture.shape[:2]))])


def _fullness(waves: npt.NDArray[np.float32], side: int) -> Pixels:
    """Return in 255ths how far a picture has detail of its own for all bits of its hash."""
    sizes = np.abs(waves)
    present = float(np.mean(sizes > _PRESENT * np.linalg.norm(sizes)))
    share = (present - _SPARSE_SHARE) / (_FULL_SHARE - _SPARSE_SHARE)
    fullness = min(side / _FULL_SIDE, max(share, _LEAST_FULLNESS), 1.0)
    return np.array([round(_MAX_BYTE * fullness)], np.uint8)


def near_pairs(fingerprints: Pixels) -> Iterator[Pairs]:
    """Yield the pairs that are near-duplicates, block by block; see `Image.near_pairs`."""
    hashes = np.ascontiguousarray(fingerprints[:, :_HASH_BYTES])
    telling = np.bitwise_count(hashes).sum(axis=1, dtype=np.int64) == _HASH_SET
    (rows,) = np.nonzero(telling)
    words = hashes[rows].view(np.uint64)
    grids = fingerprints[rows, _HASH_BYTES:-1]
    fullness = fingerprints[rows, -1] / _MAX_BYTE
    for start in range(0, len(rows), _BLOCK):
        block = words[start : start + _BLOCK]
        bits = np.zeros((len(block), len(rows) - start), np.uint16)
        for word in range(words.shape[1]):
            bits += np.bitwise_count(block[:, word, None] ^ words[None, start:, word])
        one, other = np.nonzero(np.triu(bits <= _HASH_LIMIT, 1))
        full = np.maximum(fullness[one + start], fullness[other + start])
        of_hash = bits[one, other] / np.maximum(_HASH_LIMIT * full, 1.0)
        fits = of_hash <= 1
        one, other, of_hash = one[fits] + start, other[fits] + start, of_hash[fits]
        for part in range(0, len(one), _BLOCK * _BLOCK):
            i, j = one[part : part + _BLOCK * _BLOCK], other[part : part + _BLOCK * _BLOCK]
            of_grid = np.bitwise_count(grids[i] ^ grids[j]).sum(axis=1) / _GRID_LIMIT
            distance = np.maximum(of_hash[part : part + _BLOCK * _BLOCK], of_grid)
            near = distance <= 1
            yield Pairs(rows[i[near]], rows[j[near]], distance[near])


def measure(picture: Pixels) -> dict[str, float]:
    """Return the figures of a picture by their names; see `Image.measure`."""
    height, width = picture.shape[:2]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    brightness, contrast = (float(v[0, 0]) for v in cv2.meanStdDev(grey))
    darkest, brightest = np.percentile(grey, _PERCENTILES)
    return {
        "sharpness": _sharpness(grey),
        "brightness": brightness,
        "contrast": contrast,
        "darkest": float(darkest),
        "brightest": float(brightest),
        "side": float(max(height, width)),
        "elongation": max(height, width) / min(height, width),
    }


def _sharpness(grey: npt.NDArray[np.generic]) -> float:
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _NOISE_SIGMA)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    slope = float(np.mean(across**2 + down**2))
    bend = float(np.mean(cv2.Laplacian(smooth, cv2.CV_32F) ** 2))
    return (bend / slope) ** 0.5 if slope > 0 else 0.0


def oddities(figures: Figures, peers: Peers) -> Iterator[Oddity]:
    """Yield what stands out in a picture among its peers; see `Image.check`."""
    yield from _tone(figures, peers)
    shows = figures["contrast"] >= _FLAT
    if shows and _is_low("sharpness", figures, peers, _BLURRED, _BLURRED_SHARE):
        yield Oddity("blurred", "blurred", "take or choose a sharper picture")
    if _is_low("side", figures, peers, _SMALL, _SMALL_SHARE):
        message = f"small: {figures['side']:.0f} pixels at its longest side"
        yield Oddity("odd_size", message, "use the picture in its full size, not a preview of it")
    if _is_long(figures, peers):
        message = f"its long side is {figures['elongation']:.1f} times its short one"
        yield Oddity("odd_aspect", message, "cut the picture to what belongs to the category")


def _tone(figures: Figures, peers: Peers) -> Iterator[Oddity]:
    """Yield at most one of dark, bright and low in contrast: the first two entail the third."""
    light = {"lightness left": _WHITE - figures["brightness"]}
    others = {"lightness left": _WHITE - peers["brightness"]}
    whiter = {"darkest": _WHITE - figures["darkest"]}
    paler = {"darkest": _WHITE - peers["darkest"]}
    if _is_low("brightest", figures, peers, _DARK, 0) or _is_low(
        "brightness", figures, peers, 0, _DARK_SHARE
    ):
        yield Oddity("dark", "dark", "take it again in more light, or brighten it")
    elif _is_low("darkest", whiter, paler, _WHITE - _BRIGHT, 0) or _is_low(
        "lightness left", light, others, 0, _BRIGHT_SHARE
    ):
        yield Oddity("bright", "overexposed", "take it again in less light, or darken it")
    elif _is_low("contrast", figures, peers, _FLAT, _FLAT_SHARE):
        yield Oddity("low_contrast", "low in contrast", "choose a picture that shows more")


def _is_low(name: str, figures: Figures, peers: Peers, limit: float, share: float) -> bool:
    """Return whether a figure is below the limit, or far below what is usual among its peers.

    Where a figure below the limit is usual, it is the category's nature.
    """
    value, others = figures[name], peers[name]
    if len(others) < _MIN_PEERS:
        return value < limit
    usual = float(np.median(others))
    if value < limit <= usual and value < _CLEARLY * usual:
        return True
    if value >= share * usual:
        return False
    logarithms = np.log(others + 1)
    spread = _MAD_TO_SIGMA * float(np.median(np.abs(logarithms - np.median(logarithms))))
    return float(np.log(usual + 1) - np.log(value + 1)) > _OUTLYING * spread


def _is_long(figures: Figures, peers: Peers) -> bool:
    inverse = {"squareness": 1 / figures["elongation"]}
    others = {"squareness": 1 / peers["elongation"]}
    return _is_low("squareness", inverse, others, 1 / _LONG, 1 / _LONG_RATIO)
