"""Tokens of progressive scans, symbols with the bits that follow them, and how they become bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import int64, uint8, uint32

from codec.kernel import kernel, reads, writes
from codec.symbols import EXTRA_BITS, ZRL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from codec.huffman import HuffmanTable

# A token is a word of 32 bits: symbol and table (bits 0 to 9), how many bits follow the symbol's code (10 to 14), and
# those bits (15 to 30). Tables 0 to 2 hold codes, table 3 empty ones, for bits that belong to no symbol.
LENGTH: Final = 10
VALUE: Final = 15
LONGEST_VALUE: Final = 16
_TABLES: Final = 4
NO_SYMBOL: Final = 3 << 8
BITS: Final = 256
"""Where counts hold the bits that belong to no symbol."""
COUNTS: Final = 257
"""Entries of the counts of a scan: its symbols and those bits."""

_SYMBOL: Final = np.arange(256)
VALUE_BITS: Final = np.where((_SYMBOL & 15 == 0) & (_SYMBOL != ZRL), _SYMBOL >> 4, EXTRA_BITS)
"""Bits that follow each symbol's code, `int64[256]`: n after EOBn, the size after any other (T.81, G.1.2.2)."""


# Bits are gathered at the low end of a word and leave it four bytes at a time. A byte 0xFF is followed by 0x00, so that
# no marker appears in the data (T.81, F.1.2.3); that none of the four is 0xFF is seen at once: then taking 1 from each
# byte of the complement borrows nowhere. `codes` holds code · 32 + length. Bits that fill no four bytes stay behind.
@kernel(reads(uint32, 1), reads(uint32, 1), writes(uint8, 1), returns=int64)
def _write_kernel(tokens: Any, codes: Any, out: Any) -> Any:
    word = np.int64(0)
    held: Any = 0
    position = 0
    for entry in tokens:
        token = np.int64(entry)
        code = np.int64(codes[token & 0x3FF])
        length = token >> LENGTH & 31
        word = ((word << (code & 31) | code >> 5) << length) | token >> VALUE
        held += (code & 31) + length
        if held < 32:  # noqa: PLR2004  four bytes
            continue
        held -= 32
        stuff = (word >> held & ((word >> held ^ 0xFFFFFFFF) - 0x01010101)) & 0x80808080
        for shift in range(24, -1, -8):
            byte = word >> (held + shift) & 0xFF
            out[position] = byte
            position += 1
            if stuff and byte == 0xFF:  # noqa: PLR2004  where a marker would begin
                out[position] = 0
                position += 1
    return position


@dataclass(frozen=True, slots=True)
class Tokens:
    """A scan before it is coded.

    words: its tokens, `uint32[n]`, and room for three more.
    counts: how often each symbol of each table occurs, `int64[t,COUNTS]`.
    """

    words: NDArray[np.uint32]
    counts: NDArray[np.int64]

    def bits(self, tables: Sequence[HuffmanTable]) -> int:
        """Bits of the scan in these codes, without what is stuffed in."""
        return sum(coded_bits(counts, table.lengths) for counts, table in zip(self.counts, tables, strict=True))

    def write(self, tables: Sequence[HuffmanTable]) -> bytes:
        """Code the scan; the last byte is filled with ones."""
        bits = self.bits(tables)
        fill = -bits & 7
        # Zeros up to a multiple of four bytes push out the rest.
        pad = -(bits + fill) & 31
        ends = ((fill, (1 << fill) - 1), (pad // 2, 0), (pad // 2, 0))
        self.words[-3:] = [NO_SYMBOL | length << LENGTH | value << VALUE for length, value in ends]
        codes = np.zeros(_TABLES << 8, np.uint32)
        for number, table in enumerate(tables):
            codes[number << 8 : (number + 1) << 8] = table.codes.astype(np.uint32) << 5 | table.lengths
        out = np.empty((bits + fill + pad) // 4, np.uint8)
        written = _write_kernel(self.words, codes, out)
        return out[: written - pad // 8].tobytes()


def coded_bits(counts: NDArray[np.int64], lengths: NDArray[np.uint8]) -> int:
    """Bits of what `int64[COUNTS]` counts, in codes of `uint8[256]` bits."""
    return int(counts[:BITS] @ (lengths + VALUE_BITS)) + int(counts[BITS])
