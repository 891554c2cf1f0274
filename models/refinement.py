"""From the network's coarse map to the finished one: the picture's own edges, and nothing where there is nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from models.bilateral import filter_map
from models.prepared import STRIDE_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.prepared import Prepared

_COLOUR_SIGMA = 8.0
_DISTANCE_SIGMA = 2.0


def refine(prepared: Prepared, grid: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring one of the network's maps to the edges of its picture. Thread-safe and pure.

    Args:
        prepared: the picture.
        grid: float32 `[32, 32]` in 0..1, the map of its canvas, as `ImportanceModel.maps` gives it.

    Returns:
        float32 `[h, w]` in 0..1 that covers the picture exactly; the longer side has 128 cells.
    """
    values = crop(prepared, grid)
    return np.clip(filter_map(values, prepared.colours, prepared.guide, _COLOUR_SIGMA, _DISTANCE_SIGMA), 0, 1)


def crop(prepared: Prepared, grid: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut the picture's part out of what lies over its canvas.

    Args:
        prepared: the picture.
        grid: float32 `[32, 32]`.

    Returns:
        float32 `[h, w]`, the longer side 32 cells; a part that ends within a cell is resampled to whole cells.
    """
    width, height = prepared.width_px / STRIDE_PX, prepared.height_px / STRIDE_PX
    columns, rows = math.ceil(width), math.ceil(height)
    used = Image.fromarray(np.ascontiguousarray(grid[:rows, :columns], np.float32))
    exact = used.resize((columns, rows), Image.Resampling.BILINEAR, box=(0, 0, width, height))
    return np.array(exact, np.float32)
