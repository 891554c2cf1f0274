"""The measures against published figures, scikit-image and definitions written out."""

from __future__ import annotations

import dataclasses
import io
import json
import warnings

import numpy as np
import pytest
import sewar
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from psnr_hvsm import psnr_hvs_hvsm
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import codec
from codec import reference, similarity
from codec.comparison import compare
from codec.ssim import ssim
from codec.weights import grid_importance


def _pillow(pixels: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _decoded(pixels: np.ndarray, quality: int = 50) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(_pillow(pixels, quality))))


def _skimage_ssim(first: np.ndarray, second: np.ndarray) -> float:
    return structural_similarity(
        first, second, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )


def test_coffee_at_quality_50_has_its_known_figures(picture):
    coffee = picture("coffee")
    found = codec.measure(coffee, _decoded(coffee))
    assert round(found.psnr, 2) == 32.40
    assert round(found.psnr_hvs, 2) == 35.42
    assert round(found.psnr_hvs_m, 2) == 42.23
    assert found.psnr_s is None
    full = codec.measure_full(coffee, _decoded(coffee))
    assert round(full.ssim, 4) == 0.9107
    assert round(full.ms_ssim, 4) == 0.9877
    assert round(full.vifp, 4) == 0.5462
    assert round(full.ssimulacra2, 2) == 59.92


@pytest.mark.parametrize("quality", [5, 50, 95])
def test_measures_agree_with_the_packages_that_define_them(picture, quality):
    grey = picture("camera")
    copy = _decoded(grey, quality)
    found = codec.measure(grey, copy)
    assert found.psnr == pytest.approx(peak_signal_noise_ratio(grey, copy), abs=1e-6)
    height, width = (side // 8 * 8 for side in grey.shape)
    with np.errstate(all="ignore"):
        expected = psnr_hvs_hvsm(grey[:height, :width] / 255, copy[:height, :width] / 255)
    assert (found.psnr_hvs, found.psnr_hvs_m) == pytest.approx(tuple(map(float, expected)), abs=1e-3)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(11, 40), st.integers(11, 40), st.integers(0, 60), st.integers(0, 999))
def test_ssim_is_that_of_scikit_image_at_any_size(height, width, spread, seed):
    random = np.random.default_rng(seed)
    first = random.integers(0, 256, (height, width), dtype=np.uint8)
    second = np.clip(first + random.normal(0, spread, first.shape), 0, 255).astype(np.uint8)
    assert ssim(first, second) == pytest.approx(_skimage_ssim(first, second), abs=2e-5)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(64, 400), st.integers(64, 400), st.integers(0, 100), st.integers(0, 8), st.integers(0, 999))
@example(176, 352, 10, 0, 0)
@example(175, 176, 10, 0, 0)
def test_ms_ssim_and_vifp_are_those_of_their_package(height, width, spread, smoothness, seed):
    random = np.random.default_rng(seed)
    first = gaussian_filter(random.uniform(0, 256, (height, width)), smoothness).astype(np.uint8)
    second = np.clip(first + random.normal(0, spread, first.shape), 0, 255).astype(np.uint8)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # too small for five scales
        expected = sewar.msssim(first, second)
    assert similarity.ms_ssim(first, second) == pytest.approx(expected.real, abs=1e-9)
    assert similarity.vifp(first, second) == pytest.approx(float(sewar.vifp(first, second)), abs=1e-9)


@pytest.mark.parametrize("grey", [0, 7, 255])
def test_of_a_picture_without_structure_there_is_nothing_to_lose(grey):
    flat = np.full((64, 80), grey, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, flat.shape, dtype=np.uint8)
    assert (similarity.ms_ssim(flat, flat), similarity.vifp(flat, flat)) == (1, 1)
    assert (similarity.vifp(flat, noise), similarity.vifp(noise, flat)) == (1, 0)


