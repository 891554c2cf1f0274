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
_B1, _B2, _B3, _B4, _B5, _B6, _B7 = DCT_BASIS[1:, 0]
PLACES: Final = (ZIGZAG % BLOCK * 64 + ZIGZAG // BLOCK).astype(np.uint16)
"""Where each zigzag position of the first of eight transposed blocks side by side lies."""
_NEAR: Final = np.float32(9 / 16)
_FAR: Final = np.float32(-1 / 16)
"""Taps of the chroma filter, for the two pixels that a sample lies between, and for those two pixels further out."""


@dataclass(frozen=True, slots=True)
class Plane:
    """The coefficients of one component.

    coefficients: `float32[rows·columns, 64]`, blocks in raster order, zigzag order inside, the level shift taken off.
    rows, columns: size of the block grid, padded to whole MCUs.
    """

    coefficients: NDArray[np.float32]
    rows: int
    columns: int


# The one-dimensional DCT of each column of eight blocks side by side, 64 values to a row: by symmetry, even rows of the
# basis see the sums of samples at equal distance from the middle, odd rows the differences, and even rows once more
# likewise. Loops over a fixed number of neighbours in memory are what LLVM turns into vector code.
@helper
def dct_columns(samples: Any, out: Any) -> None:
    """Transform the columns of `samples` `[512]` into `out` `[512]`."""
    for x in range(64):
        s0, s7 = samples[x], samples[448 + x]
        s1, s6 = samples[64 + x], samples[384 + x]
        s2, s5 = samples[128 + x], samples[320 + x]
        s3, s4 = samples[192 + x], samples[256 + x]
        e0, e1, e2, e3 = s0 + s7, s1 + s6, s2 + s5, s3 + s4
        o0, o1, o2, o3 = s0 - s7, s1 - s6, s2 - s5, s3 - s4
        p0, p1, m0, m1 = e0 + e3, e1 + e2, e0 - e3, e1 - e2
        out[x] = _B4 * (p0 + p1)
        out[64 + x] = _B1 * o0 + _B3 * o1 + _B5 * o2 + _B7 * o3
        out[128 + x] = _B2 * m0 + _B6 * m1
        out[192 + x] = _B3 * o0 - _B7 * o1 - _B1 * o2 - _B5 * o3
        out[256 + x] = _B4 * (p0 - p1)
        out[320 + x] = _B5 * o0 - _B1 * o1 + _B7 * o2 + _B3 * o3
        out[384 + x] = _B6 * m0 - _B2 * m1
        out[448 + x] = _B7 * o0 - _B5 * o1 + _B3 * o2 - _B1 * o3


# The inverse: even and odd rows of the basis give what is symmetric about the middle, and what changes its sign there.
@helper
def inverse_columns(values: Any, out: Any) -> None:
    """Transform the columns of `values` `[512]` back into `out` `[512]`."""
    for x in range(64):
        c1, c3, c5, c7 = values[64 + x], values[192 + x], values[320 + x], values[448 + x]
        c0, c2, c4, c6 = values[x], values[128 + x], values[256 + x], values[384 + x]
        p0, p1 = _B4 * (c0 + c4), _B4 * (c0 - c4)
        m0, m1 = _B2 * c2 + _B6 * c6, _B6 * c2 - _B2 * c6
        e0, e1, e2, e3 = p0 + m0, p1 + m1, p1 - m1, p0 - m0
        o0 = _B1 * c1 + _B3 * c3 + _B5 * c5 + _B7 * c7
        o1 = _B3 * c1 - _B7 * c3 - _B1 * c5 - _B5 * c7
        o2 = _B5 * c1 - _B1 * c3 + _B7 * c5 + _B3 * c7
        o3 = _B7 * c1 - _B5 * c3 + _B3 * c5 - _B1 * c7
        out[x], out[448 + x] = e0 + o0, e0 - o0
        out[64 + x], out[384 + x] = e1 + o1, e1 - o1
        out[128 + x], out[320 + x] = e2 + o2, e2 - o2
        out[192 + x], out[256 + x] = e3 + o3, e3 - o3


@helper
def transpose(blocks: Any, out: Any) -> None:
    """Transpose each of eight blocks side by side, `[512]`."""
    for b in range(0, 64, 8):
        for j in range(8):
            for i in range(8):
                out[64 * j + b + i] = blocks[64 * i + b + j]


# C = B·X·Bᵀ for eight blocks side by side. The second transform gives the transpose of C, and PLACES tells where in it
# the zigzag goes.
@helper
def coefficients_of(samples: Any, out: Any) -> None:
    """Write the coefficients of eight blocks `[512]`, transposed and side by side; uses up `samples`."""
    dct_columns(samples, out)
    transpose(out, samples)
    dct_columns(samples, out)


@helper
def forward_dct(samples: Any, half: Any, count: Any, out: Any) -> None:
    """Write coefficients `[count,64]` of the first of eight blocks `[512]`; uses up `samples` and `half`."""
    coefficients_of(samples, half)
    for b in range(count):
        for k in range(64):
            out[b, k] = half[PLACES[k] + 8 * b]


# Luma as Pillow computes it, in units of 1/64: each product is rounded, their sum is rounded down.
@helper
def measured_luma(colours: Any, out: Any) -> None:
    """Write the luma that measures see of 64 pixels of RGB `[192]` to `out` `[64]`, in 0..255."""
    for x in range(64):
        red = np.rint(np.float32(0.299 * 64) * colours[3 * x])
        green = np.rint(np.float32(0.587 * 64) * colours[3 * x + 1])
        blue = np.rint(np.float32(0.114 * 64) * colours[3 * x + 2])
        out[x] = np.floor((red + green + blue) * np.float32(1 / 64))


# JFIF 1.02, section 7:  Y = 0.299 R + 0.587 G + 0.114 B, less the level shift of 128 (T.81, A.3.1). Y is rounded to
# whole grey levels, as libjpeg does: the decoder rounds as well, and at high quality finds the same number again. The
# factors are in units of 2^−16, so that sums are whole numbers below 2^24, which single precision holds exactly.
@kernel(reads(uint8, 2), int64, writes(float32, 2))
def _luma_kernel(pixels: Any, columns: Any, luma: Any) -> None:
    height, width = pixels.shape[0], pixels.shape[1] // 3
    samples = np.zeros(512, np.float32)
    half = np.zeros(512, np.float32)
    rgb = np.zeros(192, np.float32)
    for top in range(luma.shape[0] // columns):
        for first in range(0, columns, 8):
            left = min(8 * first, width - 1)
            wide = min(64, width - left)
            for i in range(8):
                row = pixels[min(8 * top + i, height - 1), 3 * left :]
                for x in range(3 * wide):
                    rgb[x] = row[x]
                for x in range(3 * wide, 192):
                    rgb[x] = rgb[x - 3]
                for x in range(64):
                    light = (
                        np.float32(19595) * rgb[3 * x]
                        + np.float32(38470) * rgb[3 * x + 1]
                        + np.float32(7471) * rgb[3 * x + 2]
                    )
                    samples[64 * i + x] = np.floor((light + np.float32(32768)) * np.float32(2**-16)) - np.float32(128)
            at = top * columns + first
            forward_dct(samples, half, min(8, columns - first), luma[at : at + 8])


@kernel(reads(uint8, 2), int64, writes(float32, 2))
def _grey_kernel(pixels: Any, columns: Any, luma: Any) -> None:
    height, width = pixels.shape
    samples = np.zeros(512, np.float32)
    half = np.zeros(512, np.float32)
    for top in range(luma.shape[0] // columns):
        for first in range(0, columns, 8):
            left = min(8 * first, width - 1)
            wide = min(64, width - left)
            for i in range(8):
                row = pixels[min(8 * top + i, height - 1), left : left + wide]
                line = samples[64 * i : 64 * i + 64]
                for x in range(wide):
                    line[x] = np.float32(row[x]) - np.float32(128)
                for x in range(wide, 64):
                    line[x] = line[wide - 1]
            at = top * columns + first
            forward_dct(samples, half, min(8, columns - first), luma[at : at + 8])


# JFIF 1.02, section 7:  Cb = (B − Y)/1.772,  Cr = (R − Y)/1.402, without the offset that the level shift takes off.
# T.81, A.2 leaves the filter open that halves the resolution. libjpeg's decoder doubles it by ¾ of the nearer and ¼ of
# the farther sample along each axis. The samples that then come closest to the picture, by least squares, are a sum
# with the weights ⅔·(−⅓)^|m| at 2m and 2m + 1 pixels from the first of the pair. These six taps, of which two are zero,
# lie between that and the mean of 2×2 pixels: the squared error of chroma is 21 % above the least, with the mean 63 %
# (averages over five pictures of scikit-image). Taps of −⅛ and ⅝ would leave 8 %, but cost bytes: at equal SSIMULACRA2
# these take 0.6 % fewer bytes than the mean and −⅛ and ⅝ 0.7 %; at equal PSNR 0.4 % more, −⅛ and ⅝ 0.8 % (six Kodak
# pictures). A sample stays in the middle of its 2×2 pixels, where JFIF wants it.
@kernel(reads(uint8, 2), int64, writes(float32, 2), writes(float32, 2))
def _chroma_kernel(  # noqa: C901  loops over rows and pixels
    pixels: Any, columns: Any, blue: Any, red: Any
) -> None:
    height, width = pixels.shape[0], pixels.shape[1] // 3
    rgb = np.zeros(396, np.float32)
    full = np.zeros((2, 132), np.float32)
    narrow = np.zeros((2, 20, 64), np.float32)
    samples = np.zeros(512, np.float32)
    half = np.zeros(512, np.float32)
    for top in range(blue.shape[0] // columns):
        for first in range(0, columns, 8):
            left = 16 * first - 2
            begin, end = min(max(left, 0), width - 1), min(left + 132, width)
            for i in range(20):
                row = pixels[min(max(16 * top + i - 2, 0), height - 1), 3 * begin :]
                before, inside = 3 * (begin - left), 3 * (end - left)
                inside = max(inside, before + 3)
                for x in range(before, inside):
                    rgb[x] = row[x - before]
                for x in range(before - 1, -1, -1):
                    rgb[x] = rgb[x + 3]
                for x in range(inside, 396):
                    rgb[x] = rgb[x - 3]
                for x in range(132):
                    r, g, b = rgb[3 * x], rgb[3 * x + 1], rgb[3 * x + 2]
                    light = np.float32(0.299) * r + np.float32(0.587) * g + np.float32(0.114) * b
                    full[0, x] = (b - light) * np.float32(1 / 1.772)
                    full[1, x] = (r - light) * np.float32(1 / 1.402)
                for number in range(2):
                    for x in range(64):
                        near = full[number, 2 * x + 2] + full[number, 2 * x + 3]
                        far = full[number, 2 * x] + full[number, 2 * x + 5]
                        narrow[number, i, x] = _NEAR * near + _FAR * far
            at = top * columns + first
            for number in range(2):
                for i in range(8):
                    for x in range(64):
                        near = narrow[number, 2 * i + 2, x] + narrow[number, 2 * i + 3, x]
                        far = narrow[number, 2 * i, x] + narrow[number, 2 * i + 5, x]
                        samples[64 * i + x] = _NEAR * near + _FAR * far
                out = blue if number == 0 else red
                forward_dct(samples, half, min(8, columns - first), out[at : at + 8])


def luma_plane(pixels: NDArray[np.uint8]) -> Plane:
    """Return the luma of RGB `uint8[h,w,3]`, or of grey `uint8[h,w]`, with edges replicated up to whole MCUs."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    if pixels.ndim == 2:  # noqa: PLR2004  two axes are grey, whose MCU is one block
        rows, columns = -(-height // BLOCK), -(-width // BLOCK)
    else:
        rows, columns = 2 * -(-height // MCU), 2 * -(-width // MCU)
    luma = np.empty((rows * columns, 64), np.float32)
    (_grey_kernel if pixels.ndim == 2 else _luma_kernel)(pixels.reshape(height, -1), columns, luma)  # noqa: PLR2004  as above
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
    _chroma_kernel(np.ascontiguousarray(pixels).reshape(len(pixels), -1), columns, blue, red)
    return luma, Plane(blue, rows, columns), Plane(red, rows, columns)
