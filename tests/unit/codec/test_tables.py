"""Zigzag order and quantisation tables, against a walk over the block and against libjpeg itself."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from codec import tables


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


def test_the_sensitivities_of_ssimulacra2_are_symmetric_and_in_zigzag_order():
    for table in (tables.SSIMULACRA2_LUMA, tables.SSIMULACRA2_CHROMA):
        square = _raster(table).reshape(8, 8)
        assert table.shape == (64,)
        assert table.min() > 0
        assert np.array_equal(square, square.T)
        # An error of the mean shows most.
        assert table.argmax() == 0
    assert _raster(tables.SSIMULACRA2_LUMA)[:4] == pytest.approx([11.08, 6.16, 0.85, 1.80])


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
