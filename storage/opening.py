"""Opening buckets by name, as the configuration allows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from config.errors import ForbiddenError
from storage.local import LocalStore
from storage.s3 import Abilities, S3Store, make_client

if TYPE_CHECKING:
    from config.settings import Settings
    from storage.base import ObjectStore

_BUCKET = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
"""Every store's names. boto3 takes ARNs as well, which would lead to other accounts and endpoints."""


class Stores:
    """All the buckets that a process uses, over one client. Thread-safe."""

    def __init__(self, settings: Settings, max_connections: int = 10) -> None:
        self._local_root = settings.storage.local_root
        self._client = make_client(settings.s3, max_connections)
        self._abilities = Abilities()

    def open(self, bucket: str) -> ObjectStore:
        """Return the bucket; whether it exists shows when it is used.

        Args:
            bucket: A bucket's name, or `file:///absolute/folder`.

        Raises:
            ForbiddenError: A folder outside `storage.local_root`, or what is no bucket's name.
        """
        if not bucket.startswith("file://"):
            if not _BUCKET.fullmatch(bucket):
                raise ForbiddenError(f"{bucket!r} is no name of a bucket")
            return S3Store(self._client, bucket, self._abilities)
        folder = Path(bucket.removeprefix("file://")).resolve()
        if self._local_root is None or not folder.is_relative_to(self._local_root.resolve()):
            raise ForbiddenError(f"{bucket} does not lie in storage.local_root ({self._local_root})")
        return LocalStore(folder)
