"""How image files become RGB pixels. All files are made here."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as P
from PIL import ImageOps

from mlforge.errors import SampleError
from mlforge.modalities.image import Image

Pixels = npt.NDArray[np.uint8]


def drawn(height: int = 60, width: int = 80) -> Pixels:
    """A smooth picture without symmetry, so that every turn and mirror image differs."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    planes = (255 * x / width, 255 * y / height, 127 + 127 * np.sin(x / 9) * (y < height / 2))
    return np.stack(planes, axis=2).astype(np.uint8)


def saved(picture: P.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def decode(data: bytes, size: int = 256) -> Pixels:
    pixels: Pixels = Image(Image.Config(size=size)).decode(data)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert pixels.flags.c_contiguous
    assert max(pixels.shape[:2]) <= size
    return pixels


def layer(data: bytes, size: int = 256) -> Pixels:
    return Image(Image.Config(size=size)).decode_layer(data)


def difference(one: Pixels, other: Any) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - np.asarray(other, int)).max())


def refused(data: bytes, size: int = 256) -> SampleError:
    with pytest.raises(SampleError) as caught:
        Image(Image.Config(size=size)).decode(data)
    assert caught.value.message
    assert caught.value.hint
    return caught.value


def tiff(
    size: tuple[int, int],
    strips: list[bytes],
    tags: dict[int, tuple[int, ...]],
    order: str = "<",
) -> bytes:
    """Write a TIFF by hand; all tag values are longs, `strips` the pixels as stored."""
    width, height = size
    start = 8 + sum(map(len, strips))
    offsets = tuple(8 + sum(map(len, strips[:i])) for i in range(len(strips)))
    counts = tuple(map(len, strips))
    defaults = {256: (width,), 257: (height,), 259: (1,), 273: offsets, 278: (height,), 279: counts}
    if 322 in tags:
        defaults = {tag: defaults[tag] for tag in (256, 257, 259)}
    entries = sorted({**defaults, **tags}.items())
    table, extra = b"", b""
    extra_start = start + 2 + 12 * len(entries) + 4
    for tag, values in entries:
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(packed) > 4:
            table += struct.pack(f"{order}HHII", tag, 4, len(values), extra_start + len(extra))
            extra += packed
        else:
            table += struct.pack(f"{order}HHI", tag, 4, len(values)) + packed
    header = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, start)
    directory = struct.pack(f"{order}H", len(entries)) + table + bytes(4)
    return header + b"".join(strips) + directory + extra


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = (png_chunk(b"IHDR", header), *more, png_chunk(b"IDAT", zlib.compress(rows)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + png_chunk(b"IEND", b"")


LOSSLESS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {}),
    "webp": ("WEBP", {"lossless": True}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "tiff lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff deflate": ("TIFF", {"compression": "tiff_deflate"}),
    "tiff packbits": ("TIFF", {"compression": "packbits"}),
    "big tiff": ("TIFF", {"big_tiff": True}),
}
LOSSY: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    "progressive jpeg": ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}),
    "webp": ("WEBP", {"quality": 100}),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_give_the_pixels_back(kind: str) -> None:
    file_format, options = LOSSLESS[kind]
    data = saved(P.fromarray(drawn()), file_format, **options)
    assert np.array_equal(decode(data), drawn())


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_formats_give_about_the_pixels_back(kind: str) -> None:
    file_format, options = LOSSY[kind]
    data = saved(P.fromarray(drawn()), file_format, **options)
    assert np.abs(decode(data).astype(int) - drawn()).mean() < 4


def test_tiled_tiff_is_read() -> None:
    grey = drawn(32, 32)[:, :, 0]
    tiles = [grey[y : y + 16, x : x + 16].tobytes() for y in (0, 16) for x in (0, 16)]
    offsets = tuple(8 + 256 * i for i in range(4))
    tags = {258: (8,), 262: (1,), 322: (16,), 323: (16,), 324: offsets, 325: (256,) * 4}
    assert np.array_equal(decode(tiff((32, 32), tiles, tags))[:, :, 1], grey)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("shape", [(600, 800), (800, 600), (2000, 100), (1, 900), (900, 1)])
def test_large_pictures_are_scaled_down_to_the_longest_side(
    file_format: str, shape: tuple[int, int]
) -> None:
    height, width = shape
    longest = max(shape)
    pixels = decode(saved(P.fromarray(drawn(height, width)), file_format), size=100)
    expected = (max(1, round(height * 100 / longest)), max(1, round(width * 100 / longest)))
    assert pixels.shape[:2] == expected


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "BMP"])
def test_scaling_down_averages_over_areas(file_format: str) -> None:
    picture = P.fromarray(drawn(1600, 1200))
    expected = cv2.resize(drawn(1600, 1200), (75, 100), interpolation=cv2.INTER_AREA)
    pixels = decode(saved(picture, file_format), size=100)
    assert np.abs(pixels.astype(int) - expected).mean() < 1.5


