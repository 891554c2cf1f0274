import threading
import tracemalloc

import numpy as np
import pytest

from models import prepare
from models.prepared import CANVASES, blank

SHAPES = [(1, 1), (1, 20), (20, 1), (40, 800), (800, 40), (33, 47), (256, 256), (3000, 2000), (7, 4001)]


def noise(height, width, channels=3):
    random = np.random.default_rng(height * 10_000 + width)
    return random.integers(0, 256, (height, width, channels)).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape_fits_the_canvas_with_its_aspect_ratio(shape):
    prepared = prepare(noise(*shape))
    assert prepared.canvas.shape[:2] in CANVASES
    assert prepared.canvas.dtype == np.uint8
    assert max(prepared.height_px, prepared.width_px) == 256
    for found, side in ((prepared.height_px, shape[0]), (prepared.width_px, shape[1])):
        assert found == max(1, round(side * 256 / max(shape)))
    assert prepared.barrier.shape == tuple(side // 8 for side in prepared.canvas.shape[:2])
    assert np.isfinite(prepared.barrier).all()
    assert 0 <= prepared.barrier.min() <= prepared.barrier.max() <= 1


def test_padding_repeats_the_edge_and_is_no_barrier():
    prepared = prepare(noise(100, 200))
    assert (prepared.height_px, prepared.width_px) == (128, 256)
    assert (prepared.canvas[128:] == prepared.canvas[127]).all()
    assert not prepared.barrier[16:].any()


@pytest.mark.parametrize(
    ("shape", "canvas"),
    [
        ((512, 768), (192, 256)),  # 171 rows of picture
        ((176, 256), (192, 256)),
        ((177, 256), (224, 256)),
        ((300, 400), (224, 256)),  # 192
        ((208, 256), (224, 256)),
        ((209, 256), (256, 256)),
        ((400, 400), (256, 256)),
        ((400, 300), (256, 224)),
        ((768, 512), (256, 192)),
        ((40, 4000), (192, 256)),
    ],
)
def test_a_canvas_is_as_small_as_leaves_a_margin_for_the_shorter_side(shape, canvas):
    assert prepare(noise(*shape)).canvas.shape[:2] == canvas


@pytest.mark.parametrize("canvas", CANVASES)
def test_there_is_a_blank_picture_for_each_canvas(canvas):
    assert blank(canvas).canvas.shape == (*canvas, 3)
    assert not blank(canvas).canvas.any()


def test_grey_is_the_same_as_three_equal_channels():
    grey = noise(90, 120, 1)[..., 0]
    assert (prepare(grey).canvas == prepare(np.stack([grey] * 3, axis=-1)).canvas).all()


@pytest.mark.parametrize(
    "view", [lambda p: p[::-1], lambda p: p[:, ::2], lambda p: p[..., ::-1], lambda p: p.transpose(1, 0, 2)]
)
def test_non_contiguous_arrays_are_read_as_they_look(view):
    picture = noise(100, 80)
    assert (prepare(view(picture)).canvas == prepare(view(picture).copy()).canvas).all()


def test_the_picture_is_not_changed_and_may_be_read_only():
    picture = noise(50, 70)
    before = picture.copy()
    picture.flags.writeable = False
    prepare(picture)
    assert (picture == before).all()


def test_a_huge_picture_needs_little_memory():
    picture = np.broadcast_to(np.uint8(9), (10_000, 10_000, 3))
    tracemalloc.start()
    prepare(picture)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_many_threads_get_the_same():
    picture = noise(300, 400)
    expected = prepare(picture)
    results = []
    threads = [threading.Thread(target=lambda: results.append(prepare(picture))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert all((each.canvas == expected.canvas).all() for each in results)
    assert all((each.barrier == expected.barrier).all() for each in results)


@pytest.mark.parametrize("wrong", [[[1]], np.zeros((4, 4, 3)), np.zeros((4, 4, 3), np.uint16), None])
def test_what_is_not_uint8_is_refused_by_name(wrong):
    with pytest.raises(TypeError, match=r"^picture: "):
        prepare(wrong)


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0), (4,), (4, 4, 4), (1, 4, 4, 3), (4, 4, 1)])
def test_wrong_shapes_are_refused_by_name(shape):
    with pytest.raises(ValueError, match=r"^picture: "):
        prepare(np.zeros(shape, np.uint8))
