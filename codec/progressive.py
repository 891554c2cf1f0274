"""Progressive JPEG files from levels: DC first, then AC in the scans that take fewest bytes (ITU-T T.81, annex G)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from codec import huffman, jfif
from codec.blocks import Blocks, dc_scan
from codec.scans import choose, share
from codec.tables import BLOCK
from codec.tokens import BITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from codec.huffman import HuffmanTable
    from codec.scans import Scan
    from codec.tokens import Tokens
    from codec.transform import Plane


@dataclass(frozen=True, slots=True)
class _Part:
    """A scan with the segments before it."""

    header: bytes
    tokens: Tokens
    codes: Sequence[HuffmanTable]


class Writer:
    """Writes files of one picture; the scans that suit the first one are those of all."""

    def __init__(self, size: tuple[int, int], planes: tuple[Plane, ...]) -> None:
        """Prepare.

        Args:
            size: Height and width, in pixels.
            planes: Tell the grids of the components. Colour is 4:4:4 if all are alike, and 4:2:0 otherwise.
        """
        self._size = size
        self._planes = planes
        self._scans: list[list[Scan]] | None = None

    def write(self, tables: tuple[NDArray[np.float32], ...], levels: tuple[NDArray[np.int16], ...]) -> bytes:
        """Write levels as a progressive JPEG, with Huffman codes made to fit.

        Args:
            tables: For luma and, in a colour picture, for chroma, `float32[64]` of whole numbers in 1..255.
            levels: Of each component, `int16[n,64]`.
        """
        blocks = _blocks(self._size, self._planes, levels)
        self._scans = self._scans or choose(blocks)
        parts = [jfif.beginning(self._size, tables, _sampling(self._planes))]
        for part in _parts(blocks, _sampling(self._planes)[0], self._scans):
            parts += (part.header, part.tokens.write(part.codes))
        return b"".join((*parts, jfif.END))


def write(
    size: tuple[int, int],
    planes: tuple[Plane, ...],
    tables: tuple[NDArray[np.float32], ...],
    levels: tuple[NDArray[np.int16], ...],
) -> bytes:
    """Write a single file, as of `Writer`."""
    return Writer(size, planes).write(tables, levels)


def _sampling(planes: tuple[Plane, ...]) -> tuple[int, ...]:
    """Blocks along each side of an MCU, by component (T.81, A.2.1)."""
    return (planes[0].columns // planes[-1].columns, *[1] * (len(planes) - 1))


def _blocks(size: tuple[int, int], planes: tuple[Plane, ...], levels: tuple[NDArray[np.int16], ...]) -> list[Blocks]:
    """Blocks of each component, of which those that hold samples count: ⌈⌈side · sampling / largest⌉ / 8⌉."""
    sampling = _sampling(planes)
    components = []
    for plane, part, factor in zip(planes, levels, sampling, strict=True):
        rows, columns = (-(-length * factor // (sampling[0] * BLOCK)) for length in size)
        components.append(Blocks(part, plane.columns, (rows, columns)))
    return components


def _parts(blocks: Sequence[Blocks], side: int, scans: list[list[Scan]]) -> Iterator[_Part]:
    """Yield all scans in the order of the file; side: blocks of luma along each side of an MCU."""
    dc = dc_scan(blocks, side)
    codes, selectors, definitions = [], [], []
    for destination, group in enumerate(share(list(dc.counts))[0]):
        code = huffman.build(dc.counts[group, :BITS].sum(axis=0))
        definitions.append((destination, code))
        for number in group:
            codes.append(code)
            selectors.append((number + 1, destination, 0))
    header = jfif.huffman_codes([(0, *definition) for definition in definitions])
    yield _Part(header + jfif.scan(selectors, (0, 0, 0, 0)), dc, codes)
    defined = None
    for scan, tokens, code in _ac_scans(blocks, scans):
        header = b"" if code is defined else jfif.huffman_codes([(1, 0, code)])
        defined = code
        band = scan.band
        header += jfif.scan([(scan.component + 1, 0, 0)], (band.first, band.last, band.before, band.low))
        yield _Part(header, tokens, [code])


def _ac_scans(blocks: Sequence[Blocks], scans: list[list[Scan]]) -> Iterator[tuple[Scan, Tokens, HuffmanTable]]:
    """Yield the AC scans in the order of the file with their codes, of which each group of scans has one."""
    for group in scans:
        tokens = [blocks[scan.component].scan(scan.band) for scan in group]
        code = huffman.build(np.sum([scan.counts[0, :BITS] for scan in tokens], axis=0))
        for scan, words in zip(group, tokens, strict=True):
            yield scan, words, code
