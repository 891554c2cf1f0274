"""From the body of a notification to queued jobs, wherever it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from config.errors import InvalidMessageError
from producer.events import parse_notification

if TYPE_CHECKING:
    from config.jobs import Job
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

    def __init__(self, router: Router, queue: JobQueue) -> None:
        self._router = router
        self._queue = queue

    def take(self, body: str | bytes) -> Taken:
        """Queue the jobs of a notification, all of them or none. A malformed record is logged; the others count.

        Raises:
            InvalidMessageError: The notification as a whole is malformed.
            StorageUnavailableError: An object had to be looked at, and its store cannot be reached; nothing is queued.
            BrokerUnavailableError: The broker did not take the jobs.
        """
        notification = parse_notification(body)
        malformed = list(notification.malformed)
        jobs: list[Job] = []
        for event in notification.created:
            try:
                jobs += self._router.jobs(event)
            except InvalidMessageError as error:
                malformed.append(str(error))
        for reason in malformed:
            _log.error("record dropped", reason=reason)
        if jobs:
            self._queue.publish(jobs)
        for job in jobs:
            _log.info("queued", bucket=job.bucket, key=job.key, run=job.run)
        return Taken(len(jobs), tuple(malformed))
