"""Which measures a result gets, and of what."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import codec
from config.jobs import Job
from config.recipes import Recipe
from config.sampling import position
from config.settings import MetricsSettings
from worker.decode import Picture
from worker.measure import _middle, measure, measure_full

FULL = {"ssim", "ms_ssim", "vifp", "ssimulacra2"}


def _job(key: str) -> Job:
    return Job(run="r", bucket="photos", key=key, etag="e", size=1, output="s3://out", recipe=Recipe())


@pytest.fixture
def pair():
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    decoded = np.clip(pixels + random.normal(0, 5, pixels.shape), 0, 255).astype(np.uint8)
    return Picture(pixels, icc=None, exif=Image.Exif()), decoded


def test_every_result_has_the_fast_measures(pair):
    picture, decoded = pair
    importance = np.eye(4, dtype=np.float32)
    expected = dataclasses.asdict(codec.measure(picture.pixels, decoded, importance))
    assert measure(picture, decoded, importance) == expected


def test_an_image_outside_the_sample_has_empty_places_for_the_others(pair):
    assert measure_full(_job("a.jpg"), *pair, MetricsSettings(full_share=0)) == dict.fromkeys(FULL)


def test_an_image_of_the_sample_has_them_all_of_the_whole_picture(pair):
    found = measure_full(_job("a.jpg"), *pair, MetricsSettings(full_share=1))
    assert found == dataclasses.asdict(codec.measure_full(pair[0].pixels, pair[1]))
    assert set(found) == FULL
    assert None not in found.values()


def test_a_measure_that_cannot_be_taken_does_not_cost_the_result(pair, monkeypatch):
    def broken(*_):
        raise FloatingPointError("a defect of a package")

    monkeypatch.setattr("codec.similarity.vifp", broken)
    assert measure_full(_job("a.jpg"), *pair, MetricsSettings(full_share=1)) == dict.fromkeys(FULL)


def test_a_large_picture_is_looked_at_in_its_middle(pair):
    picture, decoded = pair
    decoded = decoded.copy()
    decoded[:40], decoded[-40:], decoded[:, :60], decoded[:, -60:] = 0, 0, 0, 0
    settings = MetricsSettings(full_share=1, full_max_pixels=120 * 180)
    found = measure_full(_job("a.jpg"), picture, decoded, settings)
    assert found == dataclasses.asdict(codec.measure_full(picture.pixels[40:160, 60:240], decoded[40:160, 60:240]))


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(4096, 2_000_000))
def test_a_window_lies_in_the_middle_and_is_as_large_as_it_may_be(height, width, most):
    rows, columns = _middle(height, width, most)
    high, wide = rows.stop - rows.start, columns.stop - columns.start
    assert high * wide <= most
    assert min(high, wide) >= min(height, width, 64)
    if height * width <= most:
        assert (high, wide) == (height, width)
    else:
        assert high * wide > 0.9 * most or min(high, wide) == min(height, width)
    for side, part in ((height, rows), (width, columns)):
        assert abs(part.start - (side - part.stop)) <= 1


def test_a_sample_is_the_same_each_time_and_of_the_size_that_was_asked_for(pair):
    keys = [f"2024/{number}.jpg" for number in range(4000)]
    places = [position("photos", key) for key in keys]
    assert places == [position("photos", key) for key in keys]
    assert sum(place < 0.1 for place in places) == pytest.approx(400, abs=80)
    assert position("photos", "2024/0.jpg") != position("others", "2024/0.jpg")
    least = min(keys, key=lambda key: position("photos", key))
    share = MetricsSettings(full_share=position("photos", least) * 1.0001)
    sampled = [key for key in [*keys[:50], least] if measure_full(_job(key), *pair, share)["ssim"] is not None]
    assert set(sampled) == {least}
