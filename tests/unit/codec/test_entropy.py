"""What is written is what another reader reads, whatever the levels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from codec import assemble, entropy, quantise, transform, trellis
from codec.transform import Plane


def _planes(height: int, width: int, *, colour: bool) -> tuple[Plane, ...]:
    return transform.to_planes(np.zeros((height, width, 3) if colour else (height, width), np.uint8))


def _tables(*, colour: bool) -> tuple[np.ndarray, ...]:
    return tuple(quantise.quantisation_table(number, 1.0) for number in range(2 if colour else 1))


def _levels(planes: tuple[Plane, ...], density: float, largest: int, seed: int) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(seed)
    out = []
    for plane in planes:
        shape = plane.coefficients.shape
        kept = random.random(shape) < density
        out.append(np.where(kept, random.integers(-largest, largest + 1, shape), 0).astype(np.int16))
    return tuple(out)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.booleans(),
    st.sampled_from([0, 0.02, 0.1, 0.6, 1]),
    st.sampled_from([1, 7, 1023]),
    st.integers(0, 9999),
)
def test_a_reader_finds_the_levels_that_were_written(read, size, colour, density, largest, seed):
    planes = _planes(*size, colour=colour)
    levels = _levels(planes, density, largest, seed)
    found_size, tables, found = read(assemble.baseline(size, planes, _tables(colour=colour), levels))
    assert found_size == size
    assert list(tables) == ([0, 1] if colour else [0])
    for number, table in enumerate(_tables(colour=colour)):
        assert np.array_equal(tables[number], table)
    for plane, written, one in zip(planes, levels, found, strict=True):
        assert one.shape[:2] == (plane.rows, plane.columns)
        assert np.array_equal(one.reshape(-1, 64), written)


def test_blocks_that_end_in_a_level_and_runs_above_fifteen(read):
    planes = _planes(8, 32, colour=False)
    levels = np.zeros((4, 64), np.int16)
    levels[0, [1, 63]] = 3, -1
    levels[1, 17] = 1
    levels[2, 49] = -1023
    (found,) = read(assemble.baseline((8, 32), planes, _tables(colour=False), (levels,)))[2]
    assert np.array_equal(found[0], levels)


def test_pillow_decodes_the_product_of_levels_and_table(picture):
    grey = picture("camera")
    planes = transform.to_planes(grey)
    tables = (quantise.quantisation_table(0, 0.5),)
    levels = trellis.nearest(planes[0].coefficients, tables[0])
    decoded = Image.open(io.BytesIO(assemble.baseline(grey.shape, planes, tables, (levels,))))
    again = transform.to_planes(np.asarray(decoded))[0].coefficients
    inner = again.reshape(planes[0].rows, planes[0].columns, 64)[:-1, :-1]
    expected = (levels * tables[0]).reshape(inner.shape[0] + 1, inner.shape[1] + 1, 64)[:-1, :-1]
    # What is left is the decoder's rounding to whole grey levels, and its clipping where the picture is black or white.
    assert np.abs(inner - expected).mean() < 0.35


def test_symbols_are_counted_as_often_as_their_block_counts():
    levels = np.zeros((3, 64), np.int16)
    levels[0, 1] = 1
    levels[1, 40] = -5
    levels[2, 1:] = 2
    histogram = entropy.count_ac(levels, np.array([1, 10, 100]))
    expected = {0x01: 1, 0x00: 11, 0xF0: 20, 0x73: 10, 0x02: 6300}
    assert {int(s): int(histogram[s]) for s in np.flatnonzero(histogram)} == expected
    assert entropy.count_ac(levels).sum() == 2 + 4 + 63


@pytest.mark.parametrize(
    ("levels", "expected"),
    [([5, 5, 5], {3: 1, 0: 2}), ([0, -1, 1023], {0: 1, 1: 1, 11: 1}), ([-1023, 1023], {10: 1, 11: 1})],
)
def test_dc_differences_are_counted_by_size(levels, expected):
    planes = _planes(8, 8 * len(levels), colour=False)
    blocks = np.zeros((len(levels), 64), np.int16)
    blocks[:, 0] = levels
    (histogram,) = entropy.count_dc((blocks,), entropy.scan_order(planes))
    assert {int(s): int(histogram[s]) for s in np.flatnonzero(histogram)} == expected
