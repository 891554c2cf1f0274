"""Files of a given size."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import codec
from config.errors import EncodingError


def _ellipse() -> np.ndarray:
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    return np.clip(1.5 - 2 * np.hypot(y, x), 0, 1)


@pytest.mark.parametrize("quality", [10, 50, 75, 92])
@pytest.mark.parametrize("name", ["coffee", "cat", "camera", "noise"])
def test_libjpegs_size_is_matched_within_one_percent(picture, name, quality):
    encoded = codec.encode(picture(name), _ellipse(), rate=codec.MatchJpeg(quality))
    assert len(encoded.data) == pytest.approx(codec.libjpeg_bytes(picture(name), quality), rel=0.01)
    assert encoded.psnr_hvs_m_db is None
    assert encoded.libjpeg_psnr_hvs_m_db is None


@pytest.mark.parametrize("name", ["coffee", "cat", "camera"])
def test_at_libjpegs_size_the_picture_is_better(picture, name):
    pixels = picture(name)
    data = codec.encode(pixels, rate=codec.MatchJpeg(50)).data
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=50)
    ours, theirs = (codec.measure(pixels, np.asarray(Image.open(f))) for f in (io.BytesIO(data), buffer))
    assert ours.psnr_hvs_m > theirs.psnr_hvs_m + 1
    assert ours.psnr > theirs.psnr
    assert ours.ssim > theirs.ssim


def test_at_libjpegs_size_a_map_raises_psnr_s(picture):
    pixels = picture("coffee")
    values = [
        codec.measure(pixels, np.asarray(Image.open(io.BytesIO(encoded.data))), _ellipse())
        for encoded in (codec.encode(pixels, given, rate=codec.MatchJpeg(50)) for given in (None, _ellipse()))
    ]
    assert values[1].psnr_s > values[0].psnr_s + 0.5
    assert values[1].psnr < values[0].psnr


@pytest.mark.parametrize("share", [0.2, 0.5, 1, 3])
@pytest.mark.parametrize("name", ["coffee", "camera", "text"])
def test_no_file_is_larger_than_its_target_and_most_of_it_is_used(picture, name, share):
    target = int(share * codec.libjpeg_bytes(picture(name), 60))
    size = len(codec.encode(picture(name), rate=codec.TargetBytes(target)).data)
    assert size <= target
    if name in {"coffee", "camera"}:
        assert size >= 0.97 * target


def test_metadata_counts_towards_the_target(picture):
    target = codec.TargetBytes(20_000)
    encoded = codec.encode(picture("cat"), rate=target, icc=bytes(9000), exif=bytes(500))
    assert 0.97 * 20_000 <= len(encoded.data) <= 20_000
    with pytest.raises(EncodingError, match="397x299"):
        codec.encode(picture("cat"), rate=codec.TargetBytes(9000), icc=bytes(9000))


def test_too_few_bytes_are_an_encoding_error_that_names_the_picture(picture):
    with pytest.raises(EncodingError, match="600x400"):
        codec.encode(picture("coffee"), rate=codec.TargetBytes(500))


def test_a_picture_that_needs_less_gets_less(picture):
    encoded = codec.encode(picture("black"), rate=codec.TargetBytes(10**9))
    assert len(encoded.data) < 1000
    assert len(codec.encode(picture("plain"), rate=codec.MatchJpeg(90)).data) <= codec.libjpeg_bytes(
        picture("plain"), 90
    )


@pytest.mark.parametrize(
    ("kind", "value", "error", "name"),
    [
        (codec.TargetBytes, 0, ValueError, "size_bytes"),
        (codec.TargetBytes, 5e4, TypeError, "size_bytes"),
        (codec.MatchJpeg, 0, ValueError, "quality"),
        (codec.MatchJpeg, 101, ValueError, "quality"),
        (codec.MatchJpeg, True, TypeError, "quality"),
    ],
)
def test_a_wrong_target_is_named(kind, value, error, name):
    with pytest.raises(error, match=name):
        kind(value)
