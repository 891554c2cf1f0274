"""Telling those who watch a run that more of it may come."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import redis

from config.counters import LEASE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.counters import RunCounters

_EVERY_S = LEASE_S / 4


@contextmanager
def announced(counters: RunCounters, run: str, source: str) -> Iterator[None]:
    """Say that `source` is being listed for a run, until the listing ends; a thread does, for listings pause."""
    ended = threading.Event()

    def announce() -> None:
        while not ended.is_set():
            with suppress(redis.RedisError):  # who queues the jobs waits for a broker that is away, and says so
                counters.announce(run, source)
            ended.wait(_EVERY_S)

    thread = threading.Thread(target=announce, name="announce", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(redis.RedisError):
            counters.withdraw(run, source)
