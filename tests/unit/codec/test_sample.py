"""The excerpt of a large picture: the same blocks, in the right place, counted as often as they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from codec import sample as module
from codec import transform
from codec.quantise import component


def _parts(pixels: np.ndarray):
    planes = transform.to_planes(pixels)
    random = np.random.default_rng(0)
    parts = tuple(
        component(number, plane, random.random(len(plane.coefficients)).astype(np.float32))
        for number, plane in enumerate(planes)
    )
    return planes, parts


def _disc(plane: transform.Plane) -> np.ndarray:
    y, x = np.mgrid[0 : plane.rows, 0 : plane.columns]
    return np.hypot(y - plane.rows / 2, x - plane.columns / 2).ravel() < plane.rows / 3


@pytest.mark.parametrize("name", ["coffee", "camera"])
def test_a_small_picture_is_its_own_sample(picture, name):
    pixels = picture(name)
    planes, parts = _parts(pixels)
    taken = module.sample(pixels, planes, parts, _disc(planes[0]))
    assert taken.pixels is pixels
    assert taken.planes is planes
    assert (
        len(taken.region) == len(taken.rest) == len(taken.luma) == -(-pixels.shape[0] // 8) * -(-pixels.shape[1] // 8)
    )
    assert taken.region.any()
    assert taken.rest.any()
    assert not (taken.region & taken.rest).any()
    assert (taken.region | taken.rest).sum() == (pixels.shape[0] // 8) * (pixels.shape[1] // 8)
    assert (taken.times == 1).all()


@pytest.mark.parametrize("name", ["coffee", "cat", "camera"])
def test_an_excerpt_holds_the_coefficients_of_its_pixels(picture, name, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 200)
    pixels = picture(name)
    planes, parts = _parts(pixels)
    taken = module.sample(pixels, planes, parts, _disc(planes[0]))
    anew = transform.to_planes(taken.pixels)
    for plane, part, expected in zip(taken.planes, taken.components, anew, strict=True):
        assert (plane.rows, plane.columns) == (expected.rows, expected.columns)
        assert np.array_equal(plane.coefficients, expected.coefficients)
        assert part.coefficients is plane.coefficients
    # Weights went along with their blocks: they are all different, and so are nearly all blocks.
    originals = {row.tobytes(): weight for row, weight in zip(parts[0].coefficients, parts[0].weight, strict=True)}
    first = taken.components[0]
    same = [originals[row.tobytes()] == w for row, w in zip(first.coefficients, first.weight, strict=True)]
    assert np.mean(same) > 0.9
    assert 192 <= (taken.times > 0).sum() <= 256
    total = planes[-1].rows * planes[-1].columns
    assert taken.times.sum() == pytest.approx(total, rel=0.35)
    assert taken.region.sum() > taken.rest.sum()
    assert taken.rest.any()
    assert len(taken.luma) == len(taken.region) == len(first.coefficients)


def test_each_block_counts_as_its_mcu(picture, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 100)
    planes, parts = _parts(picture("coffee"))
    taken = module.sample(picture("coffee"), planes, parts, np.ones(len(planes[0].coefficients), bool))
    assert taken.times_of(0).sum() == 4 * taken.times.sum()
    assert np.array_equal(taken.times_of(1), taken.times)
    assert np.array_equal(taken.times_of(0).reshape(-1, 128)[::2, ::2].ravel(), taken.times)


@pytest.mark.parametrize(
    ("size", "grid", "count"), [((16, 24), (2, 3), 6), ((15, 30), (2, 4), 3), ((3, 20), (2, 4), 2), ((1, 1), (2, 2), 1)]
)
def test_only_whole_blocks_count_unless_a_side_has_none(size, grid, count):
    whole = module.whole_blocks(size, grid)
    assert whole.shape == grid
    assert whole.sum() == count


def test_picked_places_are_distinct_and_spread():
    picked = module._pick(np.arange(1000), 130)
    assert len(set(picked.tolist())) == 130
    assert np.histogram(picked, 10, (0, 1000))[0].tolist() == [13] * 10
    assert module._pick(np.arange(5), 9).tolist() == [0, 1, 2, 3, 4]
