"""Scores of a map against a mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from semjpeg.evaluation.scoring import Score, objects, score


def scored_against(mask: np.ndarray, levels: np.ndarray) -> Score:
    return score(levels, mask, objects(mask))


def test_a_perfect_map_has_every_best_value_and_an_inverted_one_the_worst(box, levels_like):
    mask = box(20, 30, 50, 70)
    perfect, inverted = (scored_against(mask, levels) for levels in (levels_like(mask), levels_like(~mask)))
    assert (perfect.auc, perfect.mae, perfect.above_mean, perfect.found) == (1, 0, 1, 1)
    np.testing.assert_allclose(perfect.f, 1)
    assert (inverted.auc, inverted.mae, inverted.above_mean, inverted.found) == (0, 1, 0, 0)
    np.testing.assert_array_equal(inverted.f, 0)


@pytest.mark.parametrize("level", [0, 100, 255])
def test_a_constant_map_tells_nothing_apart(level, box):
    mask = box(20, 30, 50, 70)
    flat = scored_against(mask, np.full(mask.shape, level, np.uint8))
    share = mask.mean()
    assert (flat.auc, flat.above_mean, flat.found) == (0.5, 0, 0)
    assert flat.mae == pytest.approx(share * (1 - level / 255) + (1 - share) * level / 255)
    everything = 1.3 * share / (0.3 * share + 1)
    np.testing.assert_allclose(flat.f[:level], everything)
    np.testing.assert_array_equal(flat.f[level:], 0)


@given(
    arrays.arrays(np.uint8, (7, 5), elements=st.sampled_from([0, 1, 7, 128, 254, 255])),
    arrays.arrays(np.bool_, (7, 5)),
)
def test_scores_are_those_of_the_definitions_with_ties(levels, mask):
    assume(mask.any() and not mask.all())
    found = scored_against(mask, levels)
    on, off = levels[mask].astype(int), levels[~mask].astype(int)
    wins = [(a > b) + 0.5 * (a == b) for a in on for b in off]
    assert found.auc == sum(wins) / len(wins)
    assert found.mae == pytest.approx(np.mean(np.abs(levels / 255 - mask)), rel=1e-12)
    for threshold in (1, 7, 8, 129, 255):
        hits, chosen = int((on >= threshold).sum()), int((levels >= threshold).sum())
        precision, recall = (hits / chosen if chosen else 0), hits / len(on)
        f = 1.3 * precision * recall / (0.3 * precision + recall) if hits else 0
        assert found.f[threshold - 1] == pytest.approx(f, rel=1e-12)
    assert found.above_mean == np.mean(on > levels.mean())


def test_objects_are_the_large_connected_parts(box):
    mask = box(0, 0, 10, 10) | box(10, 10, 20, 20) | box(40, 40, 60, 60) | box(70, 0, 71, 60)
    things = objects(mask)  # two boxes that touch at a corner are one; 60 of 6912 points are none
    assert things.count == 2
    assert {things.labels[5, 5], things.labels[15, 15]} == {1}
    assert things.labels[50, 50] == 2
    assert not things.labels[70].any()
    levels = np.zeros(mask.shape, np.uint8)
    levels[45:60, 40:60] = 200
    assert scored_against(mask, levels).found == 1
    levels[:10, :10] = 60
    assert scored_against(mask, levels).found == 2
