import numpy as np
import pytest
from PIL import Image

from models.observation import Observations
from models.prepared import barrier_plane, pad
from models.windows import _fill_place, cut_window, stack


def ramp(height, width):
    """A picture that says in its own colours where each point is: red to the right, green downwards."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, 0 * rows], axis=-1).astype(np.uint8)


def observations(*shapes):
    """Pictures with a ramp, things and features with the same ramp, so that whatever is cut out must agree."""
    places = (np.arange(64) + 0.5) * 4
    down = np.broadcast_to(places[:, None], (len(shapes), 64, 64)).round().astype(np.uint8)
    coarse = (np.arange(12) + 0.5) / 12
    features = np.broadcast_to(np.stack(np.meshgrid(coarse, coarse), axis=-1), (len(shapes), 12, 12, 2))
    canvas = np.stack([pad(ramp(*shape), 256, 256) for shape in shapes])
    scores = np.zeros((len(shapes), 0), np.float16)
    return Observations(canvas, np.array(shapes, np.int32), down, scores, features.astype(np.float16))


SHAPES = [(192, 256), (256, 192), (256, 256), (76, 256)]


def windows(wanted, count=40):
    """Windows of one kind out of many: `wanted` is told how many pictures each shows."""
    known = observations(*SHAPES)
    found = [cut_window(known, seed % 4, np.random.default_rng(seed)) for seed in range(count)]
    return [each for each in found if wanted(len(each.shown))]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [None, 1, 2, 3, 5])
def test_everything_is_cut_out_alike(shape, seed, monkeypatch):
    monkeypatch.setattr("models.windows._recoloured", lambda cut, _: cut)
    monkeypatch.setattr("models.windows._COLLAGES", 0)
    monkeypatch.setattr("models.windows._TEXTURES", 0)
    window = cut_window(observations(shape), 0, seed and np.random.default_rng(seed))
    valid = window.valid[..., 0] > 0
    rows, columns = valid.any(1).sum(), valid.any(0).sum()
    seen = np.asarray(Image.fromarray(window.picture[: rows * 8, : columns * 8]).reduce(8)) / 255
    inner = (slice(1, rows - 1), slice(1, columns - 1))
    assert np.abs(window.thing[:rows, :columns, 0] - seen[..., 1])[inner].max() < 0.03
    coarse = window.features[: rows // 2, : columns // 2]
    centre = (rows // 4, columns // 4)
    region = seen[centre[0] * 2 : centre[0] * 2 + 2, centre[1] * 2 : centre[1] * 2 + 2, :2].mean((0, 1))
    assert np.abs(coarse[centre] - region).max() < 0.05
    assert not window.thing[~valid].any()
    assert window.shown == (0,)
    assert window.observed.sum() == (rows // 2) * (columns // 2)


def test_the_barrier_is_that_of_the_window():
    for window in windows(lambda shown: shown == 1):
        rows, columns = (int(window.valid[..., 0].any(axis).sum()) for axis in (1, 0))
        plane = barrier_plane(window.picture[: rows * 8, : columns * 8])
        expected = Image.fromarray(plane).resize((columns, rows), Image.Resampling.BOX)
        np.testing.assert_array_equal(window.barrier[:rows, :columns, 0], np.asarray(expected))


def test_a_collage_shows_four_pictures_and_is_full():
    collages = windows(lambda shown: shown == 4)
    assert collages
    for window in collages:
        assert window.valid.all()
        assert window.observed.all()
        steps = np.abs(np.diff(window.thing[..., 0], axis=0)).mean(axis=1)
        assert steps.argmax() == 11  # the things of the upper pictures end here


def test_a_place_in_a_collage_is_filled_with_picture():
    for seed in range(8):
        cut = _fill_place(observations(*SHAPES), seed % 4, np.random.default_rng(seed))
        assert cut.picture.shape == (96, 96, 3)
        assert cut.thing.shape == (12, 12)
        across = np.abs(np.diff(cut.features[..., 0].mean(0)))
        assert across.min() > 0.5 * across.max()  # nothing of the padding, where features repeat


def test_a_texture_shows_nothing_and_repeats_its_patch():
    textures = windows(lambda shown: shown == 0, count=200)
    assert textures
    for window in textures:
        assert not window.thing.any()
        assert not window.observed.any()
        colours = np.unique(window.picture.reshape(-1, 3), axis=0)
        assert len(colours) <= 64 * 64


def test_windows_differ_by_seed_and_repeat_by_seed():
    known = observations((192, 256))
    first, second, again = (cut_window(known, 0, np.random.default_rng(seed)) for seed in (1, 2, 1))
    assert (first.picture == again.picture).all()
    assert (first.picture != second.picture).any()


def test_a_batch_stacks_every_array():
    window = cut_window(observations((192, 256)), 0, None)
    batch = stack([window, window])
    assert {name: value.shape for name, value in batch.items()} == {
        "picture": (2, 192, 192, 3),
        "barrier": (2, 24, 24, 1),
        "valid": (2, 24, 24, 1),
        "thing": (2, 24, 24, 1),
        "features": (2, 12, 12, 2),
        "observed": (2, 12, 12, 1),
    }


def test_barrier_plane_of_a_thing_is_bright_on_it_only():
    picture = np.full((100, 200, 3), 60, np.uint8)
    picture[40:60, 80:120] = 220
    plane = barrier_plane(picture)
    assert plane.shape == (32, 64)
    assert plane[14:18, 28:36].min() > 0.9
    assert plane[:10].max() < 0.1
