"""Backfill: the objects of a bucket or prefix become jobs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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

_PRUNE_MIN = 10_000
"""Versions remembered before it pays to forget some."""


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


@dataclass
class Follower:
    """Scans again and again, and yields each version of an object once.

    Memory holds the versions of the last `LATE_ARRIVALS` alone.
    """

    store: ObjectStore
    route: Route
    recipe: Recipe
    run: str
    _newest: datetime | None = None
    _recent: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _prune_at: int = _PRUNE_MIN

    def new_jobs(self) -> Iterator[Job]:
        """Yield a job for every image written since the last complete call; the first call yields all."""
        horizon = self._newest - LATE_ARRIVALS if self._newest else None
        newest = self._newest
        for source in self.store.list(self.route.source_place.prefix):
            written = source.modified or datetime.now(UTC)
            newest = max(newest or written, written)
            if (horizon is None or written >= horizon) and is_candidate(source) and self._unseen(source, written):
                if len(self._recent) >= self._prune_at:
                    self._prune(newest)
                if job := job_of(self.route, self.recipe, source, self.run):
                    yield job
        if newest:
            self._prune(newest)
        self._newest = newest  # only now: after a listing that broke off, the next one looks as far back as this did

    def forever(self, interval_s: float) -> Iterator[Job]:
        """Yield jobs as objects arrive, looking every `interval_s` seconds; a store that is away is asked again."""
        while True:
            try:
                yield from self.new_jobs()
            except StorageUnavailableError as error:
                _log.warning("listing broke off", reason=str(error))
            time.sleep(interval_s)

    def _unseen(self, source: ObjectVersion, written: datetime) -> bool:
        version = (source.key, source.etag)
        if version in self._recent:
            return False
        self._recent[version] = written
        return True

    def _prune(self, newest: datetime) -> None:
        """Forget what no later listing can show for the first time."""
        oldest = newest - LATE_ARRIVALS
        self._recent = {version: written for version, written in self._recent.items() if written >= oldest}
        self._prune_at = max(_PRUNE_MIN, 2 * len(self._recent))
