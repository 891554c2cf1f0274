"""The scans that are chosen send every bit of every level once, in few bytes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec import huffman, scans
from codec.blocks import NONE, Band, Blocks
from codec.tokens import COUNTS, coded_bits


def _counts(symbols: dict[int, int], bits: int = 0) -> np.ndarray:
    counts = np.zeros(COUNTS, np.int64)
    counts[list(symbols)] = list(symbols.values())
    counts[256] = bits
    return counts


def _blocks(scale: float, rows: int = 20, columns: int = 24, seed: int = 1) -> Blocks:
    """Levels that are distributed as those of pictures: Laplacian, and the smaller the higher their frequency."""
    random = np.random.default_rng(seed)
    spread = scale * np.exp(-np.arange(64) / 16) * random.gamma(0.7, 1, (rows * columns, 1))
    levels = np.rint(random.laplace(0, spread)).clip(-1023, 1023)
    return Blocks(levels.astype(np.int16), columns, (rows, columns))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.dictionaries(st.integers(0, 0xFA), st.integers(1, 3000), min_size=1, max_size=60), st.integers(0, 500))
def test_bits_are_those_of_the_code_that_is_built(symbols, extra):
    counts = _counts(symbols, extra)
    code = huffman.build(counts[:256])
    exact = coded_bits(counts, code.lengths) + 8 * (21 + len(symbols))
    # The code of all ones, which nothing uses, is counted once.
    assert exact <= scans.code_bits(counts) <= exact + 17


def test_extra_bits_follow_levels_ends_of_band_and_nothing_else():
    for symbol, extra in ((0x00, 0), (0x40, 4), (0xE0, 14), (0xF0, 0), (0x05, 5), (0xFA, 10)):
        code = huffman.build(_counts({symbol: 1})[:256])
        assert coded_bits(_counts({symbol: 3}, 7), code.lengths) == 3 * (1 + extra) + 7


def test_alike_scans_share_a_code_and_others_do_not():
    few = _counts({1: 10, 2: 3, 0: 5})
    steep, flat = _counts({1: 90_000, 2: 10, 3: 10}), _counts(dict.fromkeys((1, 2, 3, 4, 17, 33), 9000))
    assert scans.share([few])[0] == [[0]]
    assert scans.share([few, few, few])[0] == [[0, 1, 2]]
    groups, bits = scans.share([few, steep, flat, flat])
    assert groups == [[0, 1], [2, 3]]
    assert bits == scans.code_bits(few + steep) + scans.code_bits(flat + flat)


@pytest.mark.parametrize("low", [0, 1])
def test_a_split_is_the_best_of_all(low):
    trials = scans._Trials({0: _blocks(2)}, 1)
    cuts = (1, 3, 6, 9, 13, 64)
    ways = [
        [Band(start, end - 1, low=low) for start, end in zip((1, *inner), (*inner, 64), strict=True)]
        for count in range(5)
        for inner in combinations(cuts[1:-1], count)
    ]
    assert trials.total(trials.split(cuts, low)) == min(trials.total(way) for way in ways)


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("scale", [0, 0.1, 0.5, 2, 10, 60, 900])
def test_every_bit_of_every_level_is_sent_once_and_in_order(scale, colour):
    chosen = scans.choose([_blocks(scale, seed=seed) for seed in range(3 if colour else 1)])
    left = np.full((3 if colour else 1, 64), NONE)
    for scan in (scan for group in chosen for scan in group):
        band = scan.band
        positions = left[scan.component, band.first : band.last + 1]
        assert (positions == band.high).all()
        assert band.high == NONE or band.high == band.low + 1
        positions[:] = band.low
    assert (left[:, 1:] == 0).all()
    assert chosen[0][0].component == 0


def test_large_levels_are_refined_and_small_ones_are_not():
    def luma(scale: float) -> list[Band]:
        return [scan.band for group in scans.choose([_blocks(scale)]) for scan in group]

    assert luma(0) == [Band(1, 63)]
    assert all(band.low == 0 for band in luma(0.3))
    assert any(band.high != NONE for band in luma(20))


def test_a_sample_stands_for_the_rows_it_is_taken_from():
    blocks = _blocks(1, rows=21)
    every = [blocks.scan(Band(1, 63), 5).counts[0]]
    rows = _blocks(1, rows=21)._levels.reshape(21, 24, 64)[2::5]
    picked = Blocks(rows.reshape(-1, 64), 24, (4, 24)).scan(Band(1, 63)).counts[0]
    assert np.array_equal(every[0], picked)
    assert scans._Trials({0: blocks}, 5).counts(Band(1, 63))[0][1] == 5 * picked[1]


def test_a_large_picture_is_judged_like_its_parts():
    small = _blocks(2, rows=30, columns=100)
    large = Blocks(np.tile(small._levels, (8, 1)), 100, (240, 100))
    assert scans.choose([large]) == scans.choose([small])
