"""Means of a picture's cells, by which two pictures are told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import float32, int64, uint8

from codec.kernel import kernel, reads, writes

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Rows are summed up over the height of a cell first, which takes them as they lie in memory.
@kernel(reads(uint8, 3), int64, int64, writes(float32, 3))
def _means_kernel(pixels: Any, high: Any, wide: Any, means: Any) -> None:
    height, width, channels = pixels.shape
    sums = np.empty(width * channels, np.uint32)
    for row in range(means.shape[0]):
        sums[:] = 0
        top, bottom = row * high, min((row + 1) * high, height)
        for y in range(top, bottom):
            line = pixels[y].reshape(width * channels)
            for i in range(width * channels):
                sums[i] += line[i]
        for column in range(means.shape[1]):
            left, right = column * wide, min((column + 1) * wide, width)
            for channel in range(channels):
                total = np.int64(0)
                for x in range(left, right):
                    total += sums[x * channels + channel]
                means[row, column, channel] = np.float32(total / ((right - left) * (bottom - top)))


def cell_means(pixels: NDArray[np.uint8], high: int, wide: int) -> NDArray[np.float32]:
    """Return the mean levels of cells of `high` times `wide` pixels, the last ones as large as the picture leaves them.

    Args:
        pixels: `uint8[h,w,3]` or `uint8[h,w]`.
        high: A cell's height, 1 pixel or more.
        wide: Its width.

    Returns:
        `float32[rows,columns,3]` or `float32[rows,columns]`, rounded up to whole cells.
    """
    height, width = pixels.shape[:2]
    channels = np.ascontiguousarray(pixels.reshape(height, width, -1))
    means = np.empty((-(-height // high), -(-width // wide), channels.shape[2]), np.float32)
    _means_kernel(channels, high, wide, means)
    return means.reshape(*means.shape[:2], *pixels.shape[2:])
