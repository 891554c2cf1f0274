"""Files at equal bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

import codec
from codec import reference
from semjpeg.benchmark.encoders import mozjpeg
from semjpeg.benchmark.pictures import ellipse
from semjpeg.comparison import encoders
from semjpeg.comparison.entry import JPEG, JPEGLI, MOSAIC, MOSAIC_PROGRAM, MOZJPEG, OUR, OUR_PSNR, TITLES


@pytest.fixture(scope="module")
def pixels():
    return np.ascontiguousarray(data.coffee()[100:228, 200:360])


@settings(deadline=None)
@given(st.lists(st.integers(0, 500), min_size=1, max_size=60), st.integers(0, 500))
def test_the_closest_step_of_a_rising_scale_is_found_with_few_files(sizes, wanted):
    rising = sorted(sizes)
    made = []

    def encode(step):
        made.append(step)
        return bytes(rising[step - 1])

    found = encoders.closest(encode, wanted, high=len(rising))
    assert abs(len(found.data) - wanted) == min(abs(size - wanted) for size in rising)
    assert len(found.data) == rising[found.quality - 1]
    assert len(made) == len(set(made)) <= len(rising).bit_length() + 2


@pytest.mark.parametrize("quality", [1, 30, 50, 64, 75, 90, 100])
def test_at_a_whole_quality_the_scaled_tables_are_mozjpegs_own(pixels, quality):
    own, scaled = mozjpeg(pixels, quality), encoders.mozjpeg_between(pixels, quality)
    assert len(own) == len(scaled)
    np.testing.assert_array_equal(reference.decode(own), reference.decode(scaled))


def test_between_whole_qualities_the_sizes_lie_between(pixels):
    low, high = (len(mozjpeg(pixels, quality)) for quality in (60, 62))
    between = [len(encoders.mozjpeg_between(pixels, 60 + part / 4)) for part in range(9)]
    assert between[0] == low
    assert between[-1] == high
    assert len(set(between)) > 4
    assert all(0.99 * low < size < 1.01 * high for size in between)


def test_luma_and_chroma_move_in_turn(pixels):
    def tables(quality):
        with Image.open(io.BytesIO(encoders.mozjpeg_between(pixels, quality))) as image:
            return [image.quantization[0], image.quantization[1]]

    low, middle, high = (tables(20 + part / 64) for part in (0, 1, 2))
    assert middle == [high[0], low[1]]
    assert low[0] != high[0]
    assert low[1] != high[1]


def test_mozjpeg_comes_within_1_percent_where_no_whole_quality_does(pixels):
    sizes = [len(mozjpeg(pixels, quality)) for quality in range(75, 96)]
    step = max(range(20), key=lambda number: sizes[number + 1] / sizes[number])
    wanted = round((sizes[step] * sizes[step + 1]) ** 0.5)
    assert min(abs(size / wanted - 1) for size in sizes) > 0.01
    made = encoders.closest_mozjpeg(pixels, wanted)
    assert abs(len(made.data) / wanted - 1) <= 0.01
    assert 75 + step < made.quality < 76 + step
    assert made.data == encoders.mozjpeg_between(pixels, made.quality)


def test_a_whole_quality_that_is_close_is_taken_as_it_is(pixels):
    made = encoders.closest_mozjpeg(pixels, len(mozjpeg(pixels, 77)))
    assert (made.quality, made.data) == (77, mozjpeg(pixels, 77))


def test_what_no_quality_reaches_gets_the_nearest_file(pixels):
    assert encoders.closest_mozjpeg(pixels, 10).quality == 1
    assert encoders.closest_mozjpeg(pixels, 10**7).quality == 100


@pytest.mark.parametrize("name", TITLES)
def test_every_encoder_makes_a_file_of_its_own_at_libjpegs_bytes(pixels, name):
    importance = ellipse()
    made = encoders.at_bytes_of_libjpeg(name, pixels, importance, 70)
    wanted = len(reference.libjpeg(pixels, 70))
    # jpegli's qualities are whole, and so is the quality that a mosaic is saved at
    assert abs(len(made.data) / wanted - 1) <= (0.04 if name in {JPEGLI, MOSAIC, MOSAIC_PROGRAM} else 0.01)
    with Image.open(io.BytesIO(made.data)) as image:
        assert (image.format, image.size) == ("JPEG", (160, 128))
    matched = codec.MatchJpeg(70)
    expected = {
        JPEG: lambda: reference.libjpeg(pixels, 70),
        MOSAIC: lambda: codec.encode(pixels, importance, rate=matched, method="mosaic").data,
        MOSAIC_PROGRAM: lambda: (
            codec.encode(pixels, importance, rate=matched, method=codec.Mosaic(9, 20, 100, "median-narrow")).data
        ),
        OUR: lambda: codec.encode(pixels, importance, rate=matched).data,
        OUR_PSNR: lambda: codec.encode(pixels, importance, rate=matched, aim="psnr").data,
    }
    if name in expected:
        assert made.data == expected[name]()
    assert (made.quality is None) == (name in {OUR, OUR_PSNR})
    if name == MOSAIC:
        assert made.quality == codec.encode(pixels, importance, rate=matched, method="mosaic").final_quality


def test_what_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(encoders, "find_spec", lambda name: None if name == "pyjpegli" else object())
    names, lacking = encoders.installed()
    assert lacking == ["pyjpegli"]
    assert names == [JPEG, MOSAIC, MOSAIC_PROGRAM, OUR, OUR_PSNR, MOZJPEG]


def test_the_papers_mosaic_is_the_authors_second_rule():
    assert encoders.MODEL_NUMBER == 2
    assert encoders.MOSAICS[MOSAIC].mixing == "linear"
    assert codec.MIXINGS.index(encoders.MOSAICS[MOSAIC_PROGRAM].mixing) + 1 == 6
