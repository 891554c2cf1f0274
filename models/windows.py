"""Windows cut at random out of training pictures, with everything that is known about them cut out alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from models.prepared import STRIDE_PX, barrier_plane, pad

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.observation import Observations

WINDOW_PX = 192
"""Side of a training window. Smaller than the canvas: faster, and a thing is rarely in its middle."""

_FEATURE_STRIDE_PX = 2 * STRIDE_PX
"""Side of one cell of the network's features."""

_ZOOM = (0.6, 1.25)
"""Long side of a training picture relative to the canvas."""

_COLLAGES, _TEXTURES = 0.2, 0.05
"""Shares of the windows that show four pictures side by side, and that show a patch repeated over and over."""

_COLLAGE_ZOOM = (1.0, 1.4)
"""Size of a picture in a collage relative to the least that fills its place."""

_PATCH_PX = (24, 64)
"""Side of the patch of which a texture is made."""

_COLOUR = 0.3
"""Brightness, contrast and saturation change by at most this share."""


@dataclass(frozen=True, slots=True)
class Window:
    """One training window of `s = 192` pixels.

    Attributes:
        picture: uint8 `[s, s, 3]`.
        barrier: float32 `[s/8, s/8, 1]`, boundary connectivity within the window, in 0..1.
        valid: float32 `[s/8, s/8, 1]`, 1 where there is picture.
        thing: float32 `[s/8, s/8, 1]`, the target in 0..1.
        features: float32 `[s/16, s/16, c]`, the target.
        observed: float32 `[s/16, s/16, 1]`, 1 where the features are known.
        shown: which pictures are seen in it; none for a texture.
    """

    picture: NDArray[np.uint8]
    barrier: NDArray[np.float32]
    valid: NDArray[np.float32]
    thing: NDArray[np.float32]
    features: NDArray[np.float32]
    observed: NDArray[np.float32]
    shown: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Cut:
    """A part of a picture: pixels `[h, w, 3]`, things `[h/8, w/8]` and features `[h/16, w/16, c]`."""

    picture: NDArray[np.uint8]
    thing: NDArray[np.float32]
    features: NDArray[np.float32]


def cut_window(known: Observations, index: int, random: np.random.Generator | None) -> Window:
    """Cut one window: mostly a part of one picture, at times a collage or a texture.

    Args:
        known: what is known about all pictures.
        index: which of them is meant; the others in a collage come by chance.
        random: where chance comes from; None gives the whole picture, as the network will see it, for validation.
    """
    if random is None:
        return _window(_cut(known, index, None), (index,))
    kind = random.random()
    if kind < _COLLAGES:
        shown = (index, *(int(each) for each in random.integers(0, len(known.size), 3)))
        return _window(_collage([_fill_place(known, each, random) for each in shown]), shown)
    cut = _recoloured(_cut(known, index, random), random)
    if kind < _COLLAGES + _TEXTURES:
        return _window(_texture(cut, random), ())
    return _window(cut, (index,))


def stack(windows: Sequence[Window]) -> dict[str, NDArray[np.generic]]:
    """Return a batch, by the names of the attributes of `Window` that are arrays."""
    return {
        name: np.stack([getattr(each, name) for each in windows])
        for name in ("picture", "barrier", "valid", "thing", "features", "observed")
    }


def _window(cut: _Cut, shown: tuple[int, ...]) -> Window:
    """Fill a cut up to a window."""
    rows, columns = cut.thing.shape
    plane = Image.fromarray(barrier_plane(cut.picture)).resize((columns, rows), Image.Resampling.BOX)
    side, coarse = WINDOW_PX // STRIDE_PX, WINDOW_PX // _FEATURE_STRIDE_PX
    observed = np.full((*cut.features.shape[:2], 1), float(bool(shown)), np.float32)
    return Window(
        pad(cut.picture, WINDOW_PX, WINDOW_PX),
        _fill(np.asarray(plane)[..., None], side),
        _fill(np.ones((rows, columns, 1), np.float32), side),
        _fill(cut.thing[..., None], side),
        _fill(cut.features, coarse),
        _fill(observed, coarse),
        shown,
    )


