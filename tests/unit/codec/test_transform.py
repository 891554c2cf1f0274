"""Colour conversion, subsampling and DCT against the formulas written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from codec import transform
from codec.tables import ZIGZAG


def _dct(block: np.ndarray) -> np.ndarray:
    """T.81, A.3.3, as printed, in zigzag order."""
    out = np.zeros((8, 8))
    x = np.arange(8)
    for u in range(8):
        for v in range(8):
            cu, cv = (np.sqrt(0.5) if index == 0 else 1 for index in (u, v))
            cosines = np.outer(np.cos((2 * x + 1) * u * np.pi / 16), np.cos((2 * x + 1) * v * np.pi / 16))
            out[u, v] = cu * cv / 4 * (block * cosines).sum()
    return out.ravel()[ZIGZAG]


def _plane(samples: np.ndarray) -> np.ndarray:
    rows, columns = samples.shape[0] // 8, samples.shape[1] // 8
    return np.stack([_dct(samples[8 * r : 8 * r + 8, 8 * c : 8 * c + 8]) for r in range(rows) for c in range(columns)])


def _padded(pixels: np.ndarray, multiple: int) -> np.ndarray:
    margins = [(0, -side % multiple) for side in pixels.shape[:2]] + [(0, 0)] * (pixels.ndim - 2)
    return np.pad(pixels, margins, mode="edge").astype(float)


def _picture(height: int, width: int, seed: int, *channels: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, *channels), dtype=np.uint8)


def _halved(channel: np.ndarray) -> np.ndarray:
    """Half as many samples along both axes, by the filter's six taps, edges replicated."""
    for _ in range(2):
        rows = np.pad(channel, ((2, 3), (0, 0)), mode="edge")
        count = len(channel)
        channel = sum(
            weight * rows[tap : tap + count : 2] for tap, weight in enumerate((-1 / 16, 0, 9 / 16, 9 / 16, 0, -1 / 16))
        ).T
    return channel


def _mean(channel: np.ndarray) -> np.ndarray:
    return channel.reshape(channel.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))


def _doubled(channel: np.ndarray) -> np.ndarray:
    """Twice as many samples along both axes: three quarters of the nearer and one of the farther, edges replicated."""
    for _ in range(2):
        rows = np.pad(channel, ((1, 1), (0, 0)), mode="edge")
        pairs = 0.75 * rows[1:-1] + 0.25 * rows[:-2], 0.75 * rows[1:-1] + 0.25 * rows[2:]
        channel = np.stack(pairs, axis=1).reshape(2 * len(channel), -1).T
    return channel


def _chroma(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r, g, b = np.moveaxis(pixels.astype(float), 2, 0)
    light = 0.299 * r + 0.587 * g + 0.114 * b
    return (b - light) / 1.772, (r - light) / 1.402


def _samples(plane: transform.Plane) -> np.ndarray:
    """What the coefficients of a plane stand for: the inverse DCT, T.81, A.3.3."""
    frequency, place = np.mgrid[0:8, 0:8]
    basis = 0.5 * np.cos((2 * place + 1) * frequency * np.pi / 16)
    basis[0] /= np.sqrt(2)
    raster = np.zeros((len(plane.coefficients), 64))
    raster[:, ZIGZAG] = plane.coefficients
    blocks = (basis.T @ raster.reshape(-1, 8, 8) @ basis).reshape(plane.rows, plane.columns, 8, 8)
    return blocks.swapaxes(1, 2).reshape(8 * plane.rows, 8 * plane.columns)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_colour_planes_are_the_formulas(height, width, seed):
    pixels = _picture(height, width, seed, 3)
    r, g, b = np.moveaxis(_padded(pixels, 16), 2, 0)
    light = 0.299 * r + 0.587 * g + 0.114 * b
    blue, red = (_halved(channel) for channel in ((b - light) / 1.772, (r - light) / 1.402))
    # On the 2^−16 grid of the kernel: 0.299, 0.587 and 0.114 in double precision may differ in which way a half goes.
    luma = (
        np.floor((np.rint(np.array([0.299, 0.587, 0.114]) * 2**16) @ np.stack((r, g, b), axis=1)) / 2**16 + 0.5) - 128
    )
    planes = transform.to_planes(pixels)
    assert [(p.rows, p.columns) for p in planes] == [
        (r.shape[0] // 8, r.shape[1] // 8),
        *[(r.shape[0] // 16, r.shape[1] // 16)] * 2,
    ]
    for plane, samples in zip(planes, (luma, blue, red), strict=True):
        assert plane.coefficients.dtype == np.float32
        assert plane.coefficients == pytest.approx(_plane(samples), abs=2e-3)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 99))
def test_a_grey_plane_is_the_dct_of_its_blocks(height, width, seed):
    pixels = _picture(height, width, seed)
    (plane,) = transform.to_planes(pixels)
    assert plane.coefficients == pytest.approx(_plane(_padded(pixels, 8) - 128), abs=2e-3)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.tuples(*[st.tuples(st.integers(115, 140), st.integers(-1, 1), st.integers(-1, 1))] * 3))
def test_plain_and_evenly_rising_colours_keep_their_mean_away_from_the_edges(planes):
    y, x = np.mgrid[0:48, 0:64]
    pixels = np.stack([start + down * y + across * x for start, down, across in planes], axis=2).astype(np.uint8)
    plain = all(down == across == 0 for _, down, across in planes)
    inner = slice(None) if plain else slice(1, -1)
    for plane, channel in zip(transform.to_planes(pixels)[1:], _chroma(pixels), strict=True):
        assert _samples(plane)[inner, inner] == pytest.approx(_mean(channel)[inner, inner], abs=1e-3)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(2, 12), st.integers(0, 9999))
def test_a_decoder_shows_smooth_colours_no_worse_than_with_means(detail, seed):
    coarse = Image.fromarray(_picture(detail, detail, seed, 3))
    pixels = np.asarray(coarse.resize((64, 48), Image.Resampling.BICUBIC))
    for plane, channel in zip(transform.to_planes(pixels)[1:], _chroma(pixels), strict=True):
        ours, theirs = (((_doubled(part) - channel) ** 2).mean() for part in (_samples(plane), _mean(channel)))
        assert ours <= theirs


def test_views_and_read_only_arrays_are_taken_as_they_are():
    pixels = _picture(20, 30, 5, 3)
    view = pixels[::-1, ::-1]
    frozen = view.copy()
    frozen.setflags(write=False)
    for one, other in zip(transform.to_planes(view), transform.to_planes(frozen), strict=True):
        assert np.array_equal(one.coefficients, other.coefficients)
