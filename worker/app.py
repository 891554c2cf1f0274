"""The Celery worker: takes jobs from the queue, retries what may succeed later, records what never will."""

from __future__ import annotations

import json
import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import redis
import structlog
from celery.exceptions import Reject, TaskPredicate
from kombu.exceptions import OperationalError

from config.broker import make_celery
from config.errors import (
    InvalidMessageError,
    JobInFlightError,
    RetryableError,
    SemjpegError,
)
from config.jobs import TASK_NAME, Job
from config.queues import ENQUEUED_HEADER, LIVE, QUEUES
from worker.attempt import attempt, newest
from worker.failure import record_failure
from worker.outcome import Outcome, Status
from worker.refused import answer_questions_alone, keeping_consumer

if TYPE_CHECKING:
    from celery import Celery, Task
    from celery.exceptions import Retry

    from config.queues import QueueName
    from worker.node import Node

_FIRST_RETRY_S = 1.0
_LONGEST_RETRY_S = 30.0
"""Nor is it longer than half of the broker's visibility timeout: a task that waits gives no sign of life."""

_LOOK_AGAIN_S = 5.0
"""How long a task waits, at most, before it looks again whether another worker is done with the same job."""

_LAST_DOUBLING = 10
_KEPT_ASIDE = 1000
"""Malformed messages are kept for a person to look at, the newest so many."""

_log = structlog.get_logger(__name__)


def make_worker(node: Node) -> Celery:
    """Build the Celery application whose one task does jobs on `node`."""
    app = make_celery(node.settings)
    app.conf.worker_consumer = keeping_consumer(partial(_put_aside, node))
    answer_questions_alone()

    @app.task(name=TASK_NAME, bind=True, max_retries=None)  # type: ignore[untyped-decorator]  # celery has no types
    def compress(task: Task, **fields: Any) -> None:
        try:
            if node.drain.begun:
                raise Reject("the worker takes no more", requeue=True)
            with node.heartbeat.message(task.request.properties.get("delivery_tag")):
                _guard(task, fields, node)
        except (redis.RedisError, OperationalError) as error:
            _log.warning("given back", reason=str(error))
            raise Reject(str(error), requeue=True) from error
        except Reject as error:
            # Celery drops a task that is to be tried again where the broker does not take it: nothing may be lost
            _log.warning("given back", reason=str(error.reason))
            raise Reject(error.reason, requeue=True) from error

    return app


