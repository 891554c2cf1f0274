"""What libjpeg would choose for the same coefficients: Annex K's tables, scaled by a quality, and the nearest level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from codec.tables import ANNEX_K_CHROMA, ANNEX_K_LUMA, LARGEST_STEP
from codec.trellis import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.quantise import Component

COARSEST: Final = 10**0.5
"""How much coarser than inside the region the steps of the floor outside are at strength 1: 2.0 at the default."""


def libjpeg_scale(quality: int) -> float:
    """Return what libjpeg multiplies Annex K's steps with at a quality of 1 to 100; for its 0 at 100 it is 0.01."""
    return (50 / quality) if quality < 50 else max(2 - quality / 50, 0.01)  # noqa: PLR2004  the formula's own corner


def floor_quality(quality: int, strength: float) -> int:
    """Return libjpeg's quality of the floor outside the region: steps `COARSEST^strength` times as coarse."""
    scale = libjpeg_scale(quality) * COARSEST**strength
    # A hair more, so that strength 0 gives the quality itself in spite of rounding.
    return max(1, int((50 / scale if scale > 1 else 100 - 50 * scale) + 1e-9))


def libjpeg_tables(quality: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return libjpeg's quantisation tables `float32[64]` for luma and chroma at a quality of 1 to 100.

    Whole percentages, rounded half up, in 1..255.
    """
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality  # noqa: PLR2004  the formula's own corner
    luma, chroma = (
        np.clip((table.astype(np.int64) * percent + 50) // 100, 1, LARGEST_STEP).astype(np.float32)
        for table in (ANNEX_K_LUMA, ANNEX_K_CHROMA)
    )
    return luma, chroma


def libjpeg_levels(components: tuple[Component, ...], quality: int) -> tuple[NDArray[np.int16], ...]:
    """Return the nearest levels `int16[n,64]` of each component at a quality of 1 to 100."""
    tables = libjpeg_tables(quality)
    return tuple(nearest(part.coefficients, tables[min(part.number, 1)]) for part in components)
