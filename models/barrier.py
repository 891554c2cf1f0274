"""Boundary connectivity: how strong an edge separates each point of a picture from its border.

The minimum barrier distance of a point is the smallest range of values (highest minus lowest) that a path from the
border to that point has to cross. Background reaches the border without crossing anything, things do not. It needs no
learning, so it serves the network as one more input beside the colours.

Sources: Strand et al., "The minimum barrier distance", CVIU 117 (2013); Zhang et al., "Minimum barrier salient object
detection at 80 fps", ICCV 2015, for the raster-scan approximation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numba
import numpy as np

from config.machine_code import compile_once

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PASSES = 3
"""Raster scans over the picture, alternately from the first and the last point; a fourth changes next to nothing."""


def barrier_distance(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the minimum barrier distance to the border, summed over the channels.

    Args:
        picture: uint8 `[h, w, c]` with at least one point. Meant to be small: the time grows with `h * w * c`.

    Returns:
        float32 `[h, w]`, from 0 (joined to the border) to `255 * c`.
    """
    planes = np.ascontiguousarray(np.moveaxis(picture, -1, 0), np.float32)
    total = np.zeros(picture.shape[:2], np.float32)
    for plane in planes:
        total += _scan(plane, _PASSES)
    return total


def _scan(plane: NDArray[np.float32], passes: int) -> NDArray[np.float32]:
    """Approximate the distance within one channel by `passes` raster scans."""
    return cast("NDArray[np.float32]", _scan_kernel(plane, passes))


@numba.njit(nogil=True)
def _scan_kernel(plane, passes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled for float32 arrays
    height, width = plane.shape
    distance = np.full((height, width), np.float32(np.inf), np.float32)
    distance[0, :] = distance[-1, :] = 0
    distance[:, 0] = distance[:, -1] = 0
    highest, lowest = plane.copy(), plane.copy()
    for turn in range(passes):
        step = 1 if turn % 2 == 0 else -1
        for i in range(height):
            row = i if step == 1 else height - 1 - i
            for j in range(width):
                column = j if step == 1 else width - 1 - j
                value = plane[row, column]
                for before_row, before_column in ((row - step, column), (row, column - step)):
                    if 0 <= before_row < height and 0 <= before_column < width:
                        top = max(highest[before_row, before_column], value)
                        bottom = min(lowest[before_row, before_column], value)
                        if top - bottom < distance[row, column]:
                            distance[row, column] = top - bottom
                            highest[row, column] = top
                            lowest[row, column] = bottom
    return distance


compile_once(_scan_kernel, "f4[:,::1](f4[:,::1], i8)")
