"""The encoders that ours is held against."""

from __future__ import annotations

import io

import mozjpeg_lossless_optimization
import numpy as np
import pytest
from PIL import Image

import codec
from codec import reference
from semjpeg.benchmark.encoders import ENCODERS

QUALITIES = (30, 50, 70, 90)


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_gives_a_file_of_the_right_size_at_420_that_grows_with_quality(name, coffee):
    pixels = coffee[:97, :131]
    files = [ENCODERS[name].encode(pixels, quality) for quality in (40, 85)]
    assert len(files[0]) < len(files[1])
    with Image.open(io.BytesIO(files[1])) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (131, 97), "RGB")
        assert [layer[1:3] for layer in image.layer] == [(2, 2), (1, 1), (1, 1)]
        assert bool(image.info.get("progressive")) is (name != "libjpeg-turbo")
    assert codec.measure(pixels, reference.decode(files[1])).psnr > 32


def test_mozjpeg_searches_its_scans_itself_and_beats_libjpeg(coffee):
    jpeg = ENCODERS["mozjpeg"].encode(coffee, 75)
    assert len(mozjpeg_lossless_optimization.optimize(jpeg)) >= 0.999 * len(jpeg)
    same = [reference.decode(file) for file in (jpeg, reference.libjpeg(coffee, 75))]
    assert len(jpeg) < 0.9 * len(reference.libjpeg(coffee, 75))
    assert not np.array_equal(*same)


@pytest.mark.parametrize("name", ["mozjpeg", "jpegli"])
@pytest.mark.parametrize("quality", [30, 50, 70, 90])
def test_scales_are_aligned_by_psnr_hvs_m(name, quality, coffee):
    encoder = ENCODERS[name]
    values = [
        codec.measure(coffee, reference.decode(jpeg)).psnr_hvs_m
        for jpeg in (encoder.encode(coffee, encoder.quality(quality)), reference.libjpeg(coffee, quality))
    ]
    assert values[0] == pytest.approx(values[1], abs=1.2)


def test_qualities_between_are_interpolated_and_the_ends_kept():
    assert [ENCODERS["mozjpeg"].quality(quality) for quality in (1, 50, 60, 100)] == [1, 64, 70, 100]
    assert [ENCODERS["libjpeg-turbo"].quality(quality) for quality in QUALITIES] == list(QUALITIES)
