"""Backfill: the objects of a bucket or prefix become jobs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from config.errors import StorageUnavailableError
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


def scan(store: ObjectStore, route: Route, recipe: Recipe, run: str) -> Iterator[Job]:
    """Yield a job for every image under the route's source, by key, in constant memory."""
    for source in store.list(route.source_place.prefix):
        if is_candidate(source):
            yield Job.of(route, recipe, source, run=run)


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
                yield Job.of(self.route, self.recipe, source, run=self.run)
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
