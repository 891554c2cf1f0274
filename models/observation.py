"""What a training picture is taught about, gathered once before training: boundary connectivity and a teacher's view.

The target of the thing map is the product of two signals that know nothing of the picture's centre: the norm of the
teacher's last feature map and boundary connectivity. It is computed on the whole picture; training shows windows cut
out of it, so the network cannot do with a bright spot in the middle.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from models.data import Example, decode
from models.prepared import BARRIER_PX, CANVAS_PX, barrier_plane, pad

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.teacher import Teacher

FEATURES = 192
"""Principal components of the teacher's last feature map that are distilled."""

_BASIS_EXAMPLES = 300
"""Pictures from which the principal components are found."""

_SOFTNESS = 0.5
"""Added to both factors of the thing target, so that neither wipes out a thing alone: one that is cut off by the border
has no barrier around it. From 0.1 to 0.5 the target ranks the pixels of single things equally well."""


@dataclass(frozen=True, slots=True)
class Observations:
    """What is known about `n` pictures; each lies in the top left corner of its square, its long side filling it.

    Attributes:
        barrier: uint8 `[n, 64, 64]`, boundary connectivity, 255 for 1.
        thing: uint8 `[n, 64, 64]`, target of the thing map, 255 for 1.
        scores: float16 `[n, teacher classes]`, or no columns without a teacher.
        features: float16 `[n, g, g, 192]`, principal components of the teacher's features with unit mean variance, or
            no channels without a teacher. May be a memory map.
    """

    barrier: NDArray[np.uint8]
    thing: NDArray[np.uint8]
    scores: NDArray[np.float16]
    features: NDArray[np.float16]


def observe(
    examples: Sequence[Example], teacher: Teacher | None, folder: Path, progress: Callable[[int, int], None]
) -> Observations:
    """Look at every picture once, or read back what was seen when the same was asked before.

    Args:
        examples: the pictures, in order.
        teacher: who to ask, or None.
        folder: where the findings are kept for a resumed training; it exists.
        progress: is told how many pictures of how many are done.
    """
    digest = hashlib.sha256(repr(teacher.classes if teacher else None).encode())
    for example in examples:
        digest.update(hashlib.sha256(example.encoded).digest())
    kept = folder / f"observations-{digest.hexdigest()[:16]}"
    names = ("barrier", "thing", "scores", "features")
    if not all((kept / f"{name}.npy").is_file() for name in names):
        kept.mkdir(exist_ok=True)
        _gather(examples, teacher, kept, progress)
    return Observations(*(np.load(kept / f"{name}.npy", mmap_mode="r") for name in names))


def _gather(
    examples: Sequence[Example], teacher: Teacher | None, kept: Path, progress: Callable[[int, int], None]
) -> None:
    """Fill the four arrays on disk; the file of the features takes its final name last."""
    count = len(examples)
    barrier = np.zeros((count, BARRIER_PX, BARRIER_PX), np.uint8)
    thing = np.zeros_like(barrier)
    scores = np.zeros((count, len(teacher.classes) if teacher else 0), np.float16)
    grid, channels, basis = 1, 0, None
    if teacher:
        basis = _basis([teacher.ask(_canvas(each)[0]).features for each in examples[:: _every(count)]])
        grid, channels = teacher.grid, basis.shape[1]
    partial = kept / "features.partial.npy"
    features = np.lib.format.open_memmap(partial, "w+", np.float16, (count, grid, grid, channels))
    for number, example in enumerate(examples):
        canvas, shrunk = _canvas(example)
        connectivity = barrier_plane(shrunk)
        rows, columns = connectivity.shape
        target: NDArray[np.floating] = connectivity
        if teacher and basis is not None:
            opinion = teacher.ask(canvas)
            scores[number] = opinion.scores
            features[number] = opinion.features @ basis
            salience = _shared_part(np.linalg.norm(opinion.features, axis=-1), (rows, columns))
            target = softened_product(salience, connectivity)
        barrier[number, :rows, :columns] = np.round(connectivity * 255)
        thing[number, :rows, :columns] = np.round(target * 255)
        progress(number + 1, count)
    features.flush()
    for name, array in (("barrier", barrier), ("thing", thing), ("scores", scores)):
        np.save(kept / f"{name}.npy", array)
    partial.replace(kept / "features.npy")


def softened_product(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return `(first + s) · (second + s)` with `s` = 0.5, brought back to 0..1 for values in 0..1."""
    return (first * second + _SOFTNESS * (first + second)) / (1 + 2 * _SOFTNESS)


def _canvas(example: Example) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the picture on its canvas, and without the padding."""
    image = Image.fromarray(decode(example.encoded))
    scale = CANVAS_PX / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    shrunk = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
    return pad(shrunk, CANVAS_PX), shrunk


def _every(count: int) -> int:
    """Return the step at which `_BASIS_EXAMPLES` pictures are spread over all."""
    return max(1, count // _BASIS_EXAMPLES)


def _basis(features: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return `[channels, components]`: the principal directions, scaled to a mean variance of 1 per component."""
    points = np.concatenate([each.reshape(-1, each.shape[-1]) for each in features])
    variances, directions = np.linalg.eigh(np.cov(points, rowvar=False))
    strongest = directions[:, ::-1][:, :FEATURES]
    spread = np.sqrt(max(variances[::-1][:FEATURES].mean(), 1e-6))
    return np.asarray(strongest / spread, np.float32)


def _shared_part(values: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Cut the picture out of a square grid, at `shape` (rows, columns; the longer 64), and spread it to 0..1."""
    side = values.shape[0] / BARRIER_PX
    box = (0, 0, shape[1] * side, shape[0] * side)
    part = np.asarray(Image.fromarray(values).resize(shape[::-1], Image.Resampling.BICUBIC, box=box))
    return np.asarray((part - part.min()) / (np.ptp(part) + 1e-6), np.float32)
