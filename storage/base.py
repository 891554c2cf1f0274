"""The interface that every object store offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from config.objects import ObjectVersion

ABSENT: Final = ""
"""The entity tag of what does not exist."""


class ObjectStore(Protocol):
    """One bucket.

    Every method is thread-safe and raises, besides what it names, `StorageUnavailableError` when the store cannot be
    reached or is overloaded and `ForbiddenError` when it refuses the credentials. Messages name bucket and key.
    """

    def head(self, key: str) -> ObjectVersion | None:
        """Describe an object, metadata included; None when it does not exist."""
        ...

    def get(self, key: str, *, max_bytes: int, etag: str | None = None) -> bytes:
        """Read an object.

        Args:
            key: The whole key.
            max_bytes: Not a byte more than this is read.
            etag: Read this version only.

        Raises:
            ObjectMissingError: It does not exist.
            ObjectChangedError: It exists with another entity tag.
            TooLargeError: It is longer than `max_bytes`.
        """
        ...

    def open(self, key: str, *, max_bytes: int, etag: str | None = None) -> AbstractContextManager[BinaryIO]:
        """Open an object that is too large for memory, for reading and seeking.

        The whole of it is on this machine's disk before the block begins, so the block may take hours.

        Args:
            key: The whole key.
            max_bytes: Not a byte more than this is read, or written to disk.
            etag: Read this version only.

        Raises:
            SemjpegError: As `get`.
        """
        ...

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        expects: str | None = None,
    ) -> None:
        """Write an object, whole or not at all.

        Args:
            key: The whole key.
            data: The content.
            content_type: Its media type.
            metadata: ASCII, up to 2 KB.
            expects: Write only where the object has this entity tag, or where there is none if this is `ABSENT`. No
                other writer comes between, unless the store is one that does not know such conditions: it writes in
                any case.

        Raises:
            OvertakenError: Something else stands there than was expected.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that does not exist is no error."""
        ...

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectVersion]:
        """Yield the objects whose keys start with `prefix` and sort after `start_after`, by key, a page at a time.

        Raises:
            ObjectMissingError: The bucket does not exist.
        """
        ...
