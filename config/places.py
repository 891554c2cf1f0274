"""Where objects live: buckets with a prefix, and the layout of what is written beside a result."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from config.errors import ConfigurationError

RECORDS_PREFIX = ".semjpeg/"
"""Everything that is written beside the results stands under this prefix of the output place."""


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
    """

    jpeg: str
    metrics: str
    failure: str
    map: str

    @classmethod
    def of(cls, name: str, output_prefix: str) -> ResultKeys:
        """Lay out the results of the source called `name` (its key less the source's prefix)."""
        records = f"{output_prefix}{RECORDS_PREFIX}"
        return cls(
            jpeg=f"{output_prefix}{name}.jpg",
            metrics=f"{records}metrics/{name}.json",
            failure=f"{records}failed/{name}.json",
            map=f"{records}maps/{name}.png",
        )
