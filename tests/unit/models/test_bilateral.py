import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.bilateral import filter_map, lab


def oracle(values, colours, guide, colour_sigma, distance_sigma):
    """The weighted mean in plain NumPy, without the kernel's table and loops."""
    height, width = values.shape
    rows, columns = guide.shape[:2]
    reach = max(1.5 * distance_sigma, 1)
    found = np.zeros((rows, columns))
    ys, xs = np.mgrid[:height, :width]
    for row in range(rows):
        for column in range(columns):
            y, x = (row + 0.5) * height / rows - 0.5, (column + 0.5) * width / columns - 0.5
            apart = ((guide[row, column].astype(float) - colours) ** 2).sum(-1)
            likeness = np.maximum(np.exp(-apart / (2 * colour_sigma**2)), 1e-4)
            share = likeness * np.exp(-((ys - y) ** 2 + (xs - x) ** 2) / (2 * distance_sigma**2))
            share[(abs(ys - y) > reach) | (abs(xs - x) > reach)] = 0
            found[row, column] = (share * values).sum() / share.sum()
    return found


@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 20), st.integers(1, 20), st.integers(0, 99), st.floats(0.6, 4)
)
def test_equals_the_plain_formula(height, width, rows, columns, seed, sigma):
    random = np.random.default_rng(seed)
    values = random.random((height, width), np.float32)
    colours = random.integers(100, 140, (height, width, 3)).astype(np.uint8)
    guide = random.integers(100, 140, (rows, columns, 3)).astype(np.uint8)
    found = filter_map(values, colours, guide, 8.0, sigma)
    np.testing.assert_allclose(found, oracle(values, colours, guide, 8.0, sigma), rtol=2e-4, atol=1e-5)


def test_a_blurred_map_takes_on_the_picture_s_edge():
    colours = np.full((16, 16, 3), 60, np.uint8)
    colours[:, 8:] = 200
    guide = colours.repeat(4, 0).repeat(4, 1)
    ramp = np.broadcast_to(np.linspace(0, 1, 16, dtype=np.float32), (16, 16))
    found = filter_map(np.ascontiguousarray(ramp), colours, guide, 8.0, 3.0)
    jump = found[:, 32] - found[:, 31]
    assert jump.min() > 0.25 > np.abs(np.diff(found[:, :32])).max() * 6


def test_a_point_unlike_all_others_still_has_a_mean():
    values = np.full((4, 4), 0.25, np.float32)
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    np.testing.assert_allclose(filter_map(values, black, white, 8.0, 2.0), 0.25, rtol=1e-5)


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [((255, 255, 255), (255, 128, 128)), ((0, 0, 0), (0, 128, 128)), ((255, 0, 0), (136, 208, 195))],
)
def test_lab_is_the_standard_s(rgb, expected):
    """CIE 15 under D50, as in ICC profiles: sRGB red is L* 53, a* 80, b* 67."""
    found = lab(np.asarray(Image.new("RGB", (2, 2), rgb)))
    assert np.abs(found[0, 0].astype(int) - expected).max() <= 3
