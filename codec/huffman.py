"""Huffman codes of at most 16 bits, made for the picture at hand (ITU-T T.81, annexes C and K.2)."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RESERVED: Final = 256

LONGEST: Final = 16
"""Most bits that a code may have (T.81, B.2.4.2)."""


@dataclass(frozen=True, slots=True)
class HuffmanTable:
    """A code: how many codes there are of each length, and their symbols.

    counts: `int[16]`, number of codes of 1 to 16 bits (BITS).
    symbols: the symbols by rising code length (HUFFVAL).
    lengths, codes: `uint8[256]` and `uint16[256]`, by symbol; a length of 0 marks an unused one.
    """

    counts: tuple[int, ...]
    symbols: bytes
    lengths: NDArray[np.uint8]
    codes: NDArray[np.uint16]


def _depths(frequencies: dict[int, int]) -> dict[int, int]:
    """Depth of each symbol in Huffman's tree; ties go to what came first, so the same counts give the same tree."""
    heap: list[tuple[int, int, tuple[int, ...]]] = [
        (frequency, symbol, (symbol,)) for symbol, frequency in sorted(frequencies.items())
    ]
    heapq.heapify(heap)
    depths = dict.fromkeys(frequencies, 0)
    serial = max(frequencies) + 1
    while len(heap) > 1:
        first, second = heapq.heappop(heap), heapq.heappop(heap)
        members = first[2] + second[2]
        for symbol in members:
            depths[symbol] += 1
        heapq.heappush(heap, (first[0] + second[0], serial, members))
        serial += 1
    return depths


def _limited_depths(frequencies: dict[int, int]) -> dict[int, int]:
    """Depth of each symbol in the best tree of at most `LONGEST` levels, by package-merge.

    Larmore and Hirschberg, "A fast algorithm for optimal length-limited Huffman codes", 1990. Once per level the
    symbols and the pairs of the level before are put in order and paired; a symbol is as deep as it occurs often in
    the cheapest n − 1 pairs of the last level. T.81's own way (figure K.3) can take more bits.
    """
    leaves = [(frequency, (symbol,)) for symbol, frequency in frequencies.items()]
    pairs: list[tuple[int, tuple[int, ...]]] = []
    for _ in range(LONGEST):
        merged = sorted(leaves + pairs)
        pairs = [
            (first[0] + second[0], first[1] + second[1])
            for first, second in zip(merged[::2], merged[1::2], strict=False)
        ]
    depths = dict.fromkeys(frequencies, 0)
    for _, members in pairs[: len(frequencies) - 1]:
        for symbol in members:
            depths[symbol] += 1
    return depths


def build(histogram: NDArray[np.int64]) -> HuffmanTable:
    """Build the code for a histogram `int64[256]` of symbols; one without any symbol gets a code for symbol 0.

    A symbol of its own is added with the smallest count and keeps the code of all ones, which JPEG forbids.
    """
    frequencies = {int(symbol): int(histogram[symbol]) for symbol in np.flatnonzero(histogram)} or {0: 1}
    # Doubled, so that the reserved symbol is rarer than any real one and gets the last of the longest codes.
    doubled = {symbol: 2 * frequency for symbol, frequency in frequencies.items()} | {_RESERVED: 1}
    depths = _depths(doubled)
    if max(depths.values()) > LONGEST:
        depths = _limited_depths(doubled)
    del depths[_RESERVED]
    ordered = sorted(depths, key=lambda symbol: (depths[symbol], symbol))
    counts = np.bincount(list(depths.values()), minlength=LONGEST + 1).tolist()
    lengths = np.zeros(256, np.uint8)
    codes = np.zeros(256, np.uint16)
    code = position = 0
    for length in range(1, LONGEST + 1):  # T.81, figures C.1 and C.2
        for symbol in ordered[position : position + counts[length]]:
            lengths[symbol] = length
            codes[symbol] = code
            code += 1
        position += counts[length]
        code <<= 1
    return HuffmanTable(tuple(counts[1:]), bytes(ordered), lengths, codes)
