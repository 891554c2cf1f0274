"""A JPEG source that cannot be beaten: its own coefficients, coded better."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from PIL import ExifTags, Image

from config.errors import DamagedImageError
from worker.metadata import UPRIGHT, exif_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.recipes import MetadataPolicy

_OPTIMISE = (
    "import sys, mozjpeg_lossless_optimization as m;"
    "sys.stdout.buffer.write(m.optimize(sys.stdin.buffer.read(), m.COPY_MARKERS.ICC))"
)
_OPTIMISE_S = 60.0
"""Seconds; 12 megapixels take less than one."""

_SOI = b"\xff\xd8"
_SOS = 0xDA
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_COM = 0xFE
_APPLICATION = range(_APP0, _APP0 + 16)
_ICC = b"ICC_PROFILE\0"
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a length: TEM and RST0..RST7 (T.81 B.1.1.3)."""


def recode(data: bytes, policy: MetadataPolicy, exif: Image.Exif) -> bytes:
    """Return the same picture, coefficient for coefficient, in as few bytes as can be, with the metadata of `policy`.

    The pixels stay as they are stored, so an orientation that the source asks of its viewer is kept.

    Args:
        data: A JPEG file.
        policy: What of the EXIF data may be kept.
        exif: The source's EXIF data.

    Raises:
        DamagedImageError: The file's segments make no sense.
    """
    better = _optimised(data)
    orientation = int(exif.get(ExifTags.Base.Orientation, UPRIGHT))
    wanted = exif_for(policy, exif, orientation=orientation if orientation in range(1, 9) else UPRIGHT)
    return min((_with_metadata(candidate, wanted) for candidate in (better, data)), key=len)


def _optimised(data: bytes) -> bytes:
    """Let the scan optimiser try, in a process of its own: libjpeg ends the process on files that it cannot transcode.

    What it cannot do, or not in time, stays as it is.
    """
    command = [sys.executable, "-I", "-c", _OPTIMISE]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_OPTIMISE_S, check=False)  # noqa: S603 - our own program
    except subprocess.TimeoutExpired:
        return data
    return done.stdout if done.returncode == 0 and done.stdout.startswith(_SOI) else data


def _with_metadata(data: bytes, exif: bytes | None) -> bytes:
    """Keep the segments that decoding needs, drop other application segments and comments, add `exif`."""
    jfif, rest = b"", []
    for marker, segment in _segments(data):
        if marker == _APP0:
            jfif = jfif or segment
        elif (
            marker == _APP14
            or (marker == _APP2 and segment[4:].startswith(_ICC))
            or (marker not in _APPLICATION and marker != _COM)
        ):
            rest.append(segment)
    app1 = b""
    if exif is not None:
        body = b"Exif\0\0" + exif
        app1 = bytes([0xFF, _APP1]) + (len(body) + 2).to_bytes(2, "big") + body
    return b"".join([_SOI, jfif, app1, *rest])


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and whole segment up to the first scan, which comes with all that follows it (T.81 B.1.1)."""
    at = len(_SOI)
    while True:
        while data[at : at + 2] == b"\xff\xff":
            at += 1  # fill bytes (T.81 B.1.1.2)
        if len(data) < at + 4 or data[at] != 0xFF:  # noqa: PLR2004 - the first byte of every marker
            raise DamagedImageError("has damaged segments before its first scan")
        marker = data[at + 1]
        if marker == _SOS:
            yield marker, data[at:]
            return
        size = 2 if marker in _STANDALONE else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, data[at : at + size]
        at += size
