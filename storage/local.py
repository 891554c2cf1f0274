"""A folder on this machine as an object store."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from config.errors import (
    ForbiddenError,
    ObjectChangedError,
    ObjectMissingError,
    StorageUnavailableError,
    TooLargeError,
)
from config.objects import ObjectVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HIDDEN = ".semjpeg-store"
"""Subfolder for user metadata, which a file system does not keep, and for files not yet complete."""


class LocalStore:
    """One folder; a key is a relative path in it. The entity tag is made of size and time of modification."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def head(self, key: str) -> ObjectVersion | None:
        """See `ObjectStore.head`."""
        with self._translated(key):
            try:
                found = self._describe(key)
            except (FileNotFoundError, NotADirectoryError):
                return None
            try:
                stored = json.loads(self._metadata_path(key).read_text())
            except FileNotFoundError:
                return found
            if stored["etag"] != found.etag:
                return found
            return ObjectVersion(found.key, found.etag, found.size_bytes, None, found.modified, stored["metadata"])

    def get(self, key: str, *, max_bytes: int, etag: str | None = None) -> bytes:
        """See `ObjectStore.get`."""
        with self._translated(key):
            before = self._describe(key)
            if before.size_bytes > max_bytes:
                raise TooLargeError(
                    f"{self._path(key)} has {before.size_bytes} bytes, more than the limit of {max_bytes}"
                )
            with self._path(key).open("rb") as file:
                data = file.read(max_bytes + 1)
            after = self._describe(key)
        if after.etag != (etag or before.etag) or len(data) != after.size_bytes:
            raise ObjectChangedError(f"{self._path(key)} was overwritten after it was queued")
        return data

    def put(self, key: str, data: bytes, *, content_type: str, metadata: Mapping[str, str] | None = None) -> None:
        """See `ObjectStore.put`. The content type is left to the key's suffix."""
        del content_type
        with self._translated(key):
            self._replace(self._path(key), data)
            if metadata:
                record = {"etag": self._describe(key).etag, "metadata": dict(metadata)}
                self._replace(self._metadata_path(key), json.dumps(record).encode())

    def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        with self._translated(key):
            self._path(key).unlink(missing_ok=True)
            self._metadata_path(key).unlink(missing_ok=True)

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectVersion]:
        """See `ObjectStore.list`. Links are not followed."""
        with self._translated(prefix):
            if not self._root.is_dir():
                raise ObjectMissingError(f"{self._root} is no folder")
            for key in self._keys(self._root, ""):
                if key.startswith(prefix) and key > start_after:
                    try:
                        yield self._describe(key)
                    except FileNotFoundError:
                        continue

    def _keys(self, folder: Path, path: str) -> Iterator[str]:
        """Walk in the order of keys: a folder `a` sorts as `a/`, after a file `a.txt`."""
        with os.scandir(folder) as scan:
            entries = [(f"{e.name}/" if e.is_dir(follow_symlinks=False) else e.name, e) for e in scan]
        for name, entry in sorted(entries, key=lambda pair: pair[0]):
            if name.endswith("/"):
                if not (path == "" and entry.name == _HIDDEN):
                    yield from self._keys(Path(entry.path), f"{path}{name}")
            elif entry.is_file(follow_symlinks=False):
                yield f"{path}{name}"

    def _describe(self, key: str) -> ObjectVersion:
        status = self._path(key).stat()
        return ObjectVersion(
            key=key,
            etag=f"{status.st_mtime_ns:x}-{status.st_size:x}",
            size_bytes=status.st_size,
            modified=datetime.fromtimestamp(status.st_mtime, UTC),
        )

    def _replace(self, path: Path, data: bytes) -> None:
        """Write beside, then rename: a reader sees the old file or the new one."""
        staging = self._root / _HIDDEN / "incomplete"
        staging.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=staging)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _path(self, key: str) -> Path:
        if "\0" in key or key.startswith((_HIDDEN, "/")) or not (self._root / key).resolve().is_relative_to(self._root):
            raise ForbiddenError(f"the key {key!r} leads out of {self._root}")
        return (self._root / key).resolve()

    def _metadata_path(self, key: str) -> Path:
        self._path(key)
        return self._root / _HIDDEN / "metadata" / f"{key}.json"

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        """Raise the operating system's errors as ours."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise ObjectMissingError(f"{self._root / key} does not exist") from error
        except PermissionError as error:
            raise ForbiddenError(f"{self._root / key}: {error}") from error
        except OSError as error:
            raise StorageUnavailableError(f"{self._root / key}: {error}") from error
