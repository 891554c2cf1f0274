from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import codec

SIDES = st.integers(1, 70)
CELLS = st.integers(1, 33)


@given(SIDES, SIDES, st.sampled_from([(), (3,)]), CELLS, CELLS, st.integers(0, 999))
def test_each_cell_has_the_mean_of_its_own_pixels(height, width, channels, high, wide, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, *channels), dtype=np.uint8)
    means = codec.cell_means(pixels, high, wide)
    assert means.dtype == np.float32
    assert means.shape == (-(-height // high), -(-width // wide), *channels)
    for row, column in np.ndindex(*means.shape[:2]):
        cell = pixels[row * high : (row + 1) * high, column * wide : (column + 1) * wide]
        assert means[row, column] == pytest.approx(cell.mean(axis=(0, 1)), rel=1e-6)


def test_pixels_may_lie_in_any_order():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    turned = pixels[::-1, :, ::-1]
    assert np.array_equal(codec.cell_means(turned, 8, 9), codec.cell_means(turned.copy(), 8, 9))
