"""Which objects are worth a job."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from config.jobs import JOB_FIELD
from config.places import RECORDS_PREFIX

if TYPE_CHECKING:
    from config.objects import ObjectVersion

IMAGE_SUFFIXES = frozenset({
    ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jpx", ".mpo", ".pbm",
    ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".sgi", ".tga", ".tif", ".tiff", ".webp",
})  # fmt: skip
"""Suffixes of the formats that a worker decodes, in lower case."""


def is_candidate(source: ObjectVersion) -> bool:
    """Whether an object looks like an image and is none of our own results and records, as far as is known of it."""
    return is_image_key(source.key) and JOB_FIELD not in source.metadata


def is_image_key(key: str) -> bool:
    """Whether a key has an image's suffix and is none of our own records'."""
    return posixpath.splitext(key)[1].lower() in IMAGE_SUFFIXES and f"/{RECORDS_PREFIX}" not in f"/{key}"
