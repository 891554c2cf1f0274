"""From the network's coarse map to the finished one: along the picture's edges, and flat where there is nothing."""

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
"""Of the bilateral filter: in units of `models.bilateral.lab` and in the network's cells."""

_RANGE = (2.0, 98.0)
"""Percentiles of a map that become its lowest and its highest value."""

_NOTHING, _SOMETHING = 0.35, 0.55
"""Upper end of the range up to which a picture holds nothing but texture, and from which it surely holds a thing: flat
pictures, gradients and mirrored tiles stay below the first, pictures with a thing (ECSSD) are above the second."""

_CENTRE_SIGMA = 0.7
"""Of the mild preference for the middle, in sides of the picture: a side's middle keeps 77 %, a corner 60 %. What the
network learns from has none; photographers have."""

_GAMMA = 0.7
"""Power of the finished map. The encoder treats as interesting what has half of the highest importance, and a part of a
thing that is missed costs more than background that is taken along. Of 0.35, 0.55, 0.65, 0.8, 1, 2, 3 and 4.5 those
from 0.55 to 0.8 saved most bytes at equal PSNR-HVS-M inside the masks of 16 ECSSD pictures; from 3 on the map was worse
than none."""


def refine(prepared: Prepared, grid: NDArray[np.float32]) -> NDArray[np.float32]:
    """Finish one of the network's maps: along the picture's edges, over the whole range, and flat where nothing is.

    Thread-safe and pure.

    Args:
        prepared: the picture.
        grid: float32 `[32, 32]` in 0..1, the map of its canvas, as `ImportanceModel.maps` gives it.

    Returns:
        float32 `[h, w]` in 0..1 that covers the picture exactly; the longer side has 128 cells.
    """
    values = crop(prepared, grid)
    fine = filter_map(values, prepared.colours, prepared.guide, _COLOUR_SIGMA, _DISTANCE_SIGMA)
    low, high = np.percentile(fine, _RANGE)
    presence = np.clip((high - _NOTHING) / (_SOMETHING - _NOTHING), 0, 1)
    shaped = np.clip((fine - low) / (high - low + 1e-6), 0, 1) * _centre(fine.shape)
    shaped = (shaped / (shaped.max() + 1e-6)) ** _GAMMA
    return np.asarray(presence * shaped + (1 - presence) * shaped.mean(), np.float32)


def _centre(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return `shape` (rows, columns): 1 in the middle, less towards the sides."""
    rows, columns = (np.exp(-((((np.arange(side) + 0.5) / side - 0.5) / _CENTRE_SIGMA) ** 2) / 2) for side in shape)
    return np.asarray(rows[:, None] * columns)


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
