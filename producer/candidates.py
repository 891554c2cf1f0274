"""Which objects are worth a job."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from config.places import RECORDS_PREFIX

if TYPE_CHECKING:
    from config.objects import ObjectVersion

IMAGE_SUFFIXES = frozenset({
    ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jpx", ".mpo", ".pbm",
    ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".sgi", ".tga", ".tif", ".tiff", ".webp",
})  # fmt: skip
"""Suffixes of the formats that a worker decodes, in lower case."""


def is_candidate(source: ObjectVersion) -> bool:
    """Whether an object looks like an image and is none of our own records."""
    return PurePosixPath(source.key).suffix.lower() in IMAGE_SUFFIXES and RECORDS_PREFIX not in source.key
