"""How good a copy is: the measures that a report gives, on luma, of two pictures of the same size.

All of them look at every pixel. Decibels end at 100, also for identical pictures, so that every value is a number that
JSON knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import int64, uint8

from codec import reference
from codec.arguments import check_importance, check_pixels
from codec.hvsm import block_errors, decibels
from codec.kernel import kernel, reads, writes
from codec.rate import Quality
from codec.ssim import ssim
from codec.tables import BLOCK
from codec.transform import luma_plane
from codec.weights import grid_importance

if TYPE_CHECKING:
    from numpy.typing import NDArray

SALIENT_SHARE: Final = 0.2
"""Share of the picture that `psnr_s` looks at."""

_STRIP: Final = 512
"""Rows of pixels whose coefficients are held at a time."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Measures of a copy, on the 8-bit BT.601 luma of JFIF; higher is better.

    psnr: peak signal-to-noise ratio.
    psnr_s: the same over the fifth of the picture that the importance map ranks highest, in blocks of 8×8; of the
        blocks of equal importance at the edge of the fifth each counts in part. None without a map.
    ssim: structural similarity, −1 to 1, Gaussian window of deviation 1.5; a side below 11 pixels is replicated up
        to 11.
    psnr_hvs, psnr_hvs_m: PSNR-HVS and PSNR-HVS-M over the whole 8×8 blocks, in dB like the others; a side below 8
        pixels is replicated up to 8.
    """

    psnr: float
    psnr_s: float | None
    ssim: float
    psnr_hvs: float
    psnr_hvs_m: float


@kernel(reads(uint8, 2), reads(uint8, 2), writes(int64, 2))
def _squared_error_kernel(first: Any, second: Any, errors: Any) -> None:
    for y in range(first.shape[0]):
        for x in range(first.shape[1]):
            difference = np.int64(first[y, x]) - np.int64(second[y, x])
            errors[y >> 3, x >> 3] += difference * difference


def _block_squared_errors(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Sum of squared differences in each 8×8 block, `int64[⌈h/8⌉,⌈w/8⌉]`."""
    errors = np.zeros([-(-side // BLOCK) for side in first.shape], np.int64)
    _squared_error_kernel(first, second, errors)
    return errors


def _salient_error(errors: NDArray[np.int64], importance: NDArray[np.float32], size: tuple[int, int]) -> float:
    """Mean squared error over the `SALIENT_SHARE` of the pixels whose blocks rank highest."""
    sides = [
        np.minimum(BLOCK, length - BLOCK * np.arange(count)) for length, count in zip(size, errors.shape, strict=True)
    ]
    pixels = np.multiply.outer(*sides).ravel()
    share = SALIENT_SHARE * size[0] * size[1]
    order = np.argsort(-importance, kind="stable")
    edge = importance[order][np.searchsorted(np.cumsum(pixels[order]), share)]
    above, level = importance > edge, importance == edge
    part = (share - pixels[above].sum()) / pixels[level].sum()
    return float((errors.ravel()[above].sum() + part * errors.ravel()[level].sum()) / share)


def _visible_errors(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> tuple[float, float]:
    """Mean squared errors of PSNR-HVS and PSNR-HVS-M over the whole blocks."""
    height, width = (max(side // BLOCK * BLOCK, BLOCK) for side in first.shape)
    sums = np.zeros(2)
    for top in range(0, height, _STRIP):
        strip = np.s_[top : min(top + _STRIP, height), :width]
        blocks = (luma_plane(picture[strip]).coefficients for picture in (first, second))
        sums += [errors.sum(dtype=np.float64) for errors in block_errors(*blocks)]
    every, seen = sums / (height * width / BLOCK**2)
    return float(every), float(seen)


def measure(
    original: NDArray[np.uint8],
    decoded: NDArray[np.uint8],
    importance: NDArray[np.floating[Any]] | None = None,
) -> Metrics:
    """Measure how close `decoded` comes to `original`, each RGB `uint8[h,w,3]` or grey `uint8[h,w]`.

    Args:
        original: the picture as it was.
        decoded: the copy, of the same height and width.
        importance: map `float[h',w']` in 0..1, of any size.

    Raises:
        TypeError: an argument is no array of the right kind.
        ValueError: an argument has a wrong shape or values out of range, or the pictures differ in size.
    """
    check_pixels("original", original)
    check_pixels("decoded", decoded)
    if importance is not None:
        check_importance(importance)
    if original.shape[:2] != decoded.shape[:2]:
        sizes = [f"{picture.shape[1]}x{picture.shape[0]}" for picture in (original, decoded)]
        raise ValueError(f"decoded must have the size of original, {sizes[0]}, not {sizes[1]}")
    first, second = (np.ascontiguousarray(reference.luma(picture)) for picture in (original, decoded))
    errors = _block_squared_errors(first, second)
    size = first.shape[0], first.shape[1]
    salient = None
    if importance is not None:
        salient = decibels(_salient_error(errors, grid_importance(importance, errors.shape, BLOCK, size), size))
    every, seen = _visible_errors(first, second)
    return Metrics(
        psnr=decibels(float(errors.sum() / first.size)),
        psnr_s=salient,
        ssim=ssim(first, second),
        psnr_hvs=decibels(every),
        psnr_hvs_m=decibels(seen),
    )


def libjpeg_bytes(pixels: NDArray[np.uint8], quality: int) -> int:
    """Return the size in bytes of libjpeg's plain file of `uint8[h,w,3]` or `uint8[h,w]` at a quality of 1 to 100.

    Raises:
        TypeError: an argument has a wrong type.
        ValueError: `pixels` has a wrong shape or `quality` is out of range.
    """
    check_pixels("pixels", pixels)
    return len(reference.libjpeg(pixels, Quality(quality).quality))
