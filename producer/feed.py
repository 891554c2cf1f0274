"""From a stream of jobs to the queue: in batches, no faster than workers draw them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from config.errors import BrokerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from config.jobs import Job
    from producer.checkpoint import Checkpoint
    from producer.queue import JobQueue

    Notice = Callable[[str], None]

BATCH = 500
"""Jobs in one transaction: its round trips are shared, and it keeps the broker busy for milliseconds only."""

_PAUSE_S = 2.0
_ATTEMPTS = 60
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Step:
    """A job, and the position of one who has queued it and all before it; without a job, of one who need not wait."""

    job: Job | None
    position: str


def feed(queue: JobQueue, steps: Iterable[Step], checkpoint: Checkpoint | None, tell: Notice, warn: Notice) -> int:
    """Queue all jobs, waiting for room and for a broker that is away.

    Args:
        queue: Takes them.
        steps: The jobs, in an order that comes again.
        checkpoint: Follows them; None: nothing is kept.
        tell: Gets a line after each batch.
        warn: Gets a line while the broker is away.

    Returns:
        How many were queued.

    Raises:
        BrokerUnavailableError: The broker was away for minutes.
        ConfigurationError: Another producer has taken over the checkpoint.
        SemjpegError: As the stream of jobs does.
    """
    queued = 0
    coming = iter(steps)
    while True:
        room = patiently(queue.wait_for_room, warn)
        batch = list(_up_to_a_mark(coming, min(room, BATCH)))
        if not batch:
            return queued
        jobs = [step.job for step in batch if step.job]
        if jobs or checkpoint:
            patiently(partial(queue.publish, jobs, checkpoint, batch[-1].position), warn)
        if jobs:
            queued += len(jobs)
            tell(f"queued {queued:,}: {jobs[-1].key}")


def _up_to_a_mark(coming: Iterator[Step], most: int) -> Iterator[Step]:
    """Take steps until one has no job: who looks at many objects for few jobs keeps none of these waiting."""
    for step in islice(coming, most):
        yield step
        if step.job is None:
            return


def patiently(attempt: Callable[[], _T], warn: Notice) -> _T:
    """Do something that needs the broker, again and again while that is away.

    Raises:
        BrokerUnavailableError: It was away for minutes.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return attempt()
        except BrokerUnavailableError as error:
            warn(f"waiting for the broker: {error}")
            time.sleep(_PAUSE_S)
    return attempt()
