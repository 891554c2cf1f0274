"""Good files, what becomes of them by chance, and what the steps of a worker make of that."""

from __future__ import annotations

import io
import random
import zlib
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from config.errors import PermanentError
from config.recipes import Recipe
from config.settings import LimitSettings
from worker.decode import decode
from worker.encode import encode
from worker.probe import probe
from worker.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF")
_LIMITS = LimitSettings(max_pixels=4_000_000)
_RECIPE = Recipe(metadata="keep")
_SIDES_PX = (48, 40)
_MOST_CHANGES = 12
_LONGEST_PIECE = 64
_PNG = b"\x89PNG\r\n\x1a\n"
_MENDED_SHARE = 0.7
"""So many of the changed PNG files get right checksums: a decoder looks no further than to a wrong one."""


def good_files() -> dict[str, bytes]:
    """Return sound files by a name that begins with their format: several modes, an ICC profile's place, EXIF."""
    width, height = _SIDES_PX
    rows, columns = np.mgrid[0:height, 0:width]
    rgb = np.stack([rows * 5 % 256, columns * 5 % 256, (rows * columns) % 256], axis=2).astype(np.uint8)
    colour, grey = Image.fromarray(rgb), Image.fromarray(rgb[:, :, 2])
    layered = colour.copy()
    layered.putalpha(grey)
    exif = Image.Exif()
    exif[0x0112], exif[0x8298] = 6, "someone"
    profile = b"\0" * 16 + b"RGB " + b"\0" * 140
    return {
        "JPEG": _file(colour, "JPEG", quality=80, exif=exif),
        "JPEG progressive": _file(colour, "JPEG", progressive=True, subsampling=0, icc_profile=profile),
        "JPEG grey": _file(grey, "JPEG"),
        "JPEG cmyk": _file(colour.convert("CMYK"), "JPEG"),
        "PNG": _file(layered, "PNG", exif=exif),
        "PNG palette": _file(colour.quantize(16), "PNG", transparency=3),
        "PNG deep": _file(Image.fromarray(rgb[:, :, 2].astype(np.uint16) * 257), "PNG"),
        "WEBP": _file(colour, "WEBP", quality=80, exif=exif),
        "WEBP lossless": _file(layered, "WEBP", lossless=True),
        "TIFF": _file(colour, "TIFF"),
        "TIFF lzw": _file(layered, "TIFF", compression="tiff_lzw"),
        "TIFF jpeg": _file(colour, "TIFF", compression="jpeg"),
        "GIF": _file(colour.quantize(32), "GIF"),
        "GIF interlaced": _file(grey, "GIF", interlace=1, comment=b"hello"),
        "AVIF": _file(colour, "AVIF", quality=60),
    }


def truncations(data: bytes, count: int) -> Iterator[tuple[int, bytes]]:
    """Yield the file cut at `count` offsets that are spread evenly over it, with the offset."""
    for offset in sorted({len(data) * n // count for n in range(count)}):
        yield offset, data[:offset]


def mutation(files: dict[str, bytes], seed: int) -> tuple[str, bytes]:
    """Return one of the files, by its name, after a few random changes: bits, bytes, pieces lost, doubled or moved."""
    rng = random.Random(seed)  # noqa: S311 - a seed is what is wanted
    name = rng.choice(sorted(files))
    data = bytearray(files[name])
    for _ in range(rng.randint(1, _MOST_CHANGES)):
        at = rng.randrange(max(1, len(data)))
        piece = slice(at, at + rng.randint(1, _LONGEST_PIECE))
        match rng.randrange(6):
            case 0:
                data[at : at + 1] = bytes([data[at] ^ (1 << rng.randrange(8))]) if data else b""
            case 1:
                data[at : at + 1] = bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, rng.randrange(256)))])
            case 2:
                del data[piece]
            case 3:
                data[at:at] = data[piece]
            case 4:
                other = files[rng.choice(sorted(files))]
                start = rng.randrange(len(other))
                data[piece] = other[start : start + rng.randint(1, _LONGEST_PIECE)]
            case _:
                word = rng.choice((0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)).to_bytes(4, rng.choice(("little", "big")))
                data[at : at + 4] = word
    if data.startswith(_PNG) and rng.random() < _MENDED_SHARE:
        _mend_checksums(data)
    return name, bytes(data)


def ending(data: bytes) -> str:
    """Do with a file what a worker does, and return `result` or the code of the failure.

    Anything but a permanent error of semjpeg's own is a defect and comes through as it is.
    """
    try:
        source = probe(data, _LIMITS)
        picture = decode(source)
        importance = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
        verify(encode(source, picture, importance, _RECIPE).data, picture, _LIMITS)
    except PermanentError as error:
        return error.code
    return "result"


def _mend_checksums(data: bytearray) -> None:
    """Make the checksums of a PNG's chunks right again, so that a decoder reads on behind the changes."""
    at = len(_PNG)
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big") if end + 4 <= len(data) else b""
        at = end + 4


def _file(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
