"""Structural similarity and its kin. SSIM is our own, exact at any size; the others are those of their packages."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from codec.ssim import ssim

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ms_ssim", "ssim", "ssimulacra2", "vifp"]


def ms_ssim(original: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float:
    """Return MS-SSIM of two grey pictures `uint8[h,w]`; below 176 pixels a side at fewer than its five scales."""
    from sewar.full_ref import msssim

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Image is too small for", UserWarning)
        return float(np.real(msssim(original, decoded)))


def vifp(original: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float:
    """Return the visual information fidelity of two grey pictures `uint8[h,w]`, sides of 64 pixels or more."""
    from sewar.full_ref import vifp as sewar_vifp

    return float(sewar_vifp(original, decoded))


def ssimulacra2(original: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float:
    """Return SSIMULACRA2 of two pictures, RGB `uint8[h,w,3]` or grey `uint8[h,w]`."""
    from ssimulacra2 import compute_ssimulacra2

    files = []
    for pixels in (original, decoded):
        file = io.BytesIO()
        Image.fromarray(pixels).convert("RGB").save(file, "PPM")
        files.append(file)
    return float(compute_ssimulacra2(*files))
