"""What a producer counts: the events that came in, and the jobs that went out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from prometheus_client import Counter

from config.telemetry.process import Telemetry

if TYPE_CHECKING:
    from config.settings import Settings

Answer = Literal["queued", "passed_over", "refused", "malformed"]

ANSWERS: Final[tuple[Answer, ...]] = ("queued", "passed_over", "refused", "malformed")
"""What becomes of an event: it causes jobs; no route wants its object; the request that brings it is turned away, and
counts as one event; it cannot be understood."""


class ProducerTelemetry(Telemetry):
    """The metrics of `semjpeg events`, `enqueue` and `reconcile`."""

    def __init__(self, settings: Settings, queue: str) -> None:
        """Prepare; nothing connects and nothing listens yet.

        Args:
            settings: Of this process.
            queue: The one into which it puts jobs.
        """
        super().__init__(settings)
        events = Counter("semjpeg_events", "Events that came in, by answer.", ["answer"], registry=self.registry)
        jobs = Counter("semjpeg_jobs_enqueued", "Jobs that were queued.", ["queue"], registry=self.registry)
        self._events = {answer: events.labels(answer) for answer in ANSWERS}
        self._jobs = jobs.labels(queue)

    def event(self, answer: Answer, count: int = 1) -> None:
        """Count events that were answered alike."""
        self._events[answer].inc(count)

    def enqueued(self, jobs: int) -> None:
        """Count jobs that the broker took."""
        self._jobs.inc(jobs)
