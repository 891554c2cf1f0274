"""Pixels to DCT coefficients: JFIF colour conversion, 4:2:0 subsampling and the forward 8×8 DCT in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import float32, int64, uint8

from codec.kernel import helper, kernel, reads, writes
from codec.tables import BLOCK, ZIGZAG

if TYPE_CHECKING:
    from numpy.typing import NDArray

MCU: Final = 16
"""Side of a 4:2:0 minimum coded unit, in luma samples."""


def _dct_basis() -> NDArray[np.float32]:
    """Row u holds ½·c(u)·cos((2x+1)uπ/16), c(0) = 1/√2 and otherwise 1: T.81, A.3.3, the orthonormal DCT-II."""
    frequency, sample = np.mgrid[0:BLOCK, 0:BLOCK]
    basis = 0.5 * np.cos((2 * sample + 1) * frequency * np.pi / 16)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float32)


DCT_BASIS: Final = _dct_basis()
_TRANSPOSED: Final = np.ascontiguousarray(DCT_BASIS.T)


@dataclass(frozen=True, slots=True)
class Plane:
    """The coefficients of one component.

    coefficients: `float32[rows·columns, 64]`, blocks in raster order, zigzag order inside, the level shift taken off.
    rows, columns: size of the block grid, padded to whole MCUs.
    """

    coefficients: NDArray[np.float32]
    rows: int
    columns: int


# C = B·X·Bᵀ for one block, in zigzag order. The inner loops run over eight neighbours in memory, which LLVM turns into
# vector code.
@helper
def _forward_dct(samples: Any, half: Any, block: Any, out: Any) -> None:
    for u in range(8):
        for x in range(8):
            half[u, x] = DCT_BASIS[u, 0] * samples[0, x]
        for y in range(1, 8):
            for x in range(8):
                half[u, x] += DCT_BASIS[u, y] * samples[y, x]
    for u in range(8):
        for v in range(8):
            block[8 * u + v] = half[u, 0] * _TRANSPOSED[0, v]
        for x in range(1, 8):
            for v in range(8):
                block[8 * u + v] += half[u, x] * _TRANSPOSED[x, v]
    for k in range(64):
        out[k] = block[ZIGZAG[k]]


# JFIF 1.02, section 7:  Y = 0.299 R + 0.587 G + 0.114 B, less the level shift of 128 (T.81, A.3.1). Y is rounded to
# whole grey levels, as libjpeg does: the decoder rounds as well, and at high quality finds the same number again. The
# factors are in units of 2^−16, so that sums are exact.
@kernel(reads(uint8, 3), int64, writes(float32, 2))
def _luma_kernel(pixels: Any, columns: Any, luma: Any) -> None:
    height, width = pixels.shape[0], pixels.shape[1]
    samples = np.empty((8, 8), np.float32)
    half = np.empty((8, 8), np.float32)
    block = np.empty(64, np.float32)
    for n in range(luma.shape[0]):
        top, left = 8 * (n // columns), 8 * (n % columns)
        for i in range(8):
            row = min(top + i, height - 1)
            for j in range(8):
                column = min(left + j, width - 1)
                light = (
                    19595 * np.int32(pixels[row, column, 0])
                    + 38470 * np.int32(pixels[row, column, 1])
                    + 7471 * np.int32(pixels[row, column, 2])
                )
                samples[i, j] = np.float32(((light + 32768) >> 16) - 128)
        _forward_dct(samples, half, block, luma[n])


# JFIF 1.02, section 7:  Cb = (B − Y)/1.772,  Cr = (R − Y)/1.402, without the offset that the level shift takes off.
# A sample is the mean of its 2×2 pixels, which sits where JFIF wants it; T.81, A.2 leaves the filter open.
@kernel(reads(uint8, 3), int64, writes(float32, 2), writes(float32, 2))
def _chroma_kernel(pixels: Any, columns: Any, blue: Any, red: Any) -> None:
    height, width = pixels.shape[0], pixels.shape[1]
    rgb = np.empty(3, np.float32)
    cb = np.empty((8, 8), np.float32)
    cr = np.empty((8, 8), np.float32)
    half = np.empty((8, 8), np.float32)
    block = np.empty(64, np.float32)
    for n in range(blue.shape[0]):
        top, left = 16 * (n // columns), 16 * (n % columns)
        for i in range(8):
            above, below = min(top + 2 * i, height - 1), min(top + 2 * i + 1, height - 1)
            for j in range(8):
                before, after = min(left + 2 * j, width - 1), min(left + 2 * j + 1, width - 1)
                for channel in range(3):
                    upper = np.int32(pixels[above, before, channel]) + np.int32(pixels[above, after, channel])
                    lower = np.int32(pixels[below, before, channel]) + np.int32(pixels[below, after, channel])
                    rgb[channel] = upper + lower
                light = np.float32(0.299) * rgb[0] + np.float32(0.587) * rgb[1] + np.float32(0.114) * rgb[2]
                cb[i, j] = (rgb[2] - light) * np.float32(0.25 / 1.772)
                cr[i, j] = (rgb[0] - light) * np.float32(0.25 / 1.402)
        _forward_dct(cb, half, block, blue[n])
        _forward_dct(cr, half, block, red[n])


@kernel(reads(uint8, 2), int64, writes(float32, 2))
def _grey_kernel(pixels: Any, columns: Any, luma: Any) -> None:
    height, width = pixels.shape
    samples = np.empty((8, 8), np.float32)
    half = np.empty((8, 8), np.float32)
    block = np.empty(64, np.float32)
    for n in range(luma.shape[0]):
        top, left = 8 * (n // columns), 8 * (n % columns)
        for i in range(8):
            row = min(top + i, height - 1)
            for j in range(8):
                column = min(left + j, width - 1)
                samples[i, j] = np.float32(pixels[row, column]) - np.float32(128)
        _forward_dct(samples, half, block, luma[n])


def luma_plane(pixels: NDArray[np.uint8]) -> Plane:
    """Return the luma of RGB `uint8[h,w,3]`, or of grey `uint8[h,w]`, with edges replicated up to whole MCUs."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    if pixels.ndim == 2:  # noqa: PLR2004  two axes are grey, whose MCU is one block
        rows, columns = -(-height // BLOCK), -(-width // BLOCK)
    else:
        rows, columns = 2 * -(-height // MCU), 2 * -(-width // MCU)
    luma = np.empty((rows * columns, 64), np.float32)
    (_grey_kernel if pixels.ndim == 2 else _luma_kernel)(pixels, columns, luma)  # noqa: PLR2004  as above
    return Plane(luma, rows, columns)


def to_planes(pixels: NDArray[np.uint8]) -> tuple[Plane, ...]:
    """Convert RGB `uint8[h,w,3]` into Y, Cb, Cr planes at 4:2:0, or grey `uint8[h,w]` into one plane.

    Edges are replicated up to whole MCUs.
    """
    luma = luma_plane(pixels)
    if pixels.ndim == 2:  # noqa: PLR2004  two axes are grey
        return (luma,)
    rows, columns = luma.rows // 2, luma.columns // 2
    blue = np.empty((rows * columns, 64), np.float32)
    red = np.empty((rows * columns, 64), np.float32)
    _chroma_kernel(np.ascontiguousarray(pixels), columns, blue, red)
    return luma, Plane(blue, rows, columns), Plane(red, rows, columns)
