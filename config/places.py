"""Where objects live: buckets with a prefix, and the layout of what is written beside a result."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from config.errors import ConfigurationError

RECORDS_PREFIX = ".semjpeg/"
"""Everything that is written beside the results stands under this prefix of the output place."""

MAX_KEY_BYTES: Final = 1024
"""S3's limit on the UTF-8 length of a key."""

MAX_RECORD_BYTES: Final = 1 << 18
"""A record has one or two thousand bytes, a few more with a long key; what is longer is none."""

_SHORTENED: Final = re.compile("~[0-9a-f]{64}")
"""How the name of a record ends whose source's name is too long for it: with the SHA-256 of that name."""


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket and a prefix in it.

    Attributes:
        bucket: Name of an S3 bucket, or `file:///absolute/folder` for a folder on this machine.
        prefix: Empty, or a key prefix that ends in `/`.
    """

    bucket: str
    prefix: str = ""

    @classmethod
    def parse(cls, url: str) -> Place:
        """Read `s3://bucket/prefix` or `file:///absolute/folder`.

        Raises:
            ConfigurationError: The URL has another form.
        """
        parts = urlsplit(url, allow_fragments=False)
        if parts.scheme == "s3" and parts.netloc:
            key = url.removeprefix("s3://").partition("/")[2].strip("/")
            return cls(parts.netloc, f"{key}/" if key else "")
        if parts.scheme == "file" and not parts.netloc and len(parts.path) > 1:
            return cls(f"file://{unquote(parts.path).rstrip('/')}")
        raise ConfigurationError(f"{url!r} is no place: expected s3://bucket/prefix or file:///absolute/folder")

    def __str__(self) -> str:
        return f"{self.bucket}/" if self.is_local else f"s3://{self.bucket}/{self.prefix}"

    @property
    def is_local(self) -> bool:
        """Whether this is a folder on this machine."""
        return self.bucket.startswith("file://")

    def contains(self, other: Place) -> bool:
        """Whether every key of `other` is also a key of this place."""
        if self.is_local and other.is_local:
            return f"{other.bucket}/".startswith(f"{self.bucket}/")
        return self.bucket == other.bucket and other.prefix.startswith(self.prefix)


@dataclass(frozen=True, slots=True)
class ResultKeys:
    """The keys, in the output bucket, of all that belongs to one source object.

    A result keeps the whole source key and appends `.jpg`, whatever the source's suffix was: `a.png` and
    `a.jpg` never fight for one result, and the key of a result can be computed without looking at the bucket.
    Where that makes the JPEG's key too long there is no result. What is written beside it always has a key that fits:
    of a name that is too long it keeps the beginning and has the SHA-256 in place of the rest.
    """

    jpeg: str
    metrics: str
    failure: str
    map: str

    @classmethod
    def of(cls, name: str, output_prefix: str) -> ResultKeys:
        """Lay out the results of the source called `name` (its key less the source's prefix).

        Raises:
            ConfigurationError: The prefix is so long that not even a digest fits behind it.
        """
        records = f"{output_prefix}{RECORDS_PREFIX}"
        return cls(
            jpeg=f"{output_prefix}{name}.jpg",
            metrics=_record_key(f"{records}metrics/", name, ".json"),
            failure=_record_key(f"{records}failed/", name, ".json"),
            map=_record_key(f"{records}maps/", name, ".png"),
        )

    @property
    def jpeg_fits(self) -> bool:
        """Whether an object store takes the JPEG's key."""
        return utf8_bytes(self.jpeg) <= MAX_KEY_BYTES


def utf8_bytes(key: str) -> int:
    """Return the length of a key as object stores count it; odd bytes of a file's name count as one each."""
    return len(_encode(key))


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _record_key(folder: str, name: str, suffix: str) -> str:
    """Return the key of a record, shortened where it has to be.

    A name that looks as if it had been shortened is shortened as well: so no two names share a key.
    """
    looks_shortened = _SHORTENED.fullmatch(name[-65:])
    if not looks_shortened and utf8_bytes(f"{folder}{name}{suffix}") <= MAX_KEY_BYTES:
        return f"{folder}{name}{suffix}"
    digest = f"~{hashlib.sha256(_encode(name)).hexdigest()}"
    room = MAX_KEY_BYTES - utf8_bytes(f"{folder}{digest}{suffix}")
    if room < 0:
        raise ConfigurationError(f"the output prefix is {-room} bytes too long for the keys of records")
    kept = _encode(name)[:room].decode("utf-8", "ignore")
    return f"{folder}{kept}{digest}{suffix}"
