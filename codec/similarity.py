"""Structural similarity and its kin. SSIM is exact at any size; SSIMULACRA2 is that of its package.

The windows of MS-SSIM and VIFp are separable, and SciPy filters without Python's global lock: a worker measures one
picture while it compresses others.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from codec.ssim import WINDOW, ssim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.float64]

__all__ = ["ms_ssim", "ssim", "ssimulacra2", "vifp"]

_SCALE_WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of MS-SSIM's scales, the finest first (Wang, Simoncelli, Bovik: "Multi-scale structural similarity for image quality
assessment", 2003)."""

_C1: Final = (0.01 * 255) ** 2
_C2: Final = (0.03 * 255) ** 2

_VIF_SCALES: Final = 4
_VIF_NOISE: Final = 2.0
"""Variance of the noise that VIF's model of an eye adds (Sheikh, Bovik: "Image information and visual quality", 2006,
and their program for the domain of pixels)."""

_NOTHING: Final = 1e-10
"""A variance that counts as none."""


def ms_ssim(original: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float:
    """Return MS-SSIM of two grey pictures `uint8[h,w]`, sides of 11 pixels or more; 0 to 1.

    Below 176 pixels a side there are fewer than its five scales. Structures that oppose each other on the whole count
    as none.
    """
    first, second = original.astype(np.float64), decoded.astype(np.float64)
    scales = min(len(_SCALE_WEIGHTS), int(np.log2(min(original.shape) / WINDOW)) + 1)
    window = _gaussian(WINDOW, 1.5)
    similarity = 1.0
    for scale, weight in enumerate(_SCALE_WEIGHTS[:scales], 1):
        if scale > 1:
            first, second = _halved(first), _halved(second)
        a, b, variance_a, variance_b, covariance = _moments(first, second, window)
        factor = (2 * covariance + _C2) / (variance_a + variance_b + _C2)
        if scale == scales:
            factor *= (2 * a * b + _C1) / (a * a + b * b + _C1)
        similarity *= max(float(factor.mean()), 0.0) ** weight
    return similarity


def vifp(original: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float:
    """Return the visual information fidelity of two grey pictures `uint8[h,w]`, sides of 64 pixels or more.

    That is the information about the original in what is seen of the copy, as a share of that in what is seen of the
    original itself; 1 where the original holds none.
    """
    first, second = original.astype(np.float64), decoded.astype(np.float64)
    kept = there = 0.0
    for scale in range(1, _VIF_SCALES + 1):
        taps = 2 ** (_VIF_SCALES - scale + 1) + 1
        window = _gaussian(taps, taps / 5)
        if scale > 1:
            first, second = (_valid(plane, window)[::2, ::2] for plane in (first, second))
        _, _, variance_a, variance_b, covariance = _moments(first, second, window)
        variance_a[variance_a < _NOTHING] = 0.0
        # The copy is seen as a fraction of the original and noise; where it opposes the original, all of it is noise.
        gain = np.where(variance_a > 0, covariance / np.maximum(variance_a, _NOTHING), 0.0)
        gain[(gain < 0) | (variance_b < _NOTHING)] = 0.0
        noise = np.maximum(variance_b - gain * covariance, 0.0)
        kept += float(np.log2(1 + gain * gain * variance_a / (noise + _VIF_NOISE)).sum())
        there += float(np.log2(1 + variance_a / _VIF_NOISE).sum())
    return kept / there if there else 1.0


def _halved(plane: Plane) -> Plane:
    """Average over pairs of rows and columns, the first with itself, and leave out every other."""
    from scipy.ndimage import uniform_filter

    halved: Plane = uniform_filter(plane, 2)[::2, ::2]
    return halved


def _gaussian(taps: int, deviation: float) -> NDArray[np.float64]:
    weights = np.exp(-0.5 * ((np.arange(taps) - taps // 2) / deviation) ** 2)
    return np.asarray(weights / weights.sum())


def _moments(first: Plane, second: Plane, window: NDArray[np.float64]) -> tuple[Plane, Plane, Plane, Plane, Plane]:
    """Return means, variances and covariance of two pictures, at every place where the whole window lies in them."""
    a, b = _valid(first, window), _valid(second, window)
    return (
        a,
        b,
        np.maximum(_valid(first * first, window) - a * a, 0.0),
        np.maximum(_valid(second * second, window) - b * b, 0.0),
        _valid(first * second, window) - a * b,
    )


def _valid(plane: Plane, window: NDArray[np.float64]) -> Plane:
    """Filter with the window down the columns and along the rows, where all of it lies in the picture."""
    from scipy.ndimage import correlate1d

    margin = len(window) // 2
    inner = slice(margin, -margin)
    columns = correlate1d(plane, window, axis=0)[inner]
    filtered: Plane = correlate1d(columns, window, axis=1)[:, inner]
    return filtered


def ssimulacra2(original: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float:
    """Return SSIMULACRA2 of two pictures, RGB `uint8[h,w,3]` or grey `uint8[h,w]`."""
    from ssimulacra2 import compute_ssimulacra2

    files = []
    for pixels in (original, decoded):
        file = io.BytesIO()
        Image.fromarray(pixels).convert("RGB").save(file, "PPM")
        files.append(file)
    return float(compute_ssimulacra2(*files))
