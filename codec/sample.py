"""What the search looks at: all of a small picture, chosen MCUs of a large one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from codec import reference
from codec.tables import BLOCK
from codec.transform import Plane, luma_plane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.quantise import Component

LARGEST: Final = 4096
"""MCUs that the search looks at: 1 megapixel in colour. A step of the search then takes less than 0.1 s."""

_COLUMNS: Final = 64
"""MCUs per row of the picture that the chosen ones are put together to."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture that stands for another, or is that picture.

    pixels: `uint8[h,w,3]` or `uint8[h,w]`.
    planes, components: its coefficients, and the same with the weights of the blocks.
    luma: coefficients of the luma that measures look at, `float32[⌈h/8⌉·⌈w/8⌉, 64]`.
    region, rest: which of those blocks lie in the region of interest, and which outside of it, `bool[n]`.
    times: how many MCUs of the picture each MCU of the sample stands for, `int64[m]`.
    """

    pixels: NDArray[np.uint8]
    planes: tuple[Plane, ...]
    components: tuple[Component, ...]
    luma: NDArray[np.float32]
    region: NDArray[np.bool_]
    rest: NDArray[np.bool_]
    times: NDArray[np.int64]

    def times_of(self, number: int) -> NDArray[np.int64]:
        """How many blocks of the picture each block of a component stands for, `int64[n]`."""
        last = self.planes[-1]
        factor = self.planes[number].rows // last.rows
        return _spread_out(self.times.reshape(last.rows, last.columns), factor).ravel()


def _spread_out(values: NDArray[Any], factor: int) -> NDArray[Any]:
    """Repeat each entry of `[r,c]` `factor` times along both axes."""
    return values.repeat(factor, axis=0).repeat(factor, axis=1)


def whole_blocks(size: tuple[int, int], grid: tuple[int, int]) -> NDArray[np.bool_]:
    """Which blocks `bool[rows,columns]` of a grid lie wholly within a picture of `size` (height, width).

    Along a side shorter than a block it is the first one.
    """
    inside = [(np.arange(count) + 1) * BLOCK <= max(length, BLOCK) for length, count in zip(size, grid, strict=True)]
    return np.logical_and.outer(*inside)


def _pick(candidates: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Pick `count` candidates, one from each of as many equal stretches, at places that no pattern repeats with.

    The places are a Weyl sequence: multiples of the golden ratio, modulo 1.
    """
    if len(candidates) <= count:
        return candidates
    number = np.arange(count)
    within = number * ((np.sqrt(5) - 1) / 2) % 1
    places = ((number + within) * len(candidates) / count).astype(np.intp)
    picked: NDArray[np.intp] = candidates[places]
    return picked


def _tile(mcu: NDArray[np.intp], mcu_columns: int, side: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column in the picture, each `[r·side, c·side]`, of what lies in MCUs `[r,c]` of `side` entries a side."""
    row, column = np.divmod(mcu, mcu_columns)
    offset = np.arange(side)
    rows = side * row[:, None, :, None] + offset[None, :, None, None]
    columns = side * column[:, None, :, None] + offset[None, None, None, :]
    shape = (mcu.shape[0] * side, mcu.shape[1] * side)
    full = (mcu.shape[0], side, mcu.shape[1], side)
    return np.broadcast_to(rows, full).reshape(shape), np.broadcast_to(columns, full).reshape(shape)


def sample(
    pixels: NDArray[np.uint8],
    planes: tuple[Plane, ...],
    components: tuple[Component, ...],
    interesting: NDArray[np.bool_],
) -> Sample:
    """Take the sample of a picture whose luma blocks `bool[n]` are of interest or not.

    If none of the blocks of interest lies wholly in the picture, all that do are of interest.
    """
    luma, last = planes[0], planes[-1]
    whole = whole_blocks(pixels.shape[:2], (luma.rows, luma.columns))
    interesting = interesting.reshape(whole.shape)
    if not (whole & interesting).any():
        interesting = whole
    region, rest = whole & interesting, whole & ~interesting
    if last.rows * last.columns > LARGEST:
        return _excerpt(pixels, planes, components, region, rest)
    measured = luma_plane(reference.luma(pixels))
    crop = np.s_[: measured.rows, : measured.columns]
    times = np.ones(last.rows * last.columns, np.int64)
    return Sample(pixels, planes, components, measured.coefficients, region[crop].ravel(), rest[crop].ravel(), times)


def _excerpt(
    pixels: NDArray[np.uint8],
    planes: tuple[Plane, ...],
    components: tuple[Component, ...],
    region: NDArray[np.bool_],
    rest: NDArray[np.bool_],
) -> Sample:
    """Take MCUs from the region of interest, and up to a quarter from elsewhere, and put them side by side."""
    luma, last = planes[0], planes[-1]
    factor = luma.columns // last.columns
    inside = region.reshape(last.rows, factor, last.columns, factor).any(axis=(1, 3)).ravel()
    every = tuple(np.flatnonzero(kind) for kind in (inside, ~inside))
    within = _pick(every[0], LARGEST - min(len(every[1]), LARGEST // 4))
    without = _pick(every[1], LARGEST - len(within))
    chosen = np.concatenate((within, without))

    # Gaps in the last row are filled with copies that count for nothing.
    rows = -(-len(chosen) // _COLUMNS)
    mcu = np.resize(chosen, (rows, _COLUMNS))
    times = np.zeros(rows * _COLUMNS, np.int64)
    times[: len(within)] = round(len(every[0]) / len(within))
    if len(without):
        times[len(within) : len(chosen)] = round(len(every[1]) / len(without))
    counts = _spread_out(times.reshape(mcu.shape) > 0, factor)

    block = _tile(mcu, last.columns, factor)
    blocks = (block[0] * luma.columns + block[1]).ravel()
    parts = tuple(part.subset(blocks if part.number == 0 else mcu.ravel()) for part in components)
    grids = tuple(
        Plane(part.coefficients, mcu.shape[0] * scale, mcu.shape[1] * scale)
        for part, scale in zip(parts, (factor, 1, 1), strict=False)
    )
    row, column = _tile(mcu, last.columns, factor * BLOCK)
    height, width = pixels.shape[:2]
    picture = pixels[np.minimum(row, height - 1), np.minimum(column, width - 1)]
    measured = luma_plane(reference.luma(picture)).coefficients
    return Sample(
        picture, grids, parts, measured, (region[block] & counts).ravel(), (rest[block] & counts).ravel(), times
    )
