"""The figures that the paper gives, always shown beside one's own.

A. Prakash, N. Moran, S. Garber, A. DiLillo and J. Storer, "Semantic Perceptual Image Compression using Deep Convolution
Networks", DCC 2017: files within 1 % of the size of libjpeg's at quality 50, measured on luma; five levels, qualities
30 to 70. PSNR-S looks at what the paper's own network marks, and the paper gives no SSIMULACRA2.
"""

from __future__ import annotations

from typing import Final

_MEASURES: Final = ("psnr_s", "psnr", "psnr_hvs", "psnr_hvs_m", "ssim", "ms_ssim", "vifp")

PAPER: Final = {
    name: dict(zip(_MEASURES, values, strict=True))
    for name, values in {
        "paper, Kodak (24): JPEG": (33.91, 34.70, 34.92, 42.19, 0.969, 0.991, 0.626),
        "paper, Kodak (24): theirs": (39.16, 34.82, 35.05, 42.33, 0.969, 0.991, 0.629),
        "paper, MIT outdoor (200): JPEG": (36.9, 31.84, 35.91, 45.37, 0.893, 0.982, 0.521),
        "paper, MIT outdoor (200): theirs": (40.8, 32.16, 36.32, 45.62, 0.917, 0.990, 0.529),
    }.items()
}
"""Means by set and encoder, by the names in `entry.COLUMNS`."""
