"""What image files are refused, and with what words."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image as P
from PIL import ImageFile, PngImagePlugin

from mlforge.errors import SampleError
from mlforge.modalities.image import Image


def saved(picture: P.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def noise(height: int = 40, width: int = 48) -> P.Image:
    rng = np.random.default_rng(3)
    return P.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def refused(data: bytes) -> SampleError:
    with pytest.raises(SampleError) as caught:
        Image().decode(data)
    assert caught.value.message
    assert caught.value.hint
    return caught.value


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_claiming(width: int, height: int, *more: bytes) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + pixels + png_chunk(b"IEND", b"")


def test_an_empty_file_is_refused_as_empty() -> None:
    assert refused(b"").message == "the file is empty"


def test_a_file_of_zeros_is_refused_as_such() -> None:
    assert "zero bytes" in refused(bytes(5000)).message


@pytest.mark.parametrize(
    "data",
    [b"hello world", b"GIF89a" + bytes(30), b"RIFF\x24\0\0\0WAVEfmt ", b"%PDF-1.7", b"\x7fELF"],
)
def test_other_files_are_refused_with_how_they_begin(data: bytes) -> None:
    error = refused(data)
    assert "not an image" in error.message
    assert "begins with" in error.message
    assert error.message.isprintable()
    assert "JPEG, PNG, WebP, BMP, TIFF, HEIC and AVIF" in error.hint


def test_the_file_decides_its_format_and_not_pillow() -> None:
    """Pillow would read this PPM."""
    assert "begins with 'P6" in refused(saved(noise(), "PPM")).message


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("JPEG", {}),
    "progressive jpeg": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {}),
    "lossless webp": ("WEBP", {"lossless": True}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "tiff lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff deflate": ("TIFF", {"compression": "tiff_deflate"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_short_anywhere_is_refused(kind: str) -> None:
    file_format, options = KINDS[kind]
    data = saved(noise(), file_format, **options)
    cuts = sorted(
        {*range(0, len(data), max(1, len(data) // 97)), *range(len(data) - 24, len(data))}
    )
    for cut in cuts:
        with pytest.raises(SampleError):
            Image().decode(data[:cut])


@pytest.mark.parametrize(
    "kind", ["jpeg", "progressive jpeg", "png", "webp", "bmp", "tiff", "tiff lzw"]
)
def test_a_truncated_file_is_called_truncated(kind: str) -> None:
    file_format, options = KINDS[kind]
    data = saved(noise(), file_format, **options)
    assert "truncated" in refused(data[: len(data) - 400]).message


def test_a_large_truncated_jpeg_is_refused_though_it_is_decoded_at_a_reduced_scale() -> None:
    data = saved(noise(1200, 1600), "JPEG")
    assert "truncated" in refused(data[: len(data) // 2]).message


def test_a_png_with_a_damaged_pixel_is_refused() -> None:
    data = bytearray(saved(noise(), "PNG"))
    for position in range(45, len(data) - 16, 151):
        data[position] ^= 4
        assert "PNG" in refused(bytes(data)).message
        data[position] ^= 4
    assert Image().decode(bytes(data)).shape == (40, 48, 3)


def test_a_jpeg_with_damage_in_its_middle_decodes() -> None:
    data = bytearray(saved(noise(), "JPEG"))
    middle = len(data) * 3 // 4
    data[middle : middle + 2] = b"\x11\x22"
    assert Image().decode(bytes(data)).shape == (40, 48, 3)


@pytest.mark.parametrize(
    ("width", "height"), [(80_000, 80_000), (16_385, 10), (10, 16_385), (10_001, 10_001)]
)
def test_a_png_bomb_is_refused_by_its_header(width: int, height: int) -> None:
    message = refused(png_claiming(width, height)).message
    assert f"{width:,} x {height:,} pixels" in message
    assert "100 megapixels" in message
    assert "16,384" in message


def test_a_jpeg_bomb_is_refused_by_its_header() -> None:
    data = saved(noise(), "JPEG")
    frame = data.index(b"\xff\xc0")
    huge = data[: frame + 5] + struct.pack(">HH", 65_000, 65_000) + data[frame + 9 :]
    assert "65,000 x 65,000" in refused(huge).message


def test_a_tiff_bomb_is_refused_by_its_header() -> None:
    data = saved(noise(), "TIFF")
    entry = data.index(struct.pack("<HHI", 257, 4, 1)) + 8
    huge = data[:entry] + struct.pack("<I", 60_000) + data[entry + 4 :]
    assert "48 x 60,000" in refused(huge).message


def test_tiff_tiles_far_larger_than_the_picture_are_refused() -> None:
    tags = [(256, 8), (257, 8), (258, 8), (259, 8), (262, 1), (277, 1), (322, 16384),
            (323, 65536), (324, 8), (325, 8)]  # fmt: skip
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    data = b"II*\0" + struct.pack("<I", 16) + bytes(8) + struct.pack("<H", len(tags)) + table
    assert "tiles of 16,384 x 65,536" in refused(data + bytes(4)).message


def test_a_bmp_bomb_is_refused_by_its_header() -> None:
    data = saved(noise(), "BMP")
    huge = data[:18] + struct.pack("<ii", 30_000, 30_000) + data[26:]
    assert "30,000 x 30,000" in refused(huge).message


def test_a_run_length_bmp_has_a_lower_limit() -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 5000, 5000, 1, 8, 1, 0, 0, 0, 256, 256)
    palette = b"".join(bytes((i, 0, i, 0)) for i in range(256))
    data = b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024) + header + palette + b"\0\1"
    assert "16 megapixels (run-length BMP)" in refused(data).message


def test_a_run_length_bmp_is_read_and_refused_when_truncated() -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, 8, 1, 0, 0, 0, 256, 256)
    palette = b"".join(bytes((i, 0, i, 0)) for i in range(256))
    data = b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024) + header + palette
    data += b"\4\7\0\0" * 4 + b"\0\1"
    assert np.array_equal(Image().decode(data), np.full((4, 4, 3), (7, 0, 7)))
    assert "BMP" in refused(data[:-10]).message


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("alpha", [True, False])
def test_a_webp_bomb_is_refused_by_its_header(*, lossless: bool, alpha: bool) -> None:
    picture = noise()
    if alpha:
        picture.putalpha(P.new("L", picture.size, 9))
    data = bytearray(saved(picture, "WEBP", lossless=lossless))
    kind = bytes(data[12:16])
    if kind == b"VP8X":
        data[24:30] = (15_999).to_bytes(3, "little") * 2
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little") & ~0xFFFFFFF | 15_999 << 14 | 15_999
        data[21:25] = bits.to_bytes(4, "little")
    else:
        data[26:30] = struct.pack("<HH", 16_000, 16_000)
    message = refused(bytes(data)).message
    assert "16,000 x 16,000" in message
    assert "50 megapixels (WebP)" in message


def test_a_picture_just_within_the_limits_is_read() -> None:
    data = saved(P.new("L", (16_384, 6_000), 77), "PNG", compress_level=1)
    pixels = Image().decode(data)
    assert pixels.shape == (94, 256, 3)
    assert np.array_equal(np.unique(pixels), [77])


def test_a_jpeg_of_very_many_passes_is_refused() -> None:
    data = saved(P.new("RGB", (4000, 4000), (200, 30, 40)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    bomb = data[:-2] + data[last:-2] * 200 + data[-2:]
    assert "passes" in refused(bomb).message
    assert Image().decode(data).shape == (256, 256, 3)


def test_text_that_unpacks_to_gigabytes_is_refused() -> None:
    bomb = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000)))
    assert "PNG" in refused(png_claiming(5, 6, bomb)).message


def test_running_out_of_memory_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", load)
    assert "more memory than there is" in refused(saved(noise(), "PNG")).message


def test_a_chunk_with_a_wrong_checksum_is_named() -> None:
    data = saved(noise(), "PNG")
    assert "checksum of its IHDR part" in refused(data[:20] + b"\x01" + data[21:]).message


def test_what_pillow_says_cannot_send_control_characters() -> None:
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"\x1b[2J", b"x") + png_chunk(b"IEND", b"")
    assert refused(data).message.isprintable()


def test_warnings_of_pillow_are_kept_back_and_ours_are_restored() -> None:
    data = saved(noise(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x09\0\x12\x01")
    before = list(warnings.filters)
    Image().decode(data)
    assert warnings.filters == before


def test_pillow_is_left_as_it_was() -> None:
    before = (P.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, ImageFile.MAXBLOCK)
    Image().decode(saved(noise(), "TIFF"))
    refused(png_claiming(80_000, 80_000))
    assert before == (P.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, ImageFile.MAXBLOCK)


def test_threads_decode_at_once_and_leave_the_warnings_filters_alone() -> None:
    files = [saved(noise(), file_format) for file_format in ("JPEG", "PNG", "TIFF", "WEBP", "BMP")]
    expected = [Image().decode(data) for data in files]
    before = list(warnings.filters)
    same: list[bool] = []

    def work() -> None:
        for _ in range(20):
            for data, pixels in zip(files, expected, strict=True):
                same.append(np.array_equal(Image().decode(data), pixels))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(same) == 400
    assert all(same)
    assert warnings.filters == before


def test_importing_the_modality_brings_no_decoder_and_no_heavy_library() -> None:
    code = (
        "import sys, mlforge.modalities.image\n"
        "heavy = {'pydantic', 'scipy', 'sklearn', 'PIL.TiffImagePlugin', 'PIL.JpegImagePlugin'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
