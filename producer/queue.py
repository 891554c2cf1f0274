"""The queue as a producer sees it: jobs go in, and a full queue makes the producer wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import redis
import structlog
from celery.exceptions import OperationalError as CeleryOperationalError
from kombu.exceptions import OperationalError

from config.broker import QUEUE_NAME, make_celery
from config.counters import RunCounters
from config.errors import BrokerUnavailableError
from config.jobs import TASK_NAME

if TYPE_CHECKING:
    from config.jobs import Job
    from config.settings import Settings

_POLL_S = 1.0
_log = structlog.get_logger(__name__)


class JobQueue:
    """Sends jobs to the workers."""

    def __init__(self, settings: Settings) -> None:
        self._app = make_celery(settings)
        self._limits = settings.producer
        self._key = f"{settings.broker.key_prefix}{QUEUE_NAME}"
        self._redis = redis.Redis.from_url(settings.broker.url.get_secret_value())
        self.counters = RunCounters(self._redis, settings.broker.key_prefix)

    def enqueue(self, job: Job) -> None:
        """Queue one job and count it in its run.

        Raises:
            BrokerUnavailableError: The broker did not take it.
        """
        try:
            self._app.send_task(TASK_NAME, kwargs=job.to_message())
            self.counters.add(job.run, job.output, enqueued=1)
        except (OperationalError, CeleryOperationalError, redis.RedisError) as error:
            raise BrokerUnavailableError(f"{job.key!r} could not be queued: {error}") from error

    def wait_for_room(self) -> None:
        """Return at once below the high-water mark; else wait until workers have drawn it to the low-water mark.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        if self.waiting() < self._limits.high_water:
            return
        _log.info("queue full", high_water=self._limits.high_water, resume_at=self._limits.low_water)
        while self.waiting() > self._limits.low_water:
            time.sleep(_POLL_S)

    def waiting(self) -> int:
        """Jobs that no worker has taken yet."""
        try:
            return int(self._redis.llen(self._key))
        except redis.RedisError as error:
            raise BrokerUnavailableError(f"the broker does not answer: {error}") from error
