"""Windows cut at random out of training pictures, with everything that is known about them cut out alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from models.data import decode
from models.prepared import CANVAS_PX, STRIDE_PX, pad

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.data import Example
    from models.observation import Observations

WINDOW_PX = 192
"""Side of a training window. Smaller than the canvas: faster, and a thing is rarely in its middle."""

_FEATURE_STRIDE_PX = 2 * STRIDE_PX
"""Side of one cell of the network's features."""

_ZOOM = (0.65, 1.2)
"""Long side of a training picture relative to the canvas."""

_COLOUR = 0.25
"""Brightness, contrast and saturation change by at most this share."""


@dataclass(frozen=True, slots=True)
class Window:
    """One training window of `s = 192` pixels.

    Attributes:
        picture: uint8 `[s, s, 3]`.
        barrier: float32 `[s/8, s/8, 1]`, in 0..1.
        valid: float32 `[s/8, s/8, 1]`, 1 where there is picture.
        thing: float32 `[s/8, s/8, 1]`, the target in 0..1.
        features: float32 `[s/16, s/16, c]`, the target.
    """

    picture: NDArray[np.uint8]
    barrier: NDArray[np.float32]
    valid: NDArray[np.float32]
    thing: NDArray[np.float32]
    features: NDArray[np.float32]


def cut_window(example: Example, known: Observations, index: int, random: np.random.Generator | None) -> Window:
    """Cut one window: shrunk at random, at a random place, perhaps mirrored, its colours changed.

    Args:
        example: the picture.
        known: what is known about all pictures.
        index: which of them it is.
        random: where chance comes from; None gives the whole picture, as the network will see it, for validation.
    """
    image = Image.fromarray(decode(example.encoded))
    zoom = random.uniform(*_ZOOM) if random else WINDOW_PX / CANVAS_PX
    scale = zoom * CANVAS_PX / max(image.size)
    spans = [_span(side * scale, random) for side in image.size]
    (left, width), (top, height) = spans
    box = (left / scale, top / scale, (left + width) / scale, (top + height) / scale)
    box = tuple(np.minimum(box, image.size * 2))
    picture = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box=box))
    relative = np.array(box) / max(image.size)
    cells = (height // STRIDE_PX, width // STRIDE_PX)
    barrier = _cut_plane(known.barrier[index], relative, cells)
    thing = _cut_plane(known.thing[index], relative, cells)
    coarse = (height // _FEATURE_STRIDE_PX, width // _FEATURE_STRIDE_PX)
    features = _cut_features(known.features[index], relative, coarse)
    if random:
        if random.random() < 0.5:  # noqa: PLR2004 - one time in two
            picture, barrier, thing, features = (each[:, ::-1] for each in (picture, barrier, thing, features))
        picture = _recolour(picture, random)
    side = WINDOW_PX // STRIDE_PX
    return Window(
        pad(picture, WINDOW_PX),
        _fill(barrier[..., None], side),
        _fill(np.ones((*cells, 1), np.float32), side),
        _fill(thing[..., None], side),
        _fill(features, WINDOW_PX // _FEATURE_STRIDE_PX),
    )


def _span(side_px: float, random: np.random.Generator | None) -> tuple[float, int]:
    """Return where the window begins in a side of the picture, and its length, whole cells of the features."""
    length = max(_FEATURE_STRIDE_PX, int(min(side_px, WINDOW_PX)) // _FEATURE_STRIDE_PX * _FEATURE_STRIDE_PX)
    spare = max(0.0, side_px - length)
    return (random.uniform(0, spare) if random else 0.0), length


def _cut_plane(plane: NDArray[np.uint8], box: NDArray[np.float64], cells: tuple[int, int]) -> NDArray[np.float32]:
    """Cut `box` (left, top, right, bottom, 1 for the side of the plane) out of a plane, as float 0..1."""
    side = plane.shape[0]
    area = tuple(np.minimum(box * side, side))
    image = Image.fromarray(np.asarray(plane)).resize(cells[::-1], Image.Resampling.BILINEAR, box=area)
    return np.asarray(np.asarray(image, np.float32) / 255, np.float32)


def _cut_features(
    features: NDArray[np.float16], box: NDArray[np.float64], cells: tuple[int, int]
) -> NDArray[np.float32]:
    """Cut `box` out of `[g, g, c]` features by bilinear interpolation."""
    side = features.shape[0]
    rows = _interpolation(box[1] * side, box[3] * side, cells[0], side)
    columns = _interpolation(box[0] * side, box[2] * side, cells[1], side)
    across = np.tensordot(columns, features.astype(np.float32), axes=(1, 1))
    return np.asarray(np.tensordot(rows, across, axes=(1, 1)), np.float32)


def _interpolation(first: float, last: float, count: int, side: int) -> NDArray[np.float32]:
    """Return the matrix `[count, side]` that samples `count` places spread evenly over `first..last`."""
    places = np.clip(first + (np.arange(count) + 0.5) * (last - first) / count - 0.5, 0, side - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(places[:, None] - np.arange(side))), np.float32)


def _fill(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Put `[h, w, c]` into the top left corner of zeros `[side, side, c]`."""
    filled = np.zeros((side, side, values.shape[-1]), np.float32)
    filled[: values.shape[0], : values.shape[1]] = values
    return filled


def _recolour(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Change brightness, contrast and saturation; one picture in ten loses its colour."""
    brightness, contrast, saturation = random.uniform(1 - _COLOUR, 1 + _COLOUR, 3)
    if random.random() < 0.1:  # noqa: PLR2004 - one in ten
        saturation = 0
    values = picture.astype(np.float32)
    grey = values.mean(-1, keepdims=True)
    values = grey + (values - grey) * saturation
    values = (values - 128) * contrast + 128 * brightness
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def stack(windows: Sequence[Window]) -> dict[str, NDArray[np.generic]]:
    """Return a batch, by the names of the attributes of `Window`."""
    return {
        name: np.stack([getattr(each, name) for each in windows])
        for name in ("picture", "barrier", "valid", "thing", "features")
    }
