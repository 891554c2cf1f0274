"""The queues of jobs, and how a queue is called in Redis."""

from __future__ import annotations

from typing import Final, Literal

QueueName = Literal["live", "bulk"]

LIVE: Final[QueueName] = "live"
"""The queue of events: somebody may be waiting for what they cause."""
BULK: Final[QueueName] = "bulk"
"""The queue of backfills and reconciling scans."""
QUEUES: Final[tuple[QueueName, ...]] = (LIVE, BULK)
"""All, the more urgent first."""

ENQUEUED_HEADER: Final = "semjpeg-enqueued"
"""Header of a message: when it was queued, in seconds since 1970 by the producer's clock."""


def queue_key(key_prefix: str, queue: str) -> str:
    """Return the name of the Redis list that holds a queue's messages."""
    return f"{key_prefix}{queue}"
