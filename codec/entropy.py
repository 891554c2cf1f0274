"""Entropy coding of the baseline scan: which symbols occur, and the bits themselves (ITU-T T.81, F.1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import int16, int32, int64, uint8

from codec.kernel import helper, kernel, reads, writes
from codec.symbols import EOB, LONGEST_RUN, ZRL, size_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.huffman import HuffmanTable
    from codec.transform import Plane


def scan_order(planes: tuple[Plane, ...]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return component and number, `uint8[n]` and `int32[n]`, of each block of the scan.

    One plane goes in raster order, three in MCUs of Y Y Y Y Cb Cr (T.81, A.2.3).
    """
    last = planes[-1]
    number = np.arange(last.rows * last.columns, dtype=np.int32)
    if len(planes) == 1:
        return np.zeros(len(number), np.uint8), number
    row, column = np.divmod(number, last.columns)
    top_left = 2 * row * planes[0].columns + 2 * column
    below = top_left + planes[0].columns
    block = np.stack((top_left, top_left + 1, below, below + 1, number, number), axis=1)
    component = np.tile(np.array([0, 0, 0, 0, 1, 2], np.uint8), len(number))
    return component, block.ravel().astype(np.int32)


@kernel(reads(int16, 2), reads(int64, 1), writes(int64, 1))
def _count_ac_kernel(levels: Any, times: Any, histogram: Any) -> None:
    for n in range(levels.shape[0]):
        run = 0
        for k in range(1, 64):
            magnitude = abs(np.int64(levels[n, k]))
            if magnitude == 0:
                run += 1
                continue
            histogram[ZRL] += times[n] * (run >> 4)
            histogram[((run & LONGEST_RUN) << 4) + size_of(magnitude)] += times[n]
            run = 0
        if run:
            histogram[EOB] += times[n]


def count_ac(levels: NDArray[np.int16], times: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return the histogram `int64[256]` of the AC symbols (run · 16 + size) that blocks `int16[n,64]` take.

    times: how often each block counts, `int64[n]`; once if left out.
    """
    histogram = np.zeros(256, np.int64)
    _count_ac_kernel(levels, np.ones(len(levels), np.int64) if times is None else times, histogram)
    return histogram


def count_dc(
    levels: tuple[NDArray[np.int16], ...], order: tuple[NDArray[np.uint8], NDArray[np.int32]]
) -> list[NDArray[np.int64]]:
    """Return the histograms `int64[256]` of the sizes of the DC differences, one per component."""
    component, block = order
    histograms = []
    for number, plane in enumerate(levels):
        dc = plane[block[component == number], 0].astype(np.int32)
        sizes = np.frexp(np.abs(np.diff(dc, prepend=0)))[1]
        histograms.append(np.bincount(sizes, minlength=256).astype(np.int64))
    return histograms


# Bits are gathered at the low end of a word and leave it as whole bytes; 0xFF is followed by 0x00 so that no marker
# appears in the data (T.81, F.1.2.3). The state is the word, the number of its bits that are still to go out, and the
# number of bytes written.
@helper
def _put(out: Any, state: Any, value: Any, length: Any) -> None:
    word = (state[0] << length) | value
    held = state[1] + length
    position = state[2]
    while held >= 8:  # noqa: PLR2004  bits of a byte
        held -= 8
        byte = (word >> held) & 0xFF
        out[position] = byte
        position += 1
        if byte == 0xFF:  # noqa: PLR2004  where a marker would begin
            out[position] = 0
            position += 1
    state[0] = word & 0xFF
    state[1] = held
    state[2] = position


# T.81, F.1.2.1 and F.1.2.2: the DC difference to the component's previous block, then runs of zeros and levels; a
# negative value v of size s is written as v + 2^s − 1. The last byte is filled with ones.
@kernel(
    reads(uint8, 1),
    reads(int32, 1),
    reads(int16, 2),
    reads(int16, 2),
    reads(int16, 2),
    reads(int64, 2),
    reads(int64, 2),
    writes(uint8, 1),
    returns=int64,
)
def _write_kernel(  # noqa: PLR0913, PLR0917  numba takes no structures of arrays
    component: Any, block: Any, luma: Any, blue: Any, red: Any, codes: Any, lengths: Any, out: Any
) -> Any:
    predictors = np.zeros(3, np.int64)
    state = np.zeros(3, np.int64)
    for n in range(component.shape[0]):
        number = component[n]
        table = 0 if number == 0 else 2
        levels = luma if number == 0 else (blue if number == 1 else red)
        index = block[n]
        run = 0
        for k in range(64):
            value = np.int64(levels[index, k])
            if k == 0:
                value, predictors[number] = value - predictors[number], value
            elif value == 0:
                run += 1
                continue
            kind = table if k == 0 else table + 1
            while run > LONGEST_RUN:
                _put(out, state, codes[kind, ZRL], lengths[kind, ZRL])
                run -= LONGEST_RUN + 1
            size = size_of(abs(value))
            symbol = (run << 4) + size
            extra = value if value >= 0 else value + (1 << size) - 1
            _put(out, state, (codes[kind, symbol] << size) | extra, lengths[kind, symbol] + size)
            run = 0
        if run:
            _put(out, state, codes[table + 1, EOB], lengths[table + 1, EOB])
    fill = -state[1] & 7
    _put(out, state, (1 << fill) - 1, fill)
    return state[2]


def write_scan(
    levels: tuple[NDArray[np.int16], ...],
    order: tuple[NDArray[np.uint8], NDArray[np.int32]],
    tables: list[HuffmanTable],
    bound_bits: int,
) -> bytes:
    """Code the blocks in scan order with the tables DC luma, AC luma, DC chroma, AC chroma (the latter two for colour).

    bound_bits: the length of the result in bits, without stuffing, or more.
    """
    codes = np.stack([table.codes for table in tables]).astype(np.int64)
    lengths = np.stack([table.lengths for table in tables]).astype(np.int64)
    out = np.empty(2 * (bound_bits // 8 + 1), np.uint8)
    luma, blue, red = (levels[0], levels[-1], levels[-1]) if len(levels) == 1 else levels
    size = _write_kernel(*order, luma, blue, red, codes, lengths, out)
    return out[:size].tobytes()
