import numpy as np
import pytest

from models.things import (
    View,
    border_contrast,
    directions,
    like_neighbours,
    like_prototypes,
    place,
    stretch,
    thing_map,
)

BACKGROUND, THING = np.eye(2, 8, dtype=np.float32)


def scene(rows=slice(6, 14), columns=slice(6, 14), side=20):
    """Features of a thing before a background, with a little noise, and where the thing is."""
    inside = np.zeros((side, side), bool)
    inside[rows, columns] = True
    features = np.where(inside[..., None], THING, BACKGROUND)
    noise = np.random.default_rng(0).random((side, side, 8), np.float32)
    return features + 0.2 * noise, inside


def picture_of(inside, scale=3):
    picture = np.full((*inside.shape, 3), (60, 120, 60), np.uint8)
    picture[inside] = (200, 60, 60)
    return picture.repeat(scale, 0).repeat(scale, 1)


def test_what_is_unlike_the_border_stands_out():
    features, inside = scene()
    contrast = border_contrast(directions(features))
    assert contrast[inside].min() > 4 * contrast[~inside].max()


@pytest.mark.parametrize("question", [like_prototypes, like_neighbours])
def test_a_rough_guess_is_mended_by_likeness(question):
    features, inside = scene()
    guess = np.full(inside.shape, 0.3, np.float32)
    guess[8:12, 8:12] = 0.9
    found = question(directions(features), guess)
    assert found[inside].min() > found[~inside].max() + 0.3
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_a_thing_that_the_border_cuts_off_is_found_whole():
    features, inside = scene(rows=slice(8, 20))
    view = View(features, 20, 20)
    found = thing_map(view, view, np.zeros((60, 60), np.float32), picture_of(inside))
    large = inside.repeat(3, 0).repeat(3, 1)
    assert found[large].min() > found[~large].max()


def test_two_things_are_both_found():
    features, first = scene(columns=slice(2, 8))
    features[first[:, ::-1]] += THING - BACKGROUND
    inside = first | first[:, ::-1]
    view = View(features, 20, 20)
    found = thing_map(view, view, np.zeros((60, 60), np.float32), picture_of(inside))
    large = inside.repeat(3, 0).repeat(3, 1)
    assert found[large].min() > found[~large].max()


def test_nothing_is_found_in_a_texture():
    """Noise that is the same everywhere has little contrast to its own border."""
    features = BACKGROUND + 0.2 * np.random.default_rng(1).random((20, 20, 8), np.float32)
    view = View(features, 20, 20)
    picture = np.random.default_rng(2).integers(0, 256, (60, 60, 3)).astype(np.uint8)
    assert not thing_map(view, view, np.zeros((60, 60), np.float32), picture).any()


def test_the_centre_plays_no_part():
    features, inside = scene(columns=slice(3, 11))
    view, barrier = View(features, 20, 20), np.zeros((60, 60), np.float32)
    mirrored = View(features[:, ::-1], 20, 20)
    found = thing_map(view, view, barrier, picture_of(inside))
    other = thing_map(mirrored, mirrored, barrier, picture_of(inside[:, ::-1]))
    np.testing.assert_allclose(found, other[:, ::-1], atol=1e-4)


def test_cells_lie_where_the_picture_is():
    cells = np.repeat(np.arange(4, dtype=np.float32)[:, None], 4, axis=1)
    found = place(cells, View(np.zeros((4, 4, 1), np.float32), 2.0, 4.0), (20, 40))
    assert found.shape == (20, 40)
    assert found.min() == pytest.approx(0, abs=0.2)
    assert found.max() < 1.8


def test_stretching_uses_the_whole_range_and_survives_constants():
    plane = np.random.default_rng(3).normal(5, 2, (30, 30))
    assert (stretch(plane).min(), stretch(plane).max()) == pytest.approx((0, 1), abs=1e-5)
    assert not stretch(np.full((5, 5), 7.0)).any()
