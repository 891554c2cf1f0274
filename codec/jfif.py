"""The file around the scans: JFIF, tables, EXIF and ICC segments (ITU-T T.81, annex B; JFIF 1.02; ICC.1, B.4)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codec.huffman import HuffmanTable

_PROGRESSIVE: Final = 0xC2
"""Marker of a progressive frame with Huffman codes (T.81, table B.1)."""

END: Final = b"\xff\xd9"
"""What a file ends with."""

_LARGEST_SEGMENT: Final = 65_533
"""Bytes that a segment can carry: its 16-bit length counts itself."""

EXIF_HEADER: Final = b"Exif\0\0"
_ICC_HEADER: Final = b"ICC_PROFILE\0"
_ICC_CHUNK: Final = _LARGEST_SEGMENT - len(_ICC_HEADER) - 2

LARGEST_EXIF: Final = _LARGEST_SEGMENT - len(EXIF_HEADER)
LARGEST_ICC: Final = 255 * _ICC_CHUNK
"""A profile is split into at most 255 numbered chunks."""


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _app0() -> bytes:
    return _segment(0xE0, b"JFIF\0" + struct.pack(">HBHHBB", 0x0102, 0, 1, 1, 0, 0))


def beginning(size: tuple[int, int], quantisation: tuple[np.ndarray, ...], sampling: Sequence[int]) -> bytes:
    """Return all that comes before the Huffman codes of a progressive JPEG of `size` (height, width).

    quantisation: tables in zigzag order; with two, components after the first use the second.
    sampling: blocks along each side of an MCU, by component.
    """
    height, width = size
    parts = [b"\xff\xd8", _app0()]
    for destination, table in enumerate(quantisation):
        parts.append(_segment(0xDB, bytes([destination]) + table.astype(np.uint8).tobytes()))
    components = b"".join(
        bytes([number, factor << 4 | factor, number > 1]) for number, factor in enumerate(sampling, 1)
    )
    parts.append(_segment(_PROGRESSIVE, struct.pack(">BHHB", 8, height, width, len(sampling)) + components))
    return b"".join(parts)


def huffman_codes(definitions: Sequence[tuple[int, int, HuffmanTable]]) -> bytes:
    """Define codes, given with their class (0 for DC, 1 for AC) and destination (0 to 3)."""
    codes = [
        bytes([kind << 4 | destination, *table.counts]) + table.symbols for kind, destination, table in definitions
    ]
    return _segment(0xC4, b"".join(codes))


def scan(components: Sequence[tuple[int, int, int]], band: tuple[int, int, int, int]) -> bytes:
    """Return the header of a scan.

    components: the number of each, from 1 on, and the destinations of its codes for DC and for AC; 0 if it has none.
    band: first and last zigzag position; point transform of the scan before, 0 if there was none, and of this one.
    """
    selectors = b"".join(bytes([number, dc << 4 | ac]) for number, dc, ac in components)
    first, last, high, low = band
    return _segment(0xDA, bytes([len(components)]) + selectors + bytes([first, last, high << 4 | low]))


def metadata(icc: bytes | None, exif: bytes | None) -> bytes:
    """Return the segments of EXIF (APP1), given without its header, and of the ICC profile (APP2, in chunks)."""
    segments = []
    if exif is not None:
        segments.append(_segment(0xE1, EXIF_HEADER + exif))
    if icc is not None:
        chunks = [icc[start : start + _ICC_CHUNK] for start in range(0, len(icc), _ICC_CHUNK)]
        for number, chunk in enumerate(chunks, 1):
            segments.append(_segment(0xE2, _ICC_HEADER + bytes([number, len(chunks)]) + chunk))
    return b"".join(segments)


def embed(jpeg: bytes, segments: bytes) -> bytes:
    """Insert segments after the JFIF segment of `jpeg`."""
    start = 2 + len(_app0())
    return b"".join((jpeg[:start], segments, jpeg[start:]))
