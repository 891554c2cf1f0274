"""Everything that is encoded and measured of one picture."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

import codec
from codec import Quality, reference
from semjpeg.benchmark.measures import SLOW, Judge
from semjpeg.benchmark.pictures import read_picture
from semjpeg.comparison import cache
from semjpeg.comparison.encoders import MODEL_NUMBER, Made, at_bytes_of_libjpeg, nearest
from semjpeg.comparison.entry import COLUMNS, JPEG, OUR, OUR_PSNR, Entry, File, Point, Result, Saving
from semjpeg.files import write_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_ON_CURVES: Final = frozenset({"ssimulacra2"})
"""The slow measures that curves are drawn of."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is made of each picture.

    quality: libjpeg's, whose bytes every file takes.
    curve: libjpeg's qualities along the curves, rising.
    encoders: by the names in `entry.TITLES`, `JPEG` among them.
    """

    quality: int
    curve: tuple[int, ...]
    encoders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to measure.

    path: its file.
    importance: its map, `float32[h',w']` in 0..1.
    plan: what to make.
    kept: where the result is kept.
    files: where to keep each encoder's file at equal bytes; empty keeps none.
    """

    path: Path
    importance: NDArray[np.float32]
    plan: Plan
    kept: Path
    files: Mapping[str, Path]


class _Picture:
    """A picture that is encoded at equal bytes and measured; no file is made twice."""

    def __init__(self, pixels: NDArray[np.uint8], importance: NDArray[np.floating[Any]]) -> None:
        self.pixels = pixels
        self.importance = importance
        self.judge = Judge(pixels, importance, {})
        self._made: dict[tuple[str, int], Made] = {}

    def made(self, encoder: str, quality: int) -> Made:
        if (encoder, quality) not in self._made:
            self._made[encoder, quality] = at_bytes_of_libjpeg(encoder, self.pixels, self.importance, quality)
        return self._made[encoder, quality]

    def file(self, encoder: str, quality: int) -> File:
        made = self.made(encoder, quality)
        measures = _known(self.judge.judge(made.data, SLOW))
        own = made.quality
        if encoder in {OUR, OUR_PSNR}:
            own = self._equivalent(measures["psnr_hvs_m"])
        return File(len(made.data), own, measures)

    def point(self, encoder: str, quality: int) -> Point:
        made = self.made(encoder, quality)
        return Point(encoder, quality, len(made.data), _known(self.judge.judge(made.data, _ON_CURVES)))

    def saving(self, quality: int) -> Saving:
        ours = codec.encode(self.pixels, self.importance, rate=Quality(quality)).data
        return Saving(quality, len(self.made(JPEG, quality).data), len(ours))

    def _equivalent(self, decibels: float) -> int:
        """Return libjpeg's quality whose PSNR-HVS-M comes closest; it is taken to grow with quality."""

        def look(quality: int) -> float:
            return self.judge.judge(reference.libjpeg(self.pixels, quality))["psnr_hvs_m"]

        return nearest(look, decibels)


def measure_picture(job: Job) -> Result:
    """Encode one picture in every way, measure each file and keep the result.

    Raises:
        SemjpegError: The picture cannot be read, an encoder failed, or a file cannot be written.
    """
    plan = job.plan
    picture = _Picture(read_picture(job.path), job.importance)
    files = {encoder: picture.file(encoder, plan.quality) for encoder in plan.encoders}
    points = tuple(
        _as_point(encoder, quality, files[encoder]) if quality == plan.quality else picture.point(encoder, quality)
        for encoder in plan.encoders
        for quality in plan.curve
    )
    savings = tuple(picture.saving(quality) for quality in sorted({*plan.curve, plan.quality}))
    for encoder, path in job.files.items():
        write_file(path, picture.made(encoder, plan.quality).data)
    height, width = picture.pixels.shape[:2]
    entry = Entry("", "", MODEL_NUMBER, _png_size(picture.pixels), (width, height), files)
    result = Result(entry, points, savings)
    cache.keep(job.kept, result)
    return result


def _as_point(encoder: str, quality: int, file: File) -> Point:
    """Take a file that was fully measured for a point of a curve."""
    measures = {name: value for name, value in file.measures.items() if name not in SLOW or name in _ON_CURVES}
    return Point(encoder, quality, file.size_bytes, measures)


def _known(measures: Mapping[str, float]) -> dict[str, float]:
    return {name: measures[name] for name in COLUMNS if name in measures}


def _png_size(pixels: NDArray[np.uint8]) -> int:
    """Bytes of the PNG that Pillow saves by default."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.tell()
