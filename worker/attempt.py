"""One attempt at a job: at the version of the source that it names, or at the one that has replaced it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from config.errors import (
    EncodingError,
    ObjectChangedError,
    ObjectMissingError,
    PermanentError,
    RetryableError,
    SemjpegError,
    StorageUnavailableError,
)
from worker.outcome import Outcome, Status
from worker.pipeline import process

if TYPE_CHECKING:
    from config.jobs import Job
    from worker.node import Node

_MOST_REPLACEMENTS = 3
"""How often one attempt turns to a newer version of its source."""

_log = structlog.get_logger(__name__)


def attempt(job: Job, node: Node) -> tuple[Job, Outcome | PermanentError]:
    """Do a job, or in its stead the job of a version that has replaced its own.

    Returns:
        The job that was done or failed for good, and what became of it.

    Raises:
        RetryableError: Another attempt may succeed.
    """
    for turn in range(_MOST_REPLACEMENTS):
        ended = _process(job, node)
        if isinstance(ended, Outcome):
            if turn == 0 or ended.status is Status.DONE:
                return job, ended
            # an attempt at an earlier version may have recorded its failure after this one was done
            node.stores.open(job.output_place.bucket).delete(job.result_keys.failure)
        try:
            now = _newest(job, node)
        except ObjectMissingError as error:
            return job, error
        except PermanentError:
            return job, ended
        if now.etag == job.etag and not isinstance(ended, ObjectChangedError):
            return job, ended
        job = now
    raise StorageUnavailableError("is overwritten faster than it can be read")


def newest(job: Job, node: Node) -> Job:
    """Return the job of the version that the source has now, or the job itself where the store does not tell."""
    try:
        return _newest(job, node)
    except SemjpegError:
        return job


def _process(job: Job, node: Node) -> Outcome | PermanentError:
    """Process a job; whatever goes wrong for good is an error of ours."""
    try:
        return process(job, node)
    except RetryableError:
        raise
    except PermanentError as error:
        return error
    except MemoryError:
        return EncodingError("needs more memory than this worker has")
    except Exception as error:  # noqa: BLE001 - whatever it is, it becomes a failure with a name
        _log.exception("defect")
        return EncodingError(f"met a defect in semjpeg: {type(error).__name__}: {error}")


def _newest(job: Job, node: Node) -> Job:
    found = node.stores.open(job.bucket).head(job.key)
    if found is None:
        raise ObjectMissingError("was removed after it was queued")
    return job.model_copy(update={"etag": found.etag, "size": found.size_bytes, "version": found.version})
