"""The luma of chosen MCUs as the measures see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import float32, int64, uint8

from codec.kernel import helper, kernel, reads, writes
from codec.transform import forward_dct, measured_luma

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RGB_SAMPLES: Final = 3
_EIGHT_COLOURS: Final = 24
"""Samples of eight pixels in colour."""


# A loop whose length is known beforehand is what makes copying fast.
@helper
def _copy(line: Any, first: Any, inside: Any, channels: Any, colours: Any) -> None:
    """Copy eight pixels of a line, of which the first `inside` samples are there, and the last one for the others."""
    if inside == _EIGHT_COLOURS:
        for x in range(_EIGHT_COLOURS):
            colours[x] = line[first + x]
        return
    for x in range(inside):
        colours[x] = line[first + x]
    for x in range(inside, 8 * channels):
        colours[x] = colours[x - channels]


@kernel(reads(uint8, 2), int64, int64, reads(int64, 1), reads(int64, 1), writes(float32, 2))
def _luma_kernel(pixels: Any, channels: Any, factor: Any, row: Any, column: Any, luma: Any) -> None:
    height, width = pixels.shape[0], pixels.shape[1] // channels
    colours = np.zeros(192, np.float32)
    samples = np.zeros(512, np.float32)
    half = np.zeros(512, np.float32)
    tops = np.zeros(8, np.int64)
    lefts = np.zeros(8, np.int64)
    wide = 8 * channels
    for group in range(0, luma.shape[0], 8):
        count = min(8, luma.shape[0] - group)
        for b in range(count):
            mcu, part = (group + b) // (factor * factor), (group + b) % (factor * factor)
            tops[b] = 8 * (factor * row[mcu] + part // factor)
            lefts[b] = 8 * (factor * column[mcu] + part % factor)
        for i in range(8):
            for b in range(count):
                line = pixels[min(tops[b] + i, height - 1)]
                inside = max(channels, min(wide, channels * (width - lefts[b])))
                first = channels * min(lefts[b], width - 1)
                _copy(line, first, inside, channels, colours[wide * b : wide * b + wide])
            if channels == 1:
                samples[64 * i : 64 * i + 64] = colours[:64]
            else:
                measured_luma(colours, samples[64 * i : 64 * i + 64])
        for i in range(512):
            samples[i] -= np.float32(128)
        forward_dct(samples, half, count, luma[group : group + count])


def luma_of_mcus(
    pixels: NDArray[np.uint8], row: NDArray[np.intp], column: NDArray[np.intp], factor: int
) -> NDArray[np.float32]:
    """Return coefficients of the luma blocks of MCUs, MCU by MCU, `float32[m·factor²,64]`.

    Within an MCU they lie in the order upper left, upper right, lower left, lower right; edges are replicated.

    Args:
        pixels: RGB `uint8[h,w,3]` or grey `uint8[h,w]`.
        row: rows of MCUs, `int64[m]`.
        column: columns of MCUs, `int64[m]`.
        factor: luma blocks along each side of an MCU, 1 or 2.
    """
    channels = 1 if pixels.ndim == 2 else _RGB_SAMPLES  # noqa: PLR2004  two axes are grey
    luma = np.empty((len(row) * factor * factor, 64), np.float32)
    _luma_kernel(np.ascontiguousarray(pixels).reshape(len(pixels), -1), channels, factor, row, column, luma)
    return luma
