"""Step: one worker at a time for one job."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import redis
import structlog

from config.errors import BrokerUnavailableError, JobInFlightError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

_log = structlog.get_logger(__name__)


@contextmanager
def claim(client: Redis, name: str, lease_s: float) -> Iterator[None]:
    """Hold the claim called `name`. It ends by itself `lease_s` seconds after a worker died with it.

    Raises:
        JobInFlightError: Another worker holds it.
        BrokerUnavailableError: Redis does not answer.
    """
    lock = client.lock(name, timeout=lease_s, blocking=False)
    try:
        held = lock.acquire()
    except redis.RedisError as error:
        raise BrokerUnavailableError(f"cannot claim: {error}") from error
    if not held:
        raise JobInFlightError("is being compressed by another worker")
    try:
        yield
    finally:
        try:
            lock.release()
        except redis.RedisError as error:
            # the lease ran out, or will: what was done stands, and its result carries the job's identity
            _log.warning("claim not released", reason=str(error))
