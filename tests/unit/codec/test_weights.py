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
    assert weights.weights(plain, float(plain.max()), 1.0) == pytest.approx(np.ones(12))


def test_weights_fall_with_importance_down_to_the_floor_of_the_strength():
    importance = np.array([1, 0.75, 0.5, 0], np.float32)
    assert weights.weights(importance, 1, 1) == pytest.approx([1, 20**-0.25, 20**-0.5, 0.05])
    assert weights.weights(importance, 1, 0.5) == pytest.approx([1, 20**-0.125, 20**-0.25, 20**-0.5])
    assert weights.weights(importance, 1, 0) == pytest.approx(np.ones(4))
