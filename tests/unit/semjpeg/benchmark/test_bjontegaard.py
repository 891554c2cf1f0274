"""The Bjøntegaard delta rate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semjpeg.benchmark.bjontegaard import bd_rate, percent


def curve(factor: float = 1, shift: float = 0) -> list[tuple[float, float]]:
    return [(factor * 1000 * 2**step, 30 + 5 * step + shift) for step in range(5)]


@pytest.mark.parametrize("factor", [0.5, 0.9, 1, 2])
def test_a_constant_factor_in_bytes_is_the_bd_rate(factor):
    assert bd_rate(curve(), curve(factor)) == pytest.approx(math.log(factor), abs=1e-12)


def test_a_shift_in_quality_counts_as_the_bytes_that_it_takes():
    # bytes double each 5 dB: 2.5 dB more are worth half an octave
    assert bd_rate(curve(), curve(shift=2.5)) == pytest.approx(-math.log(2) / 2)


def test_a_parabola_in_the_log_is_integrated_where_both_curves_are():
    measures = np.linspace(0, 10, 41)
    theirs = [(math.exp(0.01 * m * m), m) for m in measures]
    ours = [(1.0, m) for m in np.linspace(5, 20, 7)]
    mean_square = (10**3 - 5**3) / 3 / 5
    assert bd_rate(theirs, ours) == pytest.approx(-0.01 * mean_square, rel=1e-4)


def test_the_curves_are_monotone_cubics_through_the_points():
    # Level, then a rise of 1: the slopes are 0, 0 and, at the end, (3·1 − 0)/2. The integral over the rise of the cubic
    # with these is 1/2 + (0 − 3/2)/12 = 3/8, where straight lines have 1/2.
    kinked = [(1.0, 0.0), (1.0, 1.0), (math.e, 2.0)]
    level = [(1.0, 0.0), (1.0, 1.0), (1.0, 2.0)]
    assert bd_rate(level, kinked) == pytest.approx(0.375 / 2)


@given(
    st.lists(st.floats(0.1, 2), min_size=8, max_size=8),
    st.lists(st.floats(0.1, 2), min_size=8, max_size=8),
    st.randoms(use_true_random=False),
)
def test_swapping_the_encoders_changes_the_sign_and_order_does_not_matter(rates, gains, random):
    points = list(zip(np.exp(np.cumsum(rates)), np.cumsum(gains), strict=True))
    theirs, ours = points[::2], points[1::2]
    shuffled = random.sample(theirs, len(theirs))
    forth = bd_rate(theirs, ours)
    back = bd_rate(ours, shuffled)
    assert (forth is None) == (back is None)
    if forth is not None:
        assert back == pytest.approx(-forth)


def test_no_overlap_and_too_few_points_give_no_rate():
    assert bd_rate(curve(), curve(shift=20)) is None
    assert bd_rate(curve(), [(1000, 35), (900, 35)]) is None


def test_files_of_equal_measure_count_with_the_smallest():
    assert bd_rate(curve(), [*curve(0.5), (99_999, 40)]) == pytest.approx(math.log(0.5))


def test_percent_is_of_the_geometric_mean():
    assert percent([math.log(0.5), math.log(2)]) == pytest.approx(0)
    assert percent([math.log(0.8)]) == pytest.approx(-20)
