"""Two pictures held beside each other, block by block, in one pass: squared errors of luma, PSNR-HVS and PSNR-HVS-M."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import float32, int64, uint8

from codec import reference
from codec.hvsm import TERMS, errors_of, masking_of
from codec.kernel import helper, kernel, reads, writes
from codec.tables import BLOCK
from codec.transform import coefficients_of, measured_luma

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RGB_SAMPLES: Final = 3


# Where a row of blocks goes beyond the picture its last pixel is repeated.
@helper
def _luma_blocks(pixels: Any, channels: Any, place: Any, colours: Any, out: Any) -> None:
    """Write the luma of eight blocks side by side to `out` `[512]`.

    place: their top and left in pixels. colours: scratch, `[192]`.
    """
    top, left = place
    height, width = pixels.shape[0], pixels.shape[1] // channels
    wide = min(64, width - left)
    for i in range(8):
        row = pixels[min(top + i, height - 1), channels * left :]
        for x in range(channels * wide):
            colours[x] = row[x]
        if channels == 1:
            for x in range(wide):
                out[64 * i + x] = colours[x]
        else:
            measured_luma(colours, out[64 * i : 64 * i + 64])
        for x in range(wide, 64):
            out[64 * i + x] = out[64 * i + wide - 1]


@helper
def _add_squares(first: Any, second: Any, size: Any, columns: Any, errors: Any) -> None:
    """Write the sums of squared differences of eight blocks `[512]` to `errors`; `size`: rows and columns that count.

    columns: scratch, `[64]`. The sums stay below 2^24 and are exact.
    """
    high, wide = size
    columns[:] = 0
    for i in range(high):
        for x in range(64):
            difference = first[64 * i + x] - second[64 * i + x]
            columns[x] += difference * difference
    for x in range(wide):
        errors[x >> 3] += np.int64(columns[x])


@kernel(reads(uint8, 2), reads(uint8, 2), int64, writes(int64, 2), writes(float32, 2), writes(float32, 2))
def _comparison_kernel(first: Any, second: Any, channels: Any, squared: Any, weighted: Any, visible: Any) -> None:
    height, width = first.shape[0], first.shape[1] // channels
    rows, columns = weighted.shape
    colours = np.zeros(192, np.float32)
    ours = np.zeros(512, np.float32)
    theirs = np.zeros(512, np.float32)
    original = np.zeros(512, np.float32)
    copy = np.zeros(512, np.float32)
    differences = np.zeros(64, np.float32)
    terms = np.zeros((TERMS, 64), np.float32)
    blocks = np.zeros((TERMS, 8), np.float32)
    hiding = np.zeros(8, np.float32)
    scratch = (terms, blocks, np.zeros(64, np.float32), np.zeros(8, np.float32))
    for row in range(squared.shape[0]):
        high = min(8, height - 8 * row)
        for left in range(0, width, 64):
            wide = min(64, width - left)
            column = left >> 3
            _luma_blocks(first, channels, (8 * row, left), colours, ours)
            _luma_blocks(second, channels, (8 * row, left), colours, theirs)
            _add_squares(ours, theirs, (high, wide), differences, squared[row, column:])
            if row >= rows:
                continue
            coefficients_of(ours, original)
            coefficients_of(theirs, copy)
            masking_of(original, terms, blocks, hiding)
            errors_of(original, copy, hiding, scratch)
            for b in range(min(8, columns - column)):
                weighted[row, column + b] = blocks[0, b] / np.float32(64)
                visible[row, column + b] = blocks[1, b] / np.float32(64)


def compare(
    original: NDArray[np.uint8], decoded: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Compare the luma of two pictures of the same size, each RGB `uint8[h,w,3]` or grey `uint8[h,w]`.

    Returns:
        The sum of squared differences in each 8×8 block, `int64[⌈h/8⌉,⌈w/8⌉]`, and the mean squared errors of PSNR-HVS
        and of PSNR-HVS-M in each whole block, `float32[⌊h/8⌋,⌊w/8⌋]`; a side below 8 pixels is replicated up to 8.
    """
    pictures = [original, decoded]
    if original.ndim != decoded.ndim:
        pictures = [reference.luma(picture) for picture in pictures]
    height, width = original.shape[:2]
    channels = 1 if pictures[0].ndim == 2 else _RGB_SAMPLES  # noqa: PLR2004  two axes are grey
    squared = np.zeros((-(-height // BLOCK), -(-width // BLOCK)), np.int64)
    weighted, visible = (np.zeros((max(height // BLOCK, 1), max(width // BLOCK, 1)), np.float32) for _ in range(2))
    first, second = (np.ascontiguousarray(picture).reshape(height, -1) for picture in pictures)
    _comparison_kernel(first, second, channels, squared, weighted, visible)
    return squared, weighted, visible
