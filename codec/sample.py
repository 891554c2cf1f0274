"""What a search looks at: all of a small picture, chosen MCUs of a large one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from codec.comparison import compare
from codec.hvsm import masking
from codec.mcus import luma_of_mcus
from codec.outcome import outcome
from codec.tables import BLOCK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.picture import Picture
    from codec.quantise import Component

LARGEST: Final = 4096
"""MCUs that a search looks at: 1 megapixel in colour."""

_SCOUT_SHARE: Final = 4
_LEAST_SCOUTS: Final = 512
"""A quick search looks at one in so many of these MCUs, but at not fewer than `_LEAST_SCOUTS`."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Mean errors of what a decoder shows.

    inside, outside, whole: what `outcome.MEASURES` lists, in the region of interest, elsewhere (zeros if the region is
        everything) and over the whole picture, `float64[4]` each.
    """

    inside: NDArray[np.float64]
    outside: NDArray[np.float64]
    whole: NDArray[np.float64]

    def of(self, measure: int) -> tuple[float, float]:
        """Return one of the errors in the region of interest and elsewhere."""
        return float(self.inside[measure]), float(self.outside[measure])


@dataclass(frozen=True)
class Sample:
    """MCUs of a picture, one after the other: four luma blocks (one if grey) and one of each chroma component.

    blocks: number of each luma block in the picture's luma plane, `int64[n]`.
    components: their coefficients, with masking and weights.
    luma: coefficients of the luma that measures look at, `float32[n,64]`, which rounds otherwise than the encoder's.
    masking: how strongly each block of `luma` hides errors, `float32[n]`.
    region, rest: which luma blocks lie in the region of interest, and which outside of it, `bool[n]`.
    times: how many MCUs of the picture each MCU stands for, `int64[m]`.
    complete: whether these are all of the picture's MCUs, in their order.
    """

    blocks: NDArray[np.intp]
    components: tuple[Component, ...]
    luma: NDArray[np.float32]
    masking: NDArray[np.float32]
    region: NDArray[np.bool_]
    rest: NDArray[np.bool_]
    times: NDArray[np.int64]
    complete: bool

    def times_of(self, number: int) -> NDArray[np.int64]:
        """How many blocks of the picture each block of a component stands for, `int64[n]`."""
        return self.times.repeat(len(self.components[number].coefficients) // len(self.times))

    def errors(self, levels: tuple[NDArray[np.int16], ...], tables: tuple[NDArray[np.float32], ...]) -> Errors:
        """Measure what a decoder shows of levels `int16[n,64]` per component."""
        found = self.outcome(levels, tables)
        inside, outside = self.means(found)
        return Errors(inside, outside, whole=(self._counted @ found) / self._counted.sum())

    @cached_property
    def _counted(self) -> NDArray[np.float64]:
        """How many blocks of the picture each luma block stands for; noughts for those that measures do not see."""
        return (self.times_of(0) * (self.region | self.rest)).astype(np.float64)

    def outcome(
        self, levels: tuple[NDArray[np.int16], ...], tables: tuple[NDArray[np.float32], ...]
    ) -> NDArray[np.float64]:
        """Return what a decoder shows of levels in each luma block, `float64[n,4]`."""
        return outcome(levels, tables, self.luma, self.masking).astype(np.float64)

    def means(self, errors: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the means of errors of the luma blocks, `[n]` or `[n,k]`, in the region of interest and elsewhere.

        Where nothing lies elsewhere they are 0.
        """
        inside = errors[self.region].mean(axis=0, dtype=np.float64)
        return inside, errors[self.rest].mean(axis=0, dtype=np.float64) if self.rest.any() else np.zeros_like(inside)

    def luma_of(self, mcu: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return which luma blocks make up some of the MCUs."""
        blocks = len(self.region) // len(self.times)
        return (blocks * mcu[:, None] + np.arange(blocks)).ravel()

    def scouts(self, errors: NDArray[np.float64]) -> NDArray[np.intp]:
        """Choose one in four of the MCUs, at least 512, half of them from the region of interest, if there are as many.

        errors: of another encoder in the luma blocks, `float64[n]`. Among those that are chosen large ones and small
            ones are as frequent as among all.
        """
        blocks = len(self.region) // len(self.times)
        inside = np.asarray(self.region.reshape(-1, blocks).any(axis=1))
        count = max(len(inside) // _SCOUT_SHARE, _LEAST_SCOUTS)
        if len(inside) <= count:
            return np.arange(len(inside))
        order = np.argsort(errors.reshape(-1, blocks).sum(axis=1), kind="stable")
        within, without = order[inside[order]], order[~inside[order]]
        first = _pick(within, max(count // 2, count - len(without)))
        return np.sort(np.concatenate((first, _pick(without, count - len(first)))))

    def subset(self, mcu: NDArray[np.intp]) -> Sample:
        """Return the sample of some of the MCUs alone, which stand for all of their part."""
        luma = self.luma_of(mcu)
        inside = np.asarray(self.region.reshape(len(self.times), -1).any(axis=1))
        times = self.times[mcu]
        for part in (inside, ~inside):
            chosen = part[mcu]
            times[chosen] *= round(part.sum() / max(chosen.sum(), 1))
        return Sample(
            blocks=self.blocks[luma],
            components=tuple(part.subset(mcu if part.number else luma) for part in self.components),
            luma=self.luma[luma],
            masking=self.masking[luma],
            region=self.region[luma],
            rest=self.rest[luma],
            times=times,
            complete=False,
        )


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
    within = np.arange(count) * ((np.sqrt(5) - 1) / 2) % 1
    bounds = np.arange(count + 1) * len(candidates) // count
    picked: NDArray[np.intp] = candidates[bounds[:-1] + (within * np.diff(bounds)).astype(np.intp)]
    return picked


def _choose(inside: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Choose MCUs, up to a quarter from outside the region of interest `bool[m]`, and tell how many each stands for."""
    if len(inside) <= LARGEST:
        return np.arange(len(inside)), np.ones(len(inside), np.int64)
    within, without = np.flatnonzero(inside), np.flatnonzero(~inside)
    chosen = _pick(within, LARGEST - min(len(without), LARGEST // 4))
    others = _pick(without, LARGEST - len(chosen))
    shares = [
        np.full(len(part), round(len(every) / max(len(part), 1)), np.int64)
        for part, every in ((chosen, within), (others, without))
    ]
    return np.concatenate((chosen, others)), np.concatenate(shares)


def sample(picture: Picture) -> Sample:
    """Take the sample of a picture.

    If none of the blocks of interest lies wholly in the picture, all that do are of interest.
    """
    luma, last = picture.planes[0], picture.planes[-1]
    factor = luma.columns // last.columns
    whole = whole_blocks(picture.size, (luma.rows, luma.columns))
    interesting = picture.interesting.reshape(whole.shape)
    if not (whole & interesting).any():
        interesting = whole
    inside = (whole & interesting).reshape(last.rows, factor, last.columns, factor).any(axis=(1, 3)).ravel()
    mcu, times = _choose(inside)

    row, column = np.divmod(mcu, last.columns)
    offset = np.arange(factor)
    rows = (factor * row[:, None, None] + offset[None, :, None]).repeat(factor, axis=2).ravel()
    columns = (factor * column[:, None, None] + offset[None, None, :]).repeat(factor, axis=1).ravel()
    blocks = rows * luma.columns + columns
    measured = luma_of_mcus(picture.pixels, row, column, factor)
    return Sample(
        blocks=blocks,
        components=tuple(
            part if part.number and len(mcu) == len(inside) else part.subset(mcu if part.number else blocks)
            for part in picture.components
        ),
        luma=measured,
        masking=masking(measured),
        region=(whole & interesting)[rows, columns],
        rest=(whole & ~interesting)[rows, columns],
        times=times,
        complete=len(mcu) == len(inside),
    )


def shown_errors(picture: Picture, decoded: NDArray[np.uint8], measure: int) -> NDArray[np.float64]:
    """Return the error that a decoded file shows in each luma block of the plane, `float64[n]`, in squared grey levels.

    It is 0 in blocks that do not lie wholly in the picture.

    decoded: `uint8[h,w,3]` or `uint8[h,w]`.
    measure: which of the first three of `outcome.MEASURES`.
    """
    luma = picture.planes[0]
    squared, *others = compare(picture.pixels, decoded)
    rows, columns = others[0].shape
    errors = np.zeros((luma.rows, luma.columns))
    errors[:rows, :columns] = others[measure - 1] if measure else squared[:rows, :columns] / BLOCK**2
    return errors.ravel()
