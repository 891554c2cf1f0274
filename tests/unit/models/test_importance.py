import subprocess
import sys

import numpy as np
import pytest
import skimage.data

import models


def noise(height, width):
    random = np.random.default_rng(height + width)
    return random.integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_importing_models_imports_neither_tensorflow_nor_keras():
    code = "import models, sys; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_public_names_are_all_there():
    assert all(hasattr(models, name) for name in models.__all__)


@pytest.mark.parametrize(
    ("shape", "cells"),
    [
        ((1, 1), (128, 128)),
        ((10, 200), (6, 128)),
        ((200, 10), (128, 6)),
        ((1, 300), (1, 128)),
        ((600, 800), (96, 128)),
        ((801, 600), (128, 96)),
    ],
)
def test_map_has_the_picture_s_aspect_ratio(shipped, shape, cells):
    found = shipped.importance(noise(*shape))
    assert found.shape == cells
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("count", [1, 3, 16, 19])
def test_a_picture_has_the_same_map_in_any_company(shipped, count):
    pictures = [noise(40 + 9 * index, 100) for index in range(count)]
    prepared = [models.prepare(each) for each in pictures]
    together = shipped.maps(prepared)
    assert len(together) == count
    for index in {0, count // 2, count - 1}:
        np.testing.assert_allclose(together[index], shipped.maps([prepared[index]])[0], atol=1e-4)


def test_no_pictures_no_maps(shipped):
    assert shipped.maps([]) == []


def test_maps_are_deterministic(shipped):
    picture = skimage.data.coffee()
    np.testing.assert_array_equal(shipped.importance(picture), shipped.importance(picture))


def test_grey_pictures_have_maps(shipped):
    assert shipped.importance(skimage.data.camera()).shape == (128, 128)


def gradient():
    return np.broadcast_to(np.linspace(0, 255, 400)[None, :, None], (300, 400, 3)).astype(np.uint8)


def tiles():
    """A corner of a photograph, mirrored and repeated."""
    corner = skimage.data.coffee()[-60:, -60:]
    tile = np.concatenate([corner, corner[:, ::-1]], axis=1)
    return np.tile(np.concatenate([tile, tile[::-1]]), (3, 4, 1))


@pytest.mark.parametrize(
    "picture",
    [np.full((300, 400, 3), 120, np.uint8), gradient(), tiles(), skimage.data.brick(), noise(300, 400) // 8 + 100],
    ids=["one colour", "gradient", "tiles", "bricks", "noise"],
)
def test_a_picture_of_nothing_has_a_flat_map(shipped, picture):
    assert np.ptp(shipped.importance(picture)) == 0


@pytest.mark.parametrize(
    ("picture", "subject"),
    [("astronaut", (slice(0.0, 0.4), slice(0.3, 0.6))), ("chelsea", (slice(0.2, 0.7), slice(0.3, 0.7)))],
)
def test_subject_ranks_above_the_corners(shipped, picture, subject):
    found = shipped.importance(getattr(skimage.data, picture)())
    rows, columns = found.shape
    part = found[
        int(subject[0].start * rows) : int(subject[0].stop * rows),
        int(subject[1].start * columns) : int(subject[1].stop * columns),
    ]
    corners = np.array([found[:4, :4], found[:4, -4:], found[-4:, :4], found[-4:, -4:]])
    assert part.mean() > 1.5 * np.sort(corners.mean((1, 2)))[:2].mean()
    assert part.mean() > found.mean()


def test_scores_name_every_class_best_first(shipped):
    scores = shipped.scores(models.prepare(skimage.data.chelsea()))
    assert set(scores) == set(shipped.classes)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)


def test_warm_up_sees_every_batch_size(shipped):
    shipped.warm_up()


def test_loading_prints_nothing():
    code = "import models, numpy; models.load().importance(numpy.zeros((3, 3), numpy.uint8))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")
