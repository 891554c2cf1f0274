import io

import numpy as np
import pytest
from PIL import Image

from models.data import Example
from models.observation import Observations
from models.prepared import barrier_plane
from models.windows import cut_window, stack


def ramp(height, width):
    """A picture that says in its own colours where each point is: red to the right, green downwards."""
    rows, columns = np.mgrid[:height, :width]
    scale = max(height, width)
    return np.stack([columns / scale * 255, rows / scale * 255, 0 * rows], axis=-1).astype(np.uint8)


def example_of(picture):
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return Example("ramp", "ramp", 0, stream.getvalue())


def observations():
    """Planes and features with the same ramp, so that whatever is cut out must agree with the picture."""
    places = (np.arange(64) + 0.5) / 64 * 255
    coarse = (np.arange(12) + 0.5) / 12
    across = np.broadcast_to(places, (1, 64, 64)).round().astype(np.uint8)
    features = np.stack(np.meshgrid(coarse, coarse), axis=-1)[None].astype(np.float16)
    return Observations(across, across.transpose(0, 2, 1), np.zeros((1, 0), np.float16), features)


@pytest.mark.parametrize("shape", [(120, 160), (160, 120), (144, 144), (90, 300)])
@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_everything_is_cut_out_alike(shape, seed, monkeypatch):
    monkeypatch.setattr("models.windows._recolour", lambda picture, _: picture)
    window = cut_window(example_of(ramp(*shape)), observations(), 0, seed and np.random.default_rng(seed))
    valid = window.valid[..., 0] > 0
    rows, columns = valid.any(1).sum(), valid.any(0).sum()
    seen = np.asarray(Image.fromarray(window.picture[: rows * 8, : columns * 8]).reduce(8)) / 255
    inner = (slice(1, rows - 1), slice(1, columns - 1))
    assert np.abs(window.barrier[:rows, :columns, 0] - seen[..., 0])[inner].max() < 0.03
    assert np.abs(window.thing[:rows, :columns, 0] - seen[..., 1])[inner].max() < 0.03
    coarse = window.features[: rows // 2, : columns // 2]
    centre = (rows // 4, columns // 4)
    region = seen[centre[0] * 2 : centre[0] * 2 + 2, centre[1] * 2 : centre[1] * 2 + 2, :2].mean((0, 1))
    assert np.abs(coarse[centre] - region).max() < 0.05
    assert not window.thing[~valid].any()


def test_windows_differ_by_seed_and_repeat_by_seed():
    example, known = example_of(ramp(120, 160)), observations()
    first, second, again = (cut_window(example, known, 0, np.random.default_rng(seed)) for seed in (1, 2, 1))
    assert (first.picture == again.picture).all()
    assert (first.picture != second.picture).any()


def test_a_batch_stacks_every_attribute():
    window = cut_window(example_of(ramp(120, 160)), observations(), 0, None)
    batch = stack([window, window])
    assert {name: value.shape for name, value in batch.items()} == {
        "picture": (2, 192, 192, 3),
        "barrier": (2, 24, 24, 1),
        "valid": (2, 24, 24, 1),
        "thing": (2, 24, 24, 1),
        "features": (2, 12, 12, 2),
    }


def test_barrier_plane_of_a_thing_is_bright_on_it_only():
    picture = np.full((100, 200, 3), 60, np.uint8)
    picture[40:60, 80:120] = 220
    plane = barrier_plane(picture)
    assert plane.shape == (32, 64)
    assert plane[14:18, 28:36].min() > 0.9
    assert plane[:10].max() < 0.1
