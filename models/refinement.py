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
"""Of the bilateral filters, in units of `models.bilateral.lab`."""

_SMOOTHING_SIGMA, _GATHERING_SIGMA, _FINISHING_SIGMA = 2.0, 3.5, 1.5
"""Of their distances, in cells of the map that is filtered: among the network's cells; from these to a long side of 64,
so that what has one colour gets one importance; from there to 128."""

_RANGE = (2.0, 98.0)
"""Percentiles of a map that become its lowest and its highest value."""

_NOTHING, _SOMETHING = 0.48, 0.56
"""Range of the network's values up to which a picture holds nothing but texture, or things all over, and from which it
surely holds things and background: one colour, gradients, noise and mirrored tiles stay below 0.1, bricks and gravel
below 0.48, 98 of 100 pictures with a thing (ECSSD) are above 0.56."""

_CENTRE_SIGMA = 0.7
"""Of the mild preference for the middle, in sides of the picture: a side's middle keeps 77 %, a corner 60 %. What the
network learns from has none; photographers have."""

_GAMMA = 0.7
"""Power of the finished map. The encoder treats as interesting what has half of the highest importance, and a part of a
thing that is missed costs more than background that is taken along. Share of the true masks' saving (25 ECSSD pictures)
with 0.65, 0.8 and 1: 63, 62 and 52 %; from 3 on a map was worse than none."""


def refine(prepared: Prepared, grid: NDArray[np.float32]) -> NDArray[np.float32]:
    """Finish one of the network's maps: along the picture's edges, over the whole range, and flat where nothing is.

    Thread-safe and pure.

    Args:
        prepared: the picture.
        grid: float32 `[H/8, W/8]` in 0..1, the map of its canvas, as `ImportanceModel.maps` gives it.

    Returns:
        float32 `[h, w]` in 0..1 that covers the picture exactly; the longer side has 128 cells.
    """
    coarse, middle, finished = prepared.colours
    values = crop(prepared, grid)
    presence = np.clip((np.ptp(np.percentile(values, _RANGE)) - _NOTHING) / (_SOMETHING - _NOTHING), 0, 1)
    smooth = filter_map(values, coarse, coarse, _COLOUR_SIGMA, _SMOOTHING_SIGMA)
    gathered = filter_map(smooth, coarse, middle, _COLOUR_SIGMA, _GATHERING_SIGMA)
    fine = filter_map(gathered, middle, finished, _COLOUR_SIGMA, _FINISHING_SIGMA)
    low, high = np.percentile(fine, _RANGE)
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
        grid: float32 `[H/8, W/8]`, the map of its canvas.

    Returns:
        float32 `[h, w]`, the longer side 32 cells; a part that ends within a cell is resampled to whole cells.
    """
    width, height = prepared.width_px / STRIDE_PX, prepared.height_px / STRIDE_PX
    columns, rows = math.ceil(width), math.ceil(height)
    used = Image.fromarray(np.ascontiguousarray(grid[:rows, :columns], np.float32))
    exact = used.resize((columns, rows), Image.Resampling.BILINEAR, box=(0, 0, width, height))
    return np.array(exact, np.float32)
