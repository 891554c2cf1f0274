"""From a picture of any size to what the network takes in.

A picture is shrunk (or enlarged) to fit a canvas, its aspect ratio kept, and sits in the canvas' top left corner; the
rest repeats its last row and column. Canvases have few shapes, so that each is compiled once and pictures of one shape
make batches, but more than one, for what is repeated takes the network as long as what is seen.

Everything here is pure NumPy and Pillow on small arrays and runs on as many threads as there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from models.barrier import barrier_distance
from models.bilateral import lab

if TYPE_CHECKING:
    from numpy.typing import NDArray

CANVAS_PX = 256
"""Longer side of the canvas that a picture is shrunk to fit."""

_SHORT_PX = (192, 224, CANVAS_PX)
"""Its shorter side is the least of these on which the picture leaves `_MARGIN_PX`, if there is one. Multiples of 32, as
networks need them."""

_MARGIN_PX = 16
"""Rows or columns that are repeated at the least: the network learnt from pictures that have them, and beyond the
canvas' edge it sees noughts. Best F on 250 ECSSD pictures: 0.723 on square canvases, 0.721 so, 0.720 with no margin."""

CANVASES = tuple(dict.fromkeys(shape for short in _SHORT_PX for shape in ((short, CANVAS_PX), (CANVAS_PX, short))))
"""All shapes of canvases, rows and columns."""

STRIDE_PX = 8
"""Side of one cell of the map, on the canvas."""

BARRIER_PX = 64
"""Long side at which boundary connectivity is computed: fine enough for things, coarse enough to bridge texture."""

BARRIER_FLOOR = 40.0
"""Barrier (summed over three channels, so at most 765) that is added to a picture's own range before it is divided by
it, so that noise in a flat picture does not pass for a thing."""

MIDDLE_PX, FINISHED_PX = 64, 128
"""Long side of the map while it is brought to the picture's edges, and when it is finished: then a cell covers no more
than 16 pixels of a picture of 2048, which has 3 million."""

_SPARE = 4
"""A picture more than this many times larger than the canvas is thinned out before it is shrunk: bounded memory."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One picture, ready for the network.

    Attributes:
        canvas: uint8 `[H, W, 3]`, RGB, H and W one of `CANVASES`, the picture in its top left corner.
        barrier: float32 `[H/8, W/8]`, boundary connectivity in 0..1; 0 outside the picture.
        width_px: how many columns of the canvas are the picture.
        height_px: how many rows of the canvas are the picture.
        colours: the picture's colours (see `models.bilateral.lab`), uint8 `[h, w, 3]` each: one for each cell of the
            network's map, then with a long side of 64 and of 128.
    """

    canvas: NDArray[np.uint8]
    barrier: NDArray[np.float32]
    width_px: int
    height_px: int
    colours: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


def prepare(picture: NDArray[np.uint8]) -> Prepared:
    """Bring one picture into the form that `ImportanceModel.maps` takes.

    Thread-safe and pure. Memory beyond the picture itself stays below 50 MB whatever its size.

    Args:
        picture: uint8 `[h, w, 3]` (RGB) or `[h, w]` (grey), contiguous or not, at least 1 × 1.

    Raises:
        TypeError: `picture` is no NumPy array of uint8.
        ValueError: `picture` has another shape, or no pixels.
    """
    _check(picture)
    thinned = _thin(picture, _SPARE * CANVAS_PX)
    image = Image.fromarray(thinned)
    width, height = _fitted(picture, CANVAS_PX)
    shrunk = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=1.0).convert("RGB"))
    cells = -(-width // STRIDE_PX), -(-height // STRIDE_PX)
    coarse, middle, fine = (
        lab(np.asarray(Image.fromarray(shrunk).resize(size, Image.Resampling.BOX)))
        for size in (cells, _fitted(picture, MIDDLE_PX), _fitted(picture, FINISHED_PX))
    )
    canvas = pad(shrunk, _side(height), _side(width))
    return Prepared(canvas, barrier_grid(shrunk, canvas.shape), width, height, (coarse, middle, fine))


def blank(canvas: tuple[int, int]) -> Prepared:
    """Return a black picture that lies on one of `CANVASES`."""
    return prepare(np.zeros([side if side == CANVAS_PX else side - _MARGIN_PX for side in canvas], np.uint8))


def _side(length_px: int) -> int:
    """Return the side of the canvas on which the picture has a side of `length_px`."""
    return next((side for side in _SHORT_PX if length_px + _MARGIN_PX <= side), CANVAS_PX)


def _fitted(picture: NDArray[np.uint8], long_px: int) -> tuple[int, int]:
    """Return width and height of the picture when its longer side is `long_px`; at least 1."""
    height, width = picture.shape[:2]
    longest = max(height, width)
    return max(1, round(width * long_px / longest)), max(1, round(height * long_px / longest))


def pad(picture: NDArray[np.uint8], height_px: int, width_px: int) -> NDArray[np.uint8]:
    """Repeat the last row and column of `[h, w, c]` until it is `[height_px, width_px, c]`."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height_px - height), (0, width_px - width), (0, 0)), mode="edge")


def barrier_plane(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return boundary connectivity in 0..1 of a whole picture, its long side 64 points.

    Args:
        picture: uint8 `[h, w, 3]`.
    """
    height, width = picture.shape[:2]
    scale = BARRIER_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    distance = barrier_distance(np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX)))
    relative = distance / (np.percentile(distance, 95) + BARRIER_FLOOR)
    return np.asarray(np.minimum(relative, 1), np.float32)


def barrier_grid(picture: NDArray[np.uint8], canvas: tuple[int, ...]) -> NDArray[np.float32]:
    """Return boundary connectivity on the grid of the map.

    Args:
        picture: uint8 `[h, w, 3]`, as it lies on the canvas.
        canvas: shape of the canvas, `(H, W, …)`.

    Returns:
        float32 `[H/8, W/8]`, zero outside the picture.
    """
    rows, columns = (-(-side // STRIDE_PX) for side in picture.shape[:2])
    plane = Image.fromarray(barrier_plane(picture)).resize((columns, rows), Image.Resampling.BOX)
    grid = np.zeros((canvas[0] // STRIDE_PX, canvas[1] // STRIDE_PX), np.float32)
    grid[:rows, :columns] = np.asarray(plane)
    return grid


def _check(picture: NDArray[np.uint8]) -> None:
    """Refuse what is no picture, by the argument's name."""
    if getattr(picture, "dtype", None) != np.uint8:
        found = getattr(picture, "dtype", type(picture).__name__)
        raise TypeError(f"picture: expected a NumPy array of uint8, got {found}")
    grey = picture.ndim == 2  # noqa: PLR2004 - rows and columns
    colour = picture.ndim == 3 and picture.shape[2] == 3  # noqa: PLR2004 - rows, columns and three colours
    if not (grey or colour):
        raise ValueError(f"picture: expected shape [h, w, 3] or [h, w], got {list(picture.shape)}")
    if picture.size == 0:
        raise ValueError(f"picture: no pixels in shape {list(picture.shape)}")


def _thin(picture: NDArray[np.uint8], limit_px: int) -> NDArray[np.uint8]:
    """Keep every n-th row and column, so that the long side is at most twice `limit_px`."""
    step = max(1, max(picture.shape[:2]) // limit_px)
    rows, columns = (min(step, side) for side in picture.shape[:2])
    return np.ascontiguousarray(picture[::rows, ::columns])
