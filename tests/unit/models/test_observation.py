import io

import numpy as np
from PIL import Image

from models.data import Example
from models.observation import observe
from models.prepared import barrier_plane, pad
from models.teacher import Opinion


def example(number, shape=(60, 80)):
    picture = np.random.default_rng(number).integers(0, 256, (*shape, 3)).astype(np.uint8)
    return example_of(picture)


def example_of(picture):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return Example("made/here", "made", 0, stream.getvalue())


class SeesRed:
    """A teacher whose features tell red places from others."""

    classes = ("one", "two")

    def __init__(self, sha256="0"):
        self.asked = 0
        self.sha256 = sha256

    def ask(self, picture, side_px):
        self.asked += 1
        grid = side_px // 32
        small = np.asarray(Image.fromarray(picture).resize((grid, grid), Image.Resampling.BOX), np.float32)
        red = small[..., 0] > small[..., 1]
        features = np.stack([red, ~red, 0 * red], axis=-1).astype(np.float32)
        features[0, 0, 2] = 0.1
        return Opinion(np.array([0.25, 0.75], np.float32), features)


def test_without_a_teacher_the_barrier_is_the_target(tmp_path):
    one = np.random.default_rng(5).integers(0, 256, (64, 256, 3)).astype(np.uint8)
    seen = observe([example_of(one)], (), tmp_path, lambda *_: None)
    np.testing.assert_allclose(seen.thing[0, :16] / 255, barrier_plane(one), atol=0.01)
    assert not seen.thing[0, 16:].any()
    assert seen.scores.shape == (1, 0)
    assert seen.features.shape == (1, 1, 1, 0)


def test_pictures_lie_on_their_canvas(tmp_path):
    one = np.random.default_rng(5).integers(0, 256, (64, 256, 3)).astype(np.uint8)
    seen = observe([example_of(one), example(1, (90, 60))], (), tmp_path, lambda *_: None)
    np.testing.assert_array_equal(seen.size, [(64, 256), (256, 171)])
    np.testing.assert_array_equal(seen.canvas[0], pad(one, 256, 256))


def test_what_the_teacher_tells_apart_is_the_target(tmp_path):
    picture = np.full((192, 256, 3), (40, 90, 40), np.uint8)
    picture[64:128, 96:192] = (200, 60, 60)
    seen = observe([example_of(picture)], [SeesRed()], tmp_path, lambda *_: None)
    thing = seen.thing[0, :48] / 255
    assert thing[18:30, 26:46].min() > 0.6
    assert thing[:14].max() < 0.2
    assert not seen.thing[0, 48:].any()
    np.testing.assert_allclose(seen.scores, [[0.25, 0.75]])
    inside, outside = seen.features[0, 7, 10], seen.features[0, 2, 2]
    assert np.abs(inside - outside).max() > 0.5


def test_a_second_look_reads_what_the_first_found(tmp_path):
    teacher, progress = SeesRed(), []
    first = observe([example(1), example(2)], [teacher], tmp_path, lambda *step: progress.append(step))
    asked = teacher.asked
    again = observe([example(1), example(2)], [teacher], tmp_path, lambda *step: progress.append(step))
    assert teacher.asked == asked
    assert progress == [(1, 2), (2, 2)]
    for name in ("canvas", "size", "thing", "scores", "features"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


def test_several_copies_of_the_teacher_see_what_one_sees(tmp_path):
    examples = [example(number) for number in range(5)]
    (tmp_path / "one").mkdir()
    (tmp_path / "three").mkdir()
    one = observe(examples, [SeesRed()], tmp_path / "one", lambda *_: None)
    three = observe(examples, [SeesRed() for _ in range(3)], tmp_path / "three", lambda *_: None)
    np.testing.assert_array_equal(one.thing, three.thing)
    np.testing.assert_array_equal(one.features, three.features)


def test_other_pictures_are_looked_at_anew(tmp_path):
    teacher = SeesRed()
    observe([example(1)], [teacher], tmp_path, lambda *_: None)
    asked = teacher.asked
    observe([example(3)], [teacher], tmp_path, lambda *_: None)
    assert teacher.asked > asked


def test_another_teacher_is_asked_though_its_classes_have_the_same_names(tmp_path):
    observe([example(1)], [SeesRed("0")], tmp_path, lambda *_: None)
    other = SeesRed("1")
    observe([example(1)], [other], tmp_path, lambda *_: None)
    assert other.asked