def _guard(task: Task, fields: dict[str, Any], node: Node) -> None:
    """Do a task, and put it aside should a defect of ours be in the way: Celery would drop it."""
    try:
        _take(task, fields, node)
    except (TaskPredicate, redis.RedisError, OperationalError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the message must not be lost
        _log.exception("defect")
        _give_up(node, fields, error)


def _take(task: Task, fields: dict[str, Any], node: Node) -> None:
    """Do a task; every way out leaves a result, a record, a message put aside, or a task that will run again."""
    try:
        job = Job.from_message(fields)
    except InvalidMessageError as error:
        _give_up(node, fields, error)
        return
    _tell_age(task, node)
    with structlog.contextvars.bound_contextvars(
        run=job.run, bucket=job.bucket, key=job.key, job=job.identity(node.model_hash)[:12]
    ):
        retries = int(task.request.retries)
        ended: Outcome | SemjpegError
        try:
            with node.tracing.span("compress", run=job.run, bucket=job.bucket, key=job.key, bytes_in=job.size):
                job, ended = attempt(job, node)
        except JobInFlightError:
            _look_again(task, fields)
            return
        except RetryableError as error:
            if retries < node.settings.worker.max_retries:
                _log.warning("retry", code=error.code, reason=str(error), attempt=retries + 1)
                raise _retry(task, error, node) from error
            job, ended = newest(job, node), error
        if isinstance(ended, SemjpegError):
            ended = _fail(task, job, node, ended)
            if newest(job, node).etag != job.etag:
                # a record that came late may stand beside the newer version's result: another attempt removes it
                _look_again(task, fields)
                return
        else:
            if ended.status is Status.UNCHANGED:
                node.telemetry.unchanged()
            _log.info(str(ended.status), bytes_in=ended.bytes_in, bytes_out=ended.bytes_out)
        _count(job, node, ended)


def _fail(task: Task, job: Job, node: Node, error: SemjpegError) -> Outcome:
    """Record a failure. While not even the record can be written the task stays alive, however long that takes."""
    retries = int(task.request.retries)
    try:
        if not record_failure(job, error, node, attempts=retries + 1):
            return Outcome(Status.UNCHANGED)
    except RetryableError as away:
        raise _retry(task, away, node) from away
    except SemjpegError as refused:
        _put_aside(node, job.to_message(), refused)
    node.telemetry.failed(error.code)
    _log.error("failed", code=error.code, reason=str(error))
    return Outcome(Status.FAILED, bytes_in=job.size)


def _retry(task: Task, error: SemjpegError, node: Node) -> Retry:
    """Queue a task once more after a failed attempt, later from time to time."""
    node.telemetry.retried(error.code)
    countdown = _pause_s(int(task.request.retries), node.heartbeat.lease_s)
    return cast("Retry", task.retry(exc=error, countdown=countdown, queue=_queue_of(task), throw=False))


def _look_again(task: Task, fields: dict[str, Any]) -> None:
    """Queue a task once more; to wait for another worker is no failed attempt, so it is not counted as one."""
    countdown = _pause_s(_LAST_DOUBLING, _LOOK_AGAIN_S)
    task.apply_async(kwargs=fields, countdown=countdown, retries=int(task.request.retries), queue=_queue_of(task))


def _queue_of(task: Task) -> QueueName:
    """Return the queue from which a task came: left to itself, Celery sends each retry to the default one."""
    name = (task.request.delivery_info or {}).get("routing_key")
    return next((queue for queue in QUEUES if queue == name), LIVE)


def _tell_age(task: Task, node: Node) -> None:
    """Tell how long a task waited in its queue, the first time that it is taken."""
    enqueued_s = getattr(task.request, ENQUEUED_HEADER, None)
    if isinstance(enqueued_s, float) and not task.request.retries:
        node.telemetry.queue_age(_queue_of(task), time.time() - enqueued_s)


def _count(job: Job, node: Node, outcome: Outcome) -> None:
    """Add to the run's counters; without a broker they stay behind, and the records still tell."""
    amounts = {str(outcome.status): 1}
    if outcome.status is Status.DONE:
        amounts |= {
            "bytes_in": outcome.bytes_in,
            "bytes_out": outcome.bytes_out,
            "bytes_libjpeg": outcome.libjpeg_bytes,
            "pixels": outcome.pixels,
        }
    try:
        node.counters.add(job.run, **amounts)
    except redis.RedisError as error:
        _log.warning("not counted", reason=str(error))


def _give_up(node: Node, fields: dict[str, Any], error: Exception) -> None:
    """Put aside a message and, where it names a run that exists, count it there as failed, so that the run can end."""
    _put_aside(node, fields, error)
    run = fields.get("run")
    if isinstance(run, str) and node.counters.read(run):
        node.counters.add(run, failed=1)


def _put_aside(node: Node, fields: dict[str, Any], error: Exception) -> None:
    """Put aside a message of which neither a result nor a record can be made."""
    _log.error("put aside", reason=str(error))
    name = f"{node.settings.broker.key_prefix}put-aside"
    node.redis.lpush(name, json.dumps({"message": fields, "reason": str(error)}, default=str))
    node.redis.ltrim(name, 0, _KEPT_ASIDE - 1)


def _pause_s(retries: int, most_s: float) -> float:
    """Exponential back-off with full jitter, so that workers do not come back all at once."""
    longest = min(_LONGEST_RETRY_S, most_s, _FIRST_RETRY_S * 2.0 ** min(retries, _LAST_DOUBLING))
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, guards nothing
