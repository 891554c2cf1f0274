"""The file around the scan: JFIF, tables, EXIF and ICC segments (ITU-T T.81, annex B; JFIF 1.02; ICC.1, B.4)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from codec.huffman import HuffmanTable

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


def _define_huffman(table: HuffmanTable, kind: int, destination: int) -> bytes:
    return bytes([kind << 4 | destination, *table.counts]) + table.symbols


def baseline(
    size: tuple[int, int],
    quantisation: tuple[np.ndarray, ...],
    huffman: list[HuffmanTable],
    scan: bytes,
) -> bytes:
    """Assemble a baseline JPEG of `size` (height, width) from tables in zigzag order and coded data.

    One quantisation table and two Huffman tables (DC, AC) make a grey picture, twice as many a 4:2:0 colour one.
    """
    colour = len(quantisation) > 1
    height, width = size
    parts = [b"\xff\xd8", _app0()]
    for destination, table in enumerate(quantisation):
        parts.append(_segment(0xDB, bytes([destination]) + table.astype(np.uint8).tobytes()))
    components = ((1, 0x22, 0), (2, 0x11, 1), (3, 0x11, 1)) if colour else ((1, 0x11, 0),)
    frame = struct.pack(">BHHB", 8, height, width, len(components))
    parts.append(_segment(0xC0, frame + b"".join(bytes(component) for component in components)))
    definitions = [_define_huffman(table, i % 2, i // 2) for i, table in enumerate(huffman)]
    parts.append(_segment(0xC4, b"".join(definitions)))
    selectors = b"".join(bytes([number, table << 4 | table]) for number, _, table in components)
    parts.append(_segment(0xDA, bytes([len(components)]) + selectors + bytes([0, 63, 0])))
    parts.extend((scan, b"\xff\xd9"))
    return b"".join(parts)


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