def test_a_picture_that_is_worked_on_in_several_bands_has_no_seams() -> None:
    large = drawn(2000, 2600)[:, :, [0, 1, 1]]
    expected = cv2.resize(large, (130, 100), interpolation=cv2.INTER_AREA)
    pixels = decode(saved(P.fromarray(large), "PNG", compress_level=1), size=130)
    assert difference(pixels, expected) <= 2


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_small_pictures_keep_their_size(file_format: str) -> None:
    assert decode(saved(P.fromarray(drawn(9, 13)), file_format)).shape == (9, 13, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("file_format", "options"),
    [("JPEG", {"quality": 100, "subsampling": 0}), ("PNG", {}), ("WEBP", {"lossless": True}),
     ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})],
)  # fmt: skip
def test_exif_orientation_is_applied(
    orientation: int, file_format: str, options: dict[str, Any]
) -> None:
    exif = P.Exif()
    exif[0x0112] = orientation
    data = saved(P.fromarray(drawn()), file_format, exif=exif, **options)
    with P.open(io.BytesIO(data)) as opened:
        upright = np.asarray(ImageOps.exif_transpose(opened))
    assert np.array_equal(decode(data), upright)
    assert (decode(data).shape[:2] == (80, 60)) == (orientation >= 5)


def test_orientation_is_applied_to_pictures_that_are_scaled_down() -> None:
    exif = P.Exif()
    exif[0x0112] = 6
    pixels = decode(saved(P.fromarray(drawn(600, 800)), "JPEG", exif=exif), size=100)
    assert pixels.shape == (100, 75, 3)
    assert pixels[:, :, 0].mean(axis=1).argmax() > 90  # red grew to the right, now downwards


ORIENTATION_AS_TEXT = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04xyz\0\0\0\0\0"


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0garbage",
        ORIENTATION_AS_TEXT,
    ],
)
def test_unreadable_metadata_leaves_the_picture_as_it_is(exif: bytes) -> None:
    data = saved(P.fromarray(drawn()), "JPEG", exif=exif)
    assert decode(data).shape == drawn().shape


def test_16_bit_colour_png_is_scaled() -> None:
    deep = drawn().astype(np.uint16) * 257
    ok, data = cv2.imencode(".png", deep[:, :, ::-1])
    assert ok
    assert np.array_equal(decode(data.tobytes()), drawn())


def test_16_bit_grey_png_is_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 80 * 60).reshape(60, 80).astype(np.uint16)
    ok, data = cv2.imencode(".png", ramp)
    assert ok
    pixels = decode(data.tobytes())
    assert np.array_equal(pixels, np.repeat((ramp >> 8)[:, :, None], 3, axis=2))
    assert len(np.unique(pixels)) == 256


def test_large_16_bit_grey_is_scaled_down() -> None:
    ramp = np.repeat(np.linspace(0, 65535, 800).astype(np.uint16)[None], 400, axis=0)
    ok, data = cv2.imencode(".png", ramp)
    assert ok
    pixels = decode(data.tobytes(), size=100)
    assert pixels.shape == (50, 100, 3)
    assert (np.diff(pixels[25, :, 0].astype(int)) > 0).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("photometric", [0, 1])
def test_16_bit_grey_tiff_is_scaled_and_not_clipped(
    order: str, compression: int, photometric: int
) -> None:
    grey = np.linspace(0, 65535, 80 * 60).reshape(60, 80).astype(np.uint16)
    raw = grey.astype(f"{order}u2").tobytes()
    strip = zlib.compress(raw) if compression == 8 else raw
    data = tiff((80, 60), [strip], {258: (16,), 259: (compression,), 262: (photometric,)}, order)
    if order == ">" and photometric == 0:
        assert "damaged" in refused(data).message  # Pillow has no such kind
        return
    expected = (grey >> 8) if photometric == 1 else 255 - (grey >> 8)
    assert np.array_equal(decode(data)[:, :, 0], expected)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 8])
def test_16_bit_colour_tiff_is_scaled(order: str, compression: int) -> None:
    raw = (drawn().astype(np.uint16) * 257).astype(f"{order}u2").tobytes()
    strip = zlib.compress(raw) if compression == 8 else raw
    tags = {258: (16, 16, 16), 259: (compression,), 262: (2,), 277: (3,)}
    assert np.array_equal(decode(tiff((80, 60), [strip], tags, order)), drawn())


