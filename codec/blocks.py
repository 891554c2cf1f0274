"""From the blocks of a component to the tokens of its progressive scans (ITU-T T.81, G.1.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import int16, int64, uint32

from codec.kernel import helper, kernel, reads, trailing_zeros, writes
from codec.symbols import LONGEST_RUN, ZRL, size_of
from codec.tokens import BITS, COUNTS, LENGTH, LONGEST_VALUE, NO_SYMBOL, VALUE, Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LONGEST_END: Final = 32767
"""Most blocks that one end-of-band symbol can stand for (T.81, G.1.2.2)."""
DEEPEST: Final = 3
"""Most low bits that a first AC scan may leave to refinements: at quality 90 one large picture in four uses three."""
NONE: Final = DEEPEST + 1
"""Stands for the point transform of the scan before where there was none."""

_SIZES: Final = np.frexp(np.arange(4096))[1].astype(np.int32)
"""Number of bits of a DC difference, which is at most 2047."""


# Bit k of masks[n, a] tells whether level k of block n, shifted right by a, is other than zero. Most levels are zero:
# four are looked at in one word first.
@kernel(reads(int16, 2), reads(int64, 2), writes(int64, 2), returns=int64)
def _mask_kernel(levels: Any, words: Any, masks: Any) -> Any:
    total: Any = 0
    for n in range(levels.shape[0]):
        bits0: Any = 0
        bits1: Any = 0
        bits2: Any = 0
        bits3: Any = 0
        for word in range(16):
            if words[n, word] == 0:
                continue
            for k in range(4 * word, 4 * word + 4):
                magnitude = abs(np.int64(levels[n, k]))
                bits0 |= np.int64(magnitude > 0) << k
                bits1 |= np.int64(magnitude > 1) << k
                bits2 |= np.int64(magnitude > 3) << k  # noqa: PLR2004  shifted by two it is one or more
                bits3 |= np.int64(magnitude > 7) << k  # noqa: PLR2004  shifted by three
                total += magnitude > 0
        masks[n, 0] = bits0
        masks[n, 1] = bits1
        masks[n, 2] = bits2
        masks[n, 3] = bits3
    return total


# Bits that belong to no symbol, in as many tokens as it takes.
@helper
def _put(tokens: Any, at: Any, bits: Any, length: Any, counts: Any) -> Any:
    counts[BITS] += length
    while length > 0:
        part = min(length, LONGEST_VALUE)
        length -= part
        tokens[at] = NO_SYMBOL | part << LENGTH | (bits >> length & ((1 << part) - 1)) << VALUE
        at += 1
    return at


# EOBn stands for 2^n blocks and as many more as the n bits after it say.
@helper
def _put_end(tokens: Any, slot: Any, ended: Any, counts: Any) -> None:
    size = size_of(ended) - 1
    tokens[slot] = size << 4 | size << LENGTH | (ended - (1 << size)) << VALUE
    counts[size << 4] += 1


# T.81, G.1.2.2 and G.1.2.3: a first scan and a refinement are the same but that a refinement meets levels which an
# earlier scan has begun. Each adds a correction bit, which goes out after the next symbol of its block or, if there is
# none, after the end-of-band symbol that the block belongs to; the token of that symbol is left open until then. ZRL
# is for runs that a new level of the block follows. `new` holds the new levels from the current one on.
@kernel(
    reads(int16, 2),
    reads(int64, 2),
    reads(int64, 1),
    reads(int64, 1),
    writes(uint32, 1),
    writes(int64, 1),
    returns=int64,
)
def _scan_kernel(  # noqa: C901, PLR0915  one walk over the levels, with its state in registers
    levels: Any, masks: Any, grid: Any, band: Any, tokens: Any, counts: Any
) -> Any:
    rows, columns, stride, start, step = grid[0], grid[1], grid[2], grid[3], grid[4]
    first, last, high, low = band[0], band[1], band[2], band[3]
    within = ((1 << (last - first + 1)) - 1) << first
    refined = 0 if high == NONE else within
    zero: Any = np.int64(0)  # a plain 0 would have the helpers compiled once more, for a literal
    at = slot = ended = zero
    for row in range(start, rows, step):
        for n in range(row * stride, row * stride + columns):
            rest = masks[n, low] & within
            new = rest & ~(masks[n, high & DEEPEST] & refined)
            before = first - 1
            run = held = bits = zero
            if new and ended:
                _put_end(tokens, slot, ended, counts)
                ended = zero
            while rest:
                k = trailing_zeros(rest)
                rest &= rest - 1
                run += k - before - 1
                before = k
                value = np.int64(levels[n, k])
                magnitude = abs(value) >> low
                fresh = new >> k & 1
                while (new and run > LONGEST_RUN) or fresh:
                    if run > LONGEST_RUN:
                        token = symbol = ZRL
                        run -= LONGEST_RUN + 1
                    else:
                        size = size_of(magnitude)
                        extra = magnitude if value >= 0 else (1 << size) - 1 - magnitude
                        symbol = run << 4 | size
                        token = symbol | size << LENGTH | extra << VALUE
                        new &= rest
                        run = fresh = 0
                        magnitude = -1
                    tokens[at] = token
                    counts[symbol] += 1
                    at = _put(tokens, at + 1, bits, held, counts)
                    held = bits = zero
                if magnitude >= 0:
                    bits = bits << 1 | (magnitude & 1)
                    held += 1
            if before < last or held:
                if ended == LONGEST_END:
                    _put_end(tokens, slot, ended, counts)
                    ended = zero
                if ended == 0:
                    slot = at
                    at += 1
                ended += 1
                at = _put(tokens, at, bits, held, counts)
    if ended:
        _put_end(tokens, slot, ended, counts)
    return at


@dataclass(frozen=True, slots=True)
class Band:
    """What an AC scan holds of a component.

    first, last: its zigzag positions.
    high, low: the point transforms of the scan before, `NONE` if there was none, and of this one (T.81, G.1.1.1).
    """

    first: int
    last: int
    high: int = NONE
    low: int = 0

    @property
    def before(self) -> int:
        """The point transform of the scan before as the header of the scan tells it: 0 if there was none."""
        return 0 if self.high == NONE else self.high


class Blocks:
    """The blocks of a component as AC scans see them: those that hold samples of the picture (T.81, A.2.2)."""

    def __init__(self, levels: NDArray[np.int16], columns: int, inside: tuple[int, int]) -> None:
        """Take levels `int16[n,64]` on a grid of `columns`, of which the first `inside` (rows, columns) count."""
        self.inside = inside
        self._levels = np.ascontiguousarray(levels)
        self._columns = columns
        self._masks = np.empty((len(levels), DEEPEST + 1), np.int64)
        nonzero = _mask_kernel(self._levels, self._levels.view(np.int64), self._masks)
        # A level adds one token, a block up to three ZRL and an end; correction bits take no more than their level.
        self._longest = nonzero + 4 * len(levels) + 3

    def dc(self) -> NDArray[np.int32]:
        """Return the DC levels `int32[rows,columns]` of the whole grid.

        Blocks without samples, at the right and the bottom of MCUs of 2×2, repeat the one before: that costs least.
        """
        levels = self._levels[:, 0].astype(np.int32).reshape(-1, self._columns)
        rows, columns = self.inside
        if columns < levels.shape[1]:
            levels[:, -1] = levels[:, -2]
        if rows < levels.shape[0]:
            levels[-1] = levels[-2, 1::2].repeat(2)
        return levels

    def scan(self, band: Band, step: int = 1) -> Tokens:
        """Return the tokens of a scan; of every `step`-th row of blocks only, to learn about all."""
        rows, columns = self.inside
        grid = np.array((rows, columns, self._columns, (min(step, rows) - 1) // 2, step), np.int64)
        limits = np.array((band.first, band.last, band.high, band.low), np.int64)
        words = np.empty(self._longest, np.uint32)
        counts = np.zeros((1, COUNTS), np.int64)
        size = _scan_kernel(self._levels, self._masks, grid, limits, words, counts[0])
        return Tokens(words[: size + 3], counts)


def dc_scan(components: Sequence[Blocks], side: int) -> Tokens:
    """Return the tokens of the DC scan, in which all components are interleaved (T.81, A.2.3), one table each.

    side: blocks of luma along each side of an MCU; chroma has one block.
    """
    grids = [blocks.dc() for blocks in components]
    rows, columns = grids[-1].shape
    grids[0] = grids[0].reshape(rows, side, columns, side).swapaxes(1, 2)
    parts = []
    counts = np.zeros((len(grids), COUNTS), np.int64)
    for number, grid in enumerate(grids):
        difference = np.diff(grid.ravel(), prepend=np.int32(0))
        size = _SIZES[np.abs(difference)]
        value = (difference - (difference < 0)) & ((1 << size) - 1)
        counts[number, :BITS] = np.bincount(size, minlength=BITS)
        parts.append((number << 8 | size | size << LENGTH | value << VALUE).reshape(rows * columns, -1))
    words = np.concatenate(parts, axis=1).ravel()
    return Tokens(np.append(words, np.zeros(3, np.int32)).view(np.uint32), counts)
