"""The trellis against trying everything on sparse blocks, and against a plain dynamic programme on full ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec import trellis
from codec.quantise import symbol_bits
from codec.tables import ANNEX_K_LUMA

_TABLE = ANNEX_K_LUMA.astype(np.float32)
_WEIGHT = (_TABLE**-2).astype(np.float32)


def _bits(seed: int) -> np.ndarray:
    return symbol_bits(np.random.default_rng(seed).geometric(0.001, 256))


def _rate(levels: np.ndarray, bits: np.ndarray) -> float:
    total = run = 0
    for level in levels[1:]:
        if level == 0:
            run += 1
            continue
        total += bits[0xF0] * (run // 16) + bits[run % 16 * 16 + int(abs(level)).bit_length()]
        run = 0
    return total + (bits[0] if run else 0)


def _cost(block: np.ndarray, levels: np.ndarray, cost: float, bits: np.ndarray) -> float:
    error = (block - _TABLE * levels)[1:]
    return float((_WEIGHT[1:] * error**2).sum() + cost * _rate(levels, bits))


def _choose(block: np.ndarray, cost: float, bits: np.ndarray) -> np.ndarray:
    return trellis.trellis(block[None], _TABLE, _WEIGHT, np.array([cost], np.float32), bits)[0]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 63), min_size=0, max_size=5, unique=True),
    st.floats(0.001, 3),
    st.integers(0, 1000),
)
def test_no_choice_of_levels_is_cheaper(places, cost, seed):
    random = np.random.default_rng(seed)
    block = np.zeros(64, np.float32)
    block[places] = _TABLE[places] * random.uniform(-5, 5, len(places))
    bits = _bits(seed)
    chosen = _choose(block, cost, bits)
    nearest = trellis.nearest(block[None], _TABLE)[0]
    least = np.inf
    for candidate in itertools.product(*(range(abs(int(nearest[k])) + 1) for k in places)):
        levels = np.zeros(64)
        levels[places] = np.array(candidate) * np.sign(block[places])
        least = min(least, _cost(block, levels, cost, bits))
    assert _cost(block, chosen, cost, bits) == pytest.approx(least, rel=1e-4, abs=1e-5)


def _programme(block: np.ndarray, cost: float, bits: np.ndarray) -> float:
    """Least cost over all levels up to the nearest, in double precision and without any pruning."""
    magnitude = np.abs(block).astype(float)
    zeros = np.concatenate(([0], np.cumsum(_WEIGHT[1:] * magnitude[1:] ** 2)))
    best = {0: 0.0}
    for k in range(1, 64):
        for level in range(1, int(magnitude[k] / _TABLE[k] + 0.5) + 1):
            fit = _WEIGHT[k] * (magnitude[k] - _TABLE[k] * level) ** 2
            for i in [place for place in best if place < k]:
                run = k - i - 1
                rate = bits[0xF0] * (run // 16) + bits[run % 16 * 16 + level.bit_length()]
                total = best[i] + zeros[k - 1] - zeros[i] + fit + cost * rate
                best[k] = min(best.get(k, np.inf), total)
    return min(value + zeros[63] - zeros[i] + (cost * bits[0] if i < 63 else 0) for i, value in best.items())


@pytest.mark.parametrize("cost", [0.001, 0.03, 0.3, 2.0])
@pytest.mark.parametrize("spread", [0.7, 2.0, 9.0])
def test_full_blocks_reach_the_cost_of_the_plain_programme(cost, spread):
    random = np.random.default_rng(7)
    bits = _bits(3)
    for _ in range(5):
        block = (_TABLE * random.laplace(0, spread, 64)).astype(np.float32)
        assert _cost(block, _choose(block, cost, bits), cost, bits) == pytest.approx(
            _programme(block, cost, bits), rel=1e-4
        )


def test_bits_that_cost_nothing_leave_the_nearest_levels():
    blocks = (_TABLE * np.random.default_rng(2).normal(0, 3, (50, 64))).astype(np.float32)
    chosen = trellis.trellis(blocks, _TABLE, _WEIGHT, np.zeros(50, np.float32), _bits(0))
    assert np.array_equal(chosen, np.sign(blocks) * np.floor(np.abs(blocks / _TABLE) + 0.5))


def test_levels_are_the_nearest_and_stay_within_the_format():
    blocks = np.random.default_rng(4).normal(0, 700, (40, 64)).astype(np.float32)
    levels = trellis.nearest(blocks, np.ones(64, np.float32))
    expected = np.sign(blocks) * np.minimum(np.floor(np.abs(blocks) + 0.5), 1023)
    assert np.array_equal(levels, expected)


def test_dear_bits_leave_no_ac_level_but_keep_dc():
    blocks = (_TABLE * np.random.default_rng(2).normal(0, 3, (20, 64))).astype(np.float32)
    chosen = trellis.trellis(blocks, _TABLE, _WEIGHT, np.full(20, 1e4, np.float32), _bits(0))
    assert not chosen[:, 1:].any()
    assert np.array_equal(chosen[:, 0], trellis.nearest(blocks, _TABLE)[:, 0])
