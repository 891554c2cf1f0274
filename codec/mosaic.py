"""The way of Prakash et al.: a mosaic of decoded JPEGs, saved once more at a single quality.

A. Prakash, N. Moran, S. Garber, A. DiLillo and J. Storer, "Semantic Perceptual Image Compression using Deep Convolution
Networks", DCC 2017. The picture is coded and decoded by libjpeg at k qualities; each pixel is taken from the copy whose
level its place in the map falls into; of the mosaic so made one more JPEG is saved, at the quality that a search finds.

The rules that turn importance into levels are those of the authors' program, which works with nine levels, 20 to 100.
Its level numbers became shares of the way up, so that they go with any number of levels; `Mosaic(9, 20, 100)` has its
very levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from codec import reference
from codec.arguments import check_choice, check_whole
from codec.rate import Quality, TargetBytes
from codec.weights import grid_importance
from config.errors import EncodingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.rate import Rate

Mixing = Literal["mean", "linear", "quantiles", "steps", "median-wide", "median-narrow"]
"""Rules that choose a pixel's level; see `Mosaic`."""

MIXINGS: Final[tuple[Mixing, ...]] = get_args(Mixing)

_VALUES: Final = 4096
"""Steps of importance that `grid_importance` tells apart: it returns multiples of 1 / 4096."""


@dataclass(frozen=True, slots=True)
class Mosaic:
    """How a mosaic is made.

    With s the importance at a pixel, P(p) the value below which a share p of the map's values lie, k = `levels` and
    K = k - 1 the highest level, `mixing` gives the pixel the level

        "mean"           s > mean: K; else ⌊5K/8⌋
        "linear"         min(K, ⌊(k + 1) · s / max⌋ + 1)
        "quantiles"      min(K, how many of P(1/(k + 1)), …, P(k/(k + 1)) are at most s)
        "steps"          s < P(.2): ⌊3K/8⌋; s < P(.6): ⌊5K/8⌋; s < P(.9): ⌊7K/8⌋; else K
        "median-wide"    s < P(.5): ⌊K/8⌋; else ⌈7K/8⌉
        "median-narrow"  s < P(.5): ⌊6K/8⌋; else K

    Rules 1 to 6 of the authors' program, in this order. Levels, range and threshold are by default those of the paper,
    and the rule the one that then loses least PSNR-S against libjpeg's file of the same bytes: 2.1 dB, where the others
    lose 2.2 to 2.9 (12 Kodak pictures at quality 50, each with an ellipse and the network's map). The program's own
    choice, `Mosaic(9, 20, 100, "median-narrow")`, gains 0.1 dB there.

    levels: qualities to choose from, 2 or more, and no more than there are whole numbers from `low` to `high`.
    low, high: the lowest and the highest of them, 1..100 on libjpeg's scale; the others lie evenly between.
    mixing: the rule.
    threshold: how far from libjpeg's bytes a file may be for `MatchJpeg`, as a share of them, 0 or more and below 1.

    Raises:
        TypeError: a field has a wrong type.
        ValueError: a field is out of its range.
    """

    levels: int = 5
    low: int = 30
    high: int = 70
    mixing: Mixing = "linear"
    threshold: float = 0.01

    def __post_init__(self) -> None:
        """Check the fields."""
        check_whole("low", self.low, 1, 99)
        check_whole("high", self.high, self.low + 1, 100)
        check_whole("levels", self.levels, 2, self.high - self.low + 1)
        check_choice("mixing", self.mixing, MIXINGS)
        if isinstance(self.threshold, bool) or not isinstance(self.threshold, int | float):
            raise TypeError(f"threshold must be a number, not {type(self.threshold).__name__}")
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold must be at least 0 and below 1, not {self.threshold}")

    def quality(self, level: int) -> int:
        """Quality of a level, 0..`levels` - 1, on libjpeg's scale."""
        top = self.levels - 1
        return self.low + (2 * level * (self.high - self.low) + top) // (2 * top)


