"""Each encoder's file of a picture, at the bytes of libjpeg's."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

import codec
from codec import MatchJpeg, Mosaic, reference
from semjpeg.benchmark.encoders import MOZJPEG_VERSION, jpegli, mozjpeg
from semjpeg.comparison.entry import JPEG, JPEGLI, MOSAIC, MOSAIC_PROGRAM, MOZJPEG, OUR, OUR_PSNR, TITLES, TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

PACKAGES: Final = {MOZJPEG: "jpeglib", JPEGLI: "pyjpegli"}
"""What the encoders need that may not be installed."""

MOSAICS: Final = {MOSAIC: Mosaic(), MOSAIC_PROGRAM: Mosaic(levels=9, low=20, high=100, mixing="median-narrow")}
"""The paper's own choices, and what its authors' program does unless told otherwise."""

MODEL_NUMBER: Final = codec.MIXINGS.index(MOSAICS[MOSAIC].mixing) + 1
"""The authors' number for the rule that mixes the paper's mosaic."""

_SCALE: Final = range(1, 101)
"""mozjpeg's qualities."""

_PARTS: Final = 64
"""Into how many the step from one of mozjpeg's qualities to the next is cut. One part moves the luma table, the next
the chroma table: as both are scaled from the same numbers, they would else jump together, by 2 % of the bytes."""


@dataclass(frozen=True, slots=True)
class Made:
    """A file, and the quality that it was saved at on its encoder's own scale; None where there is no such number."""

    data: bytes
    quality: float | None


def installed() -> tuple[list[str], list[str]]:
    """List the encoders that can be compared, in the order of the table, and the packages that the others lack."""
    lacking = {name: package for name, package in PACKAGES.items() if find_spec(package) is None}
    return [name for name in TITLES if name not in lacking], list(lacking.values())


def at_bytes_of_libjpeg(
    encoder: str, pixels: NDArray[np.uint8], importance: NDArray[np.floating[Any]], quality: int
) -> Made:
    """Encode a picture at the size of libjpeg's plain file.

    Args:
        encoder: One of `TITLES`.
        pixels: RGB `uint8[h,w,3]`.
        importance: Map `float[h',w']` in 0..1, for the encoders that know maps.
        quality: libjpeg's, 1..100.

    Raises:
        EncodingError: The encoder has no file that small.
    """
    jpeg = reference.libjpeg(pixels, quality)
    if encoder == JPEG:
        return Made(jpeg, quality)
    if encoder in MOSAICS:
        mosaic = codec.encode(pixels, importance, rate=MatchJpeg(quality), method=MOSAICS[encoder])
        return Made(mosaic.data, mosaic.final_quality)
    if encoder == MOZJPEG:
        return closest_mozjpeg(pixels, len(jpeg))
    if encoder == JPEGLI:
        return closest(lambda step: jpegli(pixels, step), len(jpeg))
    aims: dict[str, codec.Aim] = {OUR: "balanced", OUR_PSNR: "psnr"}
    return Made(codec.encode(pixels, importance, rate=MatchJpeg(quality), aim=aims[encoder]).data, None)


def closest(encode: Callable[[int], bytes], size_bytes: int, low: int = 1, high: int = 100) -> Made:
    """Find the step of a scale whose file comes closest to `size_bytes`.

    Args:
        encode: Makes the file of a step.
        size_bytes: What is wanted.
        low: The first step.
        high: The last one.
    """
    made: dict[int, bytes] = {}

    def size(step: int) -> int:
        made[step] = encode(step)
        return len(made[step])

    step = nearest(size, size_bytes, low, high)
    return Made(made[step], step)


def nearest(value: Callable[[int], float], wanted: float, low: int = 1, high: int = 100) -> int:
    """Find the step of a scale whose value comes nearest.

    The value is taken to grow with the step, so that few are asked for: the two that lie around it are found.

    Args:
        value: Of a step; each is asked for once.
        wanted: The value.
        low: The first step.
        high: The last one.
    """
    known = cache(value)
    first, last = low, high
    while first < last:
        middle = (first + last) // 2
        if known(middle) < wanted:
            first = middle + 1
        else:
            last = middle
    return min((max(first - 1, low), first), key=lambda step: abs(known(step) - wanted))


def closest_mozjpeg(pixels: NDArray[np.uint8], size_bytes: int) -> Made:
    """Find mozjpeg's file that comes closest, between its whole qualities where none of these is within 1 %."""
    whole = closest(lambda step: mozjpeg(pixels, step), size_bytes)
    if whole.quality is None or abs(len(whole.data) / size_bytes - 1) <= TOLERANCE:
        return whole
    start = whole.quality if len(whole.data) < size_bytes else whole.quality - 1
    if not 1 <= start < 100:  # noqa: PLR2004  the ends of the scale
        return whole
    between = closest(lambda part: mozjpeg_between(pixels, start + part / _PARTS), size_bytes, low=1, high=_PARTS - 1)
    if between.quality is None or abs(len(between.data) - size_bytes) >= abs(len(whole.data) - size_bytes):
        return whole
    return Made(between.data, start + between.quality / _PARTS)


def mozjpeg_between(pixels: NDArray[np.uint8], quality: float) -> bytes:
    """Encode with mozjpeg's own tables, scaled to a quality of 1 to 100 that need not be whole.

    Luma is scaled to the next 32nd of a quality above, chroma to that below. At a whole quality the file shows the same
    picture and has the same size as mozjpeg's own. One call at a time in a process.
    """
    import jpeglib

    with tempfile.TemporaryDirectory(prefix="semjpeg-mozjpeg-") as folder, jpeglib.version(MOZJPEG_VERSION):
        path = Path(folder) / "picture.jpg"
        tables = np.ascontiguousarray(_mozjpeg_tables(quality), np.uint16)
        jpeglib.from_spatial(np.ascontiguousarray(pixels)).write_spatial(str(path), qt=tables)
        return path.read_bytes()


# jpeg_quality_scaling and jpeg_add_quant_table of libjpeg's jcparam.c, with straight lines between the percentages that
# whole qualities have; the table of quality 50 is the base.
def _mozjpeg_tables(quality: float) -> list[NDArray[np.uint16]]:
    percentages = [5000 // step if step < 50 else 200 - 2 * step for step in _SCALE]  # noqa: PLR2004  there it bends
    parts = round(quality * _PARTS)
    qualities = (2 * ((parts + 1) // 2) / _PARTS, 2 * (parts // 2) / _PARTS)
    with Image.open(io.BytesIO(mozjpeg(np.zeros((16, 16, 3), np.uint8), 50))) as image:
        bases = image.quantization.values()  # type: ignore[attr-defined]
    scaled = [
        np.floor((np.reshape(base, (8, 8)) * np.interp(own, _SCALE, percentages) + 50) / 100)
        for base, own in zip(bases, qualities, strict=True)
    ]
    return [np.clip(table, 1, np.iinfo(np.int16).max).astype(np.uint16) for table in scaled]
