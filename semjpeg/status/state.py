"""What is known of the system at one moment, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from config.counters import ENDED, Recent, RunCounts

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHORTEST_SPAN_S = 5.0
"""A pace is not told from less."""


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker that answered.

    Attributes:
        name: Its name at Celery.
        threads: How many jobs it can do at once.
        in_flight: How many jobs it is doing, by run.
        attempts: Jobs that it has taken since it started; one that is tried again counts again.
        uptime_s: Seconds since it started.
    """

    name: str
    threads: int
    in_flight: Mapping[str, int]
    attempts: int
    uptime_s: float

    @property
    def busy(self) -> int:
        """Jobs in flight, of all runs."""
        return sum(self.in_flight.values())


@dataclass(frozen=True, slots=True)
class RunState:
    """One run at one moment. Nothing here is ever negative.

    A job may be counted twice: it was queued twice, or it came to a second worker after the first was thought dead.
    So the counters may say that more has ended than was queued, and each figure may be off by that many.

    Attributes:
        counted: What the broker's counters say.
        in_flight: Jobs that a living worker is doing now.
    """

    counted: RunCounts
    in_flight: int = 0

    @property
    def name(self) -> str:
        """The run."""
        return self.counted.run

    def count(self, name: str) -> int:
        """Return one of the broker's counters; one that is not there is nought."""
        return self.counted.counts.get(name, 0)

    def moment(self, name: str) -> datetime | None:
        """Return when the run `began`, or when its `first_ended` or `last_ended` job ended."""
        since_1970_ms = self.counted.counts.get(f"{name}_ms")
        return None if since_1970_ms is None else datetime.fromtimestamp(since_1970_ms / 1000, UTC)

    @property
    def ended(self) -> int:
        """Jobs that are done, were done before (unchanged) or failed."""
        return sum(map(self.count, ENDED))

    @property
    def left(self) -> int:
        """Jobs that have not ended."""
        return max(self.count("enqueued") - self.ended, self.in_flight)

    @property
    def queued(self) -> int:
        """Jobs that no living worker is doing: not taken yet, waiting to be tried again, or held by a dead worker."""
        return self.left - self.in_flight

    @property
    def jobs(self) -> int:
        """All jobs that are known so far."""
        return self.ended + self.left

    @property
    def is_being_enqueued(self) -> bool:
        """Whether `semjpeg enqueue` is at work, so that more jobs may come."""
        return bool(self.counted.sources)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left and nothing is being enqueued."""
        return not self.left and not self.is_being_enqueued

    @property
    def images_per_s(self) -> float | None:
        """Jobs that ended per second in the last minute; None while the first ended only just now, or none has."""
        return self._pace(self.counted.recent.images)

    @property
    def bytes_in_per_s(self) -> float | None:
        """Bytes of sources per second in the last minute, where a result was written."""
        return self._pace(self.counted.recent.bytes_in)

    @property
    def mean_images_per_s(self) -> float | None:
        """Jobs that ended per second between the first that ended and the last."""
        first, last = (self.count(f"{name}_ended_ms") / 1000 for name in ("first", "last"))
        return max(self.ended - 1, 0) / (last - first) if last - first >= _SHORTEST_SPAN_S else None

    @property
    def left_s(self) -> float | None:
        """Seconds until nothing is left, at the pace of the last minute.

        None where that cannot be told: more is being enqueued, or nothing ended in the last minute.
        """
        if not self.left and not self.is_being_enqueued:
            return 0.0
        if self.is_being_enqueued or not self.images_per_s:
            return None
        return self.left / self.images_per_s

    def _pace(self, amount: int) -> float | None:
        recent: Recent = self.counted.recent
        begun = self.count("first_ended_ms") > 0
        return amount / recent.seconds if begun and recent.seconds >= _SHORTEST_SPAN_S else None


@dataclass(frozen=True, slots=True)
class SystemState:
    """Runs, queue and workers at one moment.

    Attributes:
        at: When, by the broker's clock.
        runs: The runs that were asked for, the newest first.
        other_runs: How many more there are.
        waiting: Messages in the queue that no worker has taken.
        delivered: Messages that a worker has taken and not acknowledged.
        put_aside: Messages that no worker could do anything with.
        workers: Those that answered, by name.
    """

    at: datetime
    runs: tuple[RunState, ...]
    other_runs: int
    waiting: int
    delivered: int
    put_aside: int
    workers: tuple[WorkerState, ...]

    @property
    def in_flight(self) -> int:
        """Jobs that living workers are doing."""
        return sum(worker.busy for worker in self.workers)

    @property
    def held(self) -> int:
        """Messages delivered but not worked at: waiting to be tried again, or with a worker that died."""
        return max(self.delivered - self.in_flight, 0)
