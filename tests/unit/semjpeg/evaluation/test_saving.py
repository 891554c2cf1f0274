"""The bytes that a map saves."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

import codec
from semjpeg.evaluation import saving
from semjpeg.evaluation.pairs import Pair
from semjpeg.evaluation.run import Scored
from semjpeg.evaluation.summary import Figure

FEW_QUALITIES = (30, 50, 70, 90)


@pytest.fixture
def photo(tmp_path, write) -> Pair:
    pixels = data.coffee()[100:196, 200:328]
    mask = np.zeros(pixels.shape[:2], np.uint8)
    mask[24:64, 32:96] = 255
    return Pair(write(tmp_path / "p/photo.png", pixels), write(tmp_path / "m/photo.png", mask))


def test_the_rates_are_those_of_no_map_the_map_and_the_mask(photo):
    curves = saving.Curves(FEW_QUALITIES, masks=True)
    mask = np.asarray(Image.open(photo.mask), np.float32) / 255
    none, same, true = saving.bd_rates(photo, mask, curves)
    assert same == true < none < 0
    flat = saving.bd_rates(Pair(photo.picture, photo.mask, photo.mask), np.ones((1, 1), np.float32), curves)
    assert flat == (none, none, true)
    ready = saving.bd_rates(Pair(photo.picture, photo.mask, photo.mask), None, curves)
    assert ready == (none, true, true)
    with pytest.raises(ValueError, match="no map"):
        saving.bd_rates(photo, None, curves)


def test_the_curves_have_the_aim_hvs_and_a_floor_of_a_tenth():
    settings = saving.Curves(masks=True).settings()
    ours = [setting for setting in settings if setting.encoder == "semjpeg"]
    assert len(settings) == 9 + 3 * 7
    assert {(s.aim, s.rate.quality) for s in ours} == {("hvs", quality) for quality in (30, 40, 50, 60, 70, 80, 90)}
    strength = ours[0].strength
    assert {s.strength for s in ours} == {strength}
    weights = codec.weights.weights(np.array([0, 1], np.float32), 1.0, strength)
    np.testing.assert_allclose(weights, [0.1, 1], rtol=1e-5)
    assert not any(settings.values())


def test_the_share_is_that_of_the_means():
    rates = {
        Path(str(number)): tuple(math.log(1 + rate) for rate in (-0.1, -0.1 - 0.1 * number, -0.5))
        for number in (0, 1, 2)
    }
    found = saving.summarise_saving(rates)
    means = [100 * math.expm1(np.mean([each[column] for each in rates.values()])) for column in range(3)]
    assert [found.none.value, found.map.value, found.mask.value] == pytest.approx(means)
    assert found.share.value == pytest.approx((means[1] - means[0]) / (means[2] - means[0]))
    low, high = found.share.interval
    assert low == pytest.approx(0, abs=0.03)
    assert found.share.value < high == pytest.approx(0.5, abs=0.03)
    assert found.none.interval == (pytest.approx(-10), pytest.approx(-10))


def test_there_is_no_share_of_nothing_and_no_interval_of_one():
    assert saving.summarise_saving({}) is None
    found = saving.summarise_saving({Path("a"): (-0.2, -0.3, -0.2)})
    assert found.share is None
    assert found.map == Figure(pytest.approx(100 * math.expm1(-0.3)), None)


@contextmanager
def threads(count):
    with ThreadPoolExecutor(count) as pool:
        yield pool


def test_a_picture_that_cannot_be_encoded_is_named_and_the_rest_goes_on(photo, tmp_path, monkeypatch, write):
    small = write(tmp_path / "p/small.png", np.zeros((16, 16, 3), np.uint8))
    mask = np.asarray(Image.open(photo.mask), np.float32) / 255
    scored = [Scored(pair, {}, 1, np.zeros((2, 2), np.uint8), mask) for pair in (Pair(small, photo.mask), photo)]
    monkeypatch.setattr(saving, "processes", threads)
    monkeypatch.setattr(saving, "Curves", partial(saving.Curves, FEW_QUALITIES))
    told = []
    rates, failures = saving.measure_saving(scored, 4, lambda *args: told.append(args))
    assert list(rates) == [photo.picture]
    assert [failure.picture for failure in failures] == [small]
    assert "16x16" in failures[0].reason
    assert sorted(told) == sorted([(photo.picture, ""), (small, failures[0].reason)])
