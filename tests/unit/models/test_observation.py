import io

import numpy as np
import pytest
from PIL import Image

from models.data import Example
from models.observation import observe, softened_product
from models.prepared import barrier_plane
from models.teacher import Opinion


def example(number, shape=(60, 80)):
    picture = np.random.default_rng(number).integers(0, 256, (*shape, 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return Example(f"noise/{number}", "noise", 0, stream.getvalue())


class LoudOnTheLeft:
    """A teacher whose features are strong in the left half."""

    classes = ("one", "two")
    grid = 4

    def __init__(self):
        self.asked = 0

    def ask(self, picture):
        self.asked += 1
        assert picture.shape == (256, 256, 3)
        features = np.zeros((4, 4, 3), np.float32)
        features[:, :2] = (3, 4, 0)
        features[0, 0, 2] = 1
        return Opinion(np.array([0.25, 0.75], np.float32), features)


def test_softened_product_keeps_the_range_and_ranks_like_the_product_of_sums():
    first, second = np.random.default_rng(0).uniform(size=(2, 1000))
    found = softened_product(first, second)
    assert (np.argsort(found) == np.argsort((first + 0.5) * (second + 0.5))).all()
    assert softened_product(np.zeros(1), np.zeros(1)) == 0
    assert softened_product(np.ones(1), np.ones(1)) == 1


def test_without_a_teacher_the_barrier_is_the_target(tmp_path):
    seen = observe([example(1), example(2)], None, tmp_path, lambda *_: None)
    assert (seen.thing == seen.barrier).all()
    assert seen.scores.shape == (2, 0)
    assert seen.features.shape == (2, 1, 1, 0)
    assert not seen.barrier[:, 48:].any()


def test_teacher_and_barrier_together_are_the_target(tmp_path):
    picture = np.full((64, 64, 3), 40, np.uint8)
    picture[20:44, 6:28] = picture[20:44, 36:58] = 220
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    twins = Example("twins", "twins", 0, stream.getvalue())
    seen = observe([twins], LoudOnTheLeft(), tmp_path, lambda *_: None)
    left, right = seen.thing[0, 24:40, 10:24].mean(), seen.thing[0, 24:40, 40:54].mean()
    assert left > 1.5 * right > 0
    assert seen.barrier[0, 24:40, 40:54].mean() == pytest.approx(seen.barrier[0, 24:40, 10:24].mean(), rel=0.05)
    np.testing.assert_allclose(seen.scores, [[0.25, 0.75]])


def test_a_second_look_reads_what_the_first_found(tmp_path):
    teacher = LoudOnTheLeft()
    progress = []
    first = observe([example(1), example(2)], teacher, tmp_path, lambda *step: progress.append(step))
    asked = teacher.asked
    again = observe([example(1), example(2)], teacher, tmp_path, lambda *step: progress.append(step))
    assert teacher.asked == asked
    assert progress == [(1, 2), (2, 2)]
    assert (first.thing == again.thing).all()
    assert (first.features == again.features).all()


def test_other_pictures_are_looked_at_anew(tmp_path):
    teacher = LoudOnTheLeft()
    observe([example(1)], teacher, tmp_path, lambda *_: None)
    asked = teacher.asked
    observe([example(3)], teacher, tmp_path, lambda *_: None)
    assert teacher.asked > asked


def test_planes_are_those_of_the_picture_on_its_canvas(tmp_path):
    one = example(5, (64, 256))
    seen = observe([one], None, tmp_path, lambda *_: None)
    with Image.open(io.BytesIO(one.encoded)) as image:
        expected = barrier_plane(np.asarray(image))
    np.testing.assert_allclose(seen.barrier[0, :16] / 255, expected, atol=0.01)
