"""The trellis against trying everything on sparse blocks, and against a plain dynamic programme on full ones."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec import trellis
from codec.quantise import Component, symbol_bits
from codec.tables import ANNEX_K_LUMA, MASKING
from codec.tuning import TUNINGS

_TABLE = ANNEX_K_LUMA.astype(np.float32)


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


@dataclass
class Task:
    """What the trellis minimises for a block: costs of errors `[2,64]`, masking, cost of a bit, bits of symbols."""

    costs: np.ndarray
    masking: float
    cost: float
    bits: np.ndarray

    def error(self, errors: np.ndarray, k: slice | int) -> np.ndarray:
        """Cost of errors at positions: all of their squares, and those of what lies above the masking's threshold."""
        seen = np.maximum(np.abs(errors) - self.masking / MASKING[k].astype(float), 0)
        return self.costs[0, k].astype(float) * errors**2 + self.costs[1, k].astype(float) * seen**2

    def total(self, block: np.ndarray, levels: np.ndarray) -> float:
        errors = (block.astype(float) - _TABLE * levels.astype(float))[1:]
        return float(self.error(errors, slice(1, None)).sum() + self.cost * _rate(levels, self.bits))

    def solve(self, block: np.ndarray) -> np.ndarray:
        masking, cost = (np.array([value], np.float32) for value in (self.masking, self.cost))
        return trellis.trellis(block[None], _TABLE, self.costs, masking, cost, self.bits)[0]


def _task(seed: int, cost: float, visible: float, masking: float) -> Task:
    """Costs that differ by position, of which a share is for the visible part."""
    random = np.random.default_rng(seed)
    costs = _TABLE**-2.0 * random.uniform(0.5, 2, (2, 64)) * np.array([[1 - visible], [visible]])
    return Task(costs.astype(np.float32), float(np.float32(masking)), float(np.float32(cost)), _bits(seed))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 63), min_size=0, max_size=5, unique=True),
    st.floats(0.001, 3),
    st.sampled_from([0, 0.3, 0.8]),
    st.sampled_from([0, 0.2, 1, 5]),
    st.integers(0, 1000),
)
def test_no_choice_of_levels_is_cheaper(places, cost, visible, masking, seed):
    random = np.random.default_rng(seed)
    block = np.zeros(64, np.float32)
    block[places] = _TABLE[places] * random.uniform(-5, 5, len(places))
    task = _task(seed, cost, visible, masking)
    chosen = task.solve(block)
    nearest = trellis.nearest(block[None], _TABLE)[0]
    least = np.inf
    for candidate in itertools.product(*(range(abs(int(nearest[k])) + 1) for k in places)):
        levels = np.zeros(64)
        levels[places] = np.array(candidate) * np.sign(block[places])
        least = min(least, task.total(block, levels))
    assert task.total(block, chosen) == pytest.approx(least, rel=1e-4, abs=1e-5)


