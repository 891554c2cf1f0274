"""Huffman codes of at most 16 bits, made for the picture at hand (ITU-T T.81, annexes C and K.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import int64

from codec.kernel import helper, kernel, reads, writes

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


# Of leaves in the order of their weights, and of inner nodes in the order in which they are made, the lightest always
# comes first, so that nothing need be sorted. Of a leaf and a node of the same weight the leaf is taken.
@helper
def grow_tree(leaves: Any, nodes: Any, parents: Any) -> None:
    """Merge leaves, weights in order: n - 1 weights of inner nodes, and which one is above each leaf and each node."""
    count = leaves.shape[0]
    leaf = node = np.int64(0)
    for made in range(count - 1):
        nodes[made] = 0
        for _ in range(2):
            if leaf < count and (node == made or leaves[leaf] <= nodes[node]):
                nodes[made] += leaves[leaf]
                parents[leaf] = made
                leaf += 1
            else:
                nodes[made] += nodes[node]
                parents[count + node] = made
                node += 1


@kernel(reads(int64, 1), writes(int64, 1))
def _depths_kernel(leaves: Any, depths: Any) -> None:
    count = leaves.shape[0]
    nodes = np.empty(count, np.int64)
    parents = np.empty(2 * count, np.int64)
    grow_tree(leaves, nodes, parents)
    nodes[count - 2] = 0  # from here on depths: the root's
    for node in range(count - 3, -1, -1):
        nodes[node] = nodes[parents[count + node]] + 1
    for leaf in range(count):
        depths[leaf] = nodes[parents[leaf]] + 1


def _depths(frequencies: dict[int, int]) -> dict[int, int]:
    """Depth of each of two or more symbols in Huffman's tree; ties go to the lower symbol, and to what came first."""
    ordered = sorted(frequencies.items(), key=lambda entry: (entry[1], entry[0]))
    depths = np.empty(len(ordered), np.int64)
    _depths_kernel(np.array([frequency for _, frequency in ordered], np.int64), depths)
    return {symbol: depth for (symbol, _), depth in zip(ordered, depths.tolist(), strict=True)}


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
