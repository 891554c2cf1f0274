"""How errors answer to a point: what is learnt from moves, and moves that do what is wanted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.slopes import CONTRAST, SAVING, SCALE, THRIFT, Slopes

TRUE = np.array([[2.4, 0.35, 0.2], [1.3, 1.2, 2.5]])
"""Slopes of an imagined picture, unlike the usual ones."""

LOGARITHMS = st.floats(-0.5, 0.5)


def _taught() -> Slopes:
    slopes = Slopes()
    for moved in np.random.default_rng(0).normal(0, 0.2, (40, 3)):
        slopes.learn(moved, TRUE @ moved)
    return slopes


def test_slopes_are_learnt_from_moves():
    moved = np.array([0.1, -0.2, 0.05])
    before = abs(Slopes().effect(moved) - TRUE @ moved)
    after = abs(_taught().effect(moved) - TRUE @ moved)
    assert (after < 0.05 * before.max()).all()


def test_one_move_teaches_most_of_what_it_shows():
    slopes, moved = Slopes(), np.array([0.3, 0.0, 0.0])
    slopes.learn(moved, TRUE @ moved)
    assert slopes.effect(moved) == pytest.approx(TRUE @ moved, rel=0.05)


def test_what_cannot_be_is_not_learnt():
    slopes, moved = Slopes(), np.array([0.2, 0.2, 0.2])
    for _ in range(20):
        slopes.learn(moved, np.array([-1.0, -1.0]))
    assert (slopes.effect(np.ones(3)) > 0).all()
    assert slopes.move(SCALE, 0.5, np.array([0.1, 0.1]))[0] > 0


@given(st.sampled_from([SCALE, THRIFT]), st.floats(0, 1), LOGARITHMS, LOGARITHMS)
@settings(max_examples=300)
def test_a_move_changes_errors_as_is_wanted_or_by_less(variable, contrast, inside, outside):
    slopes, wanted = _taught(), np.array([inside, outside])
    by, change = slopes.move(variable, contrast, wanted)
    assert -1e-9 <= contrast + change <= 1 + 1e-9
    moved = np.zeros(3)
    moved[variable], moved[CONTRAST] = by, change
    found = slopes.effect(moved)
    assert (found <= wanted + 1e-9).all()
    assert np.isclose(found, wanted).any()  # one of them is reached
    stay = np.zeros(3)
    stay[variable] = ((wanted) / slopes.effect(np.eye(3)[variable])).min()
    assert SAVING @ moved <= SAVING @ stay + 1e-9  # it saves no less than to leave the contrast


def test_where_nothing_lies_outside_the_contrast_stays():
    by, change = _taught().move(THRIFT, 0.3, np.array([0.07, np.inf]))
    assert change == 0
    assert by == pytest.approx(0.2, rel=0.05)