def test_12_bit_grey_tiff_is_scaled() -> None:
    grey = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    low, high = grey.ravel()[0::2].astype(int), grey.ravel()[1::2].astype(int)
    packed = np.stack([low >> 4, (low & 15) << 4 | high >> 8, high & 255], axis=1).astype(np.uint8)
    data = tiff((64, 64), [packed.tobytes()], {258: (12,), 262: (1,)})
    assert np.array_equal(decode(data)[:, :, 0], grey >> 4)


@pytest.mark.parametrize("compression", [1, 8])
def test_tiff_in_planes_of_8_bits_is_read_and_of_16_refused(compression: int) -> None:
    def in_planes(dtype: str, factor: int) -> bytes:
        planes = [(drawn()[:, :, c].astype(dtype) * factor).tobytes() for c in range(3)]
        strips = [zlib.compress(plane) for plane in planes] if compression == 8 else planes
        bits = 8 * np.dtype(dtype).itemsize
        tags = {258: (bits,) * 3, 259: (compression,), 262: (2,), 277: (3,), 284: (2,)}
        return tiff((80, 60), strips, tags)

    assert np.array_equal(decode(in_planes("u1", 1)), drawn())
    assert "planes" in refused(in_planes("<u2", 257)).message


@pytest.mark.parametrize("mode", ["I", "F"])
def test_tiff_of_32_bit_numbers_is_refused(mode: str) -> None:
    error = refused(saved(P.new(mode, (8, 8), 1), "TIFF"))
    assert "32-bit" in error.message
    assert "8-bit PNG" in error.hint


@pytest.mark.parametrize("bits", [8, 16])
def test_tiff_of_signed_numbers_is_refused(bits: int) -> None:
    data = tiff((4, 4), [bytes(2 * bits)], {258: (bits,), 262: (1,), 339: (2,)})
    assert "signed" in refused(data).message


def test_lab_is_refused() -> None:
    assert "'LAB'" in refused(saved(P.new("LAB", (8, 8)), "TIFF")).message


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(file_format: str) -> None:
    data = saved(P.new("CMYK", (16, 16), (0, 255, 255, 0)), file_format)
    assert difference(decode(data), np.full((16, 16, 3), (255, 0, 0))) <= 2


def test_cmyk_that_is_scaled_down_becomes_rgb() -> None:
    data = saved(P.new("CMYK", (400, 400), (255, 0, 255, 0)), "JPEG")
    assert difference(decode(data, size=20), np.full((20, 20, 3), (0, 255, 0))) <= 2


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF"])
def test_palette_1_bit_and_grey_become_rgb(file_format: str) -> None:
    flat = P.fromarray((drawn() // 64 * 64).astype(np.uint8))
    palette = flat.quantize(200)
    assert np.array_equal(decode(saved(palette, file_format)), np.asarray(palette.convert("RGB")))
    grey = flat.convert("L")
    assert np.array_equal(decode(saved(grey, file_format)), np.asarray(grey.convert("RGB")))
    bits = flat.convert("1")
    assert np.array_equal(decode(saved(bits, file_format)), np.asarray(bits.convert("RGB")))


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_laid_over_white(file_format: str) -> None:
    options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
    picture = P.new("RGBA", (12, 12), (200, 0, 0, 0))
    picture.paste((200, 0, 0, 255), (0, 0, 4, 12))
    picture.paste((200, 0, 0, 128), (4, 0, 8, 12))
    row = decode(saved(picture, file_format, **options))[6]
    assert row[1].tolist() == [200, 0, 0]
    assert np.abs(row[6].astype(int) - (227, 127, 127)).max() <= 1
    assert row[10].tolist() == [255, 255, 255]


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_grey_with_alpha_is_laid_over_white(file_format: str) -> None:
    pixels = decode(saved(P.new("LA", (4, 4), (0, 128)), file_format))
    assert difference(pixels, np.full((4, 4, 3), 127)) <= 1


def test_hidden_colours_do_not_bleed_when_scaled_down() -> None:
    picture = P.new("RGBA", (400, 400), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (0, 0, 397, 400))
    pixels = decode(saved(picture, "PNG"), size=20)
    assert (pixels[:, :, 0] <= pixels[:, :, 1] + 2).all()


def test_a_layer_has_the_alpha_that_the_picture_was_laid_over_white_by() -> None:
    picture = P.new("RGBA", (400, 200), (0, 0, 255, 255))
    picture.paste((0, 0, 255, 0), (0, 0, 100, 200))
    turned = P.Exif()
    turned[0x0112] = 6
    data = saved(picture, "PNG", exif=turned)
    pixels = layer(data, size=40)
    assert pixels.shape == (40, 20, 4)
    np.testing.assert_array_equal(pixels[..., :3], decode(data, size=40))
    assert pixels[:9, :, 3].max() == 0
    assert pixels[11:, :, 3].min() == 255


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "I;16"])
def test_a_layer_of_an_opaque_picture_is_what_decode_gives(mode: str) -> None:
    data = saved(P.new(mode, (5, 4), 0) if mode != "RGBA" else P.new(mode, (5, 4), "red"), "PNG")
    np.testing.assert_array_equal(layer(data), decode(data))