def save(
    pixels: NDArray[np.uint8],
    importance: NDArray[np.floating[Any]] | None,
    method: Mosaic,
    rate: Rate,
    metadata_bytes: int,
) -> tuple[bytes, int]:
    """Encode a picture as a mosaic of its copies.

    Args:
        pixels: RGB `uint8[h,w,3]` or grey `uint8[h,w]`.
        importance: map `float[h',w']` in 0..1, laid over the whole picture; without one, or with one of a single
            value, the picture itself is saved.
        method: which copies there are and how to choose.
        rate: `Quality(q)` saves at q, `MatchJpeg(q)` at the highest quality whose file is within the threshold of
            libjpeg's at q, else the largest below it, `TargetBytes(n)` the largest file that leaves room for the
            metadata.
        metadata_bytes: what the caller will add to the file.

    Returns:
        The file, a plain baseline one, and the quality on libjpeg's scale that it was saved at.

    Raises:
        EncodingError: no file is small enough; the message names the size of the smallest, metadata included.
    """
    mixed = None if importance is None else make_mosaic(pixels, importance, method)
    content = pixels if mixed is None else mixed
    if isinstance(rate, TargetBytes):
        available = rate.size_bytes - metadata_bytes
        return _at_bytes(content, available, available, metadata_bytes)
    if mixed is None or isinstance(rate, Quality):
        return reference.libjpeg(content, rate.quality), rate.quality
    wanted = len(reference.libjpeg(pixels, rate.quality))
    return _at_bytes(content, (1 - method.threshold) * wanted, (1 + method.threshold) * wanted, 0)


def make_mosaic(
    pixels: NDArray[np.uint8], importance: NDArray[np.floating[Any]], method: Mosaic
) -> NDArray[np.uint8] | None:
    """Put a picture together from its decoded copies; None if the map has one value and so chooses nothing.

    Args:
        pixels: RGB `uint8[h,w,3]` or grey `uint8[h,w]`.
        importance: map `float[h',w']` in 0..1, laid over the whole picture.
        method: which copies there are and how to choose.
    """
    size = (pixels.shape[0], pixels.shape[1])
    values = np.rint(grid_importance(importance, size, 1, size) * np.float32(_VALUES)).astype(np.intp)
    counts = np.bincount(values, minlength=_VALUES + 1)
    if np.count_nonzero(counts) == 1:
        return None
    levels = level_of_value(counts, method)[values].reshape(size)
    mosaic = np.empty_like(pixels)
    for level in np.unique(levels):
        copy = reference.decode(reference.libjpeg(pixels, method.quality(int(level))))
        chosen = levels == level
        mosaic[chosen] = copy[chosen]
    return mosaic


def level_of_value(counts: NDArray[np.intp], method: Mosaic) -> NDArray[np.uint8]:
    """Level, `uint8[n]`, of each of n values of importance 0..n - 1 that occur `counts` times; see `Mosaic`."""
    value = np.arange(counts.size)
    top = method.levels - 1
    present = np.flatnonzero(counts)
    if method.mixing == "linear":
        levels = (method.levels + 1) * value // present[-1] + 1
    elif method.mixing == "mean":
        levels = np.where(value > counts @ value / counts.sum(), top, 5 * top // 8)
    else:
        bounds, steps = _bounds(method)
        levels = np.asarray(steps)[np.searchsorted(_quantiles(counts, bounds), value, side="right")]
    return np.asarray(np.minimum(levels, top), np.uint8)


def _bounds(method: Mosaic) -> tuple[list[tuple[int, int]], list[int]]:
    """Shares of the map's values, as fractions, and the levels below the first, between them and from the last on."""
    top = method.levels - 1
    parts = method.levels + 1
    if method.mixing == "quantiles":
        return [(number, parts) for number in range(1, parts)], list(range(parts))
    if method.mixing == "steps":
        return [(2, 10), (6, 10), (9, 10)], [3 * top // 8, 5 * top // 8, 7 * top // 8, top]
    if method.mixing == "median-wide":
        return [(1, 2)], [top // 8, -(-7 * top // 8)]
    return [(1, 2)], [6 * top // 8, top]


def _quantiles(counts: NDArray[np.intp], shares: list[tuple[int, int]]) -> NDArray[np.intp]:
    """Return the lowest values that occur and are at least the quantiles of `shares`, each a fraction.

    To compare a value with them is to compare it with quantiles that are interpolated between the values around them.
    """
    last = int(counts.sum()) - 1
    places = [-(-numerator * last // denominator) for numerator, denominator in shares]
    return np.searchsorted(np.cumsum(counts), places, side="right")


def _at_bytes(pixels: NDArray[np.uint8], low: float, high: float, metadata_bytes: int) -> tuple[bytes, int]:
    """Save at the highest quality that gives `low` to `high` bytes; failing that, the largest file below.

    All 100 qualities may be tried: the size of what was a JPEG before does not rise steadily with quality.
    """
    best, best_quality, smallest = b"", 0, 0
    for quality in range(100, 0, -1):
        data = reference.libjpeg(pixels, quality)
        if low <= len(data) <= high:
            return data, quality
        if len(best) < len(data) <= high:
            best, best_quality = data, quality
        smallest = min(smallest or len(data), len(data))
    if not best:
        size = f"{pixels.shape[1]}x{pixels.shape[0]}"
        needed, given = smallest + metadata_bytes, int(high) + metadata_bytes
        raise EncodingError(f"a mosaic of {size} pixels needs {needed} bytes, not {given}")
    return best, best_quality
