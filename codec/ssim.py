"""Mean structural similarity of two grey pictures, exact at any size and without pictures of intermediate results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import float32, float64, uint8

from codec.kernel import kernel, reads

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RADIUS: Final = 5
WINDOW: Final = 2 * _RADIUS + 1
"""Side of the window, in pixels."""


def _gaussian() -> NDArray[np.float32]:
    """Window of standard deviation 1.5, as Wang et al. have it, summing to 1."""
    weights = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / 1.5) ** 2)
    return np.asarray(weights / weights.sum(), np.float32)


_GAUSSIAN: Final = _gaussian()


# Wang, Bovik, Sheikh, Simoncelli: "Image quality assessment, from error visibility to structural similarity", 2004:
#
#     SSIM = (2·E(a)·E(b) + C1)(2·cov(a,b) + C2) / ((E(a)² + E(b)² + C1)(var(a) + var(b) + C2))
#
# with C1 = (0.01·255)² and C2 = (0.03·255)², at every place where the whole window lies in the picture. The window is
# separable: the moments a, b, a², b², ab are summed down the columns, then along the row. Values are taken about 128,
# which leaves variances as they are and keeps float32 from cancelling.
@kernel(reads(uint8, 2), reads(uint8, 2), reads(float32, 1), returns=float64)
def _ssim_kernel(first: Any, second: Any, window: Any) -> Any:
    height, width = first.shape
    taps = window.shape[0]
    moments = np.empty((5, width), np.float32)
    means = np.empty((5, width - taps + 1), np.float32)
    c1 = np.float32(2.55**2)
    c2 = np.float32(7.65**2)
    total = 0.0
    for top in range(height - taps + 1):
        moments[:] = 0
        for t in range(taps):
            weight = window[t]
            for x in range(width):
                a = np.float32(first[top + t, x]) - np.float32(128)
                b = np.float32(second[top + t, x]) - np.float32(128)
                moments[0, x] += weight * a
                moments[1, x] += weight * b
                moments[2, x] += weight * (a * a)
                moments[3, x] += weight * (b * b)
                moments[4, x] += weight * (a * b)
        means[:] = 0
        for m in range(5):
            for t in range(taps):
                weight = window[t]
                for x in range(means.shape[1]):
                    means[m, x] += weight * moments[m, x + t]
        row = 0.0
        for x in range(means.shape[1]):
            a, b = means[0, x], means[1, x]
            covariance = means[4, x] - a * b
            variances = means[2, x] - a * a + means[3, x] - b * b
            a += np.float32(128)
            b += np.float32(128)
            row += ((2 * a * b + c1) * (2 * covariance + c2)) / ((a * a + b * b + c1) * (variances + c2))
        total += row
    return total / ((height - taps + 1) * (width - taps + 1))


def ssim(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return the mean SSIM of two grey pictures `uint8[h,w]`, sides shorter than the window replicated up to it."""
    margins = [(0, max(0, WINDOW - side)) for side in first.shape]
    padded = (np.ascontiguousarray(np.pad(picture, margins, mode="edge")) for picture in (first, second))
    return min(float(_ssim_kernel(*padded, _GAUSSIAN)), 1.0)
