"""A picture ready for a search: its coefficients, and how much each block counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from codec.hvsm import masking
from codec.quantise import Component
from codec.tables import BLOCK
from codec.transform import MCU, to_planes
from codec.weights import INTERESTING, grid_importance, weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.transform import Plane


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture ready for a search.

    pixels: `uint8[h,w,3]` or `uint8[h,w]`.
    planes, components: its coefficients, and the same with masking and weights of the blocks.
    interesting: which luma blocks make up the region of interest, `bool[n]`.
    """

    pixels: NDArray[np.uint8]
    planes: tuple[Plane, ...]
    components: tuple[Component, ...]
    interesting: NDArray[np.bool_]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]


def prepare(pixels: NDArray[np.uint8], importance: NDArray[np.floating[Any]] | None, strength: float) -> Picture:
    """Transform a picture `uint8[h,w,3]` or `uint8[h,w]` and give each block its weight and its masking."""
    planes = to_planes(pixels)
    grids = [
        grid_importance(importance, (plane.rows, plane.columns), MCU if number else BLOCK, pixels.shape[:2])
        for number, plane in enumerate(planes[:2])
    ]
    highest = float(grids[0].max())
    hidden = masking(planes[0].coefficients)
    hiding = [hidden, *[_of_mcus(hidden, planes[0], plane) for plane in planes[1:2]]]
    weight = [weights(grid, highest, strength) for grid in grids]
    components = tuple(
        Component(number, plane.coefficients, hiding[min(number, 1)], weight[min(number, 1)])
        for number, plane in enumerate(planes)
    )
    return Picture(pixels, planes, components, grids[0] >= INTERESTING * highest)


def _of_mcus(values: NDArray[np.float32], luma: Plane, chroma: Plane) -> NDArray[np.float32]:
    """Mean over the luma blocks at the place of each chroma block."""
    factor = luma.rows // chroma.rows
    blocks = values.reshape(chroma.rows, factor, chroma.columns, factor)
    return np.ascontiguousarray(blocks.mean(axis=(1, 3)).ravel())