def test_a_layer_of_a_damaged_picture_is_refused() -> None:
    data = saved(P.new("RGBA", (40, 40), (1, 2, 3, 4)), "PNG")
    with pytest.raises(SampleError, match="truncated"):
        layer(data[:-20])


def test_premultiplied_alpha_is_laid_over_white() -> None:
    tags = {258: (8, 8), 262: (1,), 277: (2,), 338: (1,)}
    data = tiff((4, 4), [bytes([64, 128]) * 16], tags)
    assert difference(decode(data), np.full((4, 4, 3), 64 + 127)) <= 2


@pytest.mark.parametrize(
    ("depth", "row", "transparent", "expected"),
    [
        (1, b"\0\x40", 1, [0, 255]),
        (2, b"\0\x60", 2, [85, 255]),
        (4, b"\0\x37", 7, [51, 255]),
        (8, b"\0\x11\x22", 0x22, [17, 255]),
        (16, b"\0\x11\x00\x22\x01", 0x2201, [17, 255]),
    ],
)
def test_transparent_grey_of_a_png_is_white(
    depth: int, row: bytes, transparent: int, expected: list[int]
) -> None:
    data = png(2, 1, depth, 0, row, png_chunk(b"tRNS", struct.pack(">H", transparent)))
    assert decode(data)[0, :, 0].tolist() == expected
    assert layer(data)[0, :, 3].tolist() == [255, 0]


@pytest.mark.parametrize("depth", [8, 16])
def test_transparent_colour_of_a_png_is_white(depth: int) -> None:
    values = (10, 20, 30, 40, 50, 60)
    scale, code = (257, "H") if depth == 16 else (1, "B")
    row = b"\0" + struct.pack(f">6{code}", *(v * scale for v in values))
    transparent = png_chunk(b"tRNS", struct.pack(">3H", *(v * scale for v in values[3:])))
    data = png(2, 1, depth, 2, row, transparent)
    assert decode(data)[0].tolist() == [[10, 20, 30], [255, 255, 255]]


def test_transparent_palette_entries_are_white() -> None:
    palette = png_chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60]))
    data = png(2, 1, 8, 3, b"\0\0\1", palette, png_chunk(b"tRNS", b"\xff\x00"))
    assert decode(data)[0].tolist() == [[10, 20, 30], [255, 255, 255]]


@pytest.mark.parametrize(
    ("file_format", "options"), [("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})]
)
def test_the_first_frame_or_page_is_taken(file_format: str, options: dict[str, Any]) -> None:
    frames = [P.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    data = saved(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
    assert np.array_equal(decode(data), np.full((8, 8, 3), (255, 0, 0)))


def test_decoding_is_deterministic_and_gives_a_writable_copy() -> None:
    data = saved(P.fromarray(drawn(700, 900)), "JPEG")
    first, second = decode(data), decode(data)
    assert np.array_equal(first, second)
    first[:] = 0
    assert second.any()
    assert decode(saved(P.fromarray(drawn()), "PNG")).flags.writeable


@pytest.mark.parametrize("opaque", [0, 255])
def test_a_bmp_whose_fourth_bytes_mean_nothing_keeps_its_colours(opaque: int) -> None:
    colors = np.random.default_rng(0).integers(0, 120, (12, 10, 3), np.uint8)
    pixels = np.dstack([colors[..., ::-1], np.full((12, 10), opaque, np.uint8)])[::-1].tobytes()
    head = struct.pack("<IiiHHIIiiII", 108, 10, 12, 1, 32, 3, len(pixels), 2835, 2835, 0, 0)
    head += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
    start = struct.pack("<IHHI", 122 + len(pixels), 0, 0, 122)
    data = b"BM" + start + head + pixels
    assert np.array_equal(Image().decode(data), colors)
    assert Image().decode_layer(data).shape[-1] == 3
