"""HEIC and AVIF, as phones make them. All files are made here."""

from __future__ import annotations

import importlib.util
import io
import struct
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.features
import pytest
from PIL import Image as P
from PIL import ImageOps

from mlforge.errors import MissingDecoderError, SampleError
from mlforge.modalities.image import Image

Pixels = npt.NDArray[np.uint8]
ORIENTATION = 0x0112
NEEDS_HEIC = pytest.mark.skipif(
    importlib.util.find_spec("pillow_heif") is None, reason="the extra heic is not installed"
)
NEEDS_AVIF = pytest.mark.skipif(
    not PIL.features.check("avif"), reason="Pillow was built without AVIF"
)


def drawn(height: int = 60, width: int = 80) -> P.Image:
    """A smooth picture without symmetry, so that every turn and mirror image differs."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    planes = (255 * x / width, 255 * y / height, 127 + 100 * (x > y))
    return P.fromarray(np.stack(planes, axis=2).astype(np.uint8))


def heic(picture: P.Image, **options: Any) -> bytes:
    import pillow_heif

    buffer = io.BytesIO()
    pillow_heif.from_pillow(picture).save(buffer, quality=90, **options)
    return buffer.getvalue()


def avif(picture: P.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "AVIF", quality=90, **options)
    return buffer.getvalue()


BOTH = [
    pytest.param(heic, marks=NEEDS_HEIC, id="heic"),
    pytest.param(avif, marks=NEEDS_AVIF, id="avif"),
]
Encode = Callable[..., bytes]


def decode(data: bytes, size: int = 256) -> Pixels:
    pixels: Pixels = Image(Image.Config(size=size)).decode(data)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    return pixels


def refused(data: bytes) -> SampleError:
    with pytest.raises(SampleError) as caught:
        Image().decode(data)
    assert caught.value.message.isprintable()
    assert caught.value.hint
    return caught.value


def difference(pixels: Pixels, picture: P.Image) -> float:
    assert pixels.shape[1::-1] == picture.size
    return float(np.abs(pixels.astype(int) - np.asarray(picture.convert("RGB"), int)).mean())


@pytest.mark.parametrize("encode", BOTH)
def test_pictures_are_decoded(encode: Encode) -> None:
    assert difference(decode(encode(drawn())), drawn()) < 6


@pytest.mark.parametrize("encode", BOTH)
def test_large_pictures_are_scaled_down(encode: Encode) -> None:
    assert decode(encode(drawn(300, 400)), 64).shape == (48, 64, 3)


@pytest.mark.parametrize("encode", BOTH)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied_once(encode: Encode, orientation: int) -> None:
    exif = P.Exif()
    exif[ORIENTATION] = orientation
    turned = drawn().copy()
    turned.getexif()[ORIENTATION] = orientation
    upright = ImageOps.exif_transpose(turned)
    assert difference(decode(encode(drawn(), exif=exif.tobytes())), upright) < 6


@pytest.mark.parametrize("encode", BOTH)
def test_grey_and_transparent_pictures_become_rgb(encode: Encode) -> None:
    assert difference(decode(encode(drawn().convert("L"))), drawn().convert("L")) < 6
    clear = P.new("RGBA", (64, 48), (200, 20, 30, 0))
    assert decode(encode(clear)).min() > 245


@NEEDS_HEIC
def test_a_picture_of_tiles_is_one_picture() -> None:
    assert difference(decode(heic(drawn(150, 200), tile_size=64)), drawn(150, 200)) < 6


@NEEDS_AVIF
def test_of_an_animation_the_first_frame_is_taken() -> None:
    white = P.new("RGB", (80, 60), "white")
    assert difference(decode(avif(drawn(), save_all=True, append_images=[white])), drawn()) < 6


@pytest.mark.parametrize("encode", BOTH)
def test_every_cut_is_refused(encode: Encode) -> None:
    data = encode(drawn())
    for length in range(12, len(data), 7):
        refused(data[:length])


@pytest.mark.parametrize("encode", BOTH)
def test_the_limit_holds_before_a_pixel_is_decoded(encode: Encode) -> None:
    claimed = struct.pack(">II", 12_000, 9_000)
    # A multiple of 16: HEVC pads others, and its header says so.
    data = encode(drawn(64, 80))
    assert data.count(struct.pack(">II", 80, 64)) == 1
    error = refused(data.replace(struct.pack(">II", 80, 64), claimed))
    assert "12,000 x 9,000 pixels" in error.message
    assert "64 megapixels" in error.message


@NEEDS_HEIC
def test_a_picture_larger_than_it_claims_is_refused() -> None:
    data = heic(drawn(600, 800))
    refused(data.replace(struct.pack(">II", 800, 600), struct.pack(">II", 64, 64)))


@NEEDS_HEIC
def test_a_picture_of_layers_is_refused() -> None:
    data = heic(drawn(150, 200), tile_size=64)
    assert data.count(b"grid") == 1
    assert "layers" in refused(data.replace(b"grid", b"iovl")).message


def test_a_film_with_the_same_container_is_no_picture() -> None:
    assert "not an image" in refused(struct.pack(">I", 24) + b"ftypisom\0\0\2\0isomiso2").message


@pytest.mark.parametrize("brand", [b"heic", b"avif"])
@pytest.mark.parametrize("length", [0, 1, 8, 0xFFFFFFFF])
def test_headers_of_nothing_are_refused(brand: bytes, length: int) -> None:
    if brand == b"heic" and importlib.util.find_spec("pillow_heif") is None:
        pytest.skip("the extra heic is not installed")
    start = struct.pack(">I", 16) + b"ftyp" + brand + bytes(4)
    refused(start + struct.pack(">I", length) + b"meta" + bytes(40))


def test_without_the_extra_the_message_holds_the_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    error = refused(struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(100))
    assert isinstance(error, MissingDecoderError)
    assert "python -m pip install 'pillow-heif<2,>=1'" in error.message


def test_without_avif_in_pillow_the_message_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.features, "check", lambda name: False)
    error = refused(struct.pack(">I", 24) + b"ftypavif\0\0\0\0avifmif1" + bytes(100))
    assert isinstance(error, MissingDecoderError)
    assert "built without" in error.message
    assert "pip install --upgrade pillow" in error.message


@NEEDS_HEIC
def test_only_heic_pictures_name_the_version_of_their_decoder() -> None:
    version = metadata.version("pillow-heif")
    assert Image.versions_for(heic(drawn())[: Image.start_bytes]) == {"pillow-heif": version}
    png = io.BytesIO()
    drawn().save(png, "PNG")
    assert Image.versions_for(png.getvalue()) == Image.versions_for(b"") == {}


@NEEDS_AVIF
def test_pillow_itself_decodes_avif() -> None:
    assert Image.versions_for(avif(drawn())) == {}
