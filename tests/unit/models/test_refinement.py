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
    before = np.abs(np.asarray(plain.resize(size, Image.Resampling.BILINEAR)) - truth).mean()
    assert np.abs(found - truth).mean() < 0.8 * before
    assert max(found.shape) == 128


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (10, 200), (257, 256), (100, 99)])
def test_the_map_covers_pictures_of_any_shape(shape):
    prepared = models.prepare(np.zeros((*shape, 3), np.uint8))
    found = refine(prepared, np.full((32, 32), 0.25, np.float32))
    longest = max(shape)
    assert found.shape == tuple(max(1, round(side * 128 / longest)) for side in shape)
    np.testing.assert_allclose(found, 0.25, atol=1e-5)


def test_what_lies_beside_the_picture_does_not_count():
    prepared = models.prepare(np.zeros((130, 260, 3), np.uint8))
    grid = np.full((32, 32), 0.25, np.float32)
    grid[16:] = 1
    np.testing.assert_allclose(refine(prepared, grid), 0.25, atol=1e-5)
