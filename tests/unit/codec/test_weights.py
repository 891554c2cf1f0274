"""From maps to blocks: the tent filter against its definition, and what any map must lead to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec import weights


def _tent(values: np.ndarray, cells: int, cell_px: int, length_px: int) -> np.ndarray:
    """Means along the first axis, weighted by distance, in double precision and one cell after the other."""
    samples = len(values)
    out = []
    for cell in range(cells):
        centre = min(max((cell + 0.5) * cell_px * samples / length_px, 0.5), samples - 0.5)
        reach = max(cell_px * samples / length_px, 1)
        weight = np.array([max(0, 1 - abs(i + 0.5 - centre) / reach) for i in range(samples)])
        out.append(np.tensordot(weight / weight.sum(), values, axes=1))
    return np.array(out)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 150), st.integers(1, 150)),
    st.sampled_from([8, 16]),
    st.integers(0, 99),
)
def test_cells_take_the_tent_mean_of_the_map(shape, size, cell_px, seed):
    importance = np.random.default_rng(seed).random(shape)
    grid = tuple(-(-side // 16) * 16 // cell_px for side in size)
    found = weights.grid_importance(importance, grid, cell_px, size)
    expected = _tent(importance, grid[0], cell_px, size[0])
    expected = _tent(expected.T, grid[1], cell_px, size[1]).T
    assert found.dtype == np.float32
    assert found == pytest.approx(expected.ravel(), abs=1.3e-4)
    assert found.min() >= 0
    assert found.max() <= 1


def test_no_map_and_a_plain_map_make_all_cells_equal():
    assert (weights.grid_importance(None, (3, 4), 8, (24, 32)) == 1).all()
    plain = weights.grid_importance(np.full((7, 5), 0.3), (3, 4), 8, (24, 32))
    assert plain == pytest.approx(np.full(12, 0.3), abs=1.3e-4)
    assert len(set(plain.tolist())) == 1
    assert (weights.weights(plain, float(plain.max()), 1.0) == 1).all()


_SHARES = st.floats(0, 1, width=32)
_HIGHEST = st.floats(1 / 128, 1, width=32)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(_SHARES, min_size=1, max_size=40), _HIGHEST, st.floats(0, 1))
def test_weights_never_fall_where_importance_rises_and_stay_within_floor_and_one(shares, highest, strength):
    found = weights.weights(np.sort(np.array(shares, np.float32)) * np.float32(highest), highest, strength)
    assert found.dtype == np.float32
    assert (np.diff(found) >= 0).all()
    assert found.min() >= np.float32(weights.FLOOR**strength) * (1 - 1e-6)
    assert found.max() <= 1


@settings(max_examples=50, deadline=None, derandomize=True)
@given(_HIGHEST, st.floats(0, 1))
def test_blocks_well_inside_have_weight_one_and_those_well_outside_the_floor_of_the_strength(highest, strength):
    inside, outside = (np.linspace(*ends, 30).astype(np.float32) for ends in ((0.751, 1), (0, 0.249)))
    assert (weights.weights(inside * np.float32(highest), highest, strength) == 1).all()
    found = weights.weights(outside * np.float32(highest), highest, strength)
    assert found == pytest.approx(np.full(30, 0.03**strength), rel=1e-5)


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_across_the_edge_of_the_region_the_exponent_takes_a_smooth_step(strength):
    share = np.linspace(0.25, 0.75, 101)
    t = np.linspace(0, 1, 101)
    expected = 0.03 ** (strength * (1 - 3 * t**2 + 2 * t**3))
    found = weights.weights(share.astype(np.float32), 1, strength)
    assert found == pytest.approx(expected, rel=1e-4)
    assert found[50] == pytest.approx(0.03 ** (strength / 2))
    # Flat at both ends and steepest in the middle: nothing to be seen at the edge.
    slope = np.diff(np.log(found))
    assert slope.argmax() in range(48, 53)
    assert max(slope[0], slope[-1]) < 0.05 * slope.max()


@pytest.mark.parametrize("level", [0.0, 0.004, 0.3, 1.0])
@pytest.mark.parametrize("strength", [0.0, 0.6, 1.0])
def test_a_map_of_one_value_gives_weight_one_everywhere(level, strength):
    assert (weights.weights(np.full(9, level, np.float32), level, strength) == 1).all()


def test_strength_nought_gives_weight_one_everywhere():
    assert (weights.weights(np.linspace(0, 1, 50, dtype=np.float32), 1, 0) == 1).all()
