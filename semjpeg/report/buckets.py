"""What opens the buckets that records speak of; for folders on this machine without settings and servers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from config.errors import ObjectMissingError
from storage.local import LocalStore

if TYPE_CHECKING:
    from storage import ObjectStore, Stores


class Buckets(Protocol):
    """What opens buckets: `storage.Stores`, or `LocalBuckets`."""

    def open(self, bucket: str) -> ObjectStore:
        """Return a bucket.

        Raises:
            SemjpegError: There is none of that name, or it may not be opened.
        """
        ...


class _Copy(LocalStore):
    """A copy of a bucket, whose objects had other entity tags there."""

    def get(self, key: str, *, max_bytes: int, etag: str | None = None) -> bytes:
        """See `ObjectStore.get`."""
        del etag
        return super().get(key, max_bytes=max_bytes)


class LocalBuckets:
    """Buckets that are folders: those of `file://` places, and copies of S3 buckets, by their names, below one folder.

    Args:
        root: Where the copies are.
        others: What opens a bucket of which there is no copy.
    """

    def __init__(self, root: Path, others: Stores | None = None) -> None:
        self._root = root.resolve()
        self._others = others

    def open(self, bucket: str) -> ObjectStore:
        """Return a bucket.

        Raises:
            ObjectMissingError: There is no folder of that name.
        """
        if bucket.startswith("file://"):
            return LocalStore(Path(bucket.removeprefix("file://")))
        folder = (self._root / bucket).resolve()
        if folder.parent == self._root and folder.is_dir():
            return _Copy(folder)
        if self._others is None:
            raise ObjectMissingError(f"{self._root} holds no copy of the bucket {bucket!r}")
        return self._others.open(bucket)
