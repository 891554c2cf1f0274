"""What of a source's metadata reaches a finished file: never an older picture, whichever way the file was made."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from config.recipes import Recipe
from config.settings import LimitSettings
from semjpeg import compress
from semjpeg.api import encode_file

PAST = b"\xff\xd8\xff\xe0" + b"what was cut away " * 9 + b"\xff\xd9"
PLAIN = np.ones((1, 1))
ORIENTATION, COPYRIGHT, GPS_IFD = 0x0112, 0x8298, 0x8825
SIGNATURES = (b"JFXX\0", b"http://ns.adobe.com/xap/1.0/", b"Photoshop 3.0", b"cut away")

# The quality of the source decides which way is taken: new levels, or its own ones in better scans.
WAYS = {"new levels": (98, {"quality": 40}), "the source's levels": (10, {"quality": 95})}


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _directory(entries: list[tuple[int, int, int, bytes]], following: int) -> bytes:
    packed = b"".join(struct.pack("<HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


def _exif() -> bytes:
    """Orientation 6, a copyright, a place, and a thumbnail in the second directory (EXIF 2.32, 4.5.5)."""
    gps, thumbnails, words, past = 64, 96, 160, 200
    first = _directory(
        [
            (ORIENTATION, 3, 1, struct.pack("<HH", 6, 0)),
            (COPYRIGHT, 2, 13, struct.pack("<I", words)),
            (GPS_IFD, 4, 1, struct.pack("<I", gps)),
        ],
        thumbnails,
    )
    second = _directory(
        [
            (0x0103, 3, 1, struct.pack("<HH", 6, 0)),
            (0x0201, 4, 1, struct.pack("<I", past)),
            (0x0202, 4, 1, struct.pack("<I", len(PAST))),
        ],
        0,
    )
    block = b"II*\0" + struct.pack("<I", 8) + first
    block = block.ljust(gps, b"\0") + _directory([(1, 2, 2, b"N\0\0\0")], 0)
    block = block.ljust(thumbnails, b"\0") + second
    block = block.ljust(words, b"\0") + b"(c) Somebody\0"
    return b"Exif\0\0" + block.ljust(past, b"\0") + PAST


def _pixels() -> np.ndarray:
    y, x = np.mgrid[:96, :160]
    return np.dstack([x * 3 // 2, y * 2, (x + y) // 2 + 20 * (x > 90)]).astype(np.uint8)


def _source(quality: int, profile: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(_pixels()).save(buffer, "JPEG", quality=quality, icc_profile=profile)
    saved = buffer.getvalue()
    after_jfif = 4 + struct.unpack(">H", saved[4:6])[0]
    extras = (
        _segment(0xE0, b"JFXX\0\x10" + PAST)
        + _segment(0xE1, _exif())
        + _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x>" + PAST + b"</x>")
        + _segment(0xED, b"Photoshop 3.0\0" + PAST)
        + _segment(0xFE, PAST)
    )
    return saved[:after_jfif] + extras + saved[after_jfif:] + PAST


@pytest.fixture(scope="module")
def profile():
    """A profile longer than two segments: what follows its last tag does not matter."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().ljust(150_000, b"\x07")


@pytest.fixture(params=WAYS)
def way(request, profile):
    quality, options = WAYS[request.param]
    source = _source(quality, profile)
    taken = encode_file(source, Recipe.model_validate(options), LimitSettings(), PLAIN).kept_coefficients
    assert taken is (request.param == "the source's levels")
    return source, options


def test_the_source_has_all_that_must_not_come_through(profile):
    source = _source(90, profile)
    assert all(signature in source for signature in SIGNATURES)
    exif = Image.open(io.BytesIO(source)).getexif()
    assert (exif[ORIENTATION], exif[COPYRIGHT], exif.get_ifd(GPS_IFD)[1]) == (6, "(c) Somebody", "N")
    assert exif.get_ifd(ExifTags.IFD.IFD1)[0x0202] == len(PAST)


@pytest.mark.parametrize("policy", ["keep", "safe", "none"])
def test_no_preview_comes_through(way, policy):
    source, options = way
    result = compress(source, importance=PLAIN, metadata=policy, **options)
    assert [signature for signature in SIGNATURES if signature in result] == []
    assert result.endswith(b"\xff\xd9")
    with Image.open(io.BytesIO(result)) as image:
        assert not image.getexif().get_ifd(ExifTags.IFD.IFD1)


@pytest.mark.parametrize("policy", ["keep", "safe", "none"])
def test_each_policy_keeps_what_it_names(way, policy):
    source, options = way
    with Image.open(io.BytesIO(compress(source, importance=PLAIN, metadata=policy, **options))) as image:
        exif = image.getexif()
        assert exif.get(COPYRIGHT) == (None if policy == "none" else "(c) Somebody")
        assert bool(exif.get_ifd(GPS_IFD)) is (policy == "keep")


@pytest.mark.parametrize("policy", ["keep", "safe", "none"])
def test_the_picture_is_shown_upright(way, policy):
    source, options = way
    with Image.open(io.BytesIO(compress(source, importance=PLAIN, metadata=policy, **options))) as image:
        turn = {1: None, 6: Image.Transpose.ROTATE_270}[image.getexif().get(ORIENTATION, 1)]
        shown = np.asarray(image if turn is None else image.transpose(turn)).astype(int)
    expected = np.rot90(_pixels(), -1)
    assert shown.shape == expected.shape
    assert np.abs(shown - expected).mean() < 12


def test_new_levels_are_of_upright_pixels(profile):
    result = compress(_source(98, profile), importance=PLAIN, metadata="keep", quality=40)
    with Image.open(io.BytesIO(result)) as image:
        assert image.size == (96, 160)
        assert ORIENTATION not in image.getexif()


@pytest.mark.parametrize("policy", ["keep", "safe", "none"])
def test_the_profile_comes_through_byte_for_byte(way, profile, policy):
    source, options = way
    with Image.open(io.BytesIO(compress(source, importance=PLAIN, metadata=policy, **options))) as image:
        assert image.info["icc_profile"] == profile


@pytest.mark.parametrize("quality", [40, 95])
def test_a_second_view_is_left_out(quality):
    buffer = io.BytesIO()
    view = Image.fromarray(_pixels())
    view.save(buffer, "MPO", save_all=True, append_images=[view.rotate(180)], quality=30)
    result = compress(buffer.getvalue(), importance=PLAIN, quality=quality)
    assert b"MPF\0" in buffer.getvalue()
    assert b"MPF\0" not in result
    with Image.open(io.BytesIO(result)) as image:
        assert (image.format, getattr(image, "n_frames", 1)) == ("JPEG", 1)
    assert result.count(b"\xff\xd8\xff") == 1
