"""The AC symbols of blocks are counted as T.81 says they are coded."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from codec import entropy


def _symbols(block: np.ndarray) -> list[int]:
    """AC symbols of a block, one after the other: T.81, figure F.2."""
    symbols, run = [], 0
    for level in block[1:].tolist():
        if level == 0:
            run += 1
            continue
        while run > 15:
            symbols.append(0xF0)
            run -= 16
        symbols.append(run << 4 | abs(level).bit_length())
        run = 0
    return [*symbols, 0x00] if run else symbols


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.integers(0, 30),
    st.sampled_from([0, 0.02, 0.2, 1]),
    st.sampled_from([1, 7, 1023]),
    st.integers(0, 999),
)
def test_counts_are_those_of_the_symbols_written_out(count, density, largest, seed):
    random = np.random.default_rng(seed)
    shape = (count, 64)
    kept = random.random(shape) < density
    levels = np.where(kept, random.integers(-largest, largest + 1, shape), 0).astype(np.int16)
    times = random.integers(0, 50, count)
    expected = np.zeros(256, np.int64)
    for block, often in zip(levels, times, strict=True):
        np.add.at(expected, _symbols(block), often)
    found = entropy.count_ac(levels, times)
    assert found.dtype == np.int64
    assert np.array_equal(found, expected)


def test_blocks_that_end_in_a_level_and_runs_above_fifteen():
    levels = np.zeros((4, 64), np.int16)
    levels[0, [0, 1]] = 900, 1
    levels[1, 40] = -5
    levels[2, 1:] = 2
    levels[3, 17] = 1023
    histogram = entropy.count_ac(levels, np.array([1, 10, 100, 1000]))
    expected = {0x01: 1, 0x00: 1011, 0xF0: 1020, 0x73: 10, 0x02: 6300, 0x0A: 1000}
    assert {int(s): int(histogram[s]) for s in np.flatnonzero(histogram)} == expected
