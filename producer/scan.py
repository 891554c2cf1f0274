"""Backfill: the objects of a bucket or prefix become jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from config.errors import InvalidMessageError, StorageUnavailableError
from config.jobs import Job
from producer.candidates import is_candidate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.objects import ObjectVersion
    from config.recipes import Recipe, Route
    from storage.base import ObjectStore

LATE_ARRIVALS = timedelta(minutes=15)
"""A listing may show an object only so long after the time that it bears: S3 dates an upload by its beginning."""

_log = structlog.get_logger(__name__)


def job_of(route: Route, recipe: Recipe, source: ObjectVersion, run: str) -> Job | None:
    """Return the job of an object, or say in the log why it can have none: its key is no Unicode, for instance."""
    try:
        return Job.of(route, recipe, source, run=run)
    except (InvalidMessageError, ValueError) as error:  # pydantic's own error is a ValueError
        _log.warning("passed over", key=source.key, reason=str(error))
        return None


def in_order(listing: Iterator[ObjectVersion]) -> Iterator[ObjectVersion]:
    """Pass a listing on, as long as its keys come in order: who goes on after a key relies on that.

    Raises:
        StorageUnavailableError: They do not.
    """
    last = ""
    for found in listing:
        if found.key < last:
            raise StorageUnavailableError(f"the store lists {found.key!r} after {last!r}, which is not in order")
        last = found.key
        yield found


def scan(store: ObjectStore, route: Route, recipe: Recipe, run: str, *, start_after: str = "") -> Iterator[Job]:
    """Yield a job for every image under the route's source, by key, in constant memory.

    Args:
        store: The source's bucket.
        route: Where to look, and where results go.
        recipe: How to encode.
        run: In whose counters the jobs appear.
        start_after: Only keys that sort after this one.

    Raises:
        SemjpegError: As `ObjectStore.list`.
    """
    for source in in_order(store.list(route.source_place.prefix, start_after=start_after)):
        if is_candidate(source) and (job := job_of(route, recipe, source, run)):
            yield job
