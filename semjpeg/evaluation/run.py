"""Making and scoring the maps of many pictures."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from config.errors import SemjpegError, UnsupportedImageError
from models import Prepared, prepare, refine
from models.refinement import crop
from semjpeg.benchmark.pictures import read_mask, read_pixels
from semjpeg.benchmark.runs import Failure
from semjpeg.evaluation.scoring import Score, objects, score
from semjpeg.overlay import map_image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models import ImportanceModel
    from semjpeg.evaluation.pairs import Pair

MAP: Final = "map"
CENTRE: Final = "centre prior"
BARRIER: Final = "boundary connectivity alone"

THUMBNAIL_PX: Final = 200
"""Longest side of a picture on the contact sheet."""

_BATCH: Final = 16
"""Pictures that are in memory at a time."""

_WHITE: Final = 0.5
_SIGMA: Final = 0.25
"""Width of the centre prior, in sides of the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One picture's scores.

    scores: of `MAP`, `CENTRE` and `BARRIER`.
    objects: how many objects its mask has.
    thumbnail: uint8 `[h, w]`, the map at the size of the contact sheet.
    importance: float32 `[h', w']` in 0..1, as the network's was refined; None for a ready-made map.
    """

    pair: Pair
    scores: dict[str, Score]
    objects: int
    thumbnail: NDArray[np.uint8]
    importance: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """A picture whose map is to be made: its size, mask `bool[h,w]`, and ready-made map if it has one."""

    pair: Pair
    size: tuple[int, int]
    prepared: Prepared
    mask: NDArray[np.bool_]
    ready: Image.Image | None


def evaluate(
    pairs: Sequence[Pair], model: ImportanceModel | None, tell: Callable[[Path, str], None]
) -> tuple[list[Scored], list[Failure]]:
    """Score the maps of pictures, on all cores.

    Args:
        pairs: Their files.
        model: Makes the maps; None where every pair has one.
        tell: Called for each picture that is done, with an empty text or the reason why it failed.

    Returns:
        Scores in the order of `pairs`, and the pictures that could not be scored.

    Raises:
        ValueError: A pair has no map, and there is no model.
    """
    scored: list[Scored] = []
    failures: list[Failure] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for first in range(0, len(pairs), _BATCH):
            outcomes = list(pool.map(_open, pairs[first : first + _BATCH]))
            opened = [outcome for outcome in outcomes if isinstance(outcome, _Opened)]
            grids = [None] * len(opened) if model is None else model.maps([each.prepared for each in opened])
            for each in pool.map(_score, opened, grids):
                scored.append(each)
                tell(each.pair.picture, "")
            for outcome in outcomes:
                if isinstance(outcome, Failure):
                    failures.append(outcome)
                    tell(outcome.picture, outcome.reason)
    return scored, failures


def thumbnail(image: Image.Image) -> Image.Image:
    """Scale an image so that its longest side fits the contact sheet."""
    scale = THUMBNAIL_PX / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2)


def _open(pair: Pair) -> _Opened | Failure:
    try:
        pixels = read_pixels(pair.picture)
        size = (pixels.shape[1], pixels.shape[0])
        mask = _read_mask(pair.mask, size)
        ready = None if pair.map is None else Image.fromarray(_read_map(pair.map)).convert("L")
        return _Opened(pair, size, prepare(pixels), mask, ready)
    except SemjpegError as error:
        return Failure(pair.picture, str(error))


def _read_mask(path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Read a mask of the picture's shape, in any resolution: what is lighter than mid-grey is object."""
    mask = read_mask(path) >= _WHITE
    height, width = mask.shape
    if abs(width * size[1] - height * size[0]) > max(size):  # sides may be rounded to whole pixels
        raise UnsupportedImageError(
            f"has {size[0]}x{size[1]} pixels, its mask {path.name} {width}x{height}: another shape"
        )
    if mask.all() or not mask.any():
        raise UnsupportedImageError(f"has a mask of one colour: {path.name} tells nothing apart")
    return mask


def _read_map(path: Path) -> NDArray[np.uint8]:
    try:
        return read_pixels(path)
    except SemjpegError as error:
        raise UnsupportedImageError(f"has no usable map: {path} {error}") from error


def _score(opened: _Opened, grid: NDArray[np.float32] | None) -> Scored:
    importance = None if grid is None else refine(opened.prepared, grid)
    barrier = map_image(crop(opened.prepared, opened.prepared.barrier), *opened.size)
    levels = opened.ready if importance is None else map_image(importance, *opened.size)
    if levels is None:
        raise ValueError(f"{opened.pair.picture} has no map, and there is no model")
    height, width = opened.mask.shape
    things = objects(opened.mask)
    maps = {MAP: levels, CENTRE: _centre_prior(width, height), BARRIER: barrier}
    scores = {
        name: score(np.asarray(each.resize((width, height), Image.Resampling.BILINEAR)), opened.mask, things)
        for name, each in maps.items()
    }
    return Scored(opened.pair, scores, things.count, np.asarray(thumbnail(levels)), importance)


def _centre_prior(width: int, height: int) -> Image.Image:
    """Make a map that knows nothing of the picture: a Gaussian in the middle."""
    rows, columns = (
        np.exp(-(((np.arange(side) + 0.5) / side - 0.5) ** 2) / (2 * _SIGMA**2)) for side in (height, width)
    )
    return Image.fromarray(np.rint(255 * rows[:, None] * columns).astype(np.uint8))
