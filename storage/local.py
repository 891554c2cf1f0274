"""A folder on this machine as an object store."""

from __future__ import annotations

import errno
import fcntl
import heapq
import json
import os
import tempfile
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from config.errors import (
    ForbiddenError,
    KeyTooLongError,
    ObjectChangedError,
    ObjectMissingError,
    OvertakenError,
    StorageUnavailableError,
    TooLargeError,
)
from config.objects import ObjectVersion
from storage.base import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HIDDEN = ".semjpeg-store"
"""Subfolder for user metadata, which a file system does not keep, and for files not yet complete."""

_PAGE = 100_000
"""How many names of a folder are sorted at a time: a folder of any size is listed in memory for so many."""


class LocalStore:
    """One folder; a key is a relative path in it. The entity tag is made of size and time of modification."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def head(self, key: str) -> ObjectVersion | None:
        """See `ObjectStore.head`."""
        with self._translated(key):
            try:
                found = _describe(self._path(key), key)
            except (FileNotFoundError, NotADirectoryError):
                return None
            try:
                stored = json.loads(self._metadata_path(key).read_text())
            except FileNotFoundError:
                return found
            metadata = stored.get(found.etag, {})
            return ObjectVersion(found.key, found.etag, found.size_bytes, None, found.modified, metadata)

    def get(self, key: str, *, max_bytes: int, etag: str | None = None) -> bytes:
        """See `ObjectStore.get`."""
        with self.open(key, max_bytes=max_bytes, etag=etag) as file, self._translated(key):
            return file.read(os.fstat(file.fileno()).st_size)

    @contextmanager
    def open(self, key: str, *, max_bytes: int, etag: str | None = None) -> Iterator[BinaryIO]:
        """See `ObjectStore.open`. A file that is overwritten in its place is told after it was read."""
        with self._translated(key):
            path = self._path(key)
            file = path.open("rb")
        with file:
            before = os.fstat(file.fileno())
            if before.st_size > max_bytes:
                raise TooLargeError(f"{path} has {before.st_size} bytes, more than the limit of {max_bytes}")
            if etag and _etag(before) != etag:
                raise ObjectChangedError(f"{path} was overwritten after it was queued")
            yield file
            if _etag(os.fstat(file.fileno())) != _etag(before):
                raise ObjectChangedError(f"{path} was overwritten while it was read")

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        expects: str | None = None,
    ) -> None:
        """See `ObjectStore.put`. The content type is left to the key's suffix."""
        del content_type
        with self._translated(key), self._staged(data) as staged:
            path, etag = self._path(key), _etag(staged.stat())
            with self._writing():
                before = _tag_of(path)
                if expects is not None and expects != before:
                    raise OvertakenError(f"{path} was written by another")
                path.parent.mkdir(parents=True, exist_ok=True)
                if metadata:
                    self._describe_both(key, before, {etag: dict(metadata)})
                staged.replace(path)

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
            for path, key in _files(str(self._root), "", prefix, start_after):
                try:
                    yield _describe(path, key)
                except FileNotFoundError:
                    continue

    def _describe_both(self, key: str, before: str, described: dict[str, dict[str, str]]) -> None:
        """Write the metadata of the content that will be, and keep that of the content that still is."""
        path = self._metadata_path(key)
        with suppress(FileNotFoundError):
            known = json.loads(path.read_text())
            described |= {tag: known[tag] for tag in known if tag == before}
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._staged(json.dumps(described).encode()) as staged:
            staged.replace(path)

    @contextmanager
    def _staged(self, data: bytes) -> Iterator[Path]:
        """Write a file that is to be renamed: a reader sees the old content or the new one."""
        staging = self._root / _HIDDEN / "incomplete"
        staging.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=staging)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Let one writer at a time look and rename, of all threads and processes of this machine."""
        with (self._root / _HIDDEN / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _path(self, key: str) -> Path:
        if "\0" in key or key.startswith((_HIDDEN, "/")):
            raise ForbiddenError(f"the key {key!r} leads out of {self._root}")
        path = f"{self._root}/{key}"
        if not _is_plain(str(self._root), key):
            path = os.path.realpath(path)
            if not f"{path}/".startswith(f"{self._root}/"):
                raise ForbiddenError(f"the key {key!r} leads out of {self._root}")
        return Path(path)

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
            if error.errno == errno.ENAMETOOLONG:
                raise KeyTooLongError(f"{self._root / key} has a name that is too long for this file system") from error
            raise StorageUnavailableError(f"{self._root / key}: {error}") from error


def _files(folder: str, path: str, prefix: str, after: str) -> Iterator[tuple[Path, str]]:
    """Walk in the order of keys, past folders that hold none of those asked for; yield paths and keys."""
    for name in _sorted_names(folder):
        key = f"{path}{name}"
        if not name.endswith("/"):
            if key.startswith(prefix) and key > after:
                yield Path(f"{folder}/{name}"), key
        elif (
            key != f"{_HIDDEN}/"
            and (key.startswith(prefix) or prefix.startswith(key))
            and (key > after or after.startswith(key))
        ):
            yield from _files(f"{folder}/{name[:-1]}", key, prefix, after)


def _is_plain(root: str, key: str) -> bool:
    """Whether a key leads through no links and never upwards, as all do that a listing yields."""
    path = root
    for part in key.split("/"):
        path = f"{path}/{part}"
        if part in {"", ".", ".."} or os.path.islink(path):  # noqa: PTH114 - a Path takes as long as the whole reading
            return False
    return True


def _describe(path: Path, key: str) -> ObjectVersion:
    status = path.stat()
    return ObjectVersion(
        key=key,
        etag=_etag(status),
        size_bytes=status.st_size,
        modified=datetime.fromtimestamp(status.st_mtime, UTC),
    )


def _etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


def _tag_of(path: Path) -> str:
    """Return the entity tag of what stands at a path."""
    try:
        return _etag(path.stat())
    except FileNotFoundError:
        return ABSENT


def _sorted_names(folder: str) -> Iterator[str]:
    """Yield what a folder holds in the order of keys: a folder `a` sorts as `a/`, after a file `a.txt`."""
    last = ""
    while True:
        with os.scandir(folder) as scan:
            page = heapq.nsmallest(_PAGE, (name for entry in scan if (name := _name(entry)) > last))
        yield from page
        if len(page) < _PAGE:
            return
        last = page[-1]


def _name(entry: os.DirEntry[str]) -> str:
    """Return a file's name, or a folder's with a slash behind; nothing for links and devices."""
    if entry.is_dir(follow_symlinks=False):
        return f"{entry.name}/"
    return entry.name if entry.is_file(follow_symlinks=False) else ""
