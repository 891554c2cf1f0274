"""What a decoder makes of levels, block by block, and how far that is from the picture, without writing a file.

PSNR-HVS-M is an 8×8 DCT measure and could be read off the coefficients. But a decoder rounds to whole grey levels and
clips to 0..255, which at quality 75 moves it by 1 to 2 dB, and not alike for two encoders; so each block is decoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import float32, int16

from codec.hvsm import AC, TERMS, errors_of, gather, totals
from codec.kernel import helper, kernel, reads, writes
from codec.transform import PLACES, dct_columns, inverse_columns, transpose

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEASURES: Final = ("squared", "weighted", "visible", "dissimilarity")
"""What is known of each block: the mean squared errors of PSNR, PSNR-HVS and PSNR-HVS-M in squared grey levels, and
1 − SSIM of the block as one window."""

_NONE: Final = np.empty((0, 64), np.int16)
_C1: Final = np.float32((0.01 * 255) ** 2)
_C2: Final = np.float32((0.03 * 255) ** 2)


# SSIM of one 8×8 window (Wang et al. 2004, equation 13), its moments read off the coefficients: the mean is DC/8, and
# by Parseval variances and covariance are the sums over the AC coefficients, divided by 64.
@helper
def _dissimilarity(original: Any, copied: Any, own: Any, other: Any, common: Any) -> Any:
    scale = np.float32(1 / 64)
    two = np.float32(2)
    mean = original / np.float32(8) + np.float32(128)
    copied = copied / np.float32(8) + np.float32(128)
    luminance = (two * mean * copied + _C1) / (mean * mean + copied * copied + _C1)
    structure = (two * common * scale + _C2) / ((own + other) * scale + _C2)
    return np.float32(1) - luminance * structure


# What MEASURES lists, of eight blocks.
@helper
def _measure(original: Any, copy: Any, masking: Any, scratch: Any, errors: Any) -> None:
    terms, sums = scratch[0], scratch[1]
    for row in range(0, 512, 64):
        for i in range(64):
            c, o = copy[row + i] * AC[row + i], original[row + i] * AC[row + i]
            difference = original[row + i] - copy[row + i]
            terms[0, i] += difference * difference
            terms[1, i] += o * o
            terms[2, i] += c * c
            terms[3, i] += o * c
    totals(terms, sums)
    for b in range(8):
        errors[b, 0] = sums[0, b] / np.float32(64)
        errors[b, 3] = _dissimilarity(original[8 * b], copy[8 * b], sums[1, b], sums[2, b], sums[3, b])
    errors_of(original, copy, masking, scratch)
    for b in range(8):
        errors[b, 1] = sums[0, b] / np.float32(64)
        errors[b, 2] = sums[1, b] / np.float32(64)


# The samples of eight blocks side by side as a decoder has them: rounded, clipped, in 0..255. The blocks are
# numbered first + pair·(b >> 1) + (b & 1).
@helper
def _decode(levels: Any, first: Any, pair: Any, table: Any, scratch: Any, samples: Any) -> None:
    half, copy = scratch
    for b in range(8):
        n = first + pair * (b >> 1) + (b & 1)
        if n < levels.shape[0]:
            for k in range(64):
                copy[k] = table[k] * np.float32(levels[n, k])
            for k in range(64):
                samples[PLACES[k] + 8 * b] = copy[k]
    inverse_columns(samples, half)
    transpose(half, samples)
    inverse_columns(samples, half)
    for i in range(512):
        samples[i] = min(max(np.floor(half[i] + np.float32(128.5)), np.float32(0)), np.float32(255))


# Twice the samples along each axis: three quarters of the nearer and one of the farther, as libjpeg's decoder does it
# ("fancy upsampling"); beyond the MCU's edge lies the sample at the edge. `even` and `odd` are the columns.
@helper
def _twice(chroma: Any, even: Any, odd: Any, full: Any) -> None:
    for i in range(511):
        even[i + 1] = chroma[i]
        odd[i] = chroma[i + 1]
    for i in range(0, 512, 8):
        even[i] = chroma[i]
        odd[i + 7] = chroma[i + 7]
    for i in range(512):
        even[i] += np.float32(3) * chroma[i]
        odd[i] += np.float32(3) * chroma[i]
    scale = np.float32(1 / 16)
    for y in range(16):
        near = 64 * (y >> 1)
        far = 64 * min(max((y >> 1) + 2 * (y & 1) - 1, 0), 7)
        for x in range(64):
            left = np.float32(3) * even[near + x] + even[far + x] + np.float32(8)
            right = np.float32(3) * odd[near + x] + odd[far + x] + np.float32(7)
            full[128 * y + 2 * x] = np.floor(left * scale)
            full[128 * y + 2 * x + 1] = np.floor(right * scale)


@helper
def _whole(value: Any) -> Any:
    return min(max(np.floor(value + np.float32(0.5)), np.float32(0)), np.float32(255))


# To RGB, rounded and clipped as for display, and back to luma as the measures see it (JFIF 1.02, section 7; Pillow adds
# products that are rounded to 64ths, and rounds the sum down).
@helper
def _through_rgb(luma: Any, chroma: Any, at: Any) -> None:
    half = np.float32(0.5)
    for y in range(8):
        for x in range(64):
            cb = chroma[0, at + 128 * y + x] - np.float32(128)
            cr = chroma[1, at + 128 * y + x] - np.float32(128)
            grey = luma[64 * y + x]
            r = _whole(grey + np.float32(1.402) * cr)
            g = _whole(grey - np.float32(0.344136) * cb - np.float32(0.714136) * cr)
            b = _whole(grey + np.float32(1.772) * cb)
            total = np.floor(np.float32(19.136) * r + half) + np.floor(np.float32(37.568) * g + half)
            total += np.floor(np.float32(7.296) * b + half)
            luma[64 * y + x] = np.floor(total * np.float32(1 / 64))


# Four luma blocks, then one of each chroma component, are an MCU; a grey picture has no chroma blocks. Eight MCUs are
# decoded at a time, as they would lie side by side: their chroma blocks, and four times eight luma blocks, which are
# the upper or the lower ones of four MCUs.
@kernel(
    reads(int16, 2),
    reads(int16, 2),
    reads(int16, 2),
    reads(float32, 2),
    reads(float32, 2),
    reads(float32, 1),
    writes(float32, 2),
)
def _outcome_kernel(  # noqa: PLR0913, PLR0917  numba takes no structures of arrays
    levels: Any, blue: Any, red: Any, tables: Any, original: Any, masking: Any, errors: Any
) -> None:
    samples = np.zeros(512, np.float32)
    half = np.zeros(512, np.float32)
    copy = np.zeros(64, np.float32)
    scratch = (half, copy)
    even = np.zeros(512, np.float32)
    odd = np.zeros(512, np.float32)
    chroma = np.zeros((2, 2048), np.float32)
    hiding = np.zeros(8, np.float32)
    found = np.zeros((8, 4), np.float32)
    sums = (
        np.zeros((TERMS, 64), np.float32),
        np.zeros((TERMS, 8), np.float32),
        np.zeros(64, np.float32),
        np.zeros(8, np.float32),
    )
    colour = blue.shape[0] > 0
    for group in range(0, levels.shape[0], 32):
        pair = np.int64(2)
        for number in range(2 * colour):
            _decode(blue if number == 0 else red, group >> 2, pair, tables[1], scratch, samples)
            _twice(samples, even, odd, chroma[number])
        for part in range(4):
            first = group + (16 * (part >> 1) + 2 * (part & 1) if colour else 8 * part)
            pair = np.int64(4 if colour else 2)
            _decode(levels, first, pair, tables[0], scratch, samples)
            if colour:
                _through_rgb(samples, chroma, 64 * (part >> 1) + 1024 * (part & 1))
            for i in range(512):
                samples[i] -= np.float32(128)
            dct_columns(samples, half)
            transpose(half, samples)
            dct_columns(samples, half)
            gather(original, first, pair, samples)
            for b in range(8):
                n = first + pair * (b >> 1) + (b & 1)
                hiding[b] = masking[n] if n < levels.shape[0] else np.float32(0)
            _measure(samples, half, hiding, sums, found)
            for b in range(8):
                n = first + pair * (b >> 1) + (b & 1)
                if n < levels.shape[0]:
                    for number in range(4):
                        errors[n, number] = found[b, number]


def outcome(
    levels: tuple[NDArray[np.int16], ...],
    tables: tuple[NDArray[np.float32], ...],
    original: NDArray[np.float32],
    masking: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return what `MEASURES` lists for each luma block as a decoder would show it, `float32[n,4]`.

    Args:
        levels: of luma, `int16[n,64]`, and in a colour picture of both chroma components, `int16[n/4,64]`: one block
            for four of luma, which lie in the order upper left, upper right, lower left, lower right.
        tables: quantisation steps for luma and chroma, `float32[64]`.
        original: luma coefficients of the picture, `float32[n,64]`.
        masking: how strongly each of its blocks hides errors, `float32[n]`, as `hvsm.masking` tells.
    """
    errors = np.empty((len(original), len(MEASURES)), np.float32)
    luma, blue, red = levels if len(levels) > 1 else (levels[0], _NONE, _NONE)
    _outcome_kernel(luma, blue, red, np.stack(tables), original, masking, errors)
    return errors
