"""One attempt at a job: at the version of the source that it names, or at the one that has replaced it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from config.errors import (
    ConfigurationError,
    EncodingError,
    ForbiddenError,
    ObjectChangedError,
    ObjectMissingError,
    PermanentError,
    RetryableError,
    StorageUnavailableError,
)
from worker.pipeline import process

if TYPE_CHECKING:
    from config.jobs import Job
    from worker.node import Node
    from worker.outcome import Outcome

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
    for _ in range(_MOST_REPLACEMENTS):
        failure: PermanentError
        try:
            return job, _process(job, node)
        except (ConfigurationError, ForbiddenError) as error:
            return job, error
        except PermanentError as error:
            failure = error
        try:
            newest = _newest(job, node)
        except ObjectMissingError as error:
            return job, error
        except PermanentError:
            return job, failure
        if newest.etag == job.etag and not isinstance(failure, ObjectChangedError):
            return job, failure
        job = newest
    raise StorageUnavailableError("is overwritten faster than it can be read")


def _process(job: Job, node: Node) -> Outcome:
    """Process a job; whatever goes wrong is an error of ours."""
    try:
        return process(job, node)
    except (PermanentError, RetryableError):
        raise
    except MemoryError as error:
        raise EncodingError("needs more memory than this worker has") from error
    except Exception as error:
        _log.exception("defect")
        raise EncodingError(f"met a defect in semjpeg: {type(error).__name__}: {error}") from error


def _newest(job: Job, node: Node) -> Job:
    """Return the job of the version that the source has now."""
    newest = node.stores.open(job.bucket).head(job.key)
    if newest is None:
        raise ObjectMissingError("was removed after it was queued")
    return job.model_copy(update={"etag": newest.etag, "size": newest.size_bytes, "version": newest.version})
