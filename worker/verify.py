"""Step: decode the result again and hold it against the picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image

import codec
from config.errors import SemjpegError, VerificationError
from worker.decode import decode
from worker.probe import probe

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.JpegImagePlugin import JpegImageFile

    from config.settings import LimitSettings
    from worker.decode import Picture

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
    coarsest = max(table[0] for table in cast("JpegImageFile", result.image).quantization.values())
    cell_share = min(1.0, decoded.shape[0] / _CELL_PX) * min(1.0, decoded.shape[1] / _CELL_PX)
    accepted = (_TOLERANCE + coarsest / 4) / cell_share**0.5
    worst = _difference(decoded, picture.pixels)
    if worst > accepted and _difference(decoded, _libjpeg_copy(picture.pixels)) > accepted:
        raise VerificationError(f"gave a result whose {_CELL_PX}-pixel means differ by {worst:.0f} of 255")
    return decoded


def _difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Largest difference between the means of two pictures' cells."""
    return float(np.abs(_cell_means(first) - _cell_means(second)).max())


def _libjpeg_copy(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What libjpeg makes of a picture: of stripes of saturated colours, subsampled chroma leaves little."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=75)
    return np.asarray(Image.open(file))


def _cell_means(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Means over cells of about 16x16 pixels."""
    height, width = pixels.shape[:2]
    return codec.cell_means(pixels, _cell_side(height), _cell_side(width))


def _cell_side(side: int) -> int:
    """Return a cell's side, 16 or a little more, such that the last cell is whole or at least half of one."""
    if side < _CELL_PX:
        return side
    return next((f for f in range(_CELL_PX, 2 * _CELL_PX) if side % f == 0 or 2 * (side % f) >= f), _CELL_PX)
