"""Where a report is written: a file on this machine or an object, whole or not at all."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from config.errors import ConfigurationError
from config.settings import Settings
from semjpeg.files import prepare_folder, write_file
from storage import Stores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage import ObjectStore


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on this machine."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def write(self, data: bytes, content_type: str) -> None:
        """Write the file."""
        del content_type
        write_file(self.path, data)

    @contextmanager
    def spooled(self, content_type: str) -> Iterator[Path]:
        """Yield where to write a file, which becomes this one in the end."""
        del content_type
        with tempfile.TemporaryDirectory(dir=self.path.parent, prefix=".semjpeg-") as folder:
            spool = Path(folder) / self.path.name
            yield spool
            spool.replace(self.path)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in a bucket."""

    url: str
    store: ObjectStore
    key: str

    def __str__(self) -> str:
        return self.url

    def write(self, data: bytes, content_type: str) -> None:
        """Write the object."""
        self.store.put(self.key, data, content_type=content_type)

    @contextmanager
    def spooled(self, content_type: str) -> Iterator[Path]:
        """Yield where to write a file, which becomes the object in the end."""
        with tempfile.TemporaryDirectory(prefix="semjpeg-") as folder:
            spool = Path(folder) / "spool"
            yield spool
            self.write(spool.read_bytes(), content_type)


Output = LocalFile | StoredObject


def output_of(target: str, name: str) -> Output:
    """Tell where a file is to be written.

    Args:
        target: A file, a folder, `file:///…` or `s3://bucket/key`; a bucket and what ends in `/` are folders.
        name: The file's name in a folder.

    Raises:
        ConfigurationError: It cannot be written there.
    """
    if target.startswith("s3://"):
        bucket, _, key = target.removeprefix("s3://").partition("/")
        if not bucket:
            raise ConfigurationError(f"{target!r} names no bucket: expected s3://bucket/key")
        key = f"{key}{name}" if not key or key.endswith("/") else key
        return StoredObject(f"s3://{bucket}/{key}", Stores(Settings.load()).open(bucket), key)
    local = unquote(urlsplit(target).path) if target.startswith("file://") else target
    path = Path(local)
    if local.endswith("/") or path.is_dir():
        path /= name
    prepare_folder(path.parent)
    return LocalFile(path)
