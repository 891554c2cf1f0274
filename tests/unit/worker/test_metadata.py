from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from config.recipes import MetadataPolicy
from worker import lossless
from worker.lossless import recode
from worker.metadata import MAX_EXIF_BYTES, exif_for

ORIENTATION, COPYRIGHT, ARTIST, MAKE, SOFTWARE = 0x0112, 0x8298, 0x013B, 0x010F, 0x0131
EXIF_IFD, GPS_IFD, LENS, MAKER_NOTE, LATITUDE = 0x8769, 0x8825, 0xA434, 0x927C, 2


def full_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[COPYRIGHT] = "(c) Somebody"
    exif[ARTIST] = "Somebody"
    exif[MAKE] = "Camera"
    exif[EXIF_IFD] = {LENS: "50mm", MAKER_NOTE: b"preview" * 100}
    exif[GPS_IFD] = {1: "N", LATITUDE: (48.0, 8.0, 0.0)}
    reread = Image.Exif()
    reread.load(exif.tobytes())
    return reread


def parsed(block: bytes | None) -> Image.Exif:
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + block)
    return exif


def test_safe_keeps_author_and_copyright_alone():
    kept = parsed(exif_for(MetadataPolicy.SAFE, full_exif()))
    assert dict(kept) == {COPYRIGHT: "(c) Somebody", ARTIST: "Somebody"}


def test_none_keeps_nothing():
    assert exif_for(MetadataPolicy.NONE, full_exif()) is None
    assert exif_for(MetadataPolicy.SAFE, Image.Exif()) is None


def test_keep_keeps_all_but_orientation_and_maker_note():
    kept = parsed(exif_for(MetadataPolicy.KEEP, full_exif()))
    assert kept[MAKE] == "Camera"
    assert ORIENTATION not in kept
    assert kept.get_ifd(EXIF_IFD) == {LENS: "50mm"}
    assert tuple(map(float, kept.get_ifd(GPS_IFD)[LATITUDE])) == (48, 8, 0)


@pytest.mark.parametrize("policy", list(MetadataPolicy))
def test_pixels_that_stay_turned_stay_marked(policy):
    assert parsed(exif_for(policy, full_exif(), orientation=6))[ORIENTATION] == 6


def test_the_layout_of_a_tiff_file_is_no_metadata():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "TIFF", software="x", copyright="me")
    kept = parsed(exif_for(MetadataPolicy.KEEP, Image.open(buffer).getexif()))
    assert set(kept) == {SOFTWARE, COPYRIGHT}


def test_what_does_not_fit_falls_to_the_next_narrower_policy():
    exif = full_exif()
    exif[MAKE] = "x" * (MAX_EXIF_BYTES + 1)
    assert set(parsed(exif_for(MetadataPolicy.KEEP, exif))) == {COPYRIGHT, ARTIST}
    exif[COPYRIGHT] = "y" * (MAX_EXIF_BYTES + 1)
    assert exif_for(MetadataPolicy.KEEP, exif) is None


def test_what_cannot_be_written_is_dropped():
    exif = Image.Exif()
    exif[0x011A] = object()
    exif[ARTIST] = "Somebody"
    assert set(parsed(exif_for(MetadataPolicy.KEEP, exif))) == {ARTIST}


def a_jpeg(**options) -> bytes:
    y, x = np.mgrid[:96, :80]
    pixels = np.dstack([x * 3, y * 2, (x * y) % 256]).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"quality": 30, "subsampling": 0}, {"comment": "c" * 500}]
)
@pytest.mark.parametrize("policy", list(MetadataPolicy))
def test_recoding_keeps_every_pixel_and_never_grows(options, policy):
    data = a_jpeg(exif=full_exif(), **options)
    again = recode(data, policy, full_exif())

    assert len(again) <= len(data)
    before, after = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(again))
    assert np.array_equal(np.asarray(before), np.asarray(after))
    assert after.getexif()[ORIENTATION] == 6
    assert (GPS_IFD in after.getexif()) is (policy is MetadataPolicy.KEEP)
    assert "comment" not in after.info
    assert b"previewpreview" not in again


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_recoding_keeps_grey_and_cmyk(mode):
    buffer = io.BytesIO()
    Image.open(io.BytesIO(a_jpeg())).convert(mode).save(buffer, "JPEG")
    again = recode(buffer.getvalue(), MetadataPolicy.NONE, Image.Exif())
    assert np.array_equal(np.asarray(Image.open(buffer)), np.asarray(Image.open(io.BytesIO(again))))


def test_recoding_keeps_the_icc_profile():
    profile = bytes(range(256)) * 300  # longer than one segment
    again = recode(a_jpeg(icc_profile=profile), MetadataPolicy.SAFE, Image.Exif())
    assert Image.open(io.BytesIO(again)).info["icc_profile"] == profile


def test_a_file_that_ends_the_optimisers_process_is_kept_as_it_is():
    """One DC category of the Huffman table becomes 15: decoders read on, mozjpeg's transcoder calls exit()."""
    buffer = io.BytesIO()
    y, x = np.mgrid[:96, :80]
    Image.fromarray((x * y % 256).astype(np.uint8)).save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    data[data.index(b"\xff\xc4") + 5 + 16] = 15
    pixels = np.asarray(Image.open(io.BytesIO(data)))

    optimise = [sys.executable, "-c", lossless._OPTIMISE]
    died = subprocess.run(optimise, input=bytes(data), capture_output=True, check=False)
    assert died.returncode == 1
    assert b"Traceback" not in died.stderr
    again = recode(bytes(data), MetadataPolicy.NONE, Image.Exif())
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(again))), pixels)
