"""What every aim must give, whatever its constants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec import aims, outcome
from codec.tuning import TUNINGS

every_aim = pytest.mark.parametrize("aim", aims.AIMS)


def test_each_aim_has_its_tuning():
    assert tuple(TUNINGS) == aims.AIMS


@every_aim
def test_shapes_and_ranges_are_those_that_are_promised(aim):
    tuning = TUNINGS[aim]
    for values in (*tuning.steps, *tuning.errors):
        assert values.shape == (64,)
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        assert values.min() > 0
    assert tuning.visible.shape == (64,)
    assert tuning.visible.dtype == np.float32
    assert tuning.visible.min() >= 0
    assert tuning.lagrangian > 0
    assert len(tuning.texture) == 2


@every_aim
@settings(max_examples=40, deadline=None, derandomize=True)
@given(number=st.integers(0, 2), scale=st.floats(1e-4, 1e4))
def test_tables_hold_whole_steps_of_1_to_255_at_any_scale(aim, number, scale):
    table = TUNINGS[aim].table(number, scale)
    assert table.shape == (64,)
    assert table.dtype == np.float32
    assert table.min() >= 1
    assert table.max() <= 255
    assert np.array_equal(table, np.rint(table))


@every_aim
@settings(max_examples=40, deadline=None, derandomize=True)
@given(number=st.integers(0, 2), scale=st.floats(1e-3, 300), factor=st.floats(1, 10))
def test_no_step_gets_finer_at_a_larger_scale(aim, number, scale, factor):
    tuning = TUNINGS[aim]
    assert (tuning.table(number, scale) <= tuning.table(number, scale * factor)).all()


@every_aim
def test_scales_at_the_ends_of_the_search_give_the_finest_and_the_coarsest_tables(aim):
    for number in range(3):
        assert (TUNINGS[aim].table(number, 0.004) == 1).all()
        assert (TUNINGS[aim].table(number, 250.0) == 255).all()


@every_aim
def test_steps_at_scale_one_are_the_tunings_own_and_chroma_shares_a_table(aim):
    tuning = TUNINGS[aim]
    for number in range(3):
        within = (tuning.steps[min(number, 1)] >= 1) & (tuning.steps[min(number, 1)] <= 255)
        assert np.abs(tuning.table(number, 1.0) - tuning.steps[min(number, 1)])[within].max() <= 0.5
    assert np.array_equal(tuning.table(1, 0.7), tuning.table(2, 0.7))
    assert not np.array_equal(tuning.table(0, 0.7), tuning.table(1, 0.7))


@every_aim
def test_scale_one_is_about_libjpegs_quality_50(aim):
    # libjpeg's steps at quality 50 have a geometric mean of 46 for luma.
    assert 25 < np.exp(np.log(TUNINGS[aim].steps[0]).mean()) < 90


@every_aim
def test_guards_are_different_measures(aim):
    guards = TUNINGS[aim].guards
    assert len(set(guards)) == len(guards)
    assert all(guard in range(len(outcome.MEASURES)) for guard in guards)


@every_aim
def test_the_promise_is_on_a_squared_error_and_gives_nothing_away_but_for_ssimulacra2(aim):
    # Files are measured on the first three only; a factor on the fourth would mean something else.
    assert outcome.MEASURES[TUNINGS[aim].promise] == ("squared" if aim == "psnr" else "visible")
    assert TUNINGS[aim].leeway == (1.6 if aim == "ssimulacra2" else 1)


def test_what_each_aim_guards():
    guarded = {aim: {outcome.MEASURES[guard] for guard in tuning.guards} for aim, tuning in TUNINGS.items()}
    assert guarded == {
        "balanced": set(outcome.MEASURES),
        "hvs": {"visible"},
        "ssimulacra2": set(),
        "psnr": set(outcome.MEASURES),
    }
