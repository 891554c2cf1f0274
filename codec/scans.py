"""The choice of progressive scans: which bands of which component, in how many bits at a time, and with whose code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import int64

from codec.blocks import DEEPEST, Band
from codec.huffman import grow_tree
from codec.kernel import kernel, reads
from codec.symbols import LAST
from codec.tokens import BITS, COUNTS, VALUE_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from codec.blocks import Blocks

# Where bands may begin, and past the last. On 24 Kodak pictures at qualities 30 to 90 luma takes at most 0.04 % more in
# the mean than with 19 as one more place, and 0.03 to 0.16 % more with (1, 3, 9, 64). Chroma gains nothing from more
# places, nor from refinements.
_LUMA_CUTS: Final = (1, 3, 6, 9, 13, LAST + 1)
_CHROMA_CUTS: Final = (1, 3, 9, LAST + 1)
_ROUGH_CUT: Final = 6
_PROMISING: Final = 1.02
"""Bytes of two luma bands, over those at the best point transform, up to which all bands are tried at another one."""

_SAMPLE: Final = 1536
_SAMPLE_ROWS: Final = 24
"""Luma blocks, and rows of them, to choose by, or up to twice as many. All blocks would take 0.02 % off Kodak pictures;
with 6 rows a photograph of 12 megapixels came out 0.6 % larger."""

_SCAN_BYTES: Final = 10
"""Bytes of the header of a scan of one component."""
_TABLE_BYTES: Final = 21
"""Bytes of the segment that defines a code, without its symbols."""
_FILL_BITS: Final = 4
"""Bits that fill up the last byte of a scan, in the mean."""


@dataclass(frozen=True, slots=True)
class Scan:
    """An AC scan of one component: 0 for luma, 1 and 2 for chroma."""

    component: int
    band: Band


# The depths of a Huffman tree times the weights of its leaves add up to the weights of its inner nodes.
@kernel(reads(int64, 1), reads(int64, 1), returns=int64)
def _code_kernel(counts: Any, value_bits: Any) -> Any:
    leaves = np.empty(COUNTS, np.int64)
    leaves[0] = 1  # the code of all ones
    number = 1
    size = counts[BITS]
    for symbol in range(BITS):
        count = counts[symbol]
        if count > 0:
            size += count * value_bits[symbol]
            place = number
            while leaves[place - 1] > count:
                leaves[place] = leaves[place - 1]
                place -= 1
            leaves[place] = count
            number += 1
    size += 8 * (_TABLE_BYTES + number - 1)
    nodes = np.empty(number, np.int64)
    parents = np.empty(2 * number, np.int64)
    grow_tree(leaves[:number], nodes, parents)
    return size + nodes[: number - 1].sum()


def code_bits(counts: NDArray[np.int64]) -> int:
    """Bits of what `int64[COUNTS]` counts in the code made for it, the definition of that code included.

    That codes end at 16 bits is left out of account.
    """
    return int(_code_kernel(counts, VALUE_BITS))


def share(counts: Sequence[NDArray[np.int64]]) -> tuple[list[list[int]], int]:
    """Group the numbers of successive scans that are smaller with one code than with a code each.

    counts: what each scan holds, `int64[COUNTS]`.

    Returns the groups, and the bits of all scans with their codes.
    """
    groups = [[0]]
    total, total_bits = counts[0], code_bits(counts[0])
    before = 0
    for number, own in enumerate(counts[1:], 1):
        own_bits = code_bits(own)
        together = code_bits(total + own)
        if together < total_bits + own_bits:
            groups[-1].append(number)
            total, total_bits = total + own, together
        else:
            groups.append([number])
            before += total_bits
            total, total_bits = own, own_bits
    return groups, before + total_bits


class _Trials:
    """What bands of components that are split alike take, found out once for each band."""

    def __init__(self, components: dict[int, Blocks], step: int) -> None:
        self._components = components
        self._step = step
        self._counts: dict[Band, list[NDArray[np.int64]]] = {}

    def counts(self, band: Band) -> list[NDArray[np.int64]]:
        """Return `int64[COUNTS]` for each component, for the whole picture as far as the sample tells."""
        if band not in self._counts:
            scans = [blocks.scan(band, self._step) for blocks in self._components.values()]
            self._counts[band] = [scan.counts[0] * self._step for scan in scans]
        return self._counts[band]

    def bits(self, band: Band) -> int:
        """Bits of the scans of one band."""
        counts = self.counts(band)
        return share(counts)[1] + len(counts) * (8 * _SCAN_BYTES + _FILL_BITS)

    def total(self, bands: Sequence[Band]) -> int:
        """Bits of the scans of several bands."""
        return sum(self.bits(band) for band in bands)

    def scans(self, band: Band) -> list[tuple[Scan, NDArray[np.int64]]]:
        """Return a scan of each component, with its counts."""
        return [
            (Scan(number, band), counts) for number, counts in zip(self._components, self.counts(band), strict=True)
        ]

    def split(self, cuts: Sequence[int], low: int) -> list[Band]:
        """Split all positions at some of the cuts so that the first scans of the bands take fewest bits."""
        best: dict[int, tuple[int, list[Band]]] = {cuts[0]: (0, [])}
        for number, end in enumerate(cuts[1:], 1):
            ways = []
            for start in cuts[:number]:
                band = Band(start, end - 1, low=low)
                ways.append((best[start][0] + self.bits(band), [*best[start][1], band]))
            best[end] = min(ways, key=lambda way: way[0])
        return best[cuts[-1]][1]


def _refinements(low: int) -> list[Band]:
    """Refinements that add what first scans with this point transform left out, a bit at a time."""
    return [Band(1, LAST, high, high - 1) for high in range(low, 0, -1)]


def _luma_bands(trials: _Trials) -> list[Band]:
    rough = []
    for low in range(DEEPEST + 1):
        halves = [Band(1, _ROUGH_CUT - 1, low=low), Band(_ROUGH_CUT, LAST, low=low)]
        rough.append(trials.total(halves + _refinements(low)))
    promising = [low for low, bits in enumerate(rough) if bits <= _PROMISING * min(rough)]
    return min((trials.split(_LUMA_CUTS, low) + _refinements(low) for low in promising), key=trials.total)


def choose(components: Sequence[Blocks]) -> list[list[Scan]]:
    """Choose AC scans for luma and, in a colour picture, two chroma components, that take few bytes.

    Returns the scans in the order of the file, grouped by the code that they share. Of a larger
    picture rows of blocks at equal distances decide.
    """
    rows, columns = components[0].inside
    step = max(1, min(rows * columns // _SAMPLE, rows // _SAMPLE_ROWS))
    luma = _Trials({0: components[0]}, step)
    bands = _luma_bands(luma)
    # The lowest luma comes first and chroma next, for whoever looks at half of the file.
    scans = luma.scans(bands[0])
    if len(components) > 1:
        chroma = _Trials(dict(enumerate(components[1:], 1)), step)
        for band in chroma.split(_CHROMA_CUTS, 0):
            scans += chroma.scans(band)
    for band in bands[1:]:
        scans += luma.scans(band)
    return [[scans[number][0] for number in group] for group in share([counts for _, counts in scans])[0]]