def test_structures_that_oppose_each_other_are_not_similar():
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    assert similarity.ms_ssim(noise, 255 - noise) == 0
    assert similarity.vifp(noise, 255 - noise) == 0


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(8, 150), st.integers(8, 150), st.sampled_from(["RGB", "grey", "RGB and grey"]), st.integers(0, 999))
def test_measures_are_those_of_the_luma_written_out(height, width, colours, seed):
    random = np.random.default_rng(seed)
    first = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    second = np.clip(first + random.normal(0, 20, first.shape), 0, 255).astype(np.uint8)
    pictures = [first, second] if colours != "grey" else [first[..., 0], second[..., 0]]
    if colours == "RGB and grey":
        pictures[1] = second[..., 1]
    lumas = [reference.luma(picture).astype(float) for picture in pictures]
    found = codec.measure(*pictures)
    assert found.psnr == pytest.approx(peak_signal_noise_ratio(*lumas, data_range=255), abs=1e-9)
    whole = [luma[: height // 8 * 8, : width // 8 * 8] / 255 for luma in lumas]
    with np.errstate(all="ignore"):
        expected = psnr_hvs_hvsm(*whole)
    assert (found.psnr_hvs, found.psnr_hvs_m) == pytest.approx(tuple(map(float, expected)), abs=1e-3)


def test_every_colour_has_the_luma_that_pillow_gives_it():
    random = np.random.default_rng(3)
    colours = random.integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    colours[0, :256] = np.arange(256)[:, None]
    black = np.zeros_like(colours)
    squared = compare(colours, black)[0]
    expected = reference.luma(colours).astype(np.int64) ** 2
    assert np.array_equal(squared, expected.reshape(128, 8, 128, 8).sum(axis=(1, 3)))


def _salient_by_draws(first: np.ndarray, second: np.ndarray, blocks: np.ndarray) -> float:
    """Mean over ways to break ties of the PSNR error over the fifth that ranks highest, pixel by pixel."""
    rank = np.kron(blocks, np.ones((8, 8)))[: first.shape[0], : first.shape[1]].ravel()
    error = ((first.astype(float) - second) ** 2).ravel()
    random = np.random.default_rng(0)
    count = rank.size // 5
    draws = [error[np.lexsort((random.random(rank.size), -rank))[:count]].mean() for _ in range(60)]
    return float(10 * np.log10(255**2 / np.mean(draws)))


@pytest.mark.parametrize("levels", [2, 5, 10_000])
def test_psnr_s_is_that_of_the_highest_fifth_ties_shared(picture, levels):
    grey = picture("camera")[:200, :240]
    copy = _decoded(grey)
    blocks = np.floor(np.random.default_rng(1).random((25, 30)) * levels) / levels
    found = codec.measure(grey, copy, blocks).psnr_s
    ranked = grid_importance(blocks, (25, 30), 8, (200, 240)).reshape(25, 30)
    assert found == pytest.approx(_salient_by_draws(grey, copy, ranked), abs=0.05)


def test_psnr_s_looks_where_the_map_is_high(picture):
    grey = picture("camera")
    copy = grey.copy()
    copy[:, : grey.shape[1] // 2] ^= 16
    left = np.array([[1.0, 0.0]])
    worse, better = (codec.measure(grey, copy, importance).psnr_s for importance in (left, left[:, ::-1]))
    assert worse < codec.measure(grey, copy).psnr < better
    assert codec.measure(grey, copy, np.full((3, 3), 0.4)).psnr_s == pytest.approx(codec.measure(grey, copy).psnr)


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 9), (3, 100), (8, 8, 3), (11, 10)])
def test_small_and_identical_pictures_have_finite_measures_that_json_takes(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    same = codec.measure(pixels, pixels, np.eye(3))
    assert (same.psnr, same.psnr_s, same.psnr_hvs, same.psnr_hvs_m) == (100, 100, 100, 100)
    full = codec.measure_full(pixels, pixels)
    assert full.ssim == pytest.approx(1)
    assert full.ssim <= 1
    assert (full.ms_ssim, full.vifp, full.ssimulacra2) == (None, None, None)
    other = codec.measure(pixels, 255 - pixels, np.eye(3))
    text = json.dumps([dataclasses.asdict(found) for found in (same, other, full)], allow_nan=False)
    assert json.loads(text)[1]["psnr"] == other.psnr < 100


@pytest.mark.parametrize("shape", [(64, 64, 3), (64, 90), (180, 70, 3)])
def test_full_measures_of_small_pictures_are_numbers_that_json_takes(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    same, other = (codec.measure_full(pixels, copy) for copy in (pixels, 255 - pixels))
    assert (same.ms_ssim, same.vifp, same.ssimulacra2) == pytest.approx((1, 1, 100))
    text = json.dumps([dataclasses.asdict(found) for found in (same, other)], allow_nan=False)
    assert json.loads(text)[1]["ssimulacra2"] == other.ssimulacra2 < 50


def test_libjpeg_bytes_is_the_size_of_pillows_file(picture):
    for quality in (1, 50, 75, 100):
        assert codec.libjpeg_bytes(picture("cat"), quality) == len(_pillow(picture("cat"), quality))


@pytest.mark.parametrize(
    ("changes", "error", "name"),
    [
        ({"original": 3}, TypeError, "original"),
        ({"decoded": np.zeros((8, 8))}, TypeError, "decoded"),
        ({"decoded": np.zeros((8, 9), np.uint8)}, ValueError, "decoded"),
        ({"importance": np.zeros((8, 9), int)}, TypeError, "importance"),
        ({"importance": np.full((8, 9), 2.0)}, ValueError, "importance"),
    ],
)
def test_a_wrong_argument_is_named(changes, error, name):
    arguments = {"original": np.zeros((8, 8), np.uint8), "decoded": np.zeros((8, 8), np.uint8), **changes}
    with pytest.raises(error, match=name):
        codec.measure(**arguments)
    arguments.pop("importance", None)
    if name != "importance":
        with pytest.raises(error, match=name):
            codec.measure_full(**arguments)


def test_libjpeg_bytes_checks_its_arguments():
    with pytest.raises(TypeError, match="pixels"):
        codec.libjpeg_bytes(np.zeros((8, 8)), 75)
    with pytest.raises(ValueError, match="quality"):
        codec.libjpeg_bytes(np.zeros((8, 8), np.uint8), 101)
