import numpy as np
import pytest
from PIL import Image

import models
from models.refinement import refine


def disc(height, width):
    """A bright disc on grey, and where it is."""
    rows, columns = np.mgrid[:height, :width]
    inside = (rows - height / 2) ** 2 + (columns - width / 3) ** 2 < (min(height, width) / 5) ** 2
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[inside] = (230, 210, 40)
    return picture, inside


def blurred(inside, prepared):
    """What a network might find: the truth, coarse and smeared, on the canvas' grid."""
    grid = np.zeros((32, 32), np.float32)
    rows, columns = -(-prepared.height_px // 8), -(-prepared.width_px // 8)
    small = Image.fromarray(inside.astype(np.float32)).resize((columns // 3, rows // 3), Image.Resampling.BOX)
    grid[:rows, :columns] = np.asarray(small.resize((columns, rows), Image.Resampling.BILINEAR))
    return grid


@pytest.mark.parametrize("shape", [(600, 800), (800, 600), (200, 200)])
def test_the_map_takes_on_the_picture_s_edges(shape):
    picture, inside = disc(*shape)
    prepared = models.prepare(picture)
    grid = blurred(inside, prepared)
    found = refine(prepared, grid)
    size = found.shape[::-1]
    truth = np.asarray(Image.fromarray(inside).resize(size))
    plain = Image.fromarray(grid[: -(-prepared.height_px // 8), : -(-prepared.width_px // 8)])
    before = np.asarray(plain.resize(size, Image.Resampling.BILINEAR)) >= 0.5
    assert ((found >= 0.5) != truth).mean() < 0.5 * (before != truth).mean()
    assert max(found.shape) == 128
    assert found.min() == 0
    assert found.max() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (10, 200), (257, 256), (100, 99)])
def test_the_map_covers_pictures_of_any_shape(shape):
    prepared = models.prepare(np.zeros((*shape, 3), np.uint8))
    found = refine(prepared, np.full((32, 32), 0.9, np.float32))
    longest = max(shape)
    assert found.shape == tuple(max(1, round(side * 128 / longest)) for side in shape)
    assert np.ptp(found) == 0, "things all over are as good as none"


def test_what_lies_beside_the_picture_does_not_count():
    picture, inside = disc(130, 260)
    prepared = models.prepare(picture)
    grid = blurred(inside, prepared)
    beside = grid.copy()
    beside[16:] = 1
    np.testing.assert_array_equal(refine(prepared, grid), refine(prepared, beside))


@pytest.mark.parametrize(("highest", "flat"), [(0.3, True), (0.55, False), (0.9, False)])
def test_a_map_without_a_likely_thing_is_flat(highest, flat):
    picture, inside = disc(300, 400)
    prepared = models.prepare(picture)
    grid = blurred(inside, prepared)
    found = refine(prepared, grid * np.float32(highest) / grid.max())
    assert (np.ptp(found) == 0) == flat


def test_an_unlikely_thing_stands_out_less():
    picture, inside = disc(300, 400)
    prepared = models.prepare(picture)
    grid = blurred(inside, prepared)
    grid /= grid.max()
    ranges = [np.ptp(refine(prepared, grid * np.float32(highest))) for highest in (0.51, 0.53, 0.55, 0.9)]
    assert ranges == sorted(ranges)
    assert ranges[0] < 0.5 * ranges[-1]


def test_the_middle_is_preferred_a_little():
    grid = np.zeros((32, 32), np.float32)
    picture = np.full((256, 256, 3), 90, np.uint8)
    for first in (0, 12):  # a square in the corner and one in the middle
        grid[first : first + 8, first : first + 8] = 0.9
        picture[8 * first : 8 * first + 64, 8 * first : 8 * first + 64] = (230, 210, 40)
    found = refine(models.prepare(picture), grid)
    corner, middle = found[12:20, 12:20].mean(), found[60:68, 60:68].mean()
    assert 0.7 * middle < corner < 0.95 * middle
