"""PSNR-HVS and PSNR-HVS-M of blocks against the package of the measure's reimplementers."""

from __future__ import annotations

import numpy as np
import pytest
from psnr_hvsm import hvs_hvsm_mse_tiles

from codec import hvsm
from codec.transform import luma_plane


def _tiles(first: np.ndarray, second: np.ndarray) -> list[np.ndarray]:
    with np.errstate(all="ignore"):  # the package divides by the variance of plain blocks before it looks at it
        return [255**2 * tiles.ravel() for tiles in hvs_hvsm_mse_tiles(first / 255, second / 255)]


@pytest.mark.parametrize("spread", [1, 6, 40])
def test_errors_of_blocks_are_those_of_the_package(picture, spread):
    first = picture("camera")[:296, :304]
    noise = np.random.default_rng(3).normal(0, spread, first.shape)
    second = np.clip(np.rint(first + noise), 0, 255).astype(np.uint8)
    blocks = (luma_plane(plane).coefficients for plane in (first, second))
    for ours, theirs in zip(hvsm.block_errors(*blocks), _tiles(first, second), strict=True):
        assert ours == pytest.approx(theirs, rel=2e-3, abs=2e-3)
        assert ours.mean(dtype=float) == pytest.approx(theirs.mean(), rel=1e-4)


def test_plain_blocks_hide_nothing_and_edges_hide_less_than_texture():
    plain = np.full((8, 8), 77, np.uint8)
    edge = np.repeat([[0] * 4 + [200] * 4], 8, axis=0).astype(np.uint8)
    texture = np.random.default_rng(0).choice([0, 200], (8, 8)).astype(np.uint8)
    strengths = [hvsm.masking(luma_plane(block).coefficients)[0] for block in (plain, edge, texture)]
    assert strengths[0] < 1e-3
    assert strengths[1] < 0.05 * strengths[2]


def test_decibels_end_at_one_hundred():
    assert hvsm.decibels(0) == 100
    assert hvsm.decibels(1e-9) == 100
    assert hvsm.decibels(255**2) == 0
    assert hvsm.decibels(255**2 / 1000) == pytest.approx(30)
