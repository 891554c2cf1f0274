"""The queue as a producer sees it: jobs go in, and a full queue makes the producer wait."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections import Counter
from typing import TYPE_CHECKING
from uuid import uuid4

import redis
import structlog

from config.broker import make_celery
from config.counters import ENDED, RunCounters
from config.deaths import forget_deaths
from config.errors import BrokerUnavailableError
from config.jobs import TASK_NAME
from config.queues import BULK, ENQUEUED_HEADER, queue_key
from producer.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config.jobs import Job
    from config.queues import QueueName
    from config.settings import Settings
    from config.telemetry import ProducerTelemetry
    from producer.checkpoint import Plan

_POLL_S = 1.0
_SOCKET_TIMEOUT_S = 20
_CONNECT_TIMEOUT_S = 5
_PERSISTENT = 2
"""AMQP's delivery mode of messages that survive a restart of the broker."""
_log = structlog.get_logger(__name__)


class JobQueue:
    """Sends jobs to the workers."""

    def __init__(
        self, settings: Settings, telemetry: ProducerTelemetry | None = None, *, queue: QueueName = BULK
    ) -> None:
        """Prepare; nothing connects before the first job.

        Args:
            settings: Names the broker.
            telemetry: Counts the jobs; None: they are counted for nobody.
            queue: Where the jobs go.
        """
        self._telemetry = telemetry
        self._app = make_celery(settings)
        self._limits = settings.producer
        self._prefix = settings.broker.key_prefix
        self._queue = queue
        self._key = queue_key(self._prefix, queue)
        self._redis = redis.Redis.from_url(
            settings.broker.url.get_secret_value(),
            socket_timeout=_SOCKET_TIMEOUT_S,
            socket_connect_timeout=_CONNECT_TIMEOUT_S,
        )
        self.counters = RunCounters(self._redis, self._prefix)

    def checkpoint(self, plan: Plan) -> Checkpoint:
        """Return the checkpoint of a backfill, which stands beside the queue."""
        return Checkpoint(self._redis, self._prefix, plan)

    def enqueue(self, job: Job) -> None:
        """Queue one job and count it in its run.

        Raises:
            BrokerUnavailableError: The broker did not take it.
        """
        self.publish([job])

    def publish(self, jobs: Sequence[Job], checkpoint: Checkpoint | None = None, position: str = "") -> None:
        """Queue jobs in their order, count them in their runs and move a checkpoint, all in one transaction.

        With a checkpoint it does no harm to try again after an error, even if only the broker's answer was lost.

        Args:
            jobs: What is queued; with a checkpoint there may be none.
            checkpoint: What is moved.
            position: To where: the position of the last of the jobs.

        Raises:
            BrokerUnavailableError: The broker did not take them, or its answer was lost.
            ConfigurationError: Another producer has taken over the checkpoint.
        """
        try:
            with self._redis.pipeline(transaction=True) as together:
                taken = checkpoint is not None and checkpoint.watch(together)
                if not taken:
                    together.multi()
                    if jobs:
                        together.lpush(self._key, *map(self._message, jobs))
                    counters = RunCounters(together, self._prefix)
                    for (run, output), amount in Counter((job.run, job.output) for job in jobs).items():
                        counters.add(run, output, enqueued=amount)
                    if checkpoint:
                        checkpoint.advance(together, position, len(jobs))
                    together.execute()
        except redis.RedisError as error:
            what = jobs[0].key if jobs else position
            raise BrokerUnavailableError(f"{what!r} could not be queued: {error}") from error
        if checkpoint:
            checkpoint.confirm()
        if self._telemetry:
            self._telemetry.enqueued(len(jobs))

    def forget_deaths(self, identity: str) -> None:
        """Let a job be begun again however many workers died with it.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        forget_deaths(self._redis, self._prefix, identity)

    def wait_for_room(self) -> int:
        """Return at once below the high-water mark; else wait until workers have drawn it to the low-water mark.

        Returns:
            How many jobs there is room for, at least one.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        waiting = self.waiting()
        if waiting >= self._limits.high_water:
            _log.info("queue full", high_water=self._limits.high_water, resume_at=self._limits.low_water)
            while waiting > self._limits.low_water:
                time.sleep(_POLL_S)
                waiting = self.waiting()
        return self._limits.high_water - waiting

    def left(self, run: str) -> int:
        """Jobs of a run that have not come to an end, by its counters; some may have been lost.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        try:
            counts = self.counters.read(run)
        except redis.RedisError as error:
            raise BrokerUnavailableError(f"the broker does not answer: {error}") from error
        return counts.get("enqueued", 0) - sum(counts.get(name, 0) for name in ENDED)

    def waiting(self) -> int:
        """Jobs that no worker has taken yet."""
        try:
            return int(self._redis.llen(self._key))
        except redis.RedisError as error:
            raise BrokerUnavailableError(f"the broker does not answer: {error}") from error

    def _message(self, job: Job) -> str:
        """Put a job into words as Celery's own sender does.

        Celery cannot send in a transaction of ours. The body is Celery's; what is wrapped around it for Redis is its
        message protocol, version 2: a list of JSON envelopes whose bodies are in base64.
        """
        headers, properties, body, _ = self._app.amqp.as_task_v2(
            str(uuid4()), TASK_NAME, kwargs=job.to_message(), argsrepr="()", kwargsrepr=repr({"key": job.key})
        )
        return json.dumps({
            "body": b64encode(json.dumps(body).encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {**headers, ENQUEUED_HEADER: time.time()},
            "properties": {
                **properties,
                "delivery_mode": _PERSISTENT,
                "delivery_info": {"exchange": "", "routing_key": self._queue},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid4()),
            },
        })  # fmt: skip