def _cut(known: Observations, index: int, random: np.random.Generator | None) -> _Cut:
    """Cut a part out of a picture at a random scale, or take the whole of it."""
    size = known.size[index][::-1]
    zoom = random.uniform(*_ZOOM) if random else WINDOW_PX / known.canvas.shape[1]
    spans = [_span(side * zoom, random) for side in size]
    (left, width), (top, height) = spans
    box = np.array((left, top, left + width, top + height)) / zoom
    return _take(known, index, box, (height, width))


def _fill_place(known: Observations, index: int, random: np.random.Generator) -> _Cut:
    """Cut a part out of a picture that fills a place in a collage, its colours changed."""
    side = WINDOW_PX // 2
    width, height = (int(each) for each in known.size[index][::-1])
    zoom = side / min(width, height) * random.uniform(*_COLLAGE_ZOOM)
    left, top = (random.uniform(0, each - side / zoom) for each in (width, height))
    box = np.array((left, top, left + side / zoom, top + side / zoom))
    return _recoloured(_take(known, index, box, (side, side)), random)


def _collage(cuts: Sequence[_Cut]) -> _Cut:
    """Put four cuts together in a square."""

    def joined(name: str) -> NDArray[np.generic]:
        first, second, third, fourth = (getattr(each, name) for each in cuts)
        return np.concatenate([np.concatenate([first, second], 1), np.concatenate([third, fourth], 1)])

    return _Cut(*(joined(name) for name in ("picture", "thing", "features")))  # type: ignore[arg-type]  # by name


def _texture(cut: _Cut, random: np.random.Generator) -> _Cut:
    """Repeat a patch of a cut over all of it, mirrored so that it has no seams; there is no thing in it."""
    height, width = cut.picture.shape[:2]
    side = min(int(random.integers(*_PATCH_PX)), height, width)
    top, left = (int(random.integers(0, each - side + 1)) for each in (height, width))
    patch = cut.picture[top : top + side, left : left + side]
    reach = ((0, height - side), (0, width - side), (0, 0))
    return _Cut(np.pad(patch, reach, mode="symmetric"), np.zeros_like(cut.thing), np.zeros_like(cut.features))


def _take(known: Observations, index: int, box: NDArray[np.float64], shape: tuple[int, int]) -> _Cut:
    """Cut `box` (left, top, right, bottom, in pixels of the canvas) out of a picture, at `shape` (rows, columns)."""
    canvas = Image.fromarray(np.asarray(known.canvas[index]))
    inside = np.clip(box, 0, canvas.width)
    picture = np.asarray(canvas.resize(shape[::-1], Image.Resampling.BILINEAR, box=tuple(inside)))
    relative = inside / canvas.width
    return _Cut(
        picture,
        _cut_plane(known.thing[index], relative, (shape[0] // STRIDE_PX, shape[1] // STRIDE_PX)),
        _cut_features(
            known.features[index], relative, (shape[0] // _FEATURE_STRIDE_PX, shape[1] // _FEATURE_STRIDE_PX)
        ),
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


def _recoloured(cut: _Cut, random: np.random.Generator) -> _Cut:
    """Mirror one cut in two, and change brightness, contrast and saturation; one in ten loses its colour."""
    picture, thing, features = cut.picture, cut.thing, cut.features
    if random.random() < 0.5:  # noqa: PLR2004 - one time in two
        picture, thing, features = picture[:, ::-1], thing[:, ::-1], features[:, ::-1]
    brightness, contrast, saturation = random.uniform(1 - _COLOUR, 1 + _COLOUR, 3)
    if random.random() < 0.1:  # noqa: PLR2004 - one in ten
        saturation = 0
    values = picture.astype(np.float32)
    grey = values.mean(-1, keepdims=True)
    values = grey + (values - grey) * np.float32(saturation)
    values = (values - 128) * np.float32(contrast) + np.float32(128 * brightness)
    return _Cut(np.clip(values, 0, 255).astype(np.uint8), thing, features)
