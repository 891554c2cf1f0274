"""Every kind of picture comes out looking the same: 8-bit grey or RGB, upright, on white."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from config.errors import (
    DamagedImageError,
    NotAnImageError,
    TooLargeError,
    UnsupportedImageError,
)
from config.settings import LimitSettings
from worker.decode import Picture, decode
from worker.probe import probe

LIMITS = LimitSettings()
RAMP = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
COLOURS = np.dstack([RAMP, RAMP[:, ::-1], np.full_like(RAMP, 90)])


def file(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def read(data: bytes) -> Picture:
    return decode(probe(data, LIMITS))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "TGA", "SGI", "PCX", "QOI"])
def test_lossless_rgb_is_exact(kind):
    assert np.array_equal(read(file(Image.fromarray(COLOURS), kind)).pixels, COLOURS)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "JPEG2000"])
def test_the_newer_formats_are_read(kind):
    difference = np.abs(read(file(Image.fromarray(COLOURS), kind, quality=95)).pixels.astype(int) - COLOURS)
    assert difference.mean() < 4


def test_grey_stays_one_channel():
    assert np.array_equal(read(file(Image.fromarray(RAMP), "PNG")).pixels, RAMP)


def test_black_and_white():
    image = Image.fromarray(RAMP).point(lambda v: 255 * (v > 127), "1")
    assert np.array_equal(read(file(image, "PNG")).pixels, np.where(RAMP > 127, 255, 0))


@pytest.mark.parametrize(("kind", "dtype"), [("PNG", "<u2"), ("TIFF", "<u2"), ("TIFF", ">u2")])
def test_sixteen_bit_grey_keeps_its_whole_range(kind, dtype):
    deep = (RAMP.astype(np.uint16) * 257).astype(dtype)
    assert np.array_equal(read(file(Image.fromarray(deep), kind)).pixels, RAMP)


def test_thirty_two_bit_integers_are_sixteen_bit_levels():
    assert np.array_equal(read(file(Image.fromarray(RAMP.astype(np.int32) * 257), "TIFF")).pixels, RAMP)


@pytest.mark.parametrize("white", [1, 255, 65535])
def test_floating_point_grey_is_scaled_by_its_range(white):
    levels = RAMP.astype(np.float32) / 255 * white
    assert np.abs(read(file(Image.fromarray(levels), "TIFF")).pixels.astype(int) - RAMP).max() <= 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, 1e9])
def test_floating_point_without_a_meaning_is_refused(bad):
    levels = RAMP.astype(np.float32)
    levels[0, 0] = bad
    with pytest.raises(UnsupportedImageError, match="grey levels"):
        read(file(Image.fromarray(levels), "TIFF"))


def test_sixteen_bit_rgb_png():
    rows = b"".join(b"\0" + (COLOURS[y].astype(">u2") * 257).tobytes() for y in range(64))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 256, 64, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    assert np.array_equal(read(data).pixels, COLOURS)


def test_a_palette_becomes_its_colours():
    image = Image.fromarray(COLOURS).quantize(200)
    assert np.array_equal(read(file(image, "PNG")).pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB+key", "L+key"])
def test_what_is_transparent_is_white(mode):
    if mode == "RGBA":
        image = Image.new("RGBA", (64, 64), (200, 0, 0, 0))
    elif mode == "LA":
        image = Image.new("LA", (64, 64), (0, 0))
    else:
        image = Image.new({"P": "P", "RGB+key": "RGB", "L+key": "L"}[mode], (64, 64), 0)
    image.paste({"RGBA": (10, 20, 30, 255), "LA": (10, 255)}.get(mode, 1 if mode == "P" else 40), (0, 0, 32, 64))
    key = {"P": 0, "RGB+key": (0, 0, 0), "L+key": 0}.get(mode)
    data = file(image, "PNG", **({} if key is None else {"transparency": key}))

    pixels = read(data).pixels
    assert (pixels[:, 32:] == 255).all()
    assert (pixels[:, :32] < 60).all()
    assert pixels.ndim == (2 if mode in {"LA", "L+key"} else 3)


def test_half_transparent_is_half_white():
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert np.abs(read(file(image, "PNG")).pixels.astype(int) - 127).max() <= 1


def test_cmyk_looks_like_its_rgb():
    image = Image.fromarray(COLOURS).convert("CMYK")
    for kind in ("TIFF", "JPEG"):
        difference = np.abs(read(file(image, kind)).pixels.astype(int) - np.asarray(image.convert("RGB")))
        assert difference.mean() < 3


def test_lab_becomes_srgb():
    lab = ImageCms.profileToProfile(
        Image.fromarray(COLOURS), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert np.abs(read(file(lab, "TIFF")).pixels.astype(int) - COLOURS).mean() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_comes_out_upright(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(COLOURS[:48])
    data = file(stored, kind, exif=exif.tobytes())
    stored.info["exif"] = exif.tobytes()
    stored.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(stored))

    pixels = read(data).pixels
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).mean() < 4


def test_an_icc_profile_is_kept_where_it_fits():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert read(file(Image.fromarray(COLOURS), "PNG", icc_profile=profile)).icc == profile
    assert read(file(Image.fromarray(RAMP), "PNG", icc_profile=profile)).icc is None
    assert read(file(Image.fromarray(COLOURS), "PNG", icc_profile=b"garbage")).icc is None


@pytest.mark.parametrize("data", [b"", b"hello, I am a text", b"\xff\xd8\xff", b"%PDF-1.4", b"%!PS-Adobe-3.0 EPSF-3.0"])
def test_what_is_no_image_is_told_apart_from_what_is_damaged(data):
    with pytest.raises((NotAnImageError, DamagedImageError)) as caught:
        read(data)
    assert isinstance(caught.value, NotAnImageError) is not data.startswith(b"\xff\xd8")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_damaged(kind, share):
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    data = file(Image.fromarray(noise), kind)
    with pytest.raises((DamagedImageError, NotAnImageError)):
        read(data[: int(len(data) * share)])


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_animations_and_documents_are_refused_with_their_length(kind):
    frames = [Image.new("RGB", (16, 16), (80 * i, 9, 9)) for i in range(3)]
    data = file(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedImageError, match=r"3 (frames|pages)"):
        read(data)


def test_one_frame_of_a_gif_is_a_picture():
    assert read(file(Image.new("RGB", (5, 4), (1, 2, 3)), "GIF")).pixels.tolist()[0][0] == [1, 2, 3]


def test_a_tiff_with_a_preview_is_one_picture():
    page, preview = Image.fromarray(COLOURS), Image.new("RGB", (16, 16))
    buffer = io.BytesIO()
    page.save(buffer, "TIFF", save_all=True, append_images=[preview])
    data = bytearray(buffer.getvalue())
    second = struct.unpack_from("<I", data, _first_directory_end(data))[0]
    preview_data = _with_subfile_type(bytes(data), second)
    assert np.array_equal(read(preview_data).pixels, COLOURS)


def _first_directory_end(data: bytes) -> int:
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    return at + 2 + 12 * count


def _with_subfile_type(data: bytes, at: int) -> bytes:
    """Append a copy of the directory at `at` with NewSubfileType = 1, and link it as the second."""
    (count,) = struct.unpack_from("<H", data, at)
    entries = [data[at + 2 + 12 * i :][:12] for i in range(count)]
    entries = [struct.pack("<HHII", 254, 4, 1, 1), *(e for e in entries if e[:2] != struct.pack("<H", 254))]
    copied = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    end = _first_directory_end(data)
    return data[:end] + struct.pack("<I", len(data)) + data[end + 4 :] + copied


@pytest.mark.parametrize(("width", "height"), [(100_000, 100_000), (65_501, 1)])
def test_limits_hold_before_memory_is_taken(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + header
        + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    )
    with pytest.raises(TooLargeError, match=f"{width}x{height}"):
        read(data + struct.pack(">I", 0) + b"IDAT" + bytes(4))
