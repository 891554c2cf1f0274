"""Telling those who watch a run that more of it may come."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import redis

from config.counters import LEASE_S
from producer.polling import meanwhile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.counters import RunCounters

_EVERY_S = LEASE_S / 4


@contextmanager
def announced(counters: RunCounters, run: str, source: str) -> Iterator[None]:
    """Say that `source` is being listed for a run, again and again until the listing ends: listings pause."""

    def announce() -> None:
        with suppress(redis.RedisError):  # who queues the jobs waits for a broker that is away, and says so
            counters.announce(run, source)

    announce()
    try:
        with meanwhile(announce, _EVERY_S):
            yield
    finally:
        with suppress(redis.RedisError):
            counters.withdraw(run, source)
