"""Step: decode the result again and hold it against the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from config.errors import SemjpegError, VerificationError
from worker.decode import decode
from worker.probe import probe

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.JpegImagePlugin import JpegImageFile

    from config.settings import LimitSettings
    from worker.decode import Picture

_GREY_NDIM = 2
_CELL_PX = 16
_TOLERANCE = 32.0
"""Largest accepted difference of a channel's mean over a cell, of 255, besides a quarter of the coarsest DC step (a DC
coefficient is eight times its block's mean, T.81 A.3.3). Tuned on random blocks of saturated colours, where subsampled
chroma that leaves the gamut moves a mean by up to 20; a smaller cell may differ by more, as the standard error of its
mean does. A wrong size, swapped channels or lost blocks go far beyond."""


def verify(data: bytes, picture: Picture, limits: LimitSettings) -> NDArray[np.uint8]:
    """Decode a result.

    Returns:
        Its pixels, uint8, of the picture's own shape.

    Raises:
        VerificationError: It cannot be decoded, has another shape, or shows something else.
    """
    try:
        result = probe(data, limits)
        decoded = decode(result).pixels
    except SemjpegError as error:
        raise VerificationError(f"gave a result that {error}") from error
    if decoded.shape != picture.pixels.shape:
        raise VerificationError(f"has the shape {picture.pixels.shape}, its result {decoded.shape}")
    worst = float(np.abs(_cell_means(decoded) - _cell_means(picture.pixels)).max())
    coarsest = max(table[0] for table in cast("JpegImageFile", result.image).quantization.values())
    cell_share = min(1.0, decoded.shape[0] / _CELL_PX) * min(1.0, decoded.shape[1] / _CELL_PX)
    if worst > (_TOLERANCE + coarsest / 4) / cell_share**0.5:
        raise VerificationError(f"gave a result whose {_CELL_PX}-pixel means differ by {worst:.0f} of 255")
    return decoded


def _cell_means(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Means over cells of 16x16 pixels; the last cell of a row or column takes the remainder with it."""
    rows = np.arange(0, max(pixels.shape[0] - _CELL_PX, 0) + 1, _CELL_PX)
    columns = np.arange(0, max(pixels.shape[1] - _CELL_PX, 0) + 1, _CELL_PX)
    sums = np.add.reduceat(np.add.reduceat(pixels, rows, axis=0, dtype=np.uint32), columns, axis=1)
    heights = np.diff(np.append(rows, pixels.shape[0]))
    widths = np.diff(np.append(columns, pixels.shape[1]))
    area = np.multiply.outer(heights, widths)
    return np.asarray(sums / (area if pixels.ndim == _GREY_NDIM else area[..., np.newaxis]))
