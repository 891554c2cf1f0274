"""From the body of a notification to queued jobs, wherever it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from config.errors import InvalidMessageError
from producer.events import parse_notification

if TYPE_CHECKING:
    from config.jobs import Job
    from config.telemetry import ProducerTelemetry
    from producer.queue import JobQueue
    from producer.routing import Router

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a notification.

    Attributes:
        queued: Jobs that were queued.
        malformed: Why records of it caused nothing, one reason for each.
    """

    queued: int = 0
    malformed: tuple[str, ...] = ()


class Intake:
    """Reads notifications and queues their jobs. Thread-safe.

    The same notification may be taken twice: a second job for the same version costs a worker one HEAD request, so
    nothing is remembered here.
    """

    def __init__(self, router: Router, queue: JobQueue, telemetry: ProducerTelemetry) -> None:
        self._router = router
        self._queue = queue
        self._telemetry = telemetry

    def take(self, body: str | bytes) -> Taken:
        """Queue the jobs of a notification, all of them or none. A malformed record is logged; the others count.

        Raises:
            InvalidMessageError: The notification as a whole is malformed.
            StorageUnavailableError: An object had to be looked at, and its store cannot be reached; nothing is queued.
            BrokerUnavailableError: The broker did not take the jobs.
        """
        try:
            notification = parse_notification(body)
        except InvalidMessageError:
            self._telemetry.event("malformed")
            raise
        malformed = list(notification.malformed)
        jobs: list[Job] = []
        wanted = 0
        for event in notification.created:
            try:
                found = self._router.jobs(event)
                jobs += found
                wanted += bool(found)
            except InvalidMessageError as error:
                malformed.append(str(error))
        for reason in malformed:
            _log.error("record dropped", reason=reason)
        if jobs:
            self._queue.publish(jobs)
        dropped = len(malformed) - len(notification.malformed)
        self._telemetry.event("queued", wanted)
        self._telemetry.event("passed_over", len(notification.created) - wanted - dropped)
        self._telemetry.event("malformed", len(malformed))
        for job in jobs:
            _log.info("queued", bucket=job.bucket, key=job.key, run=job.run)
        return Taken(len(jobs), tuple(malformed))

    def refuse(self) -> None:
        """Count a notification that is turned away unread."""
        self._telemetry.event("refused")
