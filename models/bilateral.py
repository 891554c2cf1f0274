"""Joint bilateral filtering: a coarse map takes on the edges of the picture that it belongs to.

Each point of the result is a mean of the map around it, to which a place contributes the more the nearer it lies and
the more its colour is like the point's own. Sources: Tomasi and Manduchi, "Bilateral filtering for gray and color
images", ICCV 1998; Kopf et al., "Joint bilateral upsampling", SIGGRAPH 2007.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numba
import numpy as np
from PIL import Image, ImageCms

from config.machine_code import compile_once

if TYPE_CHECKING:
    from numpy.typing import NDArray

_REACH = 1.5
"""How far the mean reaches, in standard deviations of the distance."""

_LEAST_LIKENESS = 1e-4
"""Weight of the least alike colour relative to the same colour, so that a point unlike all others has a mean, too."""


_TO_LAB = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
"""Made once: `Image.convert` makes it anew for every picture, which takes 7 ms. Threads may share it."""


def lab(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the CIE L*a*b* colours of RGB `[h, w, 3]`: L* spread over 0..255, a* and b* with 128 for grey."""
    colours = np.array(_TO_LAB.apply(Image.fromarray(picture)))
    colours[..., 1:] ^= 128  # Pillow keeps a* and b* as signed bytes
    return colours


def filter_map(
    values: NDArray[np.float32],
    colours: NDArray[np.uint8],
    guide: NDArray[np.uint8],
    colour_sigma: float,
    distance_sigma: float,
) -> NDArray[np.float32]:
    """Bring a map to the size and the edges of a guide.

    Args:
        values: float32 `[h, w]`.
        colours: uint8 `[h, w, 3]`, the picture's colours where the values lie, as from `lab`.
        guide: uint8 `[H, W, 3]`, the same picture at the size of the result.
        colour_sigma: standard deviation of the weight over colour distance, in units of `lab`.
        distance_sigma: standard deviation of the weight over distance, in cells of `values`.

    Returns:
        float32 `[H, W]`, within the range of `values`.
    """
    steps = np.arange(int((6 * colour_sigma) ** 2) + 1, dtype=np.float32)
    likeness = np.maximum(np.exp(-steps / (2 * colour_sigma**2)), _LEAST_LIKENESS).astype(np.float32)
    planes = np.ascontiguousarray(values), np.ascontiguousarray(colours), np.ascontiguousarray(guide)
    return cast("NDArray[np.float32]", _filter_kernel(*planes, likeness, distance_sigma))


@numba.njit(nogil=True)
def _filter_kernel(values, colours, guide, likeness, sigma):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - compiled
    height, width = values.shape
    rows, columns = guide.shape[:2]
    reach = max(_REACH * sigma, 1.0)
    down, across = height / rows, width / columns
    found = np.empty((rows, columns), np.float32)
    near_rows = np.empty(height, np.float32)
    near_columns = np.empty((columns, width), np.float32)
    for column in range(columns):
        for x in range(width):
            near_columns[column, x] = np.exp(-((((column + 0.5) * across - 0.5 - x) / sigma) ** 2) / 2)
    for row in range(rows):
        y_centre = (row + 0.5) * down - 0.5
        top, bottom = max(0, int(np.ceil(y_centre - reach))), min(height, int(np.floor(y_centre + reach)) + 1)
        for y in range(top, bottom):
            near_rows[y] = np.exp(-(((y_centre - y) / sigma) ** 2) / 2)
        for column in range(columns):
            x_centre = (column + 0.5) * across - 0.5
            left, right = max(0, int(np.ceil(x_centre - reach))), min(width, int(np.floor(x_centre + reach)) + 1)
            first, second, third = (
                np.int32(guide[row, column, 0]),
                np.int32(guide[row, column, 1]),
                np.int32(guide[row, column, 2]),
            )
            total, weight = np.float32(0), np.float32(0)
            for y in range(top, bottom):
                for x in range(left, right):
                    one = first - colours[y, x, 0]
                    two = second - colours[y, x, 1]
                    three = third - colours[y, x, 2]
                    apart = min(one * one + two * two + three * three, len(likeness) - 1)
                    share = near_rows[y] * near_columns[column, x] * likeness[apart]
                    total += share * values[y, x]
                    weight += share
            found[row, column] = total / weight
    return found


compile_once(_filter_kernel, "f4[:,::1](f4[:,::1], u1[:,:,::1], u1[:,:,::1], f4[::1], f8)")
