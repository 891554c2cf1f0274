"""What a training picture is taught about, gathered once before training: its pixels, its things, a teacher's view.

The target of the thing map is found on the whole picture (see `models.things`); training shows windows cut out of it,
so the network cannot do with a bright spot in the middle.
"""

from __future__ import annotations

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from models.data import Example, decode
from models.prepared import BARRIER_PX, CANVAS_PX, barrier_plane, pad
from models.things import View, directions, thing_map

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.teacher import Teacher

DETAIL_PX = 640
"""Side at which the teacher is asked where things are. From 384 to 640 the contrast to the border finds them better and
better; at 768 and 896 it does no more."""

WHOLE_PX = 384
"""Side at which the teacher is asked what there is."""

FEATURES = 128
"""Principal components of the teacher's features that are distilled."""

_BASIS_EXAMPLES = 300
"""Pictures from which the principal components are found."""

_LEAST_CELL = 0.25
"""A cell of the teacher's of which the picture covers less is left out."""

_VERSION = 3
"""Counts up when the findings change, so that older ones are not taken for them."""


@dataclass(frozen=True, slots=True)
class Observations:
    """What is known about `n` pictures; each lies in the top left corner of its square, its long side filling it.

    Attributes:
        canvas: uint8 `[n, 256, 256, 3]`, the picture, its last row and column repeated. May be a memory map.
        size: int32 `[n, 2]`, height and width of the picture on its canvas.
        thing: uint8 `[n, 64, 64]`, target of the thing map, 255 for 1.
        scores: float16 `[n, teacher classes]`, or no columns without a teacher.
        features: float16 `[n, g, g, 128]`, principal components of the direction of the teacher's features, scaled to
            a mean variance of 1, or no channels without a teacher. May be a memory map.
    """

    canvas: NDArray[np.uint8]
    size: NDArray[np.int32]
    thing: NDArray[np.uint8]
    scores: NDArray[np.float16]
    features: NDArray[np.float16]


_NAMES = ("canvas", "size", "thing", "scores", "features")


def observe(
    examples: Sequence[Example], teachers: Sequence[Teacher], folder: Path, progress: Callable[[int, int], None]
) -> Observations:
    """Look at every picture once, or read back what was seen when the same was asked before.

    Args:
        examples: the pictures, in order.
        teachers: the same teacher several times, to be asked side by side; none learns from pictures and folders alone.
        folder: where the findings are kept for a resumed training; it exists.
        progress: is told how many pictures of how many are done.
    """
    digest = hashlib.sha256(repr((_VERSION, teachers[0].sha256 if teachers else None)).encode())
    for example in examples:
        digest.update(hashlib.sha256(example.encoded).digest())
    kept = folder / f"observations-{digest.hexdigest()[:16]}"
    if not all((kept / f"{name}.npy").is_file() for name in _NAMES):
        kept.mkdir(exist_ok=True)
        _gather(examples, teachers, kept, progress)
    return Observations(*(np.load(kept / f"{name}.npy", mmap_mode="r") for name in _NAMES))


def _gather(
    examples: Sequence[Example], teachers: Sequence[Teacher], kept: Path, progress: Callable[[int, int], None]
) -> None:
    """Fill the arrays on disk; the file of the features takes its final name last."""
    count = len(examples)
    basis = _basis(examples, teachers[0]) if teachers else np.zeros((0, 0), np.float32)
    grid = teachers[0].ask(np.zeros((8, 8, 3), np.uint8), DETAIL_PX).features.shape[0] if teachers else 1
    canvas = _create(kept / "canvas.npy", (count, CANVAS_PX, CANVAS_PX, 3), np.uint8)
    partial = kept / "features.partial.npy"
    features = _create(partial, (count, grid, grid, basis.shape[1]), np.float16)
    size = np.zeros((count, 2), np.int32)
    thing = np.zeros((count, BARRIER_PX, BARRIER_PX), np.uint8)
    scores = np.zeros((count, len(teachers[0].classes) if teachers else 0), np.float16)
    idle: SimpleQueue[Teacher] = SimpleQueue()
    for teacher in teachers:
        idle.put(teacher)

    def look(number: int) -> None:
        shrunk = _shrunk(examples[number])
        size[number] = shrunk.shape[:2]
        canvas[number] = pad(shrunk, CANVAS_PX, CANVAS_PX)
        target = barrier_plane(shrunk)
        if teachers:
            teacher = idle.get()
            try:
                detail, whole = (teacher.ask(canvas[number], side_px) for side_px in (DETAIL_PX, WHOLE_PX))
            finally:
                idle.put(teacher)
            scores[number] = whole.scores
            features[number] = directions(detail.features) @ basis
            close, far = (_part(opinion.features, shrunk.shape) for opinion in (detail, whole))
            small = np.asarray(Image.fromarray(shrunk).resize(target.shape[::-1], Image.Resampling.BOX))
            target = thing_map(close, far, target, small)
        thing[number, : target.shape[0], : target.shape[1]] = np.round(np.clip(target, 0, 1) * 255)

    with ThreadPoolExecutor(max(1, len(teachers))) as pool:
        for number, _ in enumerate(pool.map(look, range(count))):
            progress(number + 1, count)
    for memory_map in (canvas, features):
        memory_map.flush()
    for name, array in (("size", size), ("thing", thing), ("scores", scores)):
        np.save(kept / f"{name}.npy", array)
    partial.replace(kept / "features.npy")


def _create(path: Path, shape: tuple[int, ...], dtype: Any) -> np.memmap[Any, Any]:
    """Make an array on disk."""
    return np.lib.format.open_memmap(path, "w+", dtype, shape)


def _shrunk(example: Example) -> NDArray[np.uint8]:
    """Return the picture as large as its canvas allows."""
    image = Image.fromarray(decode(example.encoded))
    scale = CANVAS_PX / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def _part(features: NDArray[np.float32], shape: Sequence[int]) -> View:
    """Return the part of the teacher's features that the picture covers: `shape` (rows, columns) of the canvas."""
    side = features.shape[0] / CANVAS_PX
    height, width = shape[0] * side, shape[1] * side
    rows, columns = (max(1, math.ceil(each - _LEAST_CELL)) for each in (height, width))
    return View(features[:rows, :columns], height, width)


def _every(count: int) -> int:
    """Return the step at which `_BASIS_EXAMPLES` pictures are spread over all."""
    return max(1, count // _BASIS_EXAMPLES)


def _basis(examples: Sequence[Example], teacher: Teacher) -> NDArray[np.float32]:
    """Return `[channels, components]`: the principal directions, scaled to a mean variance of 1 per component."""
    points = []
    for example in examples[:: _every(len(examples))]:
        seen = teacher.ask(pad(_shrunk(example), CANVAS_PX, CANVAS_PX), DETAIL_PX).features
        points.append(directions(seen).reshape(-1, seen.shape[-1]))
    variances, vectors = np.linalg.eigh(np.cov(np.concatenate(points), rowvar=False))
    strongest = vectors[:, ::-1][:, :FEATURES]
    spread = np.sqrt(max(variances[::-1][:FEATURES].mean(), 1e-6))
    return np.asarray(strongest / spread, np.float32)