def _programme(block: np.ndarray, task: Task) -> float:
    """Least cost over all levels up to the nearest, in double precision and without any pruning."""
    magnitude = np.abs(block).astype(float)
    zeros = np.concatenate(([0], np.cumsum(task.error(magnitude[1:], slice(1, None)))))
    best = {0: 0.0}
    for k in range(1, 64):
        for level in range(1, int(magnitude[k] / _TABLE[k] + 0.5) + 1):
            fit = task.error(magnitude[k] - float(_TABLE[k]) * level, k)
            for i in [place for place in best if place < k]:
                run = k - i - 1
                rate = task.bits[0xF0] * (run // 16) + task.bits[run % 16 * 16 + level.bit_length()]
                total = best[i] + zeros[k - 1] - zeros[i] + fit + task.cost * rate
                best[k] = min(best.get(k, np.inf), total)
    return min(value + zeros[63] - zeros[i] + (task.cost * task.bits[0] if i < 63 else 0) for i, value in best.items())


@pytest.mark.parametrize("cost", [0.001, 0.03, 0.3, 2.0])
@pytest.mark.parametrize("spread", [0.7, 2.0, 9.0])
@pytest.mark.parametrize(("visible", "masking"), [(0, 3), (0.5, 0), (0.2, 0.5), (0.8, 2), (0.5, 8)])
def test_full_blocks_reach_the_cost_of_the_plain_programme(cost, spread, visible, masking):
    random = np.random.default_rng(7)
    task = _task(3, cost, visible, masking)
    for _ in range(3):
        block = (_TABLE * random.laplace(0, spread, 64)).astype(np.float32)
        assert task.total(block, task.solve(block)) == pytest.approx(_programme(block, task), rel=1e-4, abs=1e-5)


# Two levels are tried at each position: the nearest, and the largest of one size less. Where all of the cost is masked
# a smaller one may be better.
@pytest.mark.parametrize("cost", [0.003, 0.03, 0.3])
@pytest.mark.parametrize("masking", [0.5, 2, 8, 30])
def test_where_all_errors_are_masked_full_blocks_come_close_to_the_plain_programme(cost, masking):
    random = np.random.default_rng(11)
    task = _task(4, cost, 1, masking)
    for spread in (2.0, 9.0):
        block = (_TABLE * random.laplace(0, spread, 64)).astype(np.float32)
        least = _programme(block, task)
        assert least * (1 - 1e-4) - 1e-5 <= task.total(block, task.solve(block)) <= 1.1 * least


def test_each_block_has_its_own_masking_and_its_own_cost_of_a_bit():
    random = np.random.default_rng(5)
    blocks = (_TABLE * random.laplace(0, 2, (30, 64))).astype(np.float32)
    masking, cost = random.uniform(0, 4, 30).astype(np.float32), random.uniform(0, 0.3, 30).astype(np.float32)
    task = _task(1, 0, 0.6, 0)
    together = trellis.trellis(blocks, _TABLE, task.costs, masking, cost, task.bits)
    assert together.dtype == np.int16
    for block, levels, hidden, bit in zip(blocks, together, masking, cost, strict=True):
        assert np.array_equal(Task(task.costs, float(hidden), float(bit), task.bits).solve(block), levels)


def test_what_masking_hides_costs_nothing():
    random = np.random.default_rng(6)
    blocks = (_TABLE * random.laplace(0, 2, (20, 64))).astype(np.float32)
    costs = np.stack((np.zeros(64), _TABLE**-2.0)).astype(np.float32)
    cost = np.full(20, 1e-3, np.float32)
    hidden, seen = (
        trellis.trellis(blocks, _TABLE, costs, np.full(20, masking, np.float32), cost, _bits(0)) for masking in (1e4, 0)
    )
    assert not hidden[:, 1:].any()
    assert np.count_nonzero(seen[:, 1:]) > 300


def test_bits_that_cost_nothing_leave_the_nearest_levels():
    blocks = (_TABLE * np.random.default_rng(2).normal(0, 3, (50, 64))).astype(np.float32)
    costs = _task(0, 0, 0.2, 0).costs
    chosen = trellis.trellis(blocks, _TABLE, costs, np.ones(50, np.float32), np.zeros(50, np.float32), _bits(0))
    assert np.array_equal(chosen, np.sign(blocks) * np.floor(np.abs(blocks / _TABLE) + 0.5))


def test_levels_are_the_nearest_and_stay_within_the_format():
    blocks = np.random.default_rng(4).normal(0, 700, (40, 64)).astype(np.float32)
    levels = trellis.nearest(blocks, np.ones(64, np.float32))
    expected = np.sign(blocks) * np.minimum(np.floor(np.abs(blocks) + 0.5), 1023)
    assert np.array_equal(levels, expected)


def test_dear_bits_leave_no_ac_level_but_keep_dc():
    blocks = (_TABLE * np.random.default_rng(2).normal(0, 3, (20, 64))).astype(np.float32)
    costs = _task(0, 0, 0.2, 0).costs
    chosen = trellis.trellis(blocks, _TABLE, costs, np.ones(20, np.float32), np.full(20, 1e4, np.float32), _bits(0))
    assert not chosen[:, 1:].any()
    assert np.array_equal(chosen[:, 0], trellis.nearest(blocks, _TABLE)[:, 0])


def _component(number: int, count: int = 200) -> Component:
    random = np.random.default_rng(8)
    blocks = (_TABLE * random.laplace(0, 1.5, (count, 64))).astype(np.float32)
    masking, weight = random.uniform(0, 9, count), random.uniform(0.1, 1, count)
    return Component(number, blocks, masking.astype(np.float32), weight.astype(np.float32))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_component_gives_the_trellis_what_its_tuning_says(number):
    tuning, part, bits = TUNINGS["balanced"], _component(number), _bits(0)
    kind = min(number, 1)
    visible = tuning.visible if number == 0 else np.zeros(64, np.float32)
    expected = trellis.trellis(
        part.coefficients,
        tuning.table(number, 1.3),
        np.stack((tuning.errors[kind], visible)),
        part.masking,
        (0.04 * np.maximum(part.masking, 0.1) ** tuning.texture[kind] / part.weight**0.7).astype(np.float32),
        bits,
    )
    found = part.quantise(tuning, tuning.table(number, 1.3), 0.04, 0.7, bits)
    # A power in single precision may differ in its last digit, and decide about two choices that cost the same.
    assert (found == expected).mean() > 0.999
    assert np.array_equal(found[:, 0], expected[:, 0])


def test_a_subset_holds_its_blocks_with_all_that_belongs_to_them():
    part = _component(0)
    chosen = np.array([7, 3, 150])
    taken = part.subset(chosen)
    bits = _bits(0)
    tuning = TUNINGS["balanced"]
    whole, some = (one.quantise(tuning, tuning.table(0, 1.0), 0.05, 1.0, bits) for one in (part, taken))
    assert np.array_equal(some, whole[chosen])


def test_possible_symbols_can_be_paid_and_others_cannot():
    histogram = np.zeros(256, np.int64)
    histogram[[0x01, 0x00]] = 1000, 500
    bits = symbol_bits(histogram)
    assert bits.dtype == np.float32
    possible = 162  # T.81, table K.5
    assert bits[0x01] == pytest.approx(1 - np.log2(1001 / (1500 + possible)))
    assert bits[0x00] == pytest.approx(-np.log2(501 / (1500 + possible)))
    assert all(bits[run << 4 | size] < 30 for run in range(16) for size in range(1, 11))
    assert bits[0xF0] < 30
    assert all(bits[run << 4 | size] > 1e5 for run in range(16) for size in range(11, 16))
    assert all(bits[run << 4] > 1e5 for run in range(1, 15))
