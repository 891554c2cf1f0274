"""Step: the bytes of the version that the job names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config.errors import TooLargeError

if TYPE_CHECKING:
    from config.jobs import Job
    from config.settings import LimitSettings
    from storage import ObjectStore


def fetch(store: ObjectStore, job: Job, limits: LimitSettings) -> bytes:
    """Read the source object.

    Raises:
        TooLargeError: It is longer than `limits.max_bytes`, by the job's own word or by the store's.
        ObjectChangedError: It was overwritten after the job was queued.
        ObjectMissingError: It is gone.
    """
    if job.size > limits.max_bytes:
        raise TooLargeError(f"has {job.size} bytes, more than the limit of {limits.max_bytes}")
    return store.get(job.key, max_bytes=limits.max_bytes, etag=job.etag)
