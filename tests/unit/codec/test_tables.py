"""Zigzag order and quantisation tables, against a walk over the block and against libjpeg itself."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from codec import search, tables


def _walk() -> list[int]:
    """Follow figure A.6 step by step: along a diagonal until an edge, then over to the next."""
    row = column = 0
    order = []
    up = True
    while len(order) < 64:
        order.append(8 * row + column)
        if up:
            if column == 7:
                row, up = row + 1, False
            elif row == 0:
                column, up = column + 1, False
            else:
                row, column = row - 1, column + 1
        elif row == 7:
            column, up = column + 1, True
        elif column == 0:
            row, up = row + 1, True
        else:
            row, column = row + 1, column - 1
    return order


def test_the_zigzag_is_that_of_figure_a6():
    assert tables.ZIGZAG.tolist() == _walk()


def _tables_of_pillow(quality: int) -> list[list[int]]:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", quality=quality)
    return [list(table) for table in Image.open(buffer).quantization.values()]


def _raster(table: np.ndarray) -> np.ndarray:
    return table[np.argsort(tables.ZIGZAG)]


def test_annex_k_is_libjpegs_quality_50():
    luma, chroma = _tables_of_pillow(50)
    assert _raster(tables.ANNEX_K_LUMA).tolist() == luma
    assert _raster(tables.ANNEX_K_CHROMA).tolist() == chroma


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 51, 75, 90, 99])
def test_libjpegs_scale_gives_libjpegs_table(quality):
    luma, _ = _tables_of_pillow(quality)
    expected = np.clip(_raster(tables.ANNEX_K_LUMA) * search.libjpeg_scale(quality), 1, 255)
    assert np.abs(luma - expected).max() <= 1


@pytest.mark.parametrize("quality", [1, 5, 25, 50, 75, 90, 100])
def test_the_floor_lies_at_steps_twice_as_coarse_at_the_default_strength(quality):
    floor = search.floor_quality(quality, 0.6)
    assert 1 <= floor <= quality
    if 20 <= quality < 100:
        ratio = search.libjpeg_scale(floor) / search.libjpeg_scale(quality)
        assert ratio == pytest.approx(10**0.3, rel=0.25)


def test_no_strength_has_its_floor_at_the_quality_itself():
    assert search.floor_quality(75, 0) == 75


def test_the_weights_of_the_eye_are_those_printed_with_the_measure():
    csf = np.empty(64)
    csf[tables.ZIGZAG] = tables.CSF
    assert csf[:8] == pytest.approx(
        [1.608443, 2.339554, 2.573509, 1.608443, 1.072295, 0.643377, 0.504610, 0.421887], abs=1e-5
    )
    masking = np.empty(64)
    masking[tables.ZIGZAG] = tables.MASKING
    assert masking[56:] == pytest.approx(
        [0.019290, 0.011815, 0.011080, 0.010412, 0.007972, 0.010000, 0.009426, 0.010203], abs=1e-6
    )
