"""How good a copy is: the measures that every result gets, and the slower ones that a share of them gets.

They are measures of two pictures of the same size, and higher is better for each. Decibels end at 100, also for
identical pictures, so that every value is a number that JSON knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from codec import reference, similarity
from codec.arguments import check_importance, check_pixels
from codec.comparison import compare
from codec.hvsm import decibels
from codec.rate import Quality
from codec.tables import BLOCK
from codec.weights import LEVELS, grid_importance

if TYPE_CHECKING:
    from numpy.typing import NDArray

SALIENT_SHARE: Final = 0.2
"""Share of the picture that `psnr_s` looks at."""

LEAST_SIDE_PX: Final = 64
"""Smaller pictures leave VIFp no window at its coarsest scale."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Measures of a copy, in dB, on the 8-bit BT.601 luma of JFIF. Every pixel counts.

    psnr: peak signal-to-noise ratio.
    psnr_s: the same over the fifth of the picture that the importance map ranks highest, in blocks of 8×8; of the
        blocks of equal importance at the edge of the fifth each counts in part. None without a map.
    psnr_hvs, psnr_hvs_m: PSNR-HVS and PSNR-HVS-M over the whole 8×8 blocks; a side below 8 pixels is replicated up
        to 8.
    """

    psnr: float
    psnr_s: float | None
    psnr_hvs: float
    psnr_hvs_m: float


@dataclass(frozen=True, slots=True)
class FullMetrics:
    """Measures of a copy that take longer than making it. All but SSIMULACRA2 look at luma, as `Metrics` do.

    ssim: structural similarity, −1 to 1, Gaussian window of deviation 1.5; a side below 11 pixels is replicated up
        to 11.
    ms_ssim: the same at five scales together, 0 to 1; below 176 pixels a side at fewer.
    vifp: visual information fidelity in the domain of pixels, 0 to 1 or a little more.
    ssimulacra2: SSIMULACRA2 of the colours, at most 100; 90 is taken for visually lossless.

    The last three are None for pictures with a side below 64 pixels.
    """

    ssim: float
    ms_ssim: float | None
    vifp: float | None
    ssimulacra2: float | None


def _salient_error(errors: NDArray[np.int64], importance: NDArray[np.float32], size: tuple[int, int]) -> float:
    """Mean squared error over the `SALIENT_SHARE` of the pixels whose blocks rank highest."""
    sides = [
        np.minimum(BLOCK, length - BLOCK * np.arange(count)) for length, count in zip(size, errors.shape, strict=True)
    ]
    pixels = np.multiply.outer(*sides).ravel()
    share = SALIENT_SHARE * size[0] * size[1]
    levels = np.rint(importance * LEVELS).astype(np.intp)
    reached = np.cumsum(np.bincount(levels, pixels)[::-1])
    edge = len(reached) - 1 - np.searchsorted(reached, share)
    above, level = levels > edge, levels == edge
    part = (share - pixels[above].sum()) / pixels[level].sum()
    return float((errors.ravel()[above].sum() + part * errors.ravel()[level].sum()) / share)


def measure(
    original: NDArray[np.uint8],
    decoded: NDArray[np.uint8],
    importance: NDArray[np.floating[Any]] | None = None,
) -> Metrics:
    """Measure how close `decoded` comes to `original`, each RGB `uint8[h,w,3]` or grey `uint8[h,w]`.

    It takes an eighth of the time that encoding takes (12 photographs of 8 to 24 megapixels,
    `benchmarks/metrics_speed.py`).

    Args:
        original: the picture as it was.
        decoded: the copy, of the same height and width.
        importance: map `float[h',w']` in 0..1, of any size.

    Raises:
        TypeError: an argument is no array of the right kind.
        ValueError: an argument has a wrong shape or values out of range, or the pictures differ in size.
    """
    _check_pair(original, decoded)
    if importance is not None:
        check_importance(importance)
    errors, weighted, visible = compare(original, decoded)
    size = original.shape[0], original.shape[1]
    salient = None
    if importance is not None:
        salient = decibels(_salient_error(errors, grid_importance(importance, errors.shape, BLOCK, size), size))
    return Metrics(
        psnr=decibels(float(errors.sum() / (size[0] * size[1]))),
        psnr_s=salient,
        psnr_hvs=decibels(float(weighted.mean(dtype=np.float64))),
        psnr_hvs_m=decibels(float(visible.mean(dtype=np.float64))),
    )


def measure_full(original: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> FullMetrics:
    """Measure what `measure` leaves out, of pictures as it takes them.

    It takes a second or two and half a gigabyte for each megapixel, nearly all of it SSIMULACRA2's.

    Raises:
        TypeError: an argument is no array of the right kind.
        ValueError: an argument has a wrong shape, or the pictures differ in size.
    """
    _check_pair(original, decoded)
    luma = [reference.luma(picture) for picture in (original, decoded)]
    ssim = similarity.ssim(*luma)
    if min(original.shape[:2]) < LEAST_SIDE_PX:
        return FullMetrics(ssim, None, None, None)
    return FullMetrics(
        ssim=ssim,
        ms_ssim=similarity.ms_ssim(*luma),
        vifp=similarity.vifp(*luma),
        ssimulacra2=similarity.ssimulacra2(original, decoded),
    )


def _check_pair(original: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> None:
    check_pixels("original", original)
    check_pixels("decoded", decoded)
    if original.shape[:2] != decoded.shape[:2]:
        sizes = [f"{picture.shape[1]}x{picture.shape[0]}" for picture in (original, decoded)]
        raise ValueError(f"decoded must have the size of original, {sizes[0]}, not {sizes[1]}")


def libjpeg_bytes(pixels: NDArray[np.uint8], quality: int) -> int:
    """Return the size in bytes of libjpeg's plain file of `uint8[h,w,3]` or `uint8[h,w]` at a quality of 1 to 100.

    Raises:
        TypeError: an argument has a wrong type.
        ValueError: `pixels` has a wrong shape or `quality` is out of range.
    """
    check_pixels("pixels", pixels)
    return len(reference.libjpeg(pixels, Quality(quality).quality))
